import { createFileRoute } from '@tanstack/react-router';
import { FollowersPage } from '../../follower/FollowersPage';
import { parseFollowersSearch } from '../../follower/search';

export const Route = createFileRoute('/_signed-in/tenants/$tenantId/followers')({
  validateSearch: parseFollowersSearch,
  component: FollowersPage,
});
