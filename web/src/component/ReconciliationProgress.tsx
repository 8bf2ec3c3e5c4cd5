import { Progress } from 'antd';
import { useTranslation } from 'react-i18next';
import { percent } from '../batch/batch';
import type { Reconciliation } from '../client';

/** How far a reconciliation has come: first WeChat's list is read, then what the list says of each account is followed. */
export function ReconciliationProgress({ reconciliation: { total, listed } }: { reconciliation: Reconciliation }) {
  const { t, i18n } = useTranslation();
  const number = (count: number) => count.toLocaleString(i18n.language);
  const reading = t('reconcile.reading', { listed: number(listed), total: number(total) });
  return (
    <div className="pull-progress" role="status">
      <span>{total === 0 ? t('reconcile.starting') : listed < total ? reading : t('reconcile.settling')}</span>
      <Progress percent={total === 0 ? 0 : percent(listed, total)} status="active" aria-label={t('reconcile.progress')} />
    </div>
  );
}
