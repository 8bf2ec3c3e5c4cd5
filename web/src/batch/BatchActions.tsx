import { Button } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Batch } from '../client';
import { useMay } from '../session/useMe';
import { hasEnded } from './batch';
import { CancelDialog } from './CancelDialog';
import { PauseDialog } from './PauseDialog';
import { SequelDialog, type Sequel } from './SequelDialog';

interface Props {
  tenantId: string;
  batch: Batch;
  /** It has been cancelled, paused or resumed, or has got a sequel. */
  onChanged: () => void;
  onShow: (batchId: string) => void;
}

/** What can be done about a batch: all of it asks first. */
export function BatchActions({ tenantId, batch, onChanged, onShow }: Props) {
  const { t, i18n } = useTranslation();
  const mayWrite = useMay('blacklist:write');
  const [asking, setAsking] = useState<'cancel' | 'pause' | 'resume' | Sequel>();
  const ended = hasEnded(batch);
  const { failed, done } = batch.counts;
  const change = batch.paused_at === null ? 'pause' : 'resume';
  if (ended && failed === 0 && done === 0) return null;
  const common = { disabled: !mayWrite, title: mayWrite ? undefined : t('frame.notAllowed') };
  const close = () => setAsking(undefined);
  return (
    <div className="batch-actions">
      {!ended && (
        <Button {...common} onClick={() => setAsking(change)}>
          {t(`batchAction.${change}`)}
        </Button>
      )}
      {!ended && (
        <Button {...common} danger onClick={() => setAsking('cancel')}>
          {t('batchAction.cancel')}
        </Button>
      )}
      {failed > 0 && (
        <Button {...common} onClick={() => setAsking('retry')}>
          {t('batchAction.retry', { count: failed, number: failed.toLocaleString(i18n.language) })}
        </Button>
      )}
      {ended && done > 0 && (
        <Button {...common} onClick={() => setAsking('undo')}>
          {t('batchAction.undo')}
        </Button>
      )}
      {asking === 'cancel' && <CancelDialog tenantId={tenantId} batch={batch} onDone={onChanged} onClose={close} />}
      {(asking === 'pause' || asking === 'resume') && (
        <PauseDialog change={asking} tenantId={tenantId} batch={batch} onDone={onChanged} onClose={close} />
      )}
      {(asking === 'retry' || asking === 'undo') && (
        <SequelDialog
          sequel={asking}
          tenantId={tenantId}
          batch={batch}
          onTaken={({ id }) => {
            close();
            onChanged();
            onShow(id);
          }}
          onClose={close}
        />
      )}
    </div>
  );
}
