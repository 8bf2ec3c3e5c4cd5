import { Empty, Table, Tag, type TableColumnsType } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Reconciliation } from '../client';
import { Actor } from '../frame/Actor';
import { Facts } from '../frame/Facts';
import { useNarrow } from '../frame/useNarrow';
import { Refusal } from '../problem/Refusal';
import { RelativeTime } from '../time/RelativeTime';

const figures = ['listed', 'added', 'restored', 'absent', 'profiles'] as const;
const colors = { queued: undefined, running: 'processing', done: 'success', failed: 'error' } as const;

interface Props {
  /** Undefined while they are read for the first time. */
  reconciliations: Reconciliation[] | undefined;
  /** Another page is on its way. */
  refreshing: boolean;
}

/** What came of each reconciliation, newest first. */
export function ReconciliationTable({ reconciliations, refreshing }: Props) {
  const { t, i18n } = useTranslation();
  const narrow = useNarrow();
  const wide: TableColumnsType<Reconciliation> = [
    { key: 'at', title: t('reconcile.at'), width: 150, render: (_, one) => <RelativeTime at={one.created_at} /> },
    { key: 'by', title: t('reconcile.by'), width: 140, render: (_, one) => <Actor by={one.requested_by} /> },
    { key: 'status', title: t('reconcile.status'), render: (_, one) => <Outcome reconciliation={one} /> },
    ...figures.map((figure) => ({
      key: figure,
      title: <span title={t(`reconcile.meaning.${figure}`)}>{t(`reconcile.${figure}`)}</span>,
      width: 105,
      align: 'right' as const,
      render: (_: unknown, one: Reconciliation) => one[figure].toLocaleString(i18n.language),
    })),
  ];
  const card: TableColumnsType<Reconciliation> = [
    {
      key: 'reconciliation',
      title: t('reconcile.title'),
      render: (_, one) => (
        <div className="card">
          <span>
            <RelativeTime at={one.created_at} /> · <Actor by={one.requested_by} />
          </span>
          <Outcome reconciliation={one} />
          <Facts facts={figures.map((figure) => [t(`reconcile.${figure}`), one[figure].toLocaleString(i18n.language)])} />
        </div>
      ),
    },
  ];
  return (
    <Table<Reconciliation>
      size="small"
      className="facts-table"
      rowKey="id"
      columns={narrow ? card : wide}
      dataSource={reconciliations}
      loading={reconciliations === undefined || refreshing}
      pagination={false}
      tableLayout={narrow ? undefined : 'fixed'}
      locale={{
        emptyText: reconciliations === undefined ? ' ' : <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('reconcile.none')} />,
      }}
    />
  );
}

function Outcome({ reconciliation: { status, error, errcode, rid, advice } }: { reconciliation: Reconciliation }) {
  const { t } = useTranslation();
  return (
    <div className="stack">
      <span>
        <Tag color={colors[status]}>{t(`reconcileStatus.${status}`)}</Tag>
      </span>
      <Refusal message={error} errcode={errcode} rid={rid} advice={advice} />
    </div>
  );
}
