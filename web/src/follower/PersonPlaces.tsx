import { useQuery } from '@tanstack/react-query';
import { Button, Table, Tag, Typography, type TableColumnsType } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { AccountName } from '../account/AccountName';
import { Actual } from '../blacklist/EntryStatus';
import type { Action } from '../blacklist/useWish';
import type { Follower } from '../client';
import { listBlacklistOptions } from '../client/@tanstack/react-query.gen';
import { Facts } from '../frame/Facts';
import { useNarrow } from '../frame/useNarrow';
import { useMay } from '../session/useMe';
import { RelativeTime } from '../time/RelativeTime';
import { PersonDrawer } from './PersonDrawer';

interface Props {
  tenantId: string;
  places: Follower[];
}

/** On which accounts a person follows or has followed, and whether they are blocked there. */
export function PersonPlaces({ tenantId, places }: Props) {
  const { t } = useTranslation();
  const mayWrite = useMay('blacklist:write');
  const [selected, setSelected] = useState(() => places.map(({ authorizer_appid: appid }) => appid));
  const [asking, setAsking] = useState<Action>();
  const why = mayWrite ? undefined : t('frame.notAllowed');
  const unionid = places.find((place) => place.unionid !== '')?.unionid;
  return (
    <div className="stack-wide">
      <div className="toolbar">
        <span role="status">{t('person.found', { count: places.length })}</span>
        {unionid && (
          <Typography.Text className="mono small" copyable={{ text: unionid }}>
            UnionID {unionid}
          </Typography.Text>
        )}
        <div className="toolbar-end">
          <Button disabled={!mayWrite || selected.length === 0} title={why} onClick={() => setAsking('unblock')}>
            {t('person.unblock', { count: selected.length })}
          </Button>
          <Button type="primary" disabled={!mayWrite || selected.length === 0} title={why} onClick={() => setAsking('block')}>
            {t('person.block', { count: selected.length })}
          </Button>
        </div>
      </div>
      <PlaceTable tenantId={tenantId} places={places} selected={selected} onSelect={setSelected} />
      {asking && (
        <PersonDrawer
          tenantId={tenantId}
          action={asking}
          places={places.filter(({ authorizer_appid: appid }) => selected.includes(appid))}
          onClose={() => setAsking(undefined)}
        />
      )}
    </div>
  );
}

interface PlaceTableProps extends Props {
  /** Appids. */
  selected: string[];
  onSelect: (appids: string[]) => void;
}

function PlaceTable({ tenantId, places, selected, onSelect }: PlaceTableProps) {
  const { t } = useTranslation();
  const narrow = useNarrow();
  const mayRead = useMay('blacklist:read');
  const openid = (place: Follower) => (
    <Typography.Text className="mono" copyable={{ text: place.openid }}>
      {place.openid}
    </Typography.Text>
  );
  const blocked = (place: Follower) => (mayRead ? <Blocked tenantId={tenantId} place={place} /> : null);
  const wide: TableColumnsType<Follower> = [
    {
      key: 'account',
      title: t('accounts.account'),
      render: (_, place) => <AccountName tenantId={tenantId} appid={place.authorizer_appid} />,
    },
    { key: 'openid', title: t('blacklist.openid'), render: (_, place) => openid(place) },
    { key: 'following', title: t('person.following'), render: (_, place) => <Following place={place} /> },
    { key: 'blocked', title: t('blacklist.title'), render: (_, place) => blocked(place) },
  ];
  const card: TableColumnsType<Follower> = [
    {
      key: 'account',
      title: t('accounts.account'),
      render: (_, place) => (
        <div className="card">
          <AccountName tenantId={tenantId} appid={place.authorizer_appid} />
          {openid(place)}
          <Facts
            facts={[
              [t('person.following'), <Following place={place} />],
              [t('blacklist.title'), blocked(place)],
            ]}
          />
        </div>
      ),
    },
  ];
  return (
    <Table<Follower>
      size="small"
      className="facts-table"
      rowKey="authorizer_appid"
      columns={narrow ? card : wide}
      dataSource={places}
      pagination={{ pageSize: 20, hideOnSinglePage: true, showSizeChanger: false }}
      rowSelection={{
        selectedRowKeys: selected,
        onChange: (keys) => onSelect(keys.map(String)),
        getTitleCheckboxProps: () => ({ 'aria-label': t('blacklist.selectPage') }),
        getCheckboxProps: ({ authorizer_appid: appid }) => ({ 'aria-label': t('person.select', { appid }) }),
      }}
    />
  );
}

function Following({ place }: { place: Follower }) {
  const { t } = useTranslation();
  return (
    <span className="tags">
      <Tag color={place.following ? 'success' : undefined}>{place.following ? t('person.follows') : t('person.left')}</Tag>
      <span className="small quiet">
        <RelativeTime at={place.changed_at} />
      </span>
    </span>
  );
}

/** What our copy of the account's blacklist says of this openid. */
function Blocked({ tenantId, place }: { tenantId: string; place: Follower }) {
  const { t } = useTranslation();
  const entries = useQuery({
    ...listBlacklistOptions({
      path: { tenant_id: tenantId, appid: place.authorizer_appid },
      query: { actual: 'any', q: place.openid, limit: 1 },
    }),
    refetchInterval: ({ state }) => (state.data?.data[0]?.pending ? 3_000 : 30_000),
  });
  if (!entries.data) return <span className="quiet">{entries.isError ? '–' : '…'}</span>;
  const entry = entries.data.data.find(({ openid }) => openid === place.openid);
  if (!entry) return <span className="quiet">{t('person.notOnList')}</span>;
  return (
    <span className="tags">
      <Actual entry={entry} />
      {entry.pending && <Tag color="processing">{t('want.pending')}</Tag>}
    </span>
  );
}
