import { createFileRoute } from '@tanstack/react-router';
import { AccountsPage } from '../../account/AccountsPage';
import { parseAccountsSearch } from '../../account/search';

export const Route = createFileRoute('/_signed-in/tenants/$tenantId/accounts/')({
  validateSearch: parseAccountsSearch,
  component: AccountsPage,
});
