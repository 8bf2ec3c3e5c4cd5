import { CheckOutlined, ExclamationCircleOutlined, WarningOutlined } from '@ant-design/icons';
import { Tag } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Alert, AlertKind } from '../client';

/** These leave something working still. */
const milder: readonly AlertKind[] = ['renewal_failing', 'limited', 'token_contested', 'component_token_contested'];

/** What has broken, in words; quiet once it is mended. */
export function AlertKindTag({ alert }: { alert: Alert }) {
  const { t } = useTranslation();
  const [color, icon] =
    alert.cleared_at !== null
      ? [undefined, <CheckOutlined aria-hidden />]
      : milder.includes(alert.kind)
        ? ['warning', <WarningOutlined aria-hidden />]
        : ['error', <ExclamationCircleOutlined aria-hidden />];
  return (
    <Tag color={color} icon={icon}>
      {t(`alertKind.${alert.kind}`)}
    </Tag>
  );
}
