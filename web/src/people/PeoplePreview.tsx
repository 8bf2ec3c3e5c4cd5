import { Alert, Table } from 'antd';
import { useTranslation } from 'react-i18next';
import { AccountName } from '../account/AccountName';
import type { RoutePreview } from '../client';
import { UnroutedPeople } from './UnroutedPeople';

/** What would go to which account, and who would go nowhere. */
export function PeoplePreview({ tenantId, preview }: { tenantId: string; preview: RoutePreview }) {
  const { t, i18n } = useTranslation();
  const number = (count: number) => count.toLocaleString(i18n.language);
  const { accounts, unrouted } = preview;
  const openids = accounts.reduce((sum, share) => sum + share.openids, 0);
  return (
    <div className="stack-wide" role="status">
      <Alert
        type="info"
        showIcon
        title={openids === 0 ? t('people.previewNone') : t('people.previewTitle', { count: openids, number: number(openids) })}
      />
      {accounts.length > 0 && (
        <Table
          size="small"
          className="facts-table"
          rowKey="authorizer_appid"
          dataSource={accounts}
          pagination={{ pageSize: 10, size: 'small', hideOnSinglePage: true, showSizeChanger: false }}
          columns={[
            {
              key: 'account',
              title: t('accounts.account'),
              render: (_, { authorizer_appid: appid }) => <AccountName tenantId={tenantId} appid={appid} />,
            },
            {
              key: 'openids',
              title: t('blacklist.openid'),
              align: 'right',
              render: (_, share) => t('people.share', { count: share.openids, number: number(share.openids) }),
            },
          ]}
        />
      )}
      <UnroutedPeople tenantId={tenantId} unrouted={unrouted} />
    </div>
  );
}
