import { Link } from '@tanstack/react-router';
import { Empty, Table, Tag, type TableColumnsType } from 'antd';
import { useTranslation } from 'react-i18next';
import type { SharedListAccount } from '../client';
import { useNarrow } from '../frame/useNarrow';
import { ServerText } from '../i18n/ServerText';

const colors = {
  covered: 'success',
  learning: 'processing',
  directory_off: 'warning',
  unionids_off: 'warning',
  unionids_missing: 'warning',
  permission_missing: 'warning',
  account_not_active: 'error',
} as const satisfies Record<SharedListAccount['coverage'], string>;

/** On which accounts people are found by unionid, and what to do about the others, which come first. */
export function Coverage({ tenantId, accounts }: { tenantId: string; accounts: SharedListAccount[] }) {
  const { t } = useTranslation();
  const narrow = useNarrow();
  const covered = accounts.filter(({ coverage }) => coverage === 'covered');
  const sorted = [...accounts.filter(({ coverage }) => coverage !== 'covered'), ...covered];
  const name = (account: SharedListAccount) => <CoveredAccount tenantId={tenantId} account={account} />;
  const tag = (account: SharedListAccount) => <Tag color={colors[account.coverage]}>{t(`coverage.${account.coverage}`)}</Tag>;
  const advice = (account: SharedListAccount) => account.advice && <ServerText>{account.advice}</ServerText>;
  const wide: TableColumnsType<SharedListAccount> = [
    { key: 'account', title: t('accounts.account'), width: 260, render: (_, account) => name(account) },
    { key: 'coverage', title: t('coverage.title'), width: 220, render: (_, account) => tag(account) },
    { key: 'advice', title: t('batch.advice'), render: (_, account) => advice(account) },
  ];
  const card: TableColumnsType<SharedListAccount> = [
    {
      key: 'account',
      title: t('accounts.account'),
      render: (_, account) => (
        <div className="card">
          {name(account)}
          {tag(account)}
          {advice(account)}
        </div>
      ),
    },
  ];
  return (
    <section className="stack-wide" aria-labelledby="coverage">
      <h2 id="coverage" className="section-title">
        {t('coverage.heading')}
      </h2>
      <p className="quiet">{t('coverage.intro', { count: accounts.length, covered: covered.length })}</p>
      <Table<SharedListAccount>
        size="small"
        className="facts-table"
        rowKey="appid"
        columns={narrow ? card : wide}
        dataSource={sorted}
        pagination={{ pageSize: 20, hideOnSinglePage: true, showSizeChanger: false }}
        locale={{ emptyText: <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('accounts.none')} /> }}
      />
    </section>
  );
}

/** Leads to where the trouble is mended: the account's directory, or its blacklist's page with what ails it. */
function CoveredAccount({ tenantId, account }: { tenantId: string; account: SharedListAccount }) {
  const { appid, nick_name: name, coverage } = account;
  const ails = coverage === 'permission_missing' || coverage === 'account_not_active';
  return (
    <div className="stack">
      <Link
        to={ails ? '/tenants/$tenantId/accounts/$appid/blacklist' : '/tenants/$tenantId/accounts/$appid/followers'}
        params={{ tenantId, appid }}
        className="identity-name"
      >
        {name || appid}
      </Link>
      {name && <span className="mono small quiet">{appid}</span>}
    </div>
  );
}
