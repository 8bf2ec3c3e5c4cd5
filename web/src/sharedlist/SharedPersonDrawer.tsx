import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Button, Drawer, Empty, Skeleton, Table, Tag, Typography, type TableColumnsType } from 'antd';
import { useTranslation } from 'react-i18next';
import { AccountName } from '../account/AccountName';
import type { SharedPerson, SharedPersonDetails, SharedPlace } from '../client';
import { getSharedPersonOptions } from '../client/@tanstack/react-query.gen';
import { Actor } from '../frame/Actor';
import { Facts } from '../frame/Facts';
import { ProblemAlert } from '../problem/ProblemAlert';
import { Refusal } from '../problem/Refusal';
import { useMay } from '../session/useMe';
import { RelativeTime } from '../time/RelativeTime';

interface Props {
  tenantId: string;
  listId: string;
  personId: string;
  onClose: () => void;
  onTakeOff: (person: SharedPerson) => void;
}

/** Somebody on a list, and how it stands with them on each account; asked about until nothing is pending. */
export function SharedPersonDrawer({ tenantId, listId, personId, onClose, onTakeOff }: Props) {
  const { t } = useTranslation();
  const mayWrite = useMay('blacklist:write');
  const details = useQuery({
    ...getSharedPersonOptions({ path: { tenant_id: tenantId, list_id: listId, person_id: personId } }),
    refetchInterval: ({ state }) => (state.data?.places.some((place) => place.state === 'pending') ? 2_000 : 30_000),
  });
  return (
    <Drawer
      open
      onClose={onClose}
      size={760}
      className="batch-drawer"
      title={t('lists.person')}
      footer={
        details.data && (
          <div className="drawer-footer">
            <Button
              danger
              disabled={!mayWrite}
              title={mayWrite ? undefined : t('frame.notAllowed')}
              onClick={() => onTakeOff(details.data.person)}
            >
              {t('lists.takeOff')}
            </Button>
          </div>
        )
      }
    >
      {details.isError && <ProblemAlert problem={details.error} onRetry={() => void details.refetch()} />}
      {details.isPending && <Skeleton active />}
      {details.data && <PersonView tenantId={tenantId} details={details.data} />}
    </Drawer>
  );
}

function PersonView({ tenantId, details }: { tenantId: string; details: SharedPersonDetails }) {
  const { t } = useTranslation();
  const { person, places } = details;
  const columns: TableColumnsType<SharedPlace> = [
    {
      key: 'place',
      title: t('lists.places'),
      render: (_, place) => <Place tenantId={tenantId} place={place} />,
    },
  ];
  return (
    <div className="stack-wide">
      <Facts
        facts={[
          [t('followers.unionid'), person.unionid && <Id>{person.unionid}</Id>],
          [t('blacklist.openid'), person.openid && <Id>{person.openid}</Id>],
          [t('accounts.account'), person.appid && <AccountName tenantId={tenantId} appid={person.appid} />],
          [t('lists.reason'), person.reason],
          [
            t('lists.added'),
            <span>
              <Actor by={person.added_by} /> <RelativeTime at={person.added_at} tabStop />
            </span>,
          ],
        ]}
      />
      <Table<SharedPlace>
        size="small"
        className="facts-table"
        rowKey={({ appid, openid }) => `${appid} ${openid}`}
        columns={columns}
        dataSource={places}
        pagination={{ pageSize: 20, hideOnSinglePage: true, showSizeChanger: false }}
        locale={{ emptyText: <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('lists.noPlaces')} /> }}
      />
    </div>
  );
}

const colors = {
  pending: 'processing',
  waiting: 'warning',
  blocked: 'error',
  already: undefined,
  failed: 'error',
  overruled: undefined,
} as const satisfies Record<SharedPlace['state'], string | undefined>;

function Place({ tenantId, place }: { tenantId: string; place: SharedPlace }) {
  const { t } = useTranslation();
  return (
    <div className="stack-wide">
      <div className="place">
        <AccountName tenantId={tenantId} appid={place.appid} />
        <Tag color={colors[place.state]}>{t(`place.${place.state}`)}</Tag>
        {place.batch_id && (
          <Link
            to="/tenants/$tenantId/batches"
            params={{ tenantId }}
            search={{ batch: place.batch_id }}
            aria-label={t('blacklist.batchOf', { openid: place.openid })}
          >
            {t('blacklist.batch')}
          </Link>
        )}
      </div>
      <Id>{place.openid}</Id>
      <span className="small quiet">{t(`placeMeaning.${place.state}`)}</span>
      <Refusal errcode={place.errcode} rid={place.rid} advice={place.advice} />
    </div>
  );
}

function Id({ children }: { children: string }) {
  return (
    <Typography.Text className="mono" copyable={{ text: children }}>
      {children}
    </Typography.Text>
  );
}
