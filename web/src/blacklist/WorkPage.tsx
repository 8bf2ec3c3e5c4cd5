import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { AccountPage } from './AccountPage';
import { QuotaTable } from './QuotaTable';
import { WorkView } from './WorkView';

const route = getRouteApi('/_signed-in/tenants/$tenantId/accounts/$appid/work');

/** How the work between what is wanted and what WeChat has goes on for one account, and how much of it WeChat still allows today. */
export function WorkPage() {
  const { t } = useTranslation();
  const { tenantId, appid } = route.useParams();
  return (
    <AccountPage key={`${tenantId}/${appid}`} tenantId={tenantId} appid={appid} title={t('work.title')}>
      <WorkView tenantId={tenantId} appid={appid} />
      <QuotaTable tenantId={tenantId} appid={appid} />
    </AccountPage>
  );
}
