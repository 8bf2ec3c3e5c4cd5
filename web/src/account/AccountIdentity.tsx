import { WechatOutlined } from '@ant-design/icons';
import { Link } from '@tanstack/react-router';
import { Avatar, Typography } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Authorizer } from '../client';
import { avatarUrl } from './avatar';

/** Face, name and appid; the name leads to the account's blacklist. */
export function AccountIdentity({ account, tenantId }: { account: Authorizer; tenantId: string }) {
  const { t } = useTranslation();
  return (
    <div className="identity">
      <AccountAvatar account={account} size={36} />
      <div className="stack">
        <Link to="/tenants/$tenantId/accounts/$appid/blacklist" params={{ tenantId, appid: account.appid }} className="identity-name">
          {account.nick_name || t('account.unnamed')}
        </Link>
        <Typography.Text type="secondary" className="mono small" copyable={{ text: account.appid }}>
          {account.appid}
        </Typography.Text>
      </div>
    </div>
  );
}

/**
 * The account's picture from WeChat's servers. They answer foreign referrers with a "do not embed" picture; index.html's referrer policy
 * sends them none.
 */
export function AccountAvatar({ account, size }: { account: Authorizer; size: number }) {
  return <Avatar shape="square" size={size} src={avatarUrl(account.head_img)} icon={<WechatOutlined aria-hidden />} alt="" />;
}
