import { useQuery } from '@tanstack/react-query';
import { getAuthorizerOptions } from '../client/@tanstack/react-query.gen';

/** The account that the pages around it are about. */
export function useAccount(tenantId: string, appid: string) {
  return useQuery({ ...getAuthorizerOptions({ path: { tenant_id: tenantId, appid } }), refetchInterval: 15_000 });
}

/** What people call the account. */
export function useAccountName(tenantId: string, appid: string): string {
  return useAccount(tenantId, appid).data?.nick_name || appid;
}
