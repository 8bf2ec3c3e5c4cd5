import { useTranslation } from 'react-i18next';
import type { Counts } from '../client';
import { outcomes } from './batch';

/** How many openids were given, and what came of them; outcomes that nothing has come to stay away. */
export function BatchCounts({ counts }: { counts: Counts }) {
  const { t, i18n } = useTranslation();
  const number = (count: number) => count.toLocaleString(i18n.language);
  const given = counts.total - counts.skipped;
  return (
    <div className="stack">
      <span>{t('counts.openids', { count: given, number: number(given) })}</span>
      <span className="batch-counts small">
        {outcomes
          .filter((one) => counts[one] > 0)
          .map((one) => (
            <span key={one} className={one === 'failed' ? 'bad' : 'quiet'} title={t(`outcomeMeaning.${one}`)}>
              {t(`outcome.${one}`)} {number(counts[one])}
            </span>
          ))}
      </span>
    </div>
  );
}
