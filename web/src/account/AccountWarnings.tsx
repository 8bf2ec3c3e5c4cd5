import type { Authorizer } from '../client';
import { ServerText } from '../i18n/ServerText';

/** What may make WeChat refuse though we would try. */
export function AccountWarnings({ account }: { account: Authorizer }) {
  if (account.warnings.length === 0) return null;
  return (
    <ul className="warnings small">
      {account.warnings.map((warning) => (
        <li key={warning}>
          <ServerText>{warning}</ServerText>
        </li>
      ))}
    </ul>
  );
}
