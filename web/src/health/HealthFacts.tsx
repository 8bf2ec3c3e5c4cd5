import { Trans, useTranslation } from 'react-i18next';
import type { TokenHealth } from '../client';
import { Facts } from '../frame/Facts';
import { Refusal } from '../problem/Refusal';
import { RelativeTime } from '../time/RelativeTime';
import { useNow } from '../time/useNow';
import { contestOf } from './contested';

/** What is known about a token that is not well: since when, what WeChat said, what comes next and what to do. */
export function HealthFacts({ health }: { health: TokenHealth }) {
  const { t } = useTranslation();
  const { last_error: lastError } = health;
  return (
    <div className="stack-wide">
      <Facts
        facts={[
          [t('health.since'), health.failing_since && <RelativeTime at={health.failing_since} tabStop />],
          [t('health.attempts'), health.attempts > 0 ? health.attempts : null],
          [
            t('health.next'),
            health.status !== 'ok' && health.next_attempt_at ? <RelativeTime at={health.next_attempt_at} tabStop /> : null,
          ],
          [t('health.last'), lastError && <RelativeTime at={lastError.at} tabStop />],
        ]}
      />
      {lastError && <Refusal {...lastError} />}
      <Contested health={health} />
    </div>
  );
}

function Contested({ health }: { health: TokenHealth }) {
  const { t } = useTranslation();
  const contest = contestOf(health, useNow());
  if (contest === 'none' || health.refused_early_at === null) return null;
  return (
    <div>
      <p>
        <Trans
          i18nKey="contest.seen"
          count={health.refused_early}
          components={{ at: <RelativeTime at={health.refused_early_at} tabStop /> }}
        />
      </p>
      <p>{t(`contestMeaning.${contest}`)}</p>
    </div>
  );
}
