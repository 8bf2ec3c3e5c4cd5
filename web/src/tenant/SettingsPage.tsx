import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { Skeleton, Typography } from 'antd';
import { useTranslation } from 'react-i18next';
import { getTenantOptions } from '../client/@tanstack/react-query.gen';
import { Facts } from '../frame/Facts';
import { useTitle } from '../frame/useTitle';
import { ProblemAlert } from '../problem/ProblemAlert';
import { RelativeTime } from '../time/RelativeTime';
import { TokenHandout } from './TokenHandout';

const route = getRouteApi('/_signed-in/tenants/$tenantId/settings');

/** What the service provider decides about a tenant. */
export function SettingsPage() {
  const { t } = useTranslation();
  useTitle(t('settings.title'));
  const { tenantId } = route.useParams();
  const tenant = useQuery(getTenantOptions({ path: { tenant_id: tenantId } }));
  return (
    <div className="page">
      <div className="page-top">
        <h1>{t('settings.title')}</h1>
      </div>
      {tenant.isError && <ProblemAlert problem={tenant.error} onRetry={() => void tenant.refetch()} />}
      {tenant.isPending && <Skeleton active />}
      {tenant.data && (
        <div className="settings">
          <Facts
            facts={[
              [t('settings.name'), tenant.data.name],
              [
                t('settings.id'),
                <Typography.Text className="mono" copyable={{ text: tenantId }}>
                  {tenantId}
                </Typography.Text>,
              ],
              [t('settings.since'), <RelativeTime at={tenant.data.created_at} tabStop />],
            ]}
          />
          <TokenHandout key={tenantId} tenant={tenant.data} />
        </div>
      )}
    </div>
  );
}
