import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { Skeleton } from 'antd';
import { useTranslation } from 'react-i18next';
import { AccountPage } from '../blacklist/AccountPage';
import { ProblemAlert } from '../problem/ProblemAlert';
import { directoryOptions } from './directory';
import { DirectorySettings } from './DirectorySettings';
import { FollowerList } from './FollowerList';
import { SyncStatus } from './SyncStatus';

const route = getRouteApi('/_signed-in/tenants/$tenantId/accounts/$appid/followers');

/** What is kept of one account's followers, and who they are. */
export function AccountFollowersPage() {
  const { t } = useTranslation();
  const { tenantId, appid } = route.useParams();
  return (
    <AccountPage key={`${tenantId}/${appid}`} tenantId={tenantId} appid={appid} title={t('followers.title')}>
      <AccountFollowers tenantId={tenantId} appid={appid} />
    </AccountPage>
  );
}

function AccountFollowers({ tenantId, appid }: { tenantId: string; appid: string }) {
  const directory = useQuery(directoryOptions(tenantId, appid));
  return (
    <>
      {directory.isError && <ProblemAlert problem={directory.error} onRetry={() => void directory.refetch()} />}
      {directory.isPending && <Skeleton active />}
      {directory.data && (
        <>
          <div className="panel stack-panel">
            <DirectorySettings tenantId={tenantId} directory={directory.data} />
            {directory.data.enabled && <SyncStatus tenantId={tenantId} directory={directory.data} />}
          </div>
          {directory.data.enabled && <FollowerList tenantId={tenantId} appid={appid} directory={directory.data} />}
        </>
      )}
    </>
  );
}
