import { useMutation } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { Batch } from '../client';
import { retryBatchMutation, undoBatchMutation } from '../client/@tanstack/react-query.gen';
import { ConfirmDialog } from '../frame/ConfirmDialog';
import { useIdempotencyKey } from './idempotency';

/** What a batch may lead to. */
export type Sequel = 'retry' | 'undo';

interface Props {
  sequel: Sequel;
  tenantId: string;
  batch: Batch;
  onTaken: (sequel: Batch) => void;
  onClose: () => void;
}

/** Makes a batch that tries again what failed of another, or takes back what the other changed. */
export function SequelDialog(props: Props) {
  return props.sequel === 'retry' ? <RetryDialog {...props} /> : <UndoDialog {...props} />;
}

function RetryDialog({ tenantId, batch, onTaken, onClose }: Props) {
  const { t, i18n } = useTranslation();
  const { keyFor } = useIdempotencyKey();
  const retry = useMutation({ ...retryBatchMutation(), onSuccess: onTaken });
  const { failed } = batch.counts;
  return (
    <ConfirmDialog
      title={t('batchAction.retryTitle')}
      confirm={t('batchAction.retryConfirm')}
      pending={retry.isPending}
      problem={retry.error}
      onConfirm={() =>
        retry.mutate({ path: { tenant_id: tenantId, batch_id: batch.id }, headers: { 'Idempotency-Key': keyFor() }, body: {} })
      }
      onClose={onClose}
    >
      <p>{t(`batchAction.retryHelp.${batch.action}`, { count: failed, number: failed.toLocaleString(i18n.language) })}</p>
      <p className="quiet">{t('batchAction.retrySince')}</p>
    </ConfirmDialog>
  );
}

function UndoDialog({ tenantId, batch, onTaken, onClose }: Props) {
  const { t, i18n } = useTranslation();
  const { keyFor } = useIdempotencyKey();
  const undo = useMutation({ ...undoBatchMutation(), onSuccess: onTaken });
  const { done, already } = batch.counts;
  const number = (count: number) => count.toLocaleString(i18n.language);
  return (
    <ConfirmDialog
      title={t('batchAction.undoTitle')}
      confirm={t('batchAction.undoConfirm')}
      danger
      reasonHint={t('batchAction.undoReason')}
      pending={undo.isPending}
      problem={undo.error}
      onConfirm={(reason) =>
        undo.mutate({ path: { tenant_id: tenantId, batch_id: batch.id }, headers: { 'Idempotency-Key': keyFor(reason) }, body: { reason } })
      }
      onClose={onClose}
    >
      <p>{t(`batchAction.undoHelp.${batch.action}`, { count: done, number: number(done) })}</p>
      {already > 0 && <p>{t('batchAction.undoAlready', { count: already, number: number(already) })}</p>}
      <p className="quiet">{t('batchAction.undoSince')}</p>
    </ConfirmDialog>
  );
}
