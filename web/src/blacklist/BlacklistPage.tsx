import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { BatchDrawer } from '../batch/BatchDrawer';
import { exportBlacklist, type Batch } from '../client';
import { listBatchesQueryKey, listBlacklistOptions, listBlacklistQueryKey } from '../client/@tanstack/react-query.gen';
import { CursorPager } from '../paging/CursorPager';
import { useTrail } from '../paging/useTrail';
import { ProblemAlert } from '../problem/ProblemAlert';
import { AccountPage } from './AccountPage';
import { EntryTable } from './EntryTable';
import { EntryToolbar } from './EntryToolbar';
import { HistoryDrawer } from './HistoryDrawer';
import { ImportDrawer } from './ImportDrawer';
import { NoEntries } from './NoEntries';
import { PullStatus } from './PullStatus';
import { UnfinishedBatches } from './UnfinishedBatches';
import { WishDrawer } from './WishDrawer';
import { filtersOf, hasMoreFilters, type BlacklistSearch } from './search';
import { useAccountName } from './useAccount';
import type { Action } from './useWish';

const route = getRouteApi('/_signed-in/tenants/$tenantId/accounts/$appid/blacklist');

/** One account's blacklist: what is wanted, what WeChat has, and the work between the two. */
export function BlacklistPage() {
  const { tenantId, appid } = route.useParams();
  // Nothing chosen or pasted for one account may reach another.
  const { t } = useTranslation();
  return (
    <AccountPage key={`${tenantId}/${appid}`} tenantId={tenantId} appid={appid} title={t('blacklist.title')}>
      <AccountBlacklist />
    </AccountPage>
  );
}

function AccountBlacklist() {
  const { tenantId, appid } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const queryClient = useQueryClient();
  const [selected, setSelected] = useState<string[]>([]);
  const [asking, setAsking] = useState<Action | 'import'>();
  const path = { tenant_id: tenantId, appid };
  const filters = filtersOf(search);
  const entries = useQuery({
    ...listBlacklistOptions({ path, query: { ...filters, cursor: search.cursor, limit: 50 } }),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (state.data?.data.some(({ pending }) => pending) ? 3_000 : 30_000),
  });
  const change = (values: Partial<BlacklistSearch>, replace = true) =>
    void navigate({ search: (previous) => ({ ...previous, ...values }), state: (previous) => previous, replace });
  const filter = (values: Partial<BlacklistSearch>) => change({ ...values, cursor: undefined });
  const pager = useTrail(
    search.cursor,
    entries.data?.next_cursor,
    (cursor, trail) => void navigate({ search: (previous) => ({ ...previous, cursor }), state: (previous) => ({ ...previous, trail }) }),
  );
  const refresh = useCallback(() => {
    void queryClient.invalidateQueries({ queryKey: listBlacklistQueryKey({ path: { tenant_id: tenantId, appid } }) });
    void queryClient.invalidateQueries({ queryKey: listBatchesQueryKey({ path: { tenant_id: tenantId } }) });
  }, [queryClient, tenantId, appid]);
  const taken = (batch: Batch) => {
    setAsking(undefined);
    setSelected([]);
    change({ batch: batch.id }, false);
  };
  const wish = { tenantId, appid, accountName: useAccountName(tenantId, appid), onClose: () => setAsking(undefined), onTaken: taken };
  return (
    <>
      <UnfinishedBatches tenantId={tenantId} appid={appid} shown={search.batch} onShow={(batch) => change({ batch }, false)} />
      <EntryToolbar
        search={search}
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
        onExport={(format) => exportBlacklist({ path, query: { ...format, ...filters }, parseAs: 'blob', throwOnError: true })}
        onImport={() => setAsking('import')}
        onFilter={filter}
        onClearSelection={() => setSelected([])}
        onAsk={setAsking}
      />
      {entries.isError && <ProblemAlert problem={entries.error} onRetry={() => void entries.refetch()} />}
      {!(entries.isError && !entries.data) && (
        <EntryTable
          entries={entries.data?.data}
          refreshing={entries.isPlaceholderData}
          selected={selected}
          empty={
            <NoEntries
              searching={search.q !== undefined || hasMoreFilters(search)}
              filter={search.actual ?? 'blocked'}
              neverRead={entries.data?.synced_at === null}
              onShowAll={() => filter({ q: undefined, reason: undefined, by: undefined, want: undefined, state: undefined, actual: 'any' })}
            />
          }
          onSelect={setSelected}
          onShowBatch={(batch) => change({ batch }, false)}
          onShowHistory={(history) => change({ history }, false)}
        />
      )}
      <CursorPager {...pager} />
      <WishDrawer action="block" open={asking === 'block'} {...wish} />
      {asking === 'unblock' && <WishDrawer action="unblock" open initialText={selected.join('\n')} {...wish} />}
      {asking === 'import' && <ImportDrawer {...wish} />}
      {search.history && (
        <HistoryDrawer
          key={search.history}
          tenantId={tenantId}
          appid={appid}
          openid={search.history}
          onClose={() => change({ history: undefined })}
          onShowBatch={(batch) => change({ history: undefined, batch }, false)}
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
