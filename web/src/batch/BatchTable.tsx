import { Link } from '@tanstack/react-router';
import { Button, Table, Tag, type TableColumnsType } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Batch } from '../client';
import { Actor } from '../frame/Actor';
import { Facts } from '../frame/Facts';
import { useNarrow } from '../frame/useNarrow';
import { absolute } from '../time/format';
import { RelativeTime } from '../time/RelativeTime';
import { BatchCounts } from './BatchCounts';
import { BatchStatusTag } from './BatchStatusTag';

interface Props {
  tenantId: string;
  /** Undefined while they are read for the first time. */
  batches: Batch[] | undefined;
  /** Another page is on its way. */
  refreshing: boolean;
  /** They are of several accounts, so each is named. */
  ofAllAccounts: boolean;
  empty: ReactNode;
  onShow: (batchId: string) => void;
}

export function BatchTable({ tenantId, batches, refreshing, ofAllAccounts, empty, onShow }: Props) {
  const { t } = useTranslation();
  const narrow = useNarrow();
  const account = (batch: Batch) => <AccountLink tenantId={tenantId} appid={batch.authorizer_appid} />;
  const show = (batch: Batch) => <ShowButton batch={batch} onShow={onShow} />;
  const wide: TableColumnsType<Batch> = [
    { key: 'action', title: t('batches.action'), width: 190, render: (_, batch) => <What batch={batch} /> },
    ...(ofAllAccounts
      ? [{ key: 'account', title: t('batches.account'), width: 190, render: (_: unknown, batch: Batch) => account(batch) }]
      : []),
    { key: 'counts', title: t('batches.counts'), width: 290, render: (_, batch) => <BatchCounts counts={batch.counts} /> },
    { key: 'reason', title: t('batch.reason'), render: (_, batch) => batch.reason },
    { key: 'by', title: t('batch.by'), width: 150, render: (_, batch) => <Actor by={batch.requested_by} /> },
    { key: 'at', title: t('batch.at'), width: 140, render: (_, batch) => <RelativeTime at={batch.created_at} /> },
    { key: 'show', title: <span className="unseen">{t('batches.show')}</span>, width: 72, render: (_, batch) => show(batch) },
  ];
  const card: TableColumnsType<Batch> = [
    {
      key: 'batch',
      title: t('batches.title'),
      render: (_, batch) => (
        <div className="card">
          <What batch={batch} />
          {ofAllAccounts && account(batch)}
          <BatchCounts counts={batch.counts} />
          <Facts
            facts={[
              [t('batch.reason'), batch.reason],
              [t('batch.by'), <Actor by={batch.requested_by} />],
              [t('batch.at'), <RelativeTime at={batch.created_at} />],
            ]}
          />
          {show(batch)}
        </div>
      ),
    },
  ];
  return (
    <Table<Batch>
      size="small"
      className={narrow ? 'facts-table' : 'facts-table wide-table'}
      rowKey="id"
      columns={narrow ? card : wide}
      dataSource={batches}
      loading={batches === undefined || refreshing}
      pagination={false}
      tableLayout={narrow ? undefined : 'fixed'}
      locale={{ emptyText: batches === undefined ? ' ' : empty }}
    />
  );
}

/** What a batch is for, and how it stands. */
function What({ batch }: { batch: Batch }) {
  const { t } = useTranslation();
  return (
    <span className="tags">
      <strong>{t(`wish.${batch.action}`)}</strong>
      <BatchStatusTag status={batch.status} />
      {batch.retry_of && <Tag>{t('batches.retry')}</Tag>}
      {batch.list_id && <Tag>{t('lists.one')}</Tag>}
      {batch.undo_of && <Tag>{t('batches.undo')}</Tag>}
    </span>
  );
}

function AccountLink({ tenantId, appid }: { tenantId: string; appid: string }) {
  return (
    <Link to="/tenants/$tenantId/accounts/$appid/batches" params={{ tenantId, appid }} className="mono small">
      {appid}
    </Link>
  );
}

function ShowButton({ batch, onShow }: { batch: Batch; onShow: (batchId: string) => void }) {
  const { t, i18n } = useTranslation();
  return (
    <Button
      size="small"
      type="link"
      className="flush"
      onClick={() => onShow(batch.id)}
      aria-label={t('batches.showOf', { at: absolute(batch.created_at, i18n.language) })}
    >
      {t('batches.show')}
    </Button>
  );
}
