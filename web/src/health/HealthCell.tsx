import { Button, Popover } from 'antd';
import { useTranslation } from 'react-i18next';
import type { TokenHealth } from '../client';
import { useNow } from '../time/useNow';
import { contestOf } from './contested';
import { ContestedTag } from './ContestedTag';
import { HealthFacts } from './HealthFacts';
import { HealthTag } from './HealthTag';

/** A token's health in a word, and the facts of it behind a button where it is not well. `of` names whose it is, for those who hear it. */
export function HealthCell({ health, of }: { health: TokenHealth; of: string }) {
  const { t } = useTranslation();
  const { last_error: lastError, attempts, status } = health;
  const contested = contestOf(health, useNow()) !== 'none';
  const short = [
    lastError && (lastError.errcode === 0 ? t('refusal.notReached') : lastError.errcode),
    attempts > 0 && t('health.tries', { count: attempts }),
  ].filter(Boolean);
  return (
    <div className="stack">
      <span className="tags">
        {(status !== 'ok' || !contested) && <HealthTag status={status} />}
        <ContestedTag health={health} />
      </span>
      {(short.length > 0 || contested) && (
        <Popover
          trigger={['click']}
          title={t(`healthMeaning.${status}`)}
          content={<HealthFacts health={health} />}
          classNames={{ root: 'health-popover' }}
        >
          <Button size="small" type="link" className="flush health-more">
            <span>
              {short.join(' · ') || t('health.details')} <span className="unseen">{t('health.of', { name: of })}</span>
            </span>
          </Button>
        </Popover>
      )}
    </div>
  );
}
