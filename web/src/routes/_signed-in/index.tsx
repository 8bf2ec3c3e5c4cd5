import { createFileRoute, redirect } from '@tanstack/react-router';
import { NoTenants } from '../../frame/NoTenants';
import { allTenantsOptions, rememberedTenant } from '../../frame/tenants';

export const Route = createFileRoute('/_signed-in/')({
  beforeLoad: async ({ context: { me, queryClient } }) => {
    const tenantId = me.tenant_id ?? rememberedTenant(await queryClient.query({ ...allTenantsOptions(), staleTime: 'static' }))?.id;
    if (tenantId !== undefined) throw redirect({ to: '/tenants/$tenantId/accounts', params: { tenantId }, replace: true });
  },
  component: NoTenants,
});
