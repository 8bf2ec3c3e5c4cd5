import { Link } from '@tanstack/react-router';
import { Alert, Button, Table, Typography, type TableColumnsType } from 'antd';
import { useTranslation } from 'react-i18next';
import { AccountName } from '../account/AccountName';
import type { Unrouted } from '../client';

const reasons = ['unknown', 'unknown_unionid', 'ambiguous', 'permission_missing', 'account_not_active'] as const;
type Reason = (typeof reasons)[number];

interface Props {
  tenantId: string;
  unrouted: Unrouted[];
  /** Sends these openids once more, with an account named; undefined where nothing was sent yet. */
  onTryAgain?: (openids: string[]) => void;
}

/** Those who went to no account, by why, each with what to do. */
export function UnroutedPeople({ unrouted, ...rest }: Props) {
  return reasons.map((why) => {
    const people = unrouted.filter((one) => reasonOf(one) === why);
    return people.length > 0 && <Group key={why} why={why} people={people} {...rest} />;
  });
}

function reasonOf({ why, openid }: Unrouted): Reason {
  return why === 'unknown' && openid === '' ? 'unknown_unionid' : why;
}

interface GroupProps extends Omit<Props, 'unrouted'> {
  why: Reason;
  people: Unrouted[];
}

function Group({ tenantId, why, people, onTryAgain }: GroupProps) {
  const { t, i18n } = useTranslation();
  const ids = people.map(idOf);
  return (
    <Alert
      type="warning"
      showIcon
      title={t(`unrouted.${why}`, { count: people.length, number: people.length.toLocaleString(i18n.language) })}
      description={
        <div className="stack-wide">
          <p>{t(`unroutedHelp.${why}`)}</p>
          <div className="people-helps">
            {(why === 'unknown' || why === 'unknown_unionid') && (
              <Link to="/tenants/$tenantId/followers" params={{ tenantId }}>
                {t('people.toDirectories')}
              </Link>
            )}
            {why === 'unknown' && onTryAgain && (
              <Button size="small" onClick={() => onTryAgain(ids)}>
                {t('people.tryAgain')}
              </Button>
            )}
            <Typography.Text copyable={{ text: ids.join('\n') }}>{t('people.copy')}</Typography.Text>
          </div>
          <PeopleTable tenantId={tenantId} why={why} people={people} />
        </div>
      }
    />
  );
}

function PeopleTable({ tenantId, why, people }: Omit<GroupProps, 'onTryAgain'>) {
  const { t } = useTranslation();
  const columns: TableColumnsType<Unrouted> = [
    {
      key: 'id',
      title: t(why === 'unknown_unionid' ? 'followers.unionid' : 'blacklist.openid'),
      render: (_, one) => <span className="mono">{idOf(one)}</span>,
    },
  ];
  if (people.some(({ appid }) => appid !== null)) {
    columns.push({
      key: 'account',
      title: t('accounts.account'),
      render: (_, { appid }) => appid && <AccountName tenantId={tenantId} appid={appid} />,
    });
  }
  if (why === 'ambiguous') {
    columns.push({
      key: 'person',
      title: <span className="unseen">{t('followers.person')}</span>,
      render: (_, { openid }) => (
        <Link
          to="/tenants/$tenantId/followers"
          params={{ tenantId }}
          search={{ person: openid }}
          aria-label={t('followers.personOf', { openid })}
        >
          {t('followers.person')}
        </Link>
      ),
    });
  }
  return (
    <Table<Unrouted>
      size="small"
      className="facts-table"
      rowKey={(one) => `${one.openid} ${one.unionid} ${one.appid}`}
      dataSource={people}
      columns={columns}
      pagination={{ pageSize: 10, size: 'small', hideOnSinglePage: true, showSizeChanger: false }}
    />
  );
}

/** What it was asked for by, where nothing more is known. */
function idOf({ openid, unionid }: Unrouted): string {
  return openid || unionid;
}
