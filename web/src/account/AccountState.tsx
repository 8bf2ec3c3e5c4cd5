import { useTranslation } from 'react-i18next';
import type { Authorizer } from '../client';
import { ServerText } from '../i18n/ServerText';
import { StateTag } from './StateTag';

/** The state and why: as Steward noted it when it came to be, else what the state means. */
export function AccountState({ account }: { account: Authorizer }) {
  const { t } = useTranslation();
  return (
    <div className="stack">
      <span>
        <StateTag state={account.state} />
      </span>
      {account.state_reason ? (
        <ServerText className="small">{account.state_reason}</ServerText>
      ) : (
        account.state !== 'active' && <span className="small">{t(`stateMeaning.${account.state}`)}</span>
      )}
    </div>
  );
}
