import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { AlertPage } from '../client';
import { listAlertsOptions, listAllAlertsOptions } from '../client/@tanstack/react-query.gen';
import { useMay } from '../session/useMe';
import { queryOf, refetchInterval } from './search';

/** How many alerts of a tenant are open. */
export function OpenAlerts({ tenantId }: { tenantId: string }) {
  const enabled = useMay('authorizers:read');
  const alerts = useQuery({ ...listAlertsOptions({ path: { tenant_id: tenantId }, query: queryOf({}) }), enabled, refetchInterval });
  return <Count page={alerts.data} />;
}

/** How many alerts are open, of whomever. */
export function AllOpenAlerts() {
  const alerts = useQuery({ ...listAllAlertsOptions({ query: queryOf({}) }), refetchInterval });
  return <Count page={alerts.data} />;
}

/** Its place is kept while there is nothing to count: what stands behind it must not move. */
function Count({ page }: { page: AlertPage | undefined }) {
  const { t, i18n } = useTranslation();
  const count = page?.data.length ?? 0;
  if (count === 0) return <span className="open-alerts" aria-hidden />;
  const number = count.toLocaleString(i18n.language) + (page?.next_cursor ? '+' : '');
  return (
    <span className="open-alerts">
      <span className="open-alerts-count" aria-hidden>
        {number}
      </span>
      <span className="unseen">{t('alerts.openCount', { count, number })}</span>
    </span>
  );
}
