import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { Button, Empty } from 'antd';
import { useTranslation } from 'react-i18next';
import { listAuthorizersOptions } from '../client/@tanstack/react-query.gen';
import { useTitle } from '../frame/useTitle';
import { CursorPager } from '../paging/CursorPager';
import { SearchBox } from '../paging/SearchBox';
import { useTrail } from '../paging/useTrail';
import { ProblemAlert } from '../problem/ProblemAlert';
import { DirectoriesTable } from './DirectoriesTable';
import { FindPerson } from './FindPerson';
import type { FollowersSearch } from './search';

const route = getRouteApi('/_signed-in/tenants/$tenantId/followers');

/** Which of the tenant's accounts know their followers, and where somebody follows. */
export function FollowersPage() {
  const { tenantId } = route.useParams();
  return <TenantFollowers key={tenantId} />;
}

function TenantFollowers() {
  const { t } = useTranslation();
  useTitle(t('followers.title'));
  const { tenantId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const change = (values: Partial<FollowersSearch>, replace: boolean) =>
    void navigate({ search: (previous) => ({ ...previous, ...values }), replace });
  const pager = { cursor: search.cursor, limit: 20 };
  const accounts = useQuery({
    ...listAuthorizersOptions({ path: { tenant_id: tenantId }, query: { q: search.q, ...pager } }),
    placeholderData: keepPreviousData,
  });
  const trail = useTrail(
    search.cursor,
    accounts.data?.next_cursor,
    (cursor, trail) => void navigate({ search: (previous) => ({ ...previous, cursor }), state: (previous) => ({ ...previous, trail }) }),
  );
  const showAll = () => change({ q: undefined, cursor: undefined }, true);
  return (
    <div className="page">
      <div className="page-top">
        <h1>{t('followers.title')}</h1>
      </div>
      <FindPerson tenantId={tenantId} person={search.person} onFind={(person) => change({ person }, false)} />
      <section className="stack-wide" aria-labelledby="directories">
        <div className="toolbar">
          <h2 id="directories" className="section-title">
            {t('followers.directories')}
          </h2>
          <SearchBox
            label={t('accounts.search')}
            maxLength={200}
            value={search.q ?? ''}
            onSearch={(q) => change({ q: q || undefined, cursor: undefined }, true)}
          />
        </div>
        <p className="quiet">{t('followers.intro')}</p>
        {accounts.isError && <ProblemAlert problem={accounts.error} onRetry={() => void accounts.refetch()} />}
        {!(accounts.isError && !accounts.data) && (
          <DirectoriesTable
            accounts={accounts.data?.data}
            tenantId={tenantId}
            refreshing={accounts.isPlaceholderData}
            empty={
              <Empty
                image={Empty.PRESENTED_IMAGE_SIMPLE}
                description={search.q === undefined ? t('accounts.none') : t('accounts.noneMatch')}
              >
                {search.q !== undefined && <Button onClick={showAll}>{t('accounts.showAll')}</Button>}
              </Empty>
            }
          />
        )}
        <CursorPager {...trail} />
      </section>
    </div>
  );
}
