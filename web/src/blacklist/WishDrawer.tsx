import { Button, Drawer, Form, Input } from 'antd';
import type { Dayjs } from 'dayjs';
import { useDeferredValue, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Batch } from '../client';
import { ProblemAlert } from '../problem/ProblemAlert';
import { OpenIdCounts } from './OpenIdCounts';
import { maxOpenIds, readOpenIds } from './openids';
import { PreviewView } from './PreviewView';
import { isPast } from './until';
import { usePreview } from './usePreview';
import { useWish, type Action, type Wish } from './useWish';
import { WishFields } from './WishFields';

interface Props {
  action: Action;
  tenantId: string;
  appid: string;
  accountName: string;
  open: boolean;
  /** The openids to begin with, one a line. */
  initialText?: string;
  onClose: () => void;
  onTaken: (batch: Batch) => void;
}

/** Asks whom to block or unblock. Closing it keeps what was pasted, until the page is left. */
export function WishDrawer({ action, tenantId, appid, accountName, open, initialText = '', onClose, onTaken }: Props) {
  const { t } = useTranslation();
  const [text, setText] = useState(initialText);
  const [reason, setReason] = useState('');
  const [note, setNote] = useState('');
  const [until, setUntil] = useState<Dayjs | null>(null);
  const pasted = useDeferredValue(text);
  const counts = useMemo(() => readOpenIds(pasted), [pasted]);
  const preview = usePreview();
  const change = (changed: string) => {
    setText(changed);
    preview.reset(); // it was about other openids
  };
  const wish = useWish((batch) => {
    change('');
    setReason('');
    setNote('');
    setUntil(null);
    onTaken(batch);
  });
  const ready = counts.unique > 0 && counts.tooLong === 0 && counts.openids.length <= maxOpenIds && !isPast(until);
  const wanted = (): Wish => ({
    action,
    tenantId,
    appid,
    request: {
      openids: readOpenIds(text).openids,
      reason: reason.trim() || undefined,
      note: note.trim() || undefined,
      until: action === 'block' ? until?.toISOString() : undefined,
    },
  });
  return (
    <Drawer
      open={open}
      onClose={onClose}
      size={520}
      className="wish-drawer"
      title={t(`wish.${action}Title`, { name: accountName })}
      footer={
        <div className="drawer-footer">
          <Button onClick={onClose}>{t('wish.close')}</Button>
          <Button loading={preview.isPending} disabled={!ready} title={t('preview.help')} onClick={() => preview.mutate(wanted())}>
            {t('preview.button')}
          </Button>
          <Button
            type="primary"
            danger={action === 'block'}
            loading={wish.isPending}
            disabled={!ready}
            onClick={() => wish.mutate(wanted())}
          >
            {counts.unique > 0 ? t(`wish.${action}Count`, { count: counts.unique }) : t(`wish.${action}`)}
          </Button>
        </div>
      }
    >
      <Form layout="vertical">
        <Form.Item label={t('wish.openids')} htmlFor={`${action}-openids`} extra={t('wish.openidsHint')}>
          <Input.TextArea
            id={`${action}-openids`}
            className="mono"
            value={text}
            onChange={({ target }) => change(target.value)}
            rows={10}
            spellCheck={false}
            autoComplete="off"
            aria-describedby={`${action}-counts`}
          />
        </Form.Item>
        <OpenIdCounts id={`${action}-counts`} counts={counts} />
        <WishFields
          action={action}
          id={action}
          reason={reason}
          note={note}
          until={until}
          onReason={setReason}
          onNote={setNote}
          onUntil={setUntil}
        />
      </Form>
      {preview.isError && <ProblemAlert problem={preview.error} />}
      {preview.data && <PreviewView preview={preview.data} tenantId={tenantId} />}
      {wish.isError && <ProblemAlert problem={wish.error} />}
    </Drawer>
  );
}
