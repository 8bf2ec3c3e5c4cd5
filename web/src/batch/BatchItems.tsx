import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Empty, Table, Typography, type TableColumnsType } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { exportBatchItems, type Batch, type BatchItem, type Outcome } from '../client';
import { listBatchItemsOptions } from '../client/@tanstack/react-query.gen';
import { ExportButton } from '../file/ExportButton';
import { Note } from '../frame/Note';
import { useNarrow } from '../frame/useNarrow';
import { CursorPager } from '../paging/CursorPager';
import { ProblemAlert } from '../problem/ProblemAlert';
import { Refusal } from '../problem/Refusal';
import { OutcomeFilter } from './OutcomeFilter';
import { OutcomeTag } from './OutcomeTag';

interface Props {
  tenantId: string;
  batch: Batch;
  outcome: Outcome | undefined;
  onOutcome: (outcome: Outcome | undefined) => void;
}

/** What came of each openid, in the order given. */
export function BatchItems({ tenantId, batch, outcome, onOutcome }: Props) {
  const { t } = useTranslation();
  // The cursors of this page and those before it; the first page's is ''.
  const [trail, setTrail] = useState(['']);
  const items = useQuery({
    ...listBatchItemsOptions({
      path: { tenant_id: tenantId, batch_id: batch.id },
      query: { outcome, limit: 50, cursor: trail.at(-1) || undefined },
    }),
    placeholderData: keepPreviousData,
  });
  const next = items.data?.next_cursor;
  const filter = (chosen: Outcome | undefined) => {
    setTrail(['']);
    onOutcome(chosen);
  };
  return (
    <div className="stack-wide">
      <div className="batch-items-top">
        <OutcomeFilter counts={batch.counts} outcome={outcome} onOutcome={filter} />
        <ExportButton
          size="small"
          label={t('file.exportItems')}
          onExport={(format) =>
            exportBatchItems({
              path: { tenant_id: tenantId, batch_id: batch.id },
              query: { ...format, outcome },
              parseAs: 'blob',
              throwOnError: true,
            })
          }
        />
      </div>
      {items.isError && <ProblemAlert problem={items.error} onRetry={() => void items.refetch()} />}
      {!(items.isError && !items.data) && (
        <ItemTable
          batch={batch}
          items={items.data?.data}
          loading={items.isPending || items.isPlaceholderData}
          empty={<Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('batch.noItems')} />}
        />
      )}
      <CursorPager
        hasPrevious={trail.length > 1}
        hasNext={typeof next === 'string'}
        onFirst={() => setTrail([''])}
        onPrevious={() => setTrail(trail.slice(0, -1))}
        onNext={() => setTrail([...trail, next ?? ''])}
      />
    </div>
  );
}

interface TableProps {
  batch: Batch;
  items: BatchItem[] | undefined;
  loading: boolean;
  empty: React.ReactNode;
}

function ItemTable({ batch, items, loading, empty }: TableProps) {
  const { t } = useTranslation();
  const narrow = useNarrow();
  const openid = (item: BatchItem) => (
    <div className="stack">
      <Typography.Text className="mono" copyable={{ text: item.openid }}>
        {item.openid}
      </Typography.Text>
      <OwnWords item={item} batch={batch} />
    </div>
  );
  const wide: TableColumnsType<BatchItem> = [
    { key: 'openid', title: t('blacklist.openid'), width: 300, render: (_, item) => openid(item) },
    { key: 'outcome', title: t('batch.outcome'), width: 120, render: (_, item) => <OutcomeTag outcome={item.outcome} /> },
    {
      key: 'advice',
      title: t('batch.advice'),
      render: (_, item) => <Refusal errcode={item.errcode} rid={item.rid} advice={item.advice} />,
    },
  ];
  const card: TableColumnsType<BatchItem> = [
    {
      key: 'openid',
      title: t('blacklist.openid'),
      render: (_, item) => (
        <div className="card">
          {openid(item)}
          <span>
            <OutcomeTag outcome={item.outcome} />
          </span>
          <Refusal errcode={item.errcode} rid={item.rid} advice={item.advice} />
        </div>
      ),
    },
  ];
  return (
    <Table<BatchItem>
      size="small"
      className="facts-table"
      rowKey="openid"
      columns={narrow ? card : wide}
      dataSource={items}
      loading={loading}
      pagination={false}
      locale={{ emptyText: items === undefined ? ' ' : empty }}
    />
  );
}

/** The reason and the note that an item does not share with its batch, as those of a file may not. */
function OwnWords({ item, batch }: { item: BatchItem; batch: Batch }) {
  return (
    <>
      {item.reason !== batch.reason && <Note className="small">{item.reason}</Note>}
      {item.note !== batch.note && <Note className="small quiet">{item.note}</Note>}
    </>
  );
}
