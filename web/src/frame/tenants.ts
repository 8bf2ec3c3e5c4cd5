import { queryOptions } from '@tanstack/react-query';
import { listTenants, type Tenant } from '../client';
import { listTenantsQueryKey } from '../client/@tanstack/react-query.gen';

const remembered = 'steward.tenant';

/** Every tenant that the key may see. The API has no search for them, so all pages are read: only the whole list can be searched here. */
export function allTenantsOptions() {
  return queryOptions({
    queryKey: [...listTenantsQueryKey(), 'all'],
    queryFn: async ({ signal }) => {
      const tenants: Tenant[] = [];
      let cursor: string | undefined;
      do {
        const { data: page } = await listTenants({ query: { limit: 200, cursor }, signal, throwOnError: true });
        tenants.push(...page.data);
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
      return tenants;
    },
    staleTime: 60_000,
  });
}

/** The tenant looked at last in this browser, if it is still there; else the first. */
export function rememberedTenant(tenants: Tenant[]): Tenant | undefined {
  const id = window.localStorage.getItem(remembered);
  return tenants.find((tenant) => tenant.id === id) ?? tenants[0];
}

export function rememberTenant(id: string) {
  window.localStorage.setItem(remembered, id);
}
