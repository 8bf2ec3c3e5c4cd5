import { Link } from '@tanstack/react-router';
import { Typography } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Alert } from '../client';

interface Props {
  alert: Alert;
  /** Whose account it is, where accounts of several tenants stand together. */
  tenantName: string | undefined;
}

/** What an alert is about: an account, which leads to its page, or one of our own third-party platforms. */
export function AlertSubject({ alert, tenantName }: Props) {
  const { t } = useTranslation();
  const { tenant_id: tenantId, appid, component_appid: componentAppid } = alert;
  if (appid === null) {
    return (
      <div className="stack">
        <Link to="/platform" hash={componentAppid}>
          {t('alerts.component')}
        </Link>
        <AppId appid={componentAppid} />
      </div>
    );
  }
  const name = alert.nick_name || t('account.unnamed');
  return (
    <div className="stack">
      {tenantId === null ? (
        <span>{name}</span>
      ) : (
        <Link to="/tenants/$tenantId/accounts/$appid/blacklist" params={{ tenantId, appid }} className="identity-name">
          {name}
        </Link>
      )}
      <AppId appid={appid} />
      {tenantId === null ? <span className="small quiet">{t('alerts.unclaimed')}</span> : <span className="small quiet">{tenantName}</span>}
    </div>
  );
}

function AppId({ appid }: { appid: string }) {
  return (
    <Typography.Text type="secondary" className="mono small" copyable={{ text: appid }}>
      {appid}
    </Typography.Text>
  );
}
