import { Link } from '@tanstack/react-router';
import { Table, type TableColumnsType } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { SharedList } from '../client';
import { Actor } from '../frame/Actor';
import { Facts } from '../frame/Facts';
import { useNarrow } from '../frame/useNarrow';
import { RelativeTime } from '../time/RelativeTime';
import { WorkingTag } from './WorkingTag';

interface Props {
  tenantId: string;
  /** Undefined while they are read for the first time. */
  lists: SharedList[] | undefined;
  refreshing: boolean;
  empty: ReactNode;
}

export function ListsTable({ tenantId, lists, refreshing, empty }: Props) {
  const { t, i18n } = useTranslation();
  const narrow = useNarrow();
  const name = (list: SharedList) => (
    <span className="tags">
      <Link to="/tenants/$tenantId/lists/$listId" params={{ tenantId, listId: list.id }} className="identity-name">
        {list.name}
      </Link>
      {list.working && <WorkingTag />}
    </span>
  );
  const persons = (list: SharedList) => list.persons.toLocaleString(i18n.language);
  const made = (list: SharedList) => (
    <span>
      <Actor by={list.created_by} />{' '}
      <span className="small quiet">
        <RelativeTime at={list.created_at} />
      </span>
    </span>
  );
  const wide: TableColumnsType<SharedList> = [
    { key: 'name', title: t('lists.name'), render: (_, list) => name(list) },
    { key: 'persons', title: t('lists.persons'), width: 110, align: 'right', render: (_, list) => persons(list) },
    { key: 'reason', title: t('lists.reason'), render: (_, list) => list.reason },
    { key: 'made', title: t('lists.made'), width: 240, render: (_, list) => made(list) },
  ];
  const card: TableColumnsType<SharedList> = [
    {
      key: 'name',
      title: t('lists.title'),
      render: (_, list) => (
        <div className="card">
          {name(list)}
          <Facts
            facts={[
              [t('lists.persons'), persons(list)],
              [t('lists.reason'), list.reason],
              [t('lists.made'), made(list)],
            ]}
          />
        </div>
      ),
    },
  ];
  return (
    <Table<SharedList>
      size="small"
      className="facts-table"
      rowKey="id"
      columns={narrow ? card : wide}
      dataSource={lists}
      loading={lists === undefined || refreshing}
      pagination={false}
      locale={{ emptyText: lists === undefined ? ' ' : empty }}
    />
  );
}
