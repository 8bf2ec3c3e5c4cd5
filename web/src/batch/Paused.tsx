import { Alert } from 'antd';
import { Trans, useTranslation } from 'react-i18next';
import type { Batch } from '../client';
import { Actor } from '../frame/Actor';
import { Facts } from '../frame/Facts';
import { ServerText } from '../i18n/ServerText';
import { RelativeTime } from '../time/RelativeTime';
import { pausedFor } from './batch';

/** Why a batch does not go on: somebody has paused it, or the work of its account rests. */
export function Paused({ batch }: { batch: Batch }) {
  const { t } = useTranslation();
  if (batch.paused_at === null) return <Resting batch={batch} />;
  return (
    <Alert
      type="warning"
      showIcon
      title={t('batch.pausedTitle')}
      description={
        <Facts
          facts={[
            [t('work.by'), <Actor by={batch.paused_by} />],
            [t('work.since'), <RelativeTime at={batch.paused_at} tabStop />],
            [t('work.reason'), pausedFor(batch)],
          ]}
        />
      }
    />
  );
}

function Resting({ batch }: { batch: Batch }) {
  const { t } = useTranslation();
  return (
    <Alert
      type="warning"
      showIcon
      title={
        <>
          {t('batch.paused')}{' '}
          {batch.paused_until && <Trans i18nKey="batch.resumes" components={{ at: <RelativeTime at={batch.paused_until} tabStop /> }} />}
        </>
      }
      description={<ServerText>{batch.pause_reason}</ServerText>}
    />
  );
}
