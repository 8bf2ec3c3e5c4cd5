import type { ReactNode } from 'react';
import { useTitle } from '../frame/useTitle';
import { ProblemAlert } from '../problem/ProblemAlert';
import { AccountHeader } from './AccountHeader';
import { AccountTabs } from './AccountTabs';
import { useAccount } from './useAccount';
import { WorkTrouble } from './WorkTrouble';

interface Props {
  tenantId: string;
  appid: string;
  title: string;
  children: ReactNode;
}

/** What surrounds every page about one account's blacklist: whose it is, and the way to the others. */
export function AccountPage({ tenantId, appid, title, children }: Props) {
  const account = useAccount(tenantId, appid);
  useTitle(`${account.data?.nick_name || appid} · ${title}`);
  if (account.isError && !account.data) {
    return (
      <div className="page">
        <ProblemAlert problem={account.error} onRetry={() => void account.refetch()} />
      </div>
    );
  }
  return (
    <div className="page">
      <AccountHeader account={account.data} tenantId={tenantId} title={title} />
      <AccountTabs tenantId={tenantId} appid={appid} />
      <WorkTrouble tenantId={tenantId} appid={appid} />
      {children}
    </div>
  );
}
