import { useQuery } from '@tanstack/react-query';
import { Button, Table, type TableColumnsType } from 'antd';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { AccountName } from '../account/AccountName';
import { hasEnded } from '../batch/batch';
import { BatchDrawer } from '../batch/BatchDrawer';
import { BatchProgress } from '../batch/BatchProgress';
import type { Batch } from '../client';
import { getBatchOptions } from '../client/@tanstack/react-query.gen';
import { useNarrow } from '../frame/useNarrow';

interface Props {
  tenantId: string;
  /** As they were when they were taken on. */
  batches: Batch[];
}

const nothing = () => undefined;

/** The batches of one wish, one for each account, each with its progress. */
export function RoutedBatches({ tenantId, batches }: Props) {
  const { t } = useTranslation();
  const narrow = useNarrow();
  const [shown, setShown] = useState<string>();
  const close = useCallback(() => setShown(undefined), []);
  const show = (batch: Batch) => (
    <Button size="small" onClick={() => setShown(batch.id)} aria-label={t('people.showBatch', { appid: batch.authorizer_appid })}>
      {t('unfinished.show')}
    </Button>
  );
  const wide: TableColumnsType<Batch> = [
    {
      key: 'account',
      title: t('accounts.account'),
      width: '40%',
      render: (_, batch) => <AccountName tenantId={tenantId} appid={batch.authorizer_appid} />,
    },
    { key: 'progress', title: t('people.progress'), render: (_, batch) => <Progress tenantId={tenantId} batch={batch} /> },
    { key: 'show', title: <span className="unseen">{t('unfinished.show')}</span>, width: 90, render: (_, batch) => show(batch) },
  ];
  const card: TableColumnsType<Batch> = [
    {
      key: 'account',
      title: t('people.batches'),
      render: (_, batch) => (
        <div className="card">
          <AccountName tenantId={tenantId} appid={batch.authorizer_appid} />
          <div className="whole-width">
            <Progress tenantId={tenantId} batch={batch} />
          </div>
          {show(batch)}
        </div>
      ),
    },
  ];
  return (
    <>
      <Table<Batch>
        size="small"
        className="facts-table"
        rowKey="id"
        columns={narrow ? card : wide}
        dataSource={batches}
        // Only those on the page are asked about.
        pagination={{ pageSize: 20, hideOnSinglePage: true, showSizeChanger: false }}
      />
      {shown && <BatchDrawer key={shown} tenantId={tenantId} batchId={shown} onClose={close} onProgress={nothing} onShow={setShown} />}
    </>
  );
}

/** Asked about until the batch has ended. */
function Progress({ tenantId, batch }: { tenantId: string; batch: Batch }) {
  const now = useQuery({
    ...getBatchOptions({ path: { tenant_id: tenantId, batch_id: batch.id } }),
    placeholderData: batch,
    refetchInterval: ({ state }) => (state.data && hasEnded(state.data) ? false : 2_000),
  });
  return <BatchProgress batch={now.data ?? batch} />;
}
