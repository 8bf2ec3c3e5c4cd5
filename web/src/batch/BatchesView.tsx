import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { Empty } from 'antd';
import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import { listBatchesOptions, listBatchesQueryKey } from '../client/@tanstack/react-query.gen';
import { CursorPager } from '../paging/CursorPager';
import { useTrail } from '../paging/useTrail';
import { ProblemAlert } from '../problem/ProblemAlert';
import { hasEnded } from './batch';
import { BatchDrawer } from './BatchDrawer';
import { BatchTable } from './BatchTable';
import type { BatchesSearch } from './search';

interface Props {
  tenantId: string;
  /** Only the batches of this account; undefined: those of all the tenant's. */
  appid?: string;
  search: BatchesSearch;
  /** Leads to another page of the list, or to a batch; `trail` undefined: stays on the page. */
  onGo: (search: BatchesSearch, trail?: string[]) => void;
}

/** Who had whom blocked and unblocked, newest first; each batch opens beside the list. */
export function BatchesView({ tenantId, appid, search, onGo }: Props) {
  const { t } = useTranslation();
  const queryClient = useQueryClient();
  const batches = useQuery({
    ...listBatchesOptions({ path: { tenant_id: tenantId }, query: { appid, limit: 50, cursor: search.cursor } }),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (state.data?.data.some((batch) => !hasEnded(batch)) ? 2_000 : 15_000),
  });
  const pager = useTrail(search.cursor, batches.data?.next_cursor, (cursor, trail) => onGo({ cursor }, trail));
  const refresh = useCallback(
    () => void queryClient.invalidateQueries({ queryKey: listBatchesQueryKey({ path: { tenant_id: tenantId } }) }),
    [queryClient, tenantId],
  );
  const show = (batch: string | undefined) => onGo({ ...search, batch });
  return (
    <>
      {batches.isError && <ProblemAlert problem={batches.error} onRetry={() => void batches.refetch()} />}
      {!(batches.isError && !batches.data) && (
        <BatchTable
          tenantId={tenantId}
          batches={batches.data?.data}
          refreshing={batches.isPlaceholderData}
          ofAllAccounts={appid === undefined}
          empty={<Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('batches.none')} />}
          onShow={show}
        />
      )}
      <CursorPager {...pager} />
      {search.batch && (
        <BatchDrawer
          key={search.batch}
          tenantId={tenantId}
          batchId={search.batch}
          onClose={() => show(undefined)}
          onProgress={refresh}
          onShow={show}
        />
      )}
    </>
  );
}
