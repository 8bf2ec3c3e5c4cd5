import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { BatchesView } from '../batch/BatchesView';
import { AccountPage } from './AccountPage';

const route = getRouteApi('/_signed-in/tenants/$tenantId/accounts/$appid/batches');

/** What was asked for on one account. */
export function AccountBatchesPage() {
  const { t } = useTranslation();
  const { tenantId, appid } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <AccountPage key={`${tenantId}/${appid}`} tenantId={tenantId} appid={appid} title={t('batches.title')}>
      <BatchesView
        tenantId={tenantId}
        appid={appid}
        search={search}
        onGo={(next, trail) =>
          void navigate({
            search: next,
            state: (previous) => ({ ...previous, ...(trail && { trail }) }),
            replace: next.batch === undefined && !trail,
          })
        }
      />
    </AccountPage>
  );
}
