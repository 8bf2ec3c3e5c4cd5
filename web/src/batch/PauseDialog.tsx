import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { Batch } from '../client';
import { getBatchQueryKey, getBlacklistWorkQueryKey, pauseBatchMutation, resumeBatchMutation } from '../client/@tanstack/react-query.gen';
import { ConfirmDialog } from '../frame/ConfirmDialog';

interface Props {
  change: 'pause' | 'resume';
  tenantId: string;
  batch: Batch;
  onDone: () => void;
  onClose: () => void;
}

/** Stops one batch, or lets it go on. The other batches of its account have nothing to do with it. */
export function PauseDialog({ change, tenantId, batch, onDone, onClose }: Props) {
  const { t, i18n } = useTranslation();
  const queryClient = useQueryClient();
  const path = { tenant_id: tenantId, batch_id: batch.id };
  const onSuccess = (changed: Batch) => {
    queryClient.setQueryData(getBatchQueryKey({ path }), changed);
    const work = getBlacklistWorkQueryKey({ path: { tenant_id: tenantId, appid: batch.authorizer_appid } });
    void queryClient.invalidateQueries({ queryKey: work });
    onDone();
    onClose();
  };
  const pause = useMutation({ ...pauseBatchMutation(), onSuccess });
  const resume = useMutation({ ...resumeBatchMutation(), onSuccess });
  const mutation = change === 'pause' ? pause : resume;
  const { pending } = batch.counts;
  return (
    <ConfirmDialog
      title={t(`batchAction.${change}Title`)}
      confirm={t(`batchAction.${change}Confirm`)}
      reasonHint={t(`batchAction.${change}Reason`)}
      pending={mutation.isPending}
      problem={mutation.error}
      onConfirm={(reason) => mutation.mutate({ path, body: { reason } })}
      onClose={onClose}
    >
      <p>{t(`batchAction.${change}Help`, { count: pending, number: pending.toLocaleString(i18n.language) })}</p>
      {change === 'pause' && batch.action === 'block' && <p>{t('batchAction.pauseEnds')}</p>}
      {change === 'pause' && <p className="quiet">{t('batchAction.pauseUnderWay')}</p>}
    </ConfirmDialog>
  );
}
