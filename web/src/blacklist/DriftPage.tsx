import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { App, Button, Empty } from 'antd';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { BatchDrawer } from '../batch/BatchDrawer';
import type { Adopted, Restored } from '../client';
import { listBatchesQueryKey, listBlacklistOptions, listBlacklistQueryKey } from '../client/@tanstack/react-query.gen';
import { CursorPager } from '../paging/CursorPager';
import { useTrail } from '../paging/useTrail';
import { ProblemAlert } from '../problem/ProblemAlert';
import { AccountPage } from './AccountPage';
import { DriftDialog, type Remedy } from './DriftDialog';
import { DriftTable } from './DriftTable';
import { DriftToolbar } from './DriftToolbar';
import { PullStatus } from './PullStatus';
import type { DriftSearch } from './search';

const route = getRouteApi('/_signed-in/tenants/$tenantId/accounts/$appid/drift');

/** What was done outside Steward on one account, and what to make of it. */
export function DriftPage() {
  const { t } = useTranslation();
  const { tenantId, appid } = route.useParams();
  return (
    <AccountPage key={`${tenantId}/${appid}`} tenantId={tenantId} appid={appid} title={t('drift.title')}>
      <Differences />
    </AccountPage>
  );
}

function Differences() {
  const { t, i18n } = useTranslation();
  const { message } = App.useApp();
  const { tenantId, appid } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const queryClient = useQueryClient();
  const [selected, setSelected] = useState<string[]>([]);
  const [asking, setAsking] = useState<Remedy>();
  const drift = search.drift ?? 'any';
  const path = { tenant_id: tenantId, appid };
  const entries = useQuery({
    ...listBlacklistOptions({ path, query: { drift, cursor: search.cursor, limit: 50 } }),
    placeholderData: keepPreviousData,
    refetchInterval: 30_000,
  });
  const change = (values: Partial<DriftSearch>, replace = true) =>
    void navigate({ search: (previous) => ({ ...previous, ...values }), state: (previous) => previous, replace });
  const pager = useTrail(
    search.cursor,
    entries.data?.next_cursor,
    (cursor, trail) => void navigate({ search: (previous) => ({ ...previous, cursor }), state: (previous) => ({ ...previous, trail }) }),
  );
  const refresh = useCallback(() => {
    void queryClient.invalidateQueries({ queryKey: listBlacklistQueryKey({ path: { tenant_id: tenantId, appid } }) });
    void queryClient.invalidateQueries({ queryKey: listBatchesQueryKey({ path: { tenant_id: tenantId } }) });
  }, [queryClient, tenantId, appid]);
  const settled = () => {
    setAsking(undefined);
    setSelected([]);
    refresh();
  };
  const adopted = ({ adopted: count }: Adopted) => {
    settled();
    void message.success(t('drift.adopted', { count, number: count.toLocaleString(i18n.language) }));
  };
  const restored = ({ batches }: Restored) => {
    settled();
    const [first] = batches;
    if (first) change({ batch: first.id }, false);
    if (batches.length !== 1) void message.info(t(first ? 'drift.twoBatches' : 'drift.nothingRestored'));
  };
  return (
    <>
      <p className="quiet">{t('drift.intro')}</p>
      <DriftToolbar
        drift={drift}
        page={entries.data}
        selected={selected.length}
        pull={
          <PullStatus
            tenantId={tenantId}
            appid={appid}
            pullId={search.pull}
            syncedAt={entries.data?.synced_at}
            onPull={(pull) => change({ pull })}
            onDone={refresh}
          />
        }
        onFilter={(chosen) => {
          setSelected([]);
          change({ drift: chosen === 'any' ? undefined : chosen, cursor: undefined });
        }}
        onClearSelection={() => setSelected([])}
        onAsk={setAsking}
      />
      {entries.isError && <ProblemAlert problem={entries.error} onRetry={() => void entries.refetch()} />}
      {!(entries.isError && !entries.data) && (
        <DriftTable
          entries={entries.data?.data}
          refreshing={entries.isPlaceholderData}
          selected={selected}
          empty={
            <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t(`drift.none.${drift}`)}>
              {drift !== 'any' && <Button onClick={() => change({ drift: undefined })}>{t('drift.showAll')}</Button>}
            </Empty>
          }
          onSelect={setSelected}
        />
      )}
      <CursorPager {...pager} />
      {asking && (
        <DriftDialog
          remedy={asking}
          tenantId={tenantId}
          appid={appid}
          drift={drift}
          openids={selected}
          total={entries.data?.total ?? 0}
          totalIsAtLeast={entries.data?.total_is_at_least ?? false}
          onAdopted={adopted}
          onRestored={restored}
          onClose={() => setAsking(undefined)}
        />
      )}
      {search.batch && (
        <BatchDrawer
          key={search.batch}
          tenantId={tenantId}
          batchId={search.batch}
          onClose={() => change({ batch: undefined })}
          onProgress={refresh}
          onShow={(batch) => change({ batch }, false)}
        />
      )}
    </>
  );
}
