import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { Batch } from '../client';
import { cancelBatchMutation, getBatchQueryKey } from '../client/@tanstack/react-query.gen';
import { ConfirmDialog } from '../frame/ConfirmDialog';

interface Props {
  tenantId: string;
  batch: Batch;
  onDone: () => void;
  onClose: () => void;
}

/** Ends a batch that is under way. */
export function CancelDialog({ tenantId, batch, onDone, onClose }: Props) {
  const { t, i18n } = useTranslation();
  const queryClient = useQueryClient();
  const path = { tenant_id: tenantId, batch_id: batch.id };
  const cancel = useMutation({
    ...cancelBatchMutation(),
    onSuccess: (cancelled) => {
      queryClient.setQueryData(getBatchQueryKey({ path }), cancelled);
      onDone();
      onClose();
    },
  });
  const number = (count: number) => count.toLocaleString(i18n.language);
  const { pending, done, already } = batch.counts;
  return (
    <ConfirmDialog
      title={t('batchAction.cancelTitle')}
      confirm={t('batchAction.cancelConfirm')}
      danger
      pending={cancel.isPending}
      problem={cancel.error}
      onConfirm={() => cancel.mutate({ path, body: {} })}
      onClose={onClose}
    >
      <p>{t('batchAction.cancelPending', { count: pending, number: number(pending) })}</p>
      {done + already > 0 && <p>{t('batchAction.cancelKept', { count: done + already, number: number(done + already) })}</p>}
      <p className="quiet">{t('batchAction.cancelUnderWay')}</p>
    </ConfirmDialog>
  );
}
