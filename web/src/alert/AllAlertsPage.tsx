import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { listAllAlertsOptions } from '../client/@tanstack/react-query.gen';
import { allTenantsOptions } from '../frame/tenants';
import { useTitle } from '../frame/useTitle';
import { AlertsView } from './AlertsView';
import { queryOf, refetchInterval } from './search';

const route = getRouteApi('/_signed-in/alerts');

/** What has broken on our own third-party platforms and among everybody's accounts. */
export function AllAlertsPage() {
  const { t } = useTranslation();
  useTitle(t('alerts.allTitle'));
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const tenants = useQuery(allTenantsOptions());
  const alerts = useQuery({
    ...listAllAlertsOptions({ query: queryOf(search) }),
    placeholderData: keepPreviousData,
    refetchInterval,
  });
  return (
    <AlertsView
      title={t('alerts.allTitle')}
      alerts={alerts}
      search={search}
      tenantNames={new Map(tenants.data?.map(({ id, name }) => [id, name]))}
      onGo={(next, trail) => void navigate({ search: next, state: (previous) => ({ ...previous, trail }), replace: trail === undefined })}
    />
  );
}
