import { queryOptions } from '@tanstack/react-query';
import { findFollower, type Follower } from '../client';
import { findFollowerQueryKey } from '../client/@tanstack/react-query.gen';

/** Where somebody follows. What was typed may be an openid or a unionid, and nothing in it tells which: it is looked for as both. */
export function personOptions(tenantId: string, person: string) {
  const path = { tenant_id: tenantId };
  return queryOptions({
    queryKey: [...findFollowerQueryKey({ path }), person],
    queryFn: async ({ signal }): Promise<Follower[]> => {
      const byOpenId = await findFollower({ path, query: { openid: person }, signal, throwOnError: true });
      if (byOpenId.data.data.length > 0) return byOpenId.data.data;
      const byUnionId = await findFollower({ path, query: { unionid: person }, signal, throwOnError: true });
      return byUnionId.data.data;
    },
  });
}
