import { createFileRoute } from '@tanstack/react-router';
import { AllAlertsPage } from '../../alert/AllAlertsPage';
import { parseAlertsSearch } from '../../alert/search';

export const Route = createFileRoute('/_signed-in/alerts')({
  validateSearch: parseAlertsSearch,
  component: AllAlertsPage,
});
