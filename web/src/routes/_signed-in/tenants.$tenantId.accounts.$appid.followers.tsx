import { createFileRoute } from '@tanstack/react-router';
import { AccountFollowersPage } from '../../follower/AccountFollowersPage';
import { parseAccountFollowersSearch } from '../../follower/search';

export const Route = createFileRoute('/_signed-in/tenants/$tenantId/accounts/$appid/followers')({
  validateSearch: parseAccountFollowersSearch,
  component: AccountFollowersPage,
});
