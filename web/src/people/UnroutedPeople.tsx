import { Link } from '@tanstack/react-router';
import { Alert, Button, Table, Typography } from 'antd';
import { useTranslation } from 'react-i18next';
import { AccountName } from '../account/AccountName';
import type { Unrouted } from '../client';

const reasons = ['unknown', 'ambiguous', 'permission_missing', 'account_not_active'] as const satisfies readonly Unrouted['why'][];

interface Props {
  tenantId: string;
  unrouted: Unrouted[];
  /** Sends these once more, with an account named. */
  onTryAgain: (openids: string[]) => void;
}

/** Those who went to no account, by why, each with what to do. */
export function UnroutedPeople({ tenantId, unrouted, onTryAgain }: Props) {
  return reasons.map((why) => {
    const people = unrouted.filter((one) => one.why === why);
    return people.length > 0 && <Group key={why} tenantId={tenantId} why={why} people={people} onTryAgain={onTryAgain} />;
  });
}

interface GroupProps {
  tenantId: string;
  why: Unrouted['why'];
  people: Unrouted[];
  onTryAgain: (openids: string[]) => void;
}

function Group({ tenantId, why, people, onTryAgain }: GroupProps) {
  const { t, i18n } = useTranslation();
  const openids = people.map(({ openid }) => openid);
  return (
    <Alert
      type="warning"
      showIcon
      title={t(`unrouted.${why}`, { count: people.length, number: people.length.toLocaleString(i18n.language) })}
      description={
        <div className="stack-wide">
          <p>{t(`unroutedHelp.${why}`)}</p>
          <div className="tags">
            {why === 'unknown' && (
              <>
                <Link to="/tenants/$tenantId/followers" params={{ tenantId }}>
                  {t('people.toDirectories')}
                </Link>
                <Button size="small" onClick={() => onTryAgain(openids)}>
                  {t('people.tryAgain')}
                </Button>
              </>
            )}
            <Typography.Text copyable={{ text: openids.join('\n') }}>{t('people.copy')}</Typography.Text>
          </div>
          <Table<Unrouted>
            size="small"
            className="facts-table"
            rowKey="openid"
            dataSource={people}
            pagination={{ pageSize: 10, size: 'small', hideOnSinglePage: true, showSizeChanger: false }}
            columns={[
              { key: 'openid', title: t('blacklist.openid'), render: (_, { openid }) => <span className="mono">{openid}</span> },
              ...(people.some(({ appid }) => appid !== null)
                ? [
                    {
                      key: 'account',
                      title: t('accounts.account'),
                      render: (_: unknown, { appid }: Unrouted) => appid && <AccountName tenantId={tenantId} appid={appid} />,
                    },
                  ]
                : []),
              ...(why === 'ambiguous'
                ? [
                    {
                      key: 'person',
                      title: <span className="unseen">{t('people.where')}</span>,
                      render: (_: unknown, { openid }: Unrouted) => (
                        <Link
                          to="/tenants/$tenantId/followers"
                          params={{ tenantId }}
                          search={{ person: openid }}
                          aria-label={t('followers.personOf', { openid })}
                        >
                          {t('people.where')}
                        </Link>
                      ),
                    },
                  ]
                : []),
            ]}
          />
        </div>
      }
    />
  );
}
