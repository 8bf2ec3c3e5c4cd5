import { useQuery } from '@tanstack/react-query';
import { getBlacklistWorkOptions } from '../client/@tanstack/react-query.gen';

/** How the blacklist work of an account stands. */
export function useWork(tenantId: string, appid: string) {
  return useQuery({ ...getBlacklistWorkOptions({ path: { tenant_id: tenantId, appid } }), refetchInterval: 15_000 });
}
