import { Button, Table, type TableColumnsType } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { BlacklistEntry } from '../client';
import { Facts } from '../frame/Facts';
import { Note } from '../frame/Note';
import { useNarrow } from '../frame/useNarrow';
import { RelativeTime } from '../time/RelativeTime';
import { OpenId, Who, Why } from './EntryFacts';
import { Actual, Wanted } from './EntryStatus';

interface Props {
  /** Undefined while they are read for the first time. */
  entries: BlacklistEntry[] | undefined;
  /** Another page is on its way. */
  refreshing: boolean;
  /** Openids, also of other pages. */
  selected: string[];
  empty: ReactNode;
  onSelect: (openids: string[]) => void;
  onShowBatch: (id: string) => void;
  onShowHistory: (openid: string) => void;
}

export function EntryTable({ entries, refreshing, selected, empty, onSelect, onShowBatch, onShowHistory }: Props) {
  const { t } = useTranslation();
  const narrow = useNarrow();
  const details = (entry: BlacklistEntry) => (
    <span className="entry-details">
      <BatchButton entry={entry} onShowBatch={onShowBatch} />
      <HistoryButton entry={entry} onShowHistory={onShowHistory} />
    </span>
  );
  const wide: TableColumnsType<BlacklistEntry> = [
    { key: 'openid', title: t('blacklist.openid'), width: 275, render: (_, entry) => <OpenId openid={entry.openid} /> },
    { key: 'actual', title: t('blacklist.actual'), width: 205, render: (_, entry) => <Actual entry={entry} /> },
    { key: 'want', title: t('blacklist.want'), width: 170, render: (_, entry) => <Wanted entry={entry} /> },
    { key: 'until', title: t('blacklist.until'), width: 105, render: (_, entry) => entry.until && <RelativeTime at={entry.until} /> },
    { key: 'reason', title: t('blacklist.reason'), render: (_, entry) => <Why entry={entry} /> },
    { key: 'who', title: t('blacklist.who'), width: 170, render: (_, entry) => <Who entry={entry} /> },
    {
      key: 'details',
      title: <span className="unseen">{t('blacklist.details')}</span>,
      width: 124,
      render: (_, entry) => details(entry),
    },
  ];
  const card: TableColumnsType<BlacklistEntry> = [
    {
      key: 'openid',
      title: t('blacklist.openid'),
      render: (_, entry) => (
        <div className="card">
          <OpenId openid={entry.openid} />
          <Actual entry={entry} />
          <Facts
            facts={[
              [t('blacklist.want'), <Wanted entry={entry} />],
              [t('blacklist.until'), entry.until && <RelativeTime at={entry.until} />],
              [t('blacklist.reason'), entry.reason],
              [t('wish.note'), entry.note && <Note>{entry.note}</Note>],
              [t('blacklist.who'), entry.wanted_at && <Who entry={entry} />],
            ]}
          />
          {details(entry)}
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

function BatchButton({ entry, onShowBatch }: { entry: BlacklistEntry; onShowBatch: (id: string) => void }) {
  const { t } = useTranslation();
  const { batch_id: id } = entry;
  if (id === null) return null;
  return (
    <Button
      size="small"
      type="link"
      className="flush"
      onClick={() => onShowBatch(id)}
      aria-label={t('blacklist.batchOf', { openid: entry.openid })}
    >
      {t('blacklist.batch')}
    </Button>
  );
}

function HistoryButton({ entry, onShowHistory }: { entry: BlacklistEntry; onShowHistory: (openid: string) => void }) {
  const { t } = useTranslation();
  if (entry.batch_id === null && entry.want === null) return null; // nobody here has ever asked anything
  return (
    <Button
      size="small"
      type="link"
      className="flush"
      onClick={() => onShowHistory(entry.openid)}
      aria-label={t('history.of', { openid: entry.openid })}
    >
      {t('history.button')}
    </Button>
  );
}
