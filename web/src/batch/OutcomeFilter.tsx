import { Segmented } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Counts, Outcome } from '../client';
import { outcomes } from './batch';

interface Props {
  counts: Counts;
  outcome: Outcome | undefined;
  onOutcome: (outcome: Outcome | undefined) => void;
}

/** The counts, each of which shows its openids; outcomes that nothing has come to stay away. */
export function OutcomeFilter({ counts, outcome, onOutcome }: Props) {
  const { t, i18n } = useTranslation();
  const label = (name: string, count: number) => `${name} ${count.toLocaleString(i18n.language)}`;
  const shown = outcomes.filter((one) => counts[one] > 0 || one === outcome);
  return (
    <div className="outcome-filter">
      <Segmented<Outcome | 'all'>
        size="small"
        aria-label={t('batch.filter')}
        value={outcome ?? 'all'}
        onChange={(chosen) => onOutcome(chosen === 'all' ? undefined : chosen)}
        options={[
          { value: 'all', label: label(t('batch.all'), counts.total - counts.skipped) },
          ...shown.map((one) => ({ value: one, label: label(t(`outcome.${one}`), counts[one]) })),
        ]}
      />
      {counts.skipped > 0 && <span className="quiet small">{t('batch.skipped', { count: counts.skipped })}</span>}
    </div>
  );
}
