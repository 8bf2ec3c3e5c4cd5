import { Button, Form, Input } from 'antd';
import dayjs, { type Dayjs } from 'dayjs';
import { useDeferredValue, useId, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { AccountSelect } from '../account/AccountSelect';
import { OpenIdCounts } from '../blacklist/OpenIdCounts';
import { maxOpenIds, readOpenIds } from '../blacklist/openids';
import type { Action } from '../blacklist/useWish';
import type { Routed } from '../client';
import { ProblemAlert } from '../problem/ProblemAlert';
import { useMay } from '../session/useMe';
import { UntilField } from './UntilField';
import { usePeopleWish } from './usePeopleWish';

interface Props {
  tenantId: string;
  action: Action;
  /** What to begin with, one a line. */
  initialText?: string;
  onTaken: (routed: Routed) => void;
}

/** Asks whom to block or unblock, wherever they belong. */
export function PeopleForm({ tenantId, action, initialText = '', onTaken }: Props) {
  const { t } = useTranslation();
  const id = useId();
  const mayWrite = useMay('blacklist:write');
  const [text, setText] = useState(initialText);
  const [reason, setReason] = useState('');
  const [until, setUntil] = useState<Dayjs | null>(null);
  const [assumed, setAssumed] = useState<string>();
  const pasted = useDeferredValue(text);
  const counts = useMemo(() => readOpenIds(pasted), [pasted]);
  const wish = usePeopleWish(onTaken);
  const untilPast = action === 'block' && until !== null && !until.isAfter(dayjs());
  const ready = mayWrite && counts.unique > 0 && counts.tooLong === 0 && counts.openids.length <= maxOpenIds && !untilPast;
  const submit = () => {
    const { openids } = readOpenIds(text);
    const request = { openids, reason: reason.trim() || undefined, assume_appid: assumed };
    wish.mutate({ action, tenantId, request: action === 'block' ? { ...request, until: until?.toISOString() } : request });
  };
  return (
    <Form layout="vertical" className="people-form">
      <Form.Item label={t('wish.openids')} htmlFor={`${id}-openids`} extra={t('people.openidsHint')}>
        <Input.TextArea
          id={`${id}-openids`}
          className="mono"
          value={text}
          onChange={({ target }) => setText(target.value)}
          rows={8}
          spellCheck={false}
          autoComplete="off"
          aria-describedby={`${id}-counts`}
        />
      </Form.Item>
      <OpenIdCounts id={`${id}-counts`} counts={counts} />
      <Form.Item label={t('wish.reason')} htmlFor={`${id}-reason`} extra={t('wish.reasonHint')}>
        <Input id={`${id}-reason`} value={reason} maxLength={500} onChange={({ target }) => setReason(target.value)} />
      </Form.Item>
      {action === 'block' && <UntilField id={`${id}-until`} value={until} past={untilPast} onChange={setUntil} />}
      <Form.Item label={t('people.assume')} htmlFor={`${id}-assume`} extra={t('people.assumeHint')}>
        <AccountSelect id={`${id}-assume`} tenantId={tenantId} value={assumed} onChange={setAssumed} />
      </Form.Item>
      {wish.isError && <ProblemAlert problem={wish.error} />}
      <Button
        type="primary"
        danger={action === 'block'}
        loading={wish.isPending}
        disabled={!ready}
        title={mayWrite ? undefined : t('frame.notAllowed')}
        onClick={submit}
      >
        {counts.unique > 0 ? t(`wish.${action}Count`, { count: counts.unique }) : t(`wish.${action}`)}
      </Button>
    </Form>
  );
}
