import { SafetyCertificateOutlined } from '@ant-design/icons';
import { useTranslation } from 'react-i18next';
import type { Authorizer } from '../client';

/** What kind of account it is, and whether WeChat has verified it: unverified ones may not use the blacklist, whatever they granted. */
export function Verification({ account }: { account: Authorizer }) {
  const { t } = useTranslation();
  const { verify_type: verifyType } = account;
  return (
    <div className="stack">
      <span>{t(`kind.${kindOf(account)}`)}</span>
      {verifyType === null ? (
        <span className="small quiet">{t('verify.unknown')}</span>
      ) : verifyType < 0 ? (
        <span className="small warn">{t('verify.no')}</span>
      ) : (
        <span className="small good">
          <SafetyCertificateOutlined aria-hidden /> {t(`verify.${verifiedBy(verifyType)}`)}
        </span>
      )}
    </div>
  );
}

function kindOf(account: Authorizer): 'mini_program' | 'service' | 'subscription' | 'unknown' {
  if (account.mini_program) return 'mini_program';
  if (account.service_type === null) return 'unknown';
  return account.service_type === 2 ? 'service' : 'subscription';
}

/** As WeChat numbers it: 0 WeChat itself, 1 and 2 Weibo, 3 and up a qualification whose name was not verified. */
function verifiedBy(verifyType: number): 'wechat' | 'weibo' | 'qualification' {
  if (verifyType === 0) return 'wechat';
  return verifyType <= 2 ? 'weibo' : 'qualification';
}
