import { DatePicker, Form } from 'antd';
import dayjs, { type Dayjs } from 'dayjs';
import { useTranslation } from 'react-i18next';

interface Props {
  id: string;
  value: Dayjs | null;
  /** It lies in the past, which is refused. */
  past: boolean;
  onChange: (until: Dayjs | null) => void;
}

/** When a block ends by itself. */
export function UntilField({ id, value, past, onChange }: Props) {
  const { t } = useTranslation();
  return (
    <Form.Item
      label={t('wish.until')}
      htmlFor={id}
      extra={t('wish.untilHint')}
      validateStatus={past ? 'error' : undefined}
      help={past ? t('wish.untilPast') : undefined}
    >
      <DatePicker
        id={id}
        showTime={{ format: 'HH:mm' }}
        format="YYYY-MM-DD HH:mm"
        value={value}
        onChange={onChange}
        disabledDate={(day) => day.isBefore(dayjs(), 'day')}
        presets={[1, 7, 30, 365].map((count) => ({ label: t('wish.days', { count }), value: () => dayjs().add(count, 'day') }))}
      />
    </Form.Item>
  );
}
