import { LeftOutlined } from '@ant-design/icons';
import { Link } from '@tanstack/react-router';
import { Alert, Button, Skeleton, Typography } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { AccountAvatar } from '../account/AccountIdentity';
import { AccountWarnings } from '../account/AccountWarnings';
import { PermissionSets } from '../account/PermissionSets';
import { grantsBlacklist } from '../account/permissions';
import { StateTag } from '../account/StateTag';
import { TokenExpiry } from '../account/TokenExpiry';
import { Verification } from '../account/Verification';
import type { Authorizer } from '../client';
import { ConnectDialog } from '../connect/ConnectDialog';
import { Facts } from '../frame/Facts';
import { ServerText } from '../i18n/ServerText';
import { useMay } from '../session/useMe';

/** Whose blacklist this is, and whether we may work on it. Account undefined: it is still being read. */
export function AccountHeader({ account, tenantId }: { account: Authorizer | undefined; tenantId: string }) {
  const { t } = useTranslation();
  return (
    <header className="account-header">
      <Link to="/tenants/$tenantId/accounts" params={{ tenantId }} className="back">
        <LeftOutlined aria-hidden /> {t('accounts.title')}
      </Link>
      {account ? <AccountFacts account={account} /> : <Skeleton active avatar paragraph={{ rows: 1 }} />}
      {account && <AccountTrouble account={account} tenantId={tenantId} />}
    </header>
  );
}

function AccountFacts({ account }: { account: Authorizer }) {
  const { t } = useTranslation();
  return (
    <div className="account-facts">
      <AccountAvatar account={account} size={48} />
      <div className="account-names">
        <h1>
          {account.nick_name || account.appid} <span className="quiet">{t('blacklist.title')}</span>
        </h1>
        <div className="account-ids">
          <StateTag state={account.state} />
          <Typography.Text type="secondary" className="mono small" copyable={{ text: account.appid }}>
            {account.appid}
          </Typography.Text>
          {account.user_name && <span className="mono small quiet">{account.user_name}</span>}
          {account.principal_name && <span className="small quiet">{account.principal_name}</span>}
        </div>
      </div>
      <Facts
        facts={[
          [t('accounts.permissionSets'), <PermissionSets account={account} />],
          [t('accounts.verification'), <Verification account={account} />],
          [t('accounts.token'), <TokenExpiry account={account} />],
        ]}
      />
    </div>
  );
}

function AccountTrouble({ account, tenantId }: { account: Authorizer; tenantId: string }) {
  const { t } = useTranslation();
  const mayConnect = useMay('connect-links:write');
  const [connecting, setConnecting] = useState(false);
  const active = account.state === 'active';
  const mayBlacklist = grantsBlacklist(account);
  if (active && mayBlacklist && account.warnings.length === 0) return null;
  const connect = mayConnect && account.state !== 'limited' && (
    <Button size="small" onClick={() => setConnecting(true)}>
      {t('connect.again')}
    </Button>
  );
  return (
    <div className="stack-wide">
      {!active && (
        <Alert
          type={account.state === 'revoked' ? 'error' : 'warning'}
          showIcon
          title={t(`stateMeaning.${account.state as 'revoked' | 'limited' | 'needs_reauthorization'}`)}
          description={account.state_reason && <ServerText>{account.state_reason}</ServerText>}
          action={connect}
        />
      )}
      {active && !mayBlacklist && (
        <Alert type="warning" showIcon title={t('permission.missingTitle')} description={t('permission.missingHelp')} action={connect} />
      )}
      {account.warnings.length > 0 && <Alert type="warning" showIcon title={<AccountWarnings account={account} />} />}
      {connecting && <ConnectDialog tenantId={tenantId} appid={account.appid} onClose={() => setConnecting(false)} />}
    </div>
  );
}
