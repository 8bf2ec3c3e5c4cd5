import { createFileRoute } from '@tanstack/react-router';
import { ListsPage } from '../../sharedlist/ListsPage';
import { parseListsSearch } from '../../sharedlist/search';

export const Route = createFileRoute('/_signed-in/tenants/$tenantId/lists/')({
  validateSearch: parseListsSearch,
  component: ListsPage,
});
