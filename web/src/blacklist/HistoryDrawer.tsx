import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Button, Drawer, Empty, Skeleton } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { OutcomeTag } from '../batch/OutcomeTag';
import type { HistoryEvent } from '../client';
import { listHistoryOptions } from '../client/@tanstack/react-query.gen';
import { Actor } from '../frame/Actor';
import { Facts } from '../frame/Facts';
import { Note } from '../frame/Note';
import { CursorPager } from '../paging/CursorPager';
import { ProblemAlert } from '../problem/ProblemAlert';
import { Refusal } from '../problem/Refusal';
import { ListName } from '../sharedlist/ListName';
import { absolute } from '../time/format';
import { RelativeTime } from '../time/RelativeTime';

interface Props {
  tenantId: string;
  appid: string;
  openid: string;
  onClose: () => void;
  onShowBatch: (id: string) => void;
}

/** Everything that was asked for about one openid on an account, newest first. */
export function HistoryDrawer({ tenantId, appid, openid, onClose, onShowBatch }: Props) {
  const { t } = useTranslation();
  // The cursors of this page and those before it; the first page's is ''.
  const [trail, setTrail] = useState(['']);
  const events = useQuery({
    ...listHistoryOptions({ path: { tenant_id: tenantId, appid, openid }, query: { limit: 50, cursor: trail.at(-1) || undefined } }),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (state.data?.data.some(({ outcome }) => outcome === 'pending') ? 3_000 : false),
  });
  const next = events.data?.next_cursor;
  return (
    <Drawer open onClose={onClose} size={560} title={t('history.title')}>
      <div className="stack-wide">
        <span className="mono">{openid}</span>
        {events.isError && <ProblemAlert problem={events.error} onRetry={() => void events.refetch()} />}
        {events.isPending && <Skeleton active />}
        {events.data?.data.length === 0 && <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('history.none')} />}
        {events.data && events.data.data.length > 0 && (
          <ol className="history">
            {events.data.data.map((event) => (
              <Event key={`${event.batch_id} ${event.at}`} tenantId={tenantId} event={event} onShowBatch={onShowBatch} />
            ))}
          </ol>
        )}
        <CursorPager
          hasPrevious={trail.length > 1}
          hasNext={typeof next === 'string'}
          onFirst={() => setTrail([''])}
          onPrevious={() => setTrail(trail.slice(0, -1))}
          onNext={() => setTrail([...trail, next ?? ''])}
        />
        <p className="small quiet">{t('history.note')}</p>
      </div>
    </Drawer>
  );
}

interface EventProps {
  tenantId: string;
  event: HistoryEvent;
  onShowBatch: (id: string) => void;
}

function Event({ tenantId, event, onShowBatch }: EventProps) {
  const { t, i18n } = useTranslation();
  return (
    <li>
      <div className="tags">
        <strong>{t(`wish.${event.action}`)}</strong>
        <OutcomeTag outcome={event.outcome} />
        <span className="small quiet">
          <RelativeTime at={event.at} tabStop />
        </span>
      </div>
      <Facts
        facts={[
          [t('history.by'), <Actor by={event.by} />],
          [t('history.reason'), event.reason],
          [t('wish.note'), event.note && <Note>{event.note}</Note>],
          [t('lists.one'), event.list_id && <ListName tenantId={tenantId} listId={event.list_id} />],
          [t('history.until'), event.until && <RelativeTime at={event.until} tabStop />],
          [t('history.ended'), event.ended_at && <RelativeTime at={event.ended_at} tabStop />],
        ]}
      />
      <Refusal errcode={event.errcode} rid={event.rid} advice={event.advice} />
      <Button
        size="small"
        type="link"
        className="flush"
        onClick={() => onShowBatch(event.batch_id)}
        aria-label={t('batches.showOf', { at: absolute(event.at, i18n.language) })}
      >
        {t('blacklist.batch')}
      </Button>
    </li>
  );
}
