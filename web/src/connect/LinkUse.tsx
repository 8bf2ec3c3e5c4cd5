import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Alert, Spin } from 'antd';
import { useTranslation } from 'react-i18next';
import { listConnectLinksOptions } from '../client/@tanstack/react-query.gen';

/** Watches whether the merchant has used the link. */
export function LinkUse({ tenantId, linkId }: { tenantId: string; linkId: string }) {
  const { t } = useTranslation();
  const appid = useQuery({
    ...listConnectLinksOptions({ path: { tenant_id: tenantId }, query: { limit: 50 } }),
    select: ({ data }) => data.find(({ id }) => id === linkId)?.authorizer_appid ?? null,
    refetchInterval: ({ state }) => (state.data?.data.find(({ id }) => id === linkId)?.authorizer_appid ? false : 2_000),
  }).data;
  return (
    <div role="status">
      {appid ? (
        <Alert
          type="success"
          showIcon
          title={t('connect.done')}
          description={
            <Link to="/tenants/$tenantId/accounts/$appid/blacklist" params={{ tenantId, appid }} className="mono">
              {appid}
            </Link>
          }
        />
      ) : (
        <span className="quiet">
          <Spin size="small" /> {t('connect.waiting')}
        </span>
      )}
    </div>
  );
}
