import { Tooltip, Typography } from 'antd';
import { Trans, useTranslation } from 'react-i18next';
import type { Authorizer } from '../client';
import { RelativeTime } from '../time/RelativeTime';
import { Refusal } from '../problem/Refusal';
import { useNow } from '../time/useNow';

/** How long the account's access token still lives, and what went wrong when it was last renewed. */
export function TokenExpiry({ account }: { account: Authorizer }) {
  const { t } = useTranslation();
  const now = useNow();
  const { expires_at: expiresAt, last_error: lastError } = account.token;
  const expired = expiresAt !== null && Date.parse(expiresAt) <= now;
  return (
    <div className="stack">
      <span>
        {expiresAt === null ? (
          <Typography.Text type="secondary">{t('token.none')}</Typography.Text>
        ) : (
          <Typography.Text type={expired ? 'danger' : undefined}>
            <Trans i18nKey={expired ? 'token.expired' : 'token.expires'} components={{ at: <RelativeTime at={expiresAt} tabStop /> }} />
          </Typography.Text>
        )}
      </span>
      {lastError && (
        <Tooltip
          classNames={{ root: 'wide-tooltip' }}
          title={
            <>
              <p>{lastError.message}</p>
              <Refusal errcode={lastError.errcode} rid={lastError.rid} advice={lastError.advice} />
            </>
          }
        >
          <span className="small token-error" tabIndex={0}>
            {t('token.lastError')} {lastError.errcode === 0 ? t('refusal.notReached') : lastError.errcode} ·{' '}
            <RelativeTime at={lastError.at} />
          </span>
        </Tooltip>
      )}
    </div>
  );
}
