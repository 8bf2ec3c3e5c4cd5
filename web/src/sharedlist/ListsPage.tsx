import { PlusOutlined } from '@ant-design/icons';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { Button, Empty } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { listSharedListsOptions } from '../client/@tanstack/react-query.gen';
import { useTitle } from '../frame/useTitle';
import { CursorPager } from '../paging/CursorPager';
import { useTrail } from '../paging/useTrail';
import { ProblemAlert } from '../problem/ProblemAlert';
import { useMay } from '../session/useMe';
import { ListDialog } from './ListDialog';
import { ListsTable } from './ListsTable';

const route = getRouteApi('/_signed-in/tenants/$tenantId/lists/');

/** The tenant's lists of people who are to be blocked on all of its accounts. */
export function ListsPage() {
  const { tenantId } = route.useParams();
  return <TenantLists key={tenantId} />;
}

function TenantLists() {
  const { t } = useTranslation();
  useTitle(t('lists.title'));
  const { tenantId } = route.useParams();
  const { cursor } = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay('blacklist:write');
  const [making, setMaking] = useState(false);
  const lists = useQuery({
    ...listSharedListsOptions({ path: { tenant_id: tenantId }, query: { cursor, limit: 50 } }),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (state.data?.data.some(({ working }) => working) ? 5_000 : 30_000),
  });
  const pager = useTrail(
    cursor,
    lists.data?.next_cursor,
    (cursor, trail) => void navigate({ search: { cursor }, state: (previous) => ({ ...previous, trail }) }),
  );
  const make = (
    <Button
      type="primary"
      icon={<PlusOutlined aria-hidden />}
      disabled={!mayWrite}
      title={mayWrite ? undefined : t('frame.notAllowed')}
      onClick={() => setMaking(true)}
    >
      {t('lists.make')}
    </Button>
  );
  return (
    <div className="page">
      <div className="page-top">
        <h1>{t('lists.title')}</h1>
        {make}
      </div>
      <p className="quiet">{t('lists.intro')}</p>
      {lists.isError && <ProblemAlert problem={lists.error} onRetry={() => void lists.refetch()} />}
      {!(lists.isError && !lists.data) && (
        <ListsTable
          tenantId={tenantId}
          lists={lists.data?.data}
          refreshing={lists.isPlaceholderData}
          empty={
            <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('lists.none')}>
              {make}
            </Empty>
          }
        />
      )}
      <CursorPager {...pager} />
      {making && (
        <ListDialog
          tenantId={tenantId}
          onClose={() => setMaking(false)}
          onSaved={({ id }) => void navigate({ to: '/tenants/$tenantId/lists/$listId', params: { tenantId, listId: id } })}
        />
      )}
    </div>
  );
}
