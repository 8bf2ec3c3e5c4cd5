import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { Button, Empty, Skeleton } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { SharedPerson } from '../client';
import {
  getSharedListOptions,
  getSharedListQueryKey,
  listSharedPersonsOptions,
  listSharedPersonsQueryKey,
} from '../client/@tanstack/react-query.gen';
import { useTitle } from '../frame/useTitle';
import { CursorPager } from '../paging/CursorPager';
import { SearchBox } from '../paging/SearchBox';
import { useTrail } from '../paging/useTrail';
import { ProblemAlert } from '../problem/ProblemAlert';
import { useMay } from '../session/useMe';
import { AddDrawer } from './AddDrawer';
import { Coverage } from './Coverage';
import { ListHeader } from './ListHeader';
import { PersonsTable } from './PersonsTable';
import type { ListSearch } from './search';
import { SharedPersonDrawer } from './SharedPersonDrawer';
import { TakeOffDialog } from './TakeOffDialog';

const route = getRouteApi('/_signed-in/tenants/$tenantId/lists/$listId');

/** One shared list: who is on it, and on which accounts it works. */
export function ListPage() {
  const { tenantId, listId } = route.useParams();
  return <OneList key={`${tenantId}/${listId}`} />;
}

function OneList() {
  const { t } = useTranslation();
  const { tenantId, listId } = route.useParams();
  const path = { tenant_id: tenantId, list_id: listId };
  const list = useQuery({
    ...getSharedListOptions({ path }),
    refetchInterval: ({ state }) => (state.data?.list.working ? 5_000 : 30_000),
  });
  useTitle(list.data?.list.name ?? t('lists.title'));
  return (
    <div className="page">
      <ListHeader tenantId={tenantId} list={list.data?.list} />
      {list.isError && <ProblemAlert problem={list.error} onRetry={() => void list.refetch()} />}
      {list.isPending && <Skeleton active />}
      {list.data && (
        <>
          <Persons tenantId={tenantId} listId={listId} />
          <Coverage tenantId={tenantId} accounts={list.data.accounts} />
        </>
      )}
    </div>
  );
}

function Persons({ tenantId, listId }: { tenantId: string; listId: string }) {
  const { t } = useTranslation();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const queryClient = useQueryClient();
  const mayWrite = useMay('blacklist:write');
  const [adding, setAdding] = useState(false);
  const [leaving, setLeaving] = useState<SharedPerson>();
  const path = { tenant_id: tenantId, list_id: listId };
  const persons = useQuery({
    ...listSharedPersonsOptions({ path, query: { q: search.q, cursor: search.cursor, limit: 50 } }),
    placeholderData: keepPreviousData,
  });
  const change = (values: Partial<ListSearch>, replace = true) =>
    void navigate({ search: (previous) => ({ ...previous, ...values }), state: (previous) => previous, replace });
  const pager = useTrail(
    search.cursor,
    persons.data?.next_cursor,
    (cursor, trail) => void navigate({ search: (previous) => ({ ...previous, cursor }), state: (previous) => ({ ...previous, trail }) }),
  );
  const refresh = () => {
    void queryClient.invalidateQueries({ queryKey: getSharedListQueryKey({ path }) });
    void queryClient.invalidateQueries({ queryKey: listSharedPersonsQueryKey({ path }) });
  };
  const add = (
    <Button type="primary" disabled={!mayWrite} title={mayWrite ? undefined : t('frame.notAllowed')} onClick={() => setAdding(true)}>
      {t('lists.add')}
    </Button>
  );
  return (
    <section className="stack-wide" aria-labelledby="list-persons">
      <div className="toolbar">
        <h2 id="list-persons" className="section-title">
          {t('lists.who')}
        </h2>
        <SearchBox
          label={t('lists.search')}
          maxLength={128}
          value={search.q ?? ''}
          onSearch={(q) => change({ q: q || undefined, cursor: undefined })}
        />
        <div className="toolbar-end">{add}</div>
      </div>
      {persons.isError && <ProblemAlert problem={persons.error} onRetry={() => void persons.refetch()} />}
      {!(persons.isError && !persons.data) && (
        <PersonsTable
          tenantId={tenantId}
          persons={persons.data?.data}
          refreshing={persons.isPlaceholderData}
          empty={
            <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={search.q === undefined ? t('lists.nobody') : t('lists.noneMatch')}>
              {search.q === undefined ? add : <Button onClick={() => change({ q: undefined })}>{t('lists.showAll')}</Button>}
            </Empty>
          }
          onShow={(person) => change({ person }, false)}
          onTakeOff={setLeaving}
        />
      )}
      <CursorPager {...pager} />
      {adding && <AddDrawer tenantId={tenantId} listId={listId} onClose={() => setAdding(false)} onAdded={refresh} />}
      {search.person && (
        <SharedPersonDrawer
          key={search.person}
          tenantId={tenantId}
          listId={listId}
          personId={search.person}
          onClose={() => change({ person: undefined })}
          onTakeOff={setLeaving}
        />
      )}
      {leaving && (
        <TakeOffDialog
          tenantId={tenantId}
          listId={listId}
          person={leaving}
          onClose={() => setLeaving(undefined)}
          onDone={() => {
            setLeaving(undefined);
            if (search.person) change({ person: undefined });
            refresh();
          }}
        />
      )}
    </section>
  );
}
