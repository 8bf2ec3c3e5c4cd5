import { createFileRoute } from '@tanstack/react-router';
import { BlacklistPage } from '../../blacklist/BlacklistPage';
import { parseBlacklistSearch } from '../../blacklist/search';

export const Route = createFileRoute('/_signed-in/tenants/$tenantId/accounts/$appid/blacklist')({
  validateSearch: parseBlacklistSearch,
  component: BlacklistPage,
});
