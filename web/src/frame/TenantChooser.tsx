import { ShopOutlined } from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { useMatchRoute, useNavigate } from '@tanstack/react-router';
import { Select, Tag } from 'antd';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import type { Me } from '../client';
import { getTenantOptions } from '../client/@tanstack/react-query.gen';
import { allTenantsOptions, rememberTenant } from './tenants';

interface Props {
  me: Me;
  tenantId: string | undefined;
}

/** Whose accounts are on the screen: to be chosen with a platform key, fixed with a tenant's own. */
export function TenantChooser({ me, tenantId }: Props) {
  return me.tenant_id === null ? <Chooser tenantId={tenantId} /> : <FixedTenant tenantId={me.tenant_id} />;
}

/** The pages that every tenant has: on one of them, choosing another tenant leads to the same of that tenant's. */
const pages = [
  '/tenants/$tenantId/batches',
  '/tenants/$tenantId/alerts',
  '/tenants/$tenantId/followers',
  '/tenants/$tenantId/people',
  '/tenants/$tenantId/lists',
  '/tenants/$tenantId/settings',
] as const;

function Chooser({ tenantId }: { tenantId: string | undefined }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const matches = useMatchRoute();
  const tenants = useQuery(allTenantsOptions());
  useEffect(() => {
    if (tenantId !== undefined) rememberTenant(tenantId);
  }, [tenantId]);
  return (
    <Select
      className="tenant-chooser"
      aria-label={t('frame.tenant')}
      placeholder={t('frame.chooseTenant')}
      showSearch={{ optionFilterProp: 'label' }}
      loading={tenants.isPending}
      status={tenants.isError ? 'error' : undefined}
      value={tenants.data ? tenantId : undefined}
      options={tenants.data?.map(({ id, name, status }) => ({ value: id, label: name, suspended: status === 'suspended' }))}
      optionRender={({ data }) => (
        <>
          {data.label} {data.suspended && <Tag color="warning">{t('frame.suspended')}</Tag>}
        </>
      )}
      notFoundContent={t('frame.noTenantFound')}
      onSelect={(id: string) => {
        const to = pages.find((page) => matches({ to: page })) ?? '/tenants/$tenantId/accounts';
        void navigate({ to, params: { tenantId: id } });
      }}
    />
  );
}

function FixedTenant({ tenantId }: { tenantId: string }) {
  const { t } = useTranslation();
  const tenant = useQuery(getTenantOptions({ path: { tenant_id: tenantId } }));
  return (
    <span className="tenant-fixed" title={t('frame.tenant')}>
      <ShopOutlined aria-hidden /> {tenant.data?.name ?? '…'}
      {tenant.data?.status === 'suspended' && <Tag color="warning">{t('frame.suspended')}</Tag>}
    </span>
  );
}
