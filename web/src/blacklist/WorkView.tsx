import { Card, Skeleton, Tag } from 'antd';
import { useTranslation } from 'react-i18next';
import type { BlacklistWork } from '../client';
import { Facts } from '../frame/Facts';
import { ProblemAlert } from '../problem/ProblemAlert';
import { RelativeTime } from '../time/RelativeTime';
import { PausedBatches } from './PausedBatches';
import { useWork } from './useWork';
import { HoldButton } from './WorkButtons';

const colors = { idle: undefined, running: 'processing', paused: 'warning', held: 'error' } as const;

/** How the work stands, and the way to stop it. What keeps it, and the way to let it go on, stands above all pages of the account. */
export function WorkView({ tenantId, appid }: { tenantId: string; appid: string }) {
  const { t } = useTranslation();
  const work = useWork(tenantId, appid);
  if (work.isError && !work.data) return <ProblemAlert problem={work.error} onRetry={() => void work.refetch()} />;
  return (
    <>
      <Card size="small" title={t('work.state')}>
        {work.data ? <State work={work.data} tenantId={tenantId} appid={appid} /> : <Skeleton active title={false} />}
      </Card>
      {work.data && <PausedBatches tenantId={tenantId} work={work.data} />}
    </>
  );
}

function State({ work, tenantId, appid }: { work: BlacklistWork; tenantId: string; appid: string }) {
  const { t } = useTranslation();
  const waits = work.status === 'idle' && work.paused_batches > 0;
  return (
    <div className="stack-wide">
      <div className="tags">
        <Tag color={colors[work.status]}>{t(`work.status.${work.status}`)}</Tag>
        <span>{t(`work.meaning.${waits ? 'waiting' : work.status}`)}</span>
      </div>
      <Facts facts={[[t('work.synced'), work.synced_at && <RelativeTime at={work.synced_at} tabStop />]]} />
      {work.status !== 'held' && (
        <div>
          <HoldButton tenantId={tenantId} appid={appid} />
        </div>
      )}
    </div>
  );
}
