import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { Button, Empty, Table, Typography, type TableColumnsType } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Follower, FollowerDirectory } from '../client';
import { listFollowersOptions } from '../client/@tanstack/react-query.gen';
import { Facts } from '../frame/Facts';
import { useNarrow } from '../frame/useNarrow';
import { CursorPager } from '../paging/CursorPager';
import { SearchBox } from '../paging/SearchBox';
import { useTrail } from '../paging/useTrail';
import { ProblemAlert } from '../problem/ProblemAlert';
import { RelativeTime } from '../time/RelativeTime';

const route = getRouteApi('/_signed-in/tenants/$tenantId/accounts/$appid/followers');

interface Props {
  tenantId: string;
  appid: string;
  directory: FollowerDirectory;
}

/** Who follows the account, by openid. */
export function FollowerList({ tenantId, appid, directory }: Props) {
  const { t } = useTranslation();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const followers = useQuery({
    ...listFollowersOptions({ path: { tenant_id: tenantId, appid }, query: { q: search.q, cursor: search.cursor, limit: 50 } }),
    placeholderData: keepPreviousData,
  });
  const look = (q: string | undefined) => void navigate({ search: { q }, replace: true });
  const pager = useTrail(
    search.cursor,
    followers.data?.next_cursor,
    (cursor, trail) => void navigate({ search: (previous) => ({ ...previous, cursor }), state: (previous) => ({ ...previous, trail }) }),
  );
  return (
    <section className="stack-wide" aria-labelledby="followers">
      <div className="toolbar">
        <h2 id="followers" className="section-title">
          {t('followers.list')}
        </h2>
        <SearchBox label={t('blacklist.search')} maxLength={128} value={search.q ?? ''} onSearch={(q) => look(q || undefined)} />
      </div>
      {followers.isError && <ProblemAlert problem={followers.error} onRetry={() => void followers.refetch()} />}
      {!(followers.isError && !followers.data) && (
        <FollowerTable
          tenantId={tenantId}
          followers={followers.data?.data}
          unionids={directory.unionids}
          refreshing={followers.isPlaceholderData}
          empty={
            <Empty
              image={Empty.PRESENTED_IMAGE_SIMPLE}
              description={
                search.q !== undefined ? t('blacklist.noneMatch') : t(directory.synced_at === null ? 'sync.never' : 'followers.none')
              }
            >
              {search.q !== undefined && <Button onClick={() => look(undefined)}>{t('followers.showAll')}</Button>}
            </Empty>
          }
        />
      )}
      <CursorPager {...pager} />
    </section>
  );
}

interface FollowerTableProps {
  tenantId: string;
  /** Undefined while they are read for the first time. */
  followers: Follower[] | undefined;
  /** Unionids are kept. */
  unionids: boolean;
  refreshing: boolean;
  empty: React.ReactNode;
}

function FollowerTable({ tenantId, followers, unionids, refreshing, empty }: FollowerTableProps) {
  const { t } = useTranslation();
  const narrow = useNarrow();
  const openid = (follower: Follower) => <Copyable>{follower.openid}</Copyable>;
  const unionid = (follower: Follower) =>
    follower.unionid ? <Copyable>{follower.unionid}</Copyable> : <span className="quiet">{t('followers.noUnionid')}</span>;
  const person = (follower: Follower) => (
    <Link
      to="/tenants/$tenantId/followers"
      params={{ tenantId }}
      search={{ person: follower.openid }}
      aria-label={t('followers.personOf', { openid: follower.openid })}
    >
      {t('followers.person')}
    </Link>
  );
  const unionidColumn: TableColumnsType<Follower> = [
    { key: 'unionid', title: t('followers.unionid'), render: (_, follower) => unionid(follower) },
  ];
  const wide: TableColumnsType<Follower> = [
    { key: 'openid', title: t('blacklist.openid'), render: (_, follower) => openid(follower) },
    ...(unionids ? unionidColumn : []),
    { key: 'since', title: t('followers.since'), width: 200, render: (_, follower) => <RelativeTime at={follower.changed_at} /> },
    {
      key: 'person',
      title: <span className="unseen">{t('followers.person')}</span>,
      width: 200,
      render: (_, follower) => person(follower),
    },
  ];
  const card: TableColumnsType<Follower> = [
    {
      key: 'openid',
      title: t('blacklist.openid'),
      render: (_, follower) => (
        <div className="card">
          {openid(follower)}
          <Facts
            facts={[
              [t('followers.unionid'), unionids ? unionid(follower) : null],
              [t('followers.since'), <RelativeTime at={follower.changed_at} />],
            ]}
          />
          {person(follower)}
        </div>
      ),
    },
  ];
  return (
    <Table<Follower>
      size="small"
      className="facts-table"
      rowKey="openid"
      columns={narrow ? card : wide}
      dataSource={followers}
      loading={followers === undefined || refreshing}
      pagination={false}
      locale={{ emptyText: followers === undefined ? ' ' : empty }}
    />
  );
}

function Copyable({ children }: { children: string }) {
  return (
    <Typography.Text className="mono" copyable={{ text: children }}>
      {children}
    </Typography.Text>
  );
}
