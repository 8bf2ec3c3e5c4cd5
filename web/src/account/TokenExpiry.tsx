import { Typography } from 'antd';
import { Trans, useTranslation } from 'react-i18next';
import { RelativeTime } from '../time/RelativeTime';
import { useNow } from '../time/useNow';

/** How long an access token still lives; null: there is none. */
export function TokenExpiry({ expiresAt }: { expiresAt: string | null }) {
  const { t } = useTranslation();
  const now = useNow();
  if (expiresAt === null) return <Typography.Text type="secondary">{t('token.none')}</Typography.Text>;
  const expired = Date.parse(expiresAt) <= now;
  return (
    <Typography.Text type={expired ? 'danger' : undefined}>
      <Trans i18nKey={expired ? 'token.expired' : 'token.expires'} components={{ at: <RelativeTime at={expiresAt} tabStop /> }} />
    </Typography.Text>
  );
}
