import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Table, type TableColumnsType } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { AccountIdentity } from '../account/AccountIdentity';
import { AccountState } from '../account/AccountState';
import type { Authorizer, FollowerDirectory } from '../client';
import { Facts } from '../frame/Facts';
import { useNarrow } from '../frame/useNarrow';
import { useServerWords } from '../i18n/serverWords';
import { DirectoryTags } from './DirectoryTags';
import { directoryOptions } from './directory';
import { SyncLine } from './SyncLine';

interface Props {
  /** Undefined while they are read for the first time. */
  accounts: Authorizer[] | undefined;
  tenantId: string;
  /** Other accounts are on their way. */
  refreshing: boolean;
  empty: ReactNode;
}

/** Each account with what is kept of its followers. */
export function DirectoriesTable({ accounts, tenantId, refreshing, empty }: Props) {
  const { t } = useTranslation();
  const narrow = useNarrow();
  const kept = (account: Authorizer) => (
    <WithDirectory tenantId={tenantId} appid={account.appid}>
      {(directory) => <DirectoryTags directory={directory} />}
    </WithDirectory>
  );
  const count = (account: Authorizer) => (
    <WithDirectory tenantId={tenantId} appid={account.appid} quietly>
      {(directory) => <FollowerCount directory={directory} />}
    </WithDirectory>
  );
  const sync = (account: Authorizer) => (
    <WithDirectory tenantId={tenantId} appid={account.appid} quietly>
      {(directory) => <SyncLine directory={directory} />}
    </WithDirectory>
  );
  const open = (account: Authorizer) => (
    <Link
      to="/tenants/$tenantId/accounts/$appid/followers"
      params={{ tenantId, appid: account.appid }}
      aria-label={t('followers.openOf', { name: account.nick_name || account.appid })}
    >
      {t('followers.open')}
    </Link>
  );
  const wide: TableColumnsType<Authorizer> = [
    {
      key: 'account',
      title: t('accounts.account'),
      width: 260,
      render: (_, account) => <AccountIdentity account={account} tenantId={tenantId} />,
    },
    { key: 'state', title: t('accounts.state'), width: 190, render: (_, account) => <AccountState account={account} /> },
    { key: 'kept', title: t('followers.kept'), width: 200, render: (_, account) => kept(account) },
    { key: 'count', title: t('followers.count'), width: 110, align: 'right', render: (_, account) => count(account) },
    { key: 'sync', title: t('followers.reading'), render: (_, account) => sync(account) },
    { key: 'open', title: <span className="unseen">{t('followers.open')}</span>, width: 130, render: (_, account) => open(account) },
  ];
  const card: TableColumnsType<Authorizer> = [
    {
      key: 'account',
      title: t('accounts.account'),
      render: (_, account) => (
        <div className="card">
          <AccountIdentity account={account} tenantId={tenantId} />
          <AccountState account={account} />
          <Facts
            facts={[
              [t('followers.kept'), kept(account)],
              [t('followers.count'), count(account)],
              [t('followers.reading'), sync(account)],
            ]}
          />
          {open(account)}
        </div>
      ),
    },
  ];
  return (
    <Table<Authorizer>
      size="small"
      className={narrow ? 'facts-table' : 'facts-table wide-table'}
      rowKey="appid"
      columns={narrow ? card : wide}
      dataSource={accounts}
      loading={accounts === undefined || refreshing}
      pagination={false}
      tableLayout={narrow ? undefined : 'fixed'}
      locale={{ emptyText: accounts === undefined ? ' ' : empty }}
    />
  );
}

interface WithDirectoryProps {
  tenantId: string;
  appid: string;
  /** Another cell of the row says what went wrong. */
  quietly?: boolean;
  children: (directory: FollowerDirectory) => ReactNode;
}

/** What the directory of an account says; the cells of a row share the asking. */
function WithDirectory({ tenantId, appid, quietly = false, children }: WithDirectoryProps) {
  const { title } = useServerWords();
  const directory = useQuery(directoryOptions(tenantId, appid));
  if (directory.data) return children(directory.data);
  if (quietly) return null;
  return directory.isError ? <span className="warn">{title(directory.error)}</span> : <span className="quiet">…</span>;
}

function FollowerCount({ directory }: { directory: FollowerDirectory }) {
  const { i18n } = useTranslation();
  return directory.followers?.toLocaleString(i18n.language) ?? <span className="quiet">–</span>;
}
