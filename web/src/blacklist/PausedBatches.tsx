import { Link } from '@tanstack/react-router';
import { Card } from 'antd';
import { useTranslation } from 'react-i18next';
import type { BlacklistWork, PausedBatch } from '../client';
import { Actor } from '../frame/Actor';
import { Facts } from '../frame/Facts';
import { absolute } from '../time/format';
import { RelativeTime } from '../time/RelativeTime';

interface Props {
  tenantId: string;
  work: BlacklistWork;
}

/** The batches of an account that somebody has paused, those first that wait longest. The API names the first hundred only. */
export function PausedBatches({ tenantId, work }: Props) {
  const { t, i18n } = useTranslation();
  const { appid, paused, paused_batches: all } = work;
  if (all === 0) return null;
  const number = (count: number) => count.toLocaleString(i18n.language);
  const more = all - paused.length;
  return (
    <Card size="small" title={t('work.pausedBatches', { count: all, number: number(all) })}>
      <ul className="history">
        {paused.map((batch) => (
          <Paused key={batch.batch_id} tenantId={tenantId} appid={appid} batch={batch} />
        ))}
      </ul>
      {more > 0 && <p className="small quiet">{t('preview.more', { count: more, number: number(more) })}</p>}
    </Card>
  );
}

function Paused({ tenantId, appid, batch }: { tenantId: string; appid: string; batch: PausedBatch }) {
  const { t, i18n } = useTranslation();
  const { pending } = batch;
  return (
    <li>
      <Facts
        facts={[
          [t('work.waiting'), t('counts.openids', { count: pending, number: pending.toLocaleString(i18n.language) })],
          [t('work.by'), <Actor by={batch.by} />],
          [t('work.since'), <RelativeTime at={batch.since} tabStop />],
          [t('work.reason'), batch.reason],
        ]}
      />
      <Link
        to="/tenants/$tenantId/accounts/$appid/batches"
        params={{ tenantId, appid }}
        search={{ batch: batch.batch_id }}
        aria-label={t('work.pausedBatch', { at: absolute(batch.since, i18n.language) })}
      >
        {t('blacklist.batch')}
      </Link>
    </li>
  );
}
