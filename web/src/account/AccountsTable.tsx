import { Link } from '@tanstack/react-router';
import { Table, type TableColumnsType } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Authorizer } from '../client';
import { Facts } from '../frame/Facts';
import { useNarrow } from '../frame/useNarrow';
import { HealthCell } from '../health/HealthCell';
import { AccountIdentity } from './AccountIdentity';
import { AccountState } from './AccountState';
import { AccountWarnings } from './AccountWarnings';
import { PermissionSets } from './PermissionSets';
import { TokenExpiry } from './TokenExpiry';
import { Verification } from './Verification';

interface Props {
  /** Undefined while they are read for the first time. */
  accounts: Authorizer[] | undefined;
  tenantId: string;
  /** Other accounts are on their way. */
  refreshing: boolean;
  empty: ReactNode;
}

export function AccountsTable({ accounts, tenantId, refreshing, empty }: Props) {
  const { t } = useTranslation();
  const narrow = useNarrow();
  const columns: TableColumnsType<Authorizer> = [
    {
      key: 'account',
      title: t('accounts.account'),
      width: 230,
      render: (_, account) => <AccountIdentity account={account} tenantId={tenantId} />,
    },
    { key: 'state', title: t('accounts.state'), width: 190, render: (_, account) => <AccountState account={account} /> },
    {
      key: 'health',
      title: t('accounts.health'),
      width: 180,
      render: (_, account) => <HealthCell health={account.health} of={account.nick_name || account.appid} />,
    },
    { key: 'token', title: t('accounts.token'), width: 150, render: (_, account) => <TokenExpiry expiresAt={account.token.expires_at} /> },
    { key: 'sets', title: t('accounts.permissionSets'), width: 220, render: (_, account) => <PermissionSets account={account} /> },
    { key: 'verification', title: t('accounts.verification'), width: 160, render: (_, account) => <Verification account={account} /> },
    { key: 'warnings', title: t('accounts.warnings'), render: (_, account) => <AccountWarnings account={account} /> },
    {
      key: 'blacklist',
      title: <span className="unseen">{t('blacklist.title')}</span>,
      width: 90,
      render: (_, account) => <BlacklistLink account={account} tenantId={tenantId} />,
    },
  ];
  const card: TableColumnsType<Authorizer> = [
    { key: 'account', title: t('accounts.account'), render: (_, account) => <AccountCard account={account} tenantId={tenantId} /> },
  ];
  return (
    <Table<Authorizer>
      size="small"
      className={narrow ? 'facts-table' : 'facts-table wide-table accounts-table'}
      rowKey="appid"
      columns={narrow ? card : columns}
      dataSource={accounts}
      loading={accounts === undefined || refreshing}
      pagination={false}
      tableLayout={narrow ? undefined : 'fixed'}
      locale={{ emptyText: accounts === undefined ? ' ' : empty }}
    />
  );
}

function AccountCard({ account, tenantId }: { account: Authorizer; tenantId: string }) {
  const { t } = useTranslation();
  return (
    <div className="card">
      <AccountIdentity account={account} tenantId={tenantId} />
      <AccountState account={account} />
      <Facts
        facts={[
          [t('accounts.permissionSets'), <PermissionSets account={account} />],
          [t('accounts.verification'), <Verification account={account} />],
          [t('accounts.health'), <HealthCell health={account.health} of={account.nick_name || account.appid} />],
          [t('accounts.token'), <TokenExpiry expiresAt={account.token.expires_at} />],
        ]}
      />
      <AccountWarnings account={account} />
      <BlacklistLink account={account} tenantId={tenantId} />
    </div>
  );
}

function BlacklistLink({ account, tenantId }: { account: Authorizer; tenantId: string }) {
  const { t } = useTranslation();
  return (
    <Link
      to="/tenants/$tenantId/accounts/$appid/blacklist"
      params={{ tenantId, appid: account.appid }}
      aria-label={t('accounts.openBlacklist', { name: account.nick_name || account.appid })}
    >
      {t('blacklist.title')}
    </Link>
  );
}
