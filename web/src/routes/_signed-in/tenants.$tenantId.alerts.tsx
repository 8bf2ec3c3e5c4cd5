import { createFileRoute } from '@tanstack/react-router';
import { AlertsPage } from '../../alert/AlertsPage';
import { parseAlertsSearch } from '../../alert/search';

export const Route = createFileRoute('/_signed-in/tenants/$tenantId/alerts')({
  validateSearch: parseAlertsSearch,
  component: AlertsPage,
});
