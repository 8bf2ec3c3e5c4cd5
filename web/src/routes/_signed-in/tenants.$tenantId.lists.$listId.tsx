import { createFileRoute } from '@tanstack/react-router';
import { ListPage } from '../../sharedlist/ListPage';
import { parseListSearch } from '../../sharedlist/search';

export const Route = createFileRoute('/_signed-in/tenants/$tenantId/lists/$listId')({
  validateSearch: parseListSearch,
  component: ListPage,
});
