import { Typography } from 'antd';
import { Trans, useTranslation } from 'react-i18next';
import { RelativeTime } from '../time/RelativeTime';
import { useNow } from '../time/useNow';

/** WeChat pushes a ticket about every ten minutes, and now and then leaves one out. */
const lateMs = 20 * 60 * 1000;
/** After that long WeChat takes it no more. */
const lifeMs = 12 * 3600 * 1000;

/** When the newest ticket came; null: none ever has. */
export function TicketAge({ receivedAt }: { receivedAt: string | null }) {
  const { t } = useTranslation();
  const now = useNow();
  if (receivedAt === null) return <Typography.Text type="danger">{t('platform.noTicket')}</Typography.Text>;
  const age = now - Date.parse(receivedAt);
  const at = <RelativeTime at={receivedAt} tabStop />;
  if (age < lateMs) return at;
  return (
    <Typography.Text type={age < lifeMs ? 'warning' : 'danger'}>
      <Trans i18nKey={age < lifeMs ? 'platform.ticketLate' : 'platform.ticketEnded'} components={{ at }} />
    </Typography.Text>
  );
}
