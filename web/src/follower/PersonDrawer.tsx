import { Button, Drawer, Form, Input } from 'antd';
import dayjs, { type Dayjs } from 'dayjs';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { AccountName } from '../account/AccountName';
import type { Action } from '../blacklist/useWish';
import type { Follower } from '../client';
import { RoutedBatches } from '../people/RoutedBatches';
import { UntilField } from '../people/UntilField';
import { ProblemAlert } from '../problem/ProblemAlert';
import { usePersonWish } from './usePersonWish';

interface Props {
  tenantId: string;
  action: Action;
  /** On which accounts. */
  places: Follower[];
  onClose: () => void;
}

/** Asks why and until when a person is to be blocked on some accounts, and shows what came of it on each. */
export function PersonDrawer({ tenantId, action, places, onClose }: Props) {
  const { t } = useTranslation();
  const [reason, setReason] = useState('');
  const [until, setUntil] = useState<Dayjs | null>(null);
  const wish = usePersonWish();
  const untilPast = until !== null && !until.isAfter(dayjs());
  const send = (which: Follower[]) =>
    wish.mutate({
      action,
      tenantId,
      places: which,
      terms: { reason: reason.trim() || undefined, ...(action === 'block' && { until: until?.toISOString() }) },
    });
  const count = places.length;
  return (
    <Drawer open onClose={onClose} size={640} title={t(`person.${action}Title`, { count })}>
      {wish.data ? (
        <div className="stack-wide">
          {wish.data.taken.length > 0 && <RoutedBatches tenantId={tenantId} batches={wish.data.taken.map(({ batch }) => batch)} />}
          {wish.data.refused.map(({ place, problem }) => (
            <section key={place.authorizer_appid} className="stack-wide">
              <AccountName tenantId={tenantId} appid={place.authorizer_appid} />
              <ProblemAlert problem={problem} />
            </section>
          ))}
          <div className="tags">
            {wish.data.refused.length > 0 && (
              <Button loading={wish.isPending} onClick={() => send(wish.data.refused.map(({ place }) => place))}>
                {t('problem.retry')}
              </Button>
            )}
            <Button onClick={onClose}>{t('wish.close')}</Button>
          </div>
        </div>
      ) : (
        <Form layout="vertical" onFinish={() => send(places)}>
          <ul className="person-places">
            {places.map((place) => (
              <li key={place.authorizer_appid}>
                <AccountName tenantId={tenantId} appid={place.authorizer_appid} />
              </li>
            ))}
          </ul>
          <Form.Item label={t('wish.reason')} htmlFor="person-reason" extra={t('wish.reasonHint')}>
            <Input id="person-reason" value={reason} maxLength={500} onChange={({ target }) => setReason(target.value)} />
          </Form.Item>
          {action === 'block' && <UntilField id="person-until" value={until} past={untilPast} onChange={setUntil} />}
          {wish.isError && <ProblemAlert problem={wish.error} />}
          <Button type="primary" htmlType="submit" danger={action === 'block'} loading={wish.isPending} disabled={untilPast}>
            {t(`wish.${action}`)}
          </Button>
        </Form>
      )}
    </Drawer>
  );
}
