import { Progress, theme } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Batch } from '../client';
import { hasEnded, percent } from './batch';
import { BatchStatusTag } from './BatchStatusTag';

/** How far a batch has come, also for those who only hear it. The bar is green as far as WeChat agreed, and red for what it refused. */
export function BatchProgress({ batch }: { batch: Batch }) {
  const { t } = useTranslation();
  const { token } = theme.useToken();
  const { counts } = batch;
  const given = counts.total - counts.skipped;
  const ended = given - counts.pending;
  return (
    <div>
      <div className="batch-status" role="status">
        <BatchStatusTag status={batch.status} />
        <span>
          {hasEnded(batch)
            ? t('batch.summaryEnded', { count: counts.done + counts.already, failed: counts.failed, total: given })
            : t('batch.summary', { done: ended, total: given })}
        </span>
      </div>
      <Progress
        percent={percent(ended, given)}
        success={{ percent: percent(counts.done + counts.already, given) }}
        strokeColor={counts.failed > 0 ? token.colorError : token.colorTextQuaternary}
        status={batch.status === 'running' ? 'active' : 'normal'}
        aria-label={t('batch.progress')}
      />
    </div>
  );
}
