import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Button, Drawer, Skeleton } from 'antd';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Batch, Outcome } from '../client';
import { getBatchOptions, listBatchItemsQueryKey } from '../client/@tanstack/react-query.gen';
import { Actor } from '../frame/Actor';
import { Facts } from '../frame/Facts';
import { Note } from '../frame/Note';
import { ProblemAlert } from '../problem/ProblemAlert';
import { ListName } from '../sharedlist/ListName';
import { RelativeTime } from '../time/RelativeTime';
import { hasEnded } from './batch';
import { BatchActions } from './BatchActions';
import { BatchItems } from './BatchItems';
import { BatchProgress } from './BatchProgress';
import { Paused } from './Paused';

interface Props {
  tenantId: string;
  batchId: string;
  onClose: () => void;
  /** Some openid got its outcome since the last look. */
  onProgress: () => void;
  /** Another batch is to be shown. */
  onShow: (batchId: string) => void;
}

/** A batch as it runs: asked every second until it has ended. */
export function BatchDrawer({ tenantId, batchId, onClose, onProgress, onShow }: Props) {
  const { t } = useTranslation();
  const batch = useQuery({
    ...getBatchOptions({ path: { tenant_id: tenantId, batch_id: batchId } }),
    refetchInterval: ({ state }) => (state.data && hasEnded(state.data) ? false : 1_000),
  });
  return (
    <Drawer
      open
      onClose={onClose}
      size={760}
      className="batch-drawer"
      title={batch.data ? t(`batch.${batch.data.action}`) : t('batch.title')}
    >
      {batch.isError && <ProblemAlert problem={batch.error} onRetry={() => void batch.refetch()} />}
      {batch.isPending && <Skeleton active />}
      {batch.data && <BatchView batch={batch.data} tenantId={tenantId} onProgress={onProgress} onShow={onShow} />}
    </Drawer>
  );
}

type ViewProps = Pick<Props, 'tenantId' | 'onProgress' | 'onShow'> & { batch: Batch };

function BatchView({ batch, tenantId, onProgress, onShow }: ViewProps) {
  const queryClient = useQueryClient();
  const [outcome, setOutcome] = useState<Outcome>();
  const { id, status } = batch;
  const { pending } = batch.counts;
  // The items are read again only when an outcome came, not every second.
  useEffect(() => {
    void queryClient.invalidateQueries({ queryKey: listBatchItemsQueryKey({ path: { tenant_id: tenantId, batch_id: id } }) });
    onProgress();
  }, [queryClient, tenantId, id, status, pending, onProgress]);
  return (
    <div className="stack-wide">
      <BatchProgress batch={batch} />
      {batch.status === 'paused' && <Paused batch={batch} />}
      <BatchFacts tenantId={tenantId} batch={batch} onShow={onShow} />
      <BatchActions tenantId={tenantId} batch={batch} onChanged={onProgress} onShow={onShow} />
      <BatchItems tenantId={tenantId} batch={batch} outcome={outcome} onOutcome={setOutcome} />
    </div>
  );
}

function BatchFacts({ tenantId, batch, onShow }: Omit<ViewProps, 'onProgress'>) {
  const { t } = useTranslation();
  return (
    <Facts
      facts={[
        [t('batch.by'), <Actor by={batch.requested_by} />],
        [t('batch.at'), <RelativeTime at={batch.created_at} tabStop />],
        [t('batch.ended'), batch.ended_at && <RelativeTime at={batch.ended_at} tabStop />],
        [t('batch.until'), batch.until && <RelativeTime at={batch.until} tabStop />],
        [t('batch.reason'), batch.reason],
        [t('wish.note'), batch.note && <Note>{batch.note}</Note>],
        [t('lists.one'), batch.list_id && <ListName tenantId={tenantId} listId={batch.list_id} />],
        [t('batch.retryOf'), batch.retry_of && <EarlierBatch id={batch.retry_of} onShow={onShow} />],
        [t('batch.undoOf'), batch.undo_of && <EarlierBatch id={batch.undo_of} onShow={onShow} />],
      ]}
    />
  );
}

function EarlierBatch({ id, onShow }: { id: string; onShow: (batchId: string) => void }) {
  const { t } = useTranslation();
  return (
    <Button size="small" type="link" className="flush" onClick={() => onShow(id)}>
      {t('batch.showEarlier')}
    </Button>
  );
}
