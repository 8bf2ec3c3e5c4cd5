import { Form, Input } from 'antd';
import { useTranslation } from 'react-i18next';

interface Props {
  id: string;
  value: string;
  onChange: (note: string) => void;
}

/** What is longer than a reason. */
export function NoteField({ id, value, onChange }: Props) {
  const { t } = useTranslation();
  return (
    <Form.Item label={t('wish.note')} htmlFor={id} extra={t('wish.noteHint')}>
      <Input.TextArea id={id} value={value} maxLength={1_000} rows={2} onChange={({ target }) => onChange(target.value)} />
    </Form.Item>
  );
}
