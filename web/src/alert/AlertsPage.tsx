import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { listAlertsOptions } from '../client/@tanstack/react-query.gen';
import { useTitle } from '../frame/useTitle';
import { AlertsView } from './AlertsView';
import { queryOf, refetchInterval } from './search';

const route = getRouteApi('/_signed-in/tenants/$tenantId/alerts');

/** What has broken among one tenant's accounts. */
export function AlertsPage() {
  const { tenantId } = route.useParams();
  // While another tenant's alerts are on their way, this one's must not stand in for them.
  return <TenantAlerts key={tenantId} />;
}

function TenantAlerts() {
  const { t } = useTranslation();
  useTitle(t('alerts.title'));
  const { tenantId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const alerts = useQuery({
    ...listAlertsOptions({ path: { tenant_id: tenantId }, query: queryOf(search) }),
    placeholderData: keepPreviousData,
    refetchInterval,
  });
  return (
    <AlertsView
      title={t('alerts.title')}
      alerts={alerts}
      search={search}
      onGo={(next, trail) => void navigate({ search: next, state: (previous) => ({ ...previous, trail }), replace: trail === undefined })}
    />
  );
}
