import { Button, Form, Input, Segmented } from 'antd';
import dayjs, { type Dayjs } from 'dayjs';
import { useDeferredValue, useId, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { AccountSelect } from '../account/AccountSelect';
import { NoteField } from '../blacklist/NoteField';
import { maxOpenIds, readOpenIds } from '../blacklist/openids';
import type { Action } from '../blacklist/useWish';
import type { Routed } from '../client';
import { ProblemAlert } from '../problem/ProblemAlert';
import { useMay } from '../session/useMe';
import { IdsField, type IdKind } from './IdsField';
import { PeoplePreview } from './PeoplePreview';
import { UntilField } from './UntilField';
import { usePeoplePreview, usePeopleWish, type PeopleWish } from './usePeopleWish';

interface Props {
  tenantId: string;
  action: Action;
  /** The openids to begin with, one a line. */
  initialText: string;
  onTaken: (routed: Routed) => void;
}

/** Asks whom to block or unblock, wherever they belong. */
export function PeopleForm({ tenantId, action, initialText, onTaken }: Props) {
  const { t } = useTranslation();
  const id = useId();
  const mayWrite = useMay('blacklist:write');
  const [kind, setKind] = useState<IdKind>('openids');
  const [text, setText] = useState(initialText);
  const [reason, setReason] = useState('');
  const [note, setNote] = useState('');
  const [until, setUntil] = useState<Dayjs | null>(null);
  const [assumed, setAssumed] = useState<string>();
  const pasted = useDeferredValue(text);
  const counts = useMemo(() => readOpenIds(pasted), [pasted]);
  const wish = usePeopleWish(onTaken);
  const preview = usePeoplePreview();
  // A preview of something else than what would be sent says nothing.
  const changing =
    <T,>(set: (value: T) => void) =>
    (value: T) => {
      preview.reset();
      set(value);
    };
  const untilPast = action === 'block' && until !== null && !until.isAfter(dayjs());
  const ready = mayWrite && counts.unique > 0 && counts.tooLong === 0 && counts.openids.length <= maxOpenIds && !untilPast;
  const asked = (): PeopleWish => {
    const { openids: ids } = readOpenIds(text);
    const whom = kind === 'openids' ? { openids: ids, assume_appid: assumed } : { unionids: ids };
    const request = { ...whom, reason: reason.trim() || undefined, note: note.trim() || undefined };
    return { action, tenantId, request: action === 'block' ? { ...request, until: until?.toISOString() } : request };
  };
  const why = mayWrite ? undefined : t('frame.notAllowed');
  return (
    <Form layout="vertical" className="people-form">
      <Form.Item label={t('people.kind')}>
        <Segmented<IdKind>
          aria-label={t('people.kind')}
          value={kind}
          onChange={changing(setKind)}
          options={[
            { value: 'openids', label: t('people.kindOpenids') },
            { value: 'unionids', label: t('people.kindUnionids') },
          ]}
        />
      </Form.Item>
      <IdsField
        id={`${id}-ids`}
        kind={kind}
        hint={t(kind === 'openids' ? 'people.openidsHint' : 'people.unionidsHint')}
        value={text}
        counts={counts}
        onChange={changing(setText)}
      />
      <Form.Item label={t('wish.reason')} htmlFor={`${id}-reason`} extra={t('wish.reasonHint')}>
        <Input id={`${id}-reason`} value={reason} maxLength={500} onChange={({ target }) => setReason(target.value)} />
      </Form.Item>
      <NoteField id={`${id}-note`} value={note} onChange={setNote} />
      {action === 'block' && <UntilField id={`${id}-until`} value={until} past={untilPast} onChange={setUntil} />}
      {kind === 'openids' && (
        <Form.Item label={t('people.assume')} htmlFor={`${id}-assume`} extra={t('people.assumeHint')}>
          <AccountSelect id={`${id}-assume`} tenantId={tenantId} value={assumed} onChange={changing(setAssumed)} />
        </Form.Item>
      )}
      <div className="stack-wide">
        {wish.isError && <ProblemAlert problem={wish.error} />}
        {preview.isError && <ProblemAlert problem={preview.error} />}
        {preview.data && <PeoplePreview tenantId={tenantId} preview={preview.data} />}
        <div className="tags">
          <Button loading={preview.isPending} disabled={!ready} title={why} onClick={() => preview.mutate(asked())}>
            {t('people.preview')}
          </Button>
          <Button
            type="primary"
            danger={action === 'block'}
            loading={wish.isPending}
            disabled={!ready}
            title={why}
            onClick={() => wish.mutate(asked())}
          >
            {counts.unique > 0 ? t(`wish.${action}Count`, { count: counts.unique }) : t(`wish.${action}`)}
          </Button>
        </div>
      </div>
    </Form>
  );
}
