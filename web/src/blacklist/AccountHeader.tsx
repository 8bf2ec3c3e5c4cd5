import { LeftOutlined, SyncOutlined } from '@ant-design/icons';
import { Link } from '@tanstack/react-router';
import { Button, Skeleton, Typography } from 'antd';
import { useTranslation } from 'react-i18next';
import { AccountAvatar } from '../account/AccountIdentity';
import { PermissionSets } from '../account/PermissionSets';
import { StateTag } from '../account/StateTag';
import { TokenExpiry } from '../account/TokenExpiry';
import { useRenewal } from '../account/useRenewal';
import { Verification } from '../account/Verification';
import type { Authorizer } from '../client';
import { Facts } from '../frame/Facts';
import { HealthCell } from '../health/HealthCell';
import { ProblemAlert } from '../problem/ProblemAlert';
import { useMay } from '../session/useMe';
import { AccountTrouble } from './AccountTrouble';

/** Whose blacklist this is, and whether we may work on it. Account undefined: it is still being read. */
export function AccountHeader({ account, tenantId, title }: { account: Authorizer | undefined; tenantId: string; title: string }) {
  const { t } = useTranslation();
  return (
    <header className="account-header">
      <Link to="/tenants/$tenantId/accounts" params={{ tenantId }} className="back">
        <LeftOutlined aria-hidden /> {t('accounts.title')}
      </Link>
      {account ? <AccountFacts account={account} tenantId={tenantId} title={title} /> : <Skeleton active avatar paragraph={{ rows: 1 }} />}
      {account && <AccountTrouble account={account} tenantId={tenantId} />}
    </header>
  );
}

function AccountFacts({ account, tenantId, title }: { account: Authorizer; tenantId: string; title: string }) {
  const { t } = useTranslation();
  const mayRenew = useMay('authorizers:write');
  const { renewal, renew } = useRenewal(tenantId, account.appid);
  return (
    <>
      <div className="account-facts">
        <AccountAvatar account={account} size={48} />
        <div className="account-names">
          <h1>
            {account.nick_name || account.appid} <span className="quiet">{title}</span>
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
            [t('accounts.health'), <HealthCell health={account.health} of={account.nick_name || account.appid} />],
            [t('accounts.token'), <TokenExpiry expiresAt={account.token.expires_at} />],
          ]}
        />
        <Button
          icon={<SyncOutlined aria-hidden />}
          loading={renewal.isPending}
          disabled={!mayRenew}
          title={mayRenew ? t('renew.help') : t('frame.notAllowed')}
          onClick={renew}
        >
          {t('renew.button')}
        </Button>
      </div>
      {renewal.isError && <ProblemAlert problem={renewal.error} />}
    </>
  );
}
