import { LinkOutlined } from '@ant-design/icons';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { Button, Select } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { AuthorizerState, HealthStatus } from '../client';
import { listAuthorizersOptions } from '../client/@tanstack/react-query.gen';
import { ConnectDialog } from '../connect/ConnectDialog';
import { useTitle } from '../frame/useTitle';
import { CursorPager } from '../paging/CursorPager';
import { SearchBox } from '../paging/SearchBox';
import { useTrail } from '../paging/useTrail';
import { ProblemAlert } from '../problem/ProblemAlert';
import { useMay } from '../session/useMe';
import { AccountsTable } from './AccountsTable';
import { NoAccounts } from './NoAccounts';
import { healths, states, type AccountsSearch } from './search';

const route = getRouteApi('/_signed-in/tenants/$tenantId/accounts/');

/** The tenant's official accounts: which of them we may act for, and what stands in the way with the others. */
export function AccountsPage() {
  const { tenantId } = route.useParams();
  // While another tenant's accounts are on their way, this one's must not stand in for them.
  return <TenantAccounts key={tenantId} />;
}

function TenantAccounts() {
  const { t } = useTranslation();
  useTitle(t('accounts.title'));
  const { tenantId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayConnect = useMay('connect-links:write');
  const [connecting, setConnecting] = useState(false);
  const accounts = useQuery({
    ...listAuthorizersOptions({
      path: { tenant_id: tenantId },
      query: { state: search.state, health: search.health, q: search.q, cursor: search.cursor, limit: 50 },
    }),
    placeholderData: keepPreviousData,
    refetchInterval: 15_000,
  });
  const filter = (change: Partial<AccountsSearch>) =>
    void navigate({ search: (previous) => ({ ...previous, ...change, cursor: undefined }), replace: true });
  const pager = useTrail(
    search.cursor,
    accounts.data?.next_cursor,
    (cursor, trail) => void navigate({ search: (previous) => ({ ...previous, cursor }), state: (previous) => ({ ...previous, trail }) }),
  );
  const connect = (
    <Button
      type="primary"
      icon={<LinkOutlined aria-hidden />}
      disabled={!mayConnect}
      title={mayConnect ? undefined : t('frame.notAllowed')}
      onClick={() => setConnecting(true)}
    >
      {t('connect.button')}
    </Button>
  );
  const filtered = search.q !== undefined || search.state !== undefined || search.health !== undefined;
  return (
    <div className="page">
      <div className="page-top">
        <h1>{t('accounts.title')}</h1>
        {connect}
      </div>
      <div className="toolbar" role="search">
        <SearchBox label={t('accounts.search')} maxLength={200} value={search.q ?? ''} onSearch={(q) => filter({ q: q || undefined })} />
        <Select<AuthorizerState | 'all'>
          className="state-filter"
          aria-label={t('accounts.stateFilter')}
          value={search.state ?? 'all'}
          options={[
            { value: 'all', label: t('accounts.allStates') },
            ...states.map((state) => ({ value: state, label: t(`state.${state}`) })),
          ]}
          onChange={(state) => filter({ state: state === 'all' ? undefined : state })}
        />
        <Select<HealthStatus | 'all'>
          className="state-filter"
          aria-label={t('accounts.healthFilter')}
          value={search.health ?? 'all'}
          options={[
            { value: 'all', label: t('accounts.allHealths') },
            ...healths.map((health) => ({ value: health, label: t(`health.${health}`) })),
          ]}
          onChange={(health) => filter({ health: health === 'all' ? undefined : health })}
        />
      </div>
      {accounts.isError && <ProblemAlert problem={accounts.error} onRetry={() => void accounts.refetch()} />}
      {!(accounts.isError && !accounts.data) && (
        <AccountsTable
          accounts={accounts.data?.data}
          tenantId={tenantId}
          refreshing={accounts.isPlaceholderData}
          empty={
            <NoAccounts
              filtered={filtered}
              connect={connect}
              onShowAll={() => filter({ q: undefined, state: undefined, health: undefined })}
            />
          }
        />
      )}
      <CursorPager {...pager} />
      {connecting && <ConnectDialog tenantId={tenantId} onClose={() => setConnecting(false)} />}
    </div>
  );
}
