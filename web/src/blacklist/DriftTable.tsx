import { StopOutlined, UndoOutlined } from '@ant-design/icons';
import { Table, Tag, type TableColumnsType } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { BlacklistEntry } from '../client';
import { Facts } from '../frame/Facts';
import { Note } from '../frame/Note';
import { useNarrow } from '../frame/useNarrow';
import { RelativeTime } from '../time/RelativeTime';
import { OpenId, Who, Why } from './EntryFacts';

interface Props {
  /** Undefined while they are read for the first time. */
  entries: BlacklistEntry[] | undefined;
  /** Other entries are on their way. */
  refreshing: boolean;
  /** Openids, also of other pages. */
  selected: string[];
  empty: ReactNode;
  onSelect: (openids: string[]) => void;
}

/** Entries that differ from what was asked for here: what is the case, since when we know, and what was wanted. */
export function DriftTable({ entries, refreshing, selected, empty, onSelect }: Props) {
  const { t } = useTranslation();
  const narrow = useNarrow();
  const seen = (entry: BlacklistEntry) => entry.actual_at && <RelativeTime at={entry.actual_at} />;
  const wide: TableColumnsType<BlacklistEntry> = [
    { key: 'openid', title: t('blacklist.openid'), width: 285, render: (_, entry) => <OpenId openid={entry.openid} /> },
    { key: 'what', title: t('drift.what'), width: 190, render: (_, entry) => <What entry={entry} /> },
    { key: 'seen', title: t('drift.seen'), width: 130, render: (_, entry) => seen(entry) },
    { key: 'want', title: t('drift.wanted'), width: 150, render: (_, entry) => <Wanted entry={entry} /> },
    { key: 'reason', title: t('blacklist.reason'), render: (_, entry) => <Why entry={entry} /> },
    { key: 'who', title: t('blacklist.who'), width: 190, render: (_, entry) => <Who entry={entry} /> },
  ];
  const card: TableColumnsType<BlacklistEntry> = [
    {
      key: 'openid',
      title: t('blacklist.openid'),
      render: (_, entry) => (
        <div className="card">
          <OpenId openid={entry.openid} />
          <What entry={entry} />
          <Facts
            facts={[
              [t('drift.seen'), seen(entry)],
              [t('drift.wanted'), <Wanted entry={entry} />],
              [t('blacklist.reason'), entry.reason],
              [t('wish.note'), entry.note && <Note>{entry.note}</Note>],
              [t('blacklist.who'), entry.wanted_at && <Who entry={entry} />],
            ]}
          />
        </div>
      ),
    },
  ];
  return (
    <Table<BlacklistEntry>
      size="small"
      className={narrow ? 'facts-table' : 'facts-table wide-table'}
      rowKey="openid"
      columns={narrow ? card : wide}
      dataSource={entries}
      loading={entries === undefined || refreshing}
      pagination={false}
      tableLayout={narrow ? undefined : 'fixed'}
      rowSelection={{
        selectedRowKeys: selected,
        preserveSelectedRowKeys: true,
        onChange: (keys) => onSelect(keys.map(String)),
        getTitleCheckboxProps: () => ({ 'aria-label': t('blacklist.selectPage') }),
        getCheckboxProps: ({ openid }) => ({ 'aria-label': t('blacklist.select', { openid }) }),
      }}
      locale={{ emptyText: entries === undefined ? ' ' : empty }}
    />
  );
}

/** What somebody did outside. */
function What({ entry }: { entry: BlacklistEntry }) {
  const { t } = useTranslation();
  return entry.actual === 'blocked' ? (
    <Tag color="error" icon={<StopOutlined aria-hidden />}>
      {t('drift.kind.blocked_outside')}
    </Tag>
  ) : (
    <Tag color="warning" icon={<UndoOutlined aria-hidden />}>
      {t('drift.kind.unblocked_outside')}
    </Tag>
  );
}

function Wanted({ entry }: { entry: BlacklistEntry }) {
  const { t } = useTranslation();
  return entry.want === null ? <span className="quiet">{t('drift.nothingWanted')}</span> : t(`want.${entry.want}`);
}
