import { DatePicker, Form, Input } from 'antd';
import dayjs, { type Dayjs } from 'dayjs';
import { useTranslation } from 'react-i18next';
import { NoteField } from './NoteField';
import { isPast } from './until';
import type { Action } from './useWish';

interface Props {
  action: Action;
  /** Begins the ids of the fields. */
  id: string;
  reason: string;
  note: string;
  /** Until when to block; null: until somebody unblocks. */
  until: Dayjs | null;
  onReason: (reason: string) => void;
  onNote: (note: string) => void;
  onUntil: (until: Dayjs | null) => void;
}

/** What a wish says of all its openids: why, and for how long. */
export function WishFields({ action, id, reason, note, until, onReason, onNote, onUntil }: Props) {
  const { t } = useTranslation();
  const past = isPast(until);
  return (
    <>
      <Form.Item label={t('wish.reason')} htmlFor={`${id}-reason`} extra={t('wish.reasonHint')}>
        <Input id={`${id}-reason`} value={reason} maxLength={500} onChange={({ target }) => onReason(target.value)} />
      </Form.Item>
      <NoteField id={`${id}-note`} value={note} onChange={onNote} />
      {action === 'block' && (
        <Form.Item
          label={t('wish.until')}
          htmlFor={`${id}-until`}
          extra={t('wish.untilHint')}
          validateStatus={past ? 'error' : undefined}
          help={past ? t('wish.untilPast') : undefined}
        >
          <DatePicker
            id={`${id}-until`}
            showTime={{ format: 'HH:mm' }}
            format="YYYY-MM-DD HH:mm"
            value={until}
            onChange={onUntil}
            disabledDate={(day) => day.isBefore(dayjs(), 'day')}
            presets={[1, 7, 30, 365].map((count) => ({ label: t('wish.days', { count }), value: () => dayjs().add(count, 'day') }))}
          />
        </Form.Item>
      )}
    </>
  );
}
