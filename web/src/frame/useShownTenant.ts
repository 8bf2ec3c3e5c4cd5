import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import type { Me } from '../client';
import { allTenantsOptions, rememberedTenant } from './tenants';

/** Whose pages the frame leads to: the tenant on the screen; on the pages of the whole platform, the one looked at last. */
export function useShownTenant(me: Me): string | undefined {
  const { tenantId } = useParams({ strict: false });
  const shown = tenantId ?? me.tenant_id ?? undefined;
  const tenants = useQuery({ ...allTenantsOptions(), enabled: shown === undefined });
  return shown ?? rememberedTenant(tenants.data ?? [])?.id;
}
