import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { useTitle } from '../frame/useTitle';
import { BatchesView } from './BatchesView';

const route = getRouteApi('/_signed-in/tenants/$tenantId/batches');

/** The batches of all of a tenant's accounts. */
export function BatchesPage() {
  const { t } = useTranslation();
  useTitle(t('batches.title'));
  const { tenantId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <div className="page">
      <div className="page-top">
        <h1>{t('batches.title')}</h1>
      </div>
      <BatchesView
        key={tenantId}
        tenantId={tenantId}
        search={search}
        onGo={(next, trail) =>
          void navigate({
            search: next,
            state: (previous) => ({ ...previous, ...(trail && { trail }) }),
            replace: next.batch === undefined && !trail,
          })
        }
      />
    </div>
  );
}
