import { Button, Table, Typography, type TableColumnsType } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { AccountName } from '../account/AccountName';
import type { SharedPerson } from '../client';
import { Actor } from '../frame/Actor';
import { Facts } from '../frame/Facts';
import { useNarrow } from '../frame/useNarrow';
import { useMay } from '../session/useMe';
import { RelativeTime } from '../time/RelativeTime';
import { idOf } from './person';

interface Props {
  tenantId: string;
  /** Undefined while they are read for the first time. */
  persons: SharedPerson[] | undefined;
  refreshing: boolean;
  empty: ReactNode;
  onShow: (personId: string) => void;
  onTakeOff: (person: SharedPerson) => void;
}

export function PersonsTable({ tenantId, persons, refreshing, empty, onShow, onTakeOff }: Props) {
  const { t } = useTranslation();
  const narrow = useNarrow();
  const mayWrite = useMay('blacklist:write');
  const who = (person: SharedPerson) => (
    <Typography.Text className="mono" copyable={{ text: idOf(person) }}>
      {idOf(person)}
    </Typography.Text>
  );
  const known = (person: SharedPerson) => <KnownBy tenantId={tenantId} person={person} />;
  const added = (person: SharedPerson) => (
    <span>
      <Actor by={person.added_by} />{' '}
      <span className="small quiet">
        <RelativeTime at={person.added_at} />
      </span>
    </span>
  );
  const actions = (person: SharedPerson) => (
    <span className="person-actions">
      <Button
        size="small"
        type="link"
        className="flush"
        onClick={() => onShow(person.id)}
        aria-label={t('lists.placesOf', { id: idOf(person) })}
      >
        {t('lists.places')}
      </Button>
      <Button
        size="small"
        type="link"
        danger
        className="flush"
        disabled={!mayWrite}
        title={mayWrite ? undefined : t('frame.notAllowed')}
        onClick={() => onTakeOff(person)}
        aria-label={t('lists.takeOffOf', { id: idOf(person) })}
      >
        {t('lists.takeOff')}
      </Button>
    </span>
  );
  const wide: TableColumnsType<SharedPerson> = [
    { key: 'who', title: t('lists.person'), render: (_, person) => who(person) },
    { key: 'known', title: t('lists.knownBy'), width: 220, render: (_, person) => known(person) },
    { key: 'reason', title: t('lists.reason'), render: (_, person) => person.reason },
    { key: 'added', title: t('lists.added'), width: 200, render: (_, person) => added(person) },
    { key: 'actions', title: <span className="unseen">{t('lists.actions')}</span>, width: 180, render: (_, person) => actions(person) },
  ];
  const card: TableColumnsType<SharedPerson> = [
    {
      key: 'who',
      title: t('lists.person'),
      render: (_, person) => (
        <div className="card">
          {who(person)}
          <Facts
            facts={[
              [t('lists.knownBy'), known(person)],
              [t('lists.reason'), person.reason],
              [t('lists.added'), added(person)],
            ]}
          />
          {actions(person)}
        </div>
      ),
    },
  ];
  return (
    <Table<SharedPerson>
      size="small"
      className={narrow ? 'facts-table' : 'facts-table wide-table'}
      rowKey="id"
      columns={narrow ? card : wide}
      dataSource={persons}
      loading={persons === undefined || refreshing}
      pagination={false}
      locale={{ emptyText: persons === undefined ? ' ' : empty }}
    />
  );
}

/** By what the list knows somebody: a unionid, or an openid on an account. */
function KnownBy({ tenantId, person }: { tenantId: string; person: SharedPerson }) {
  const { t } = useTranslation();
  if (person.appid === null) return t('followers.unionid');
  return <AccountName tenantId={tenantId} appid={person.appid} />;
}
