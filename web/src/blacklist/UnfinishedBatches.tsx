import { useQuery } from '@tanstack/react-query';
import { Alert, Button } from 'antd';
import { useTranslation } from 'react-i18next';
import { hasEnded } from '../batch/batch';
import { listBatchesOptions } from '../client/@tanstack/react-query.gen';

interface Props {
  tenantId: string;
  appid: string;
  /** The batch on view already. */
  shown: string | undefined;
  onShow: (batchId: string) => void;
}

/** Batches of this account that are still at work, whoever sent them. */
export function UnfinishedBatches({ tenantId, appid, shown, onShow }: Props) {
  const { t } = useTranslation();
  const batches = useQuery({
    ...listBatchesOptions({ path: { tenant_id: tenantId }, query: { appid, limit: 20 } }),
    select: ({ data }) => data.filter((batch) => !hasEnded(batch)),
    refetchInterval: ({ state }) => (state.data?.data.some((batch) => !hasEnded(batch)) ? 2_000 : 15_000),
  });
  return batches.data
    ?.filter(({ id }) => id !== shown)
    .map((batch) => (
      <Alert
        key={batch.id}
        type={batch.status === 'paused' ? 'warning' : 'info'}
        showIcon
        title={t(`unfinished.${batch.action}`, {
          done: batch.counts.total - batch.counts.skipped - batch.counts.pending,
          total: batch.counts.total - batch.counts.skipped,
          status: t(`batchStatus.${batch.status}`),
        })}
        action={
          <Button size="small" onClick={() => onShow(batch.id)}>
            {t('unfinished.show')}
          </Button>
        }
      />
    ));
}
