import { SyncOutlined } from '@ant-design/icons';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Alert, Button, Progress } from 'antd';
import { useEffect } from 'react';
import { Trans, useTranslation } from 'react-i18next';
import type { FollowerDirectory, FollowerSync } from '../client';
import { getFollowerDirectoryQueryKey, listFollowersQueryKey, syncFollowersMutation } from '../client/@tanstack/react-query.gen';
import { Facts } from '../frame/Facts';
import { ServerText } from '../i18n/ServerText';
import { ProblemAlert } from '../problem/ProblemAlert';
import { Refusal } from '../problem/Refusal';
import { useMay } from '../session/useMe';
import { RelativeTime } from '../time/RelativeTime';
import { isReading } from './directory';
import { SyncLine } from './SyncLine';

interface Props {
  tenantId: string;
  directory: FollowerDirectory;
}

/** The reading of WeChat's list of followers: what came of the last one, how far this one is, and the way to begin one. */
export function SyncStatus({ tenantId, directory }: Props) {
  const { t, i18n } = useTranslation();
  const queryClient = useQueryClient();
  const mayRead = useMay('followers:read');
  const { authorizer_appid: appid, sync } = directory;
  const path = { tenant_id: tenantId, appid };
  const reading = isReading(directory);
  const start = useMutation({
    ...syncFollowersMutation(),
    onSuccess: (changed) => queryClient.setQueryData(getFollowerDirectoryQueryKey({ path }), changed),
  });
  // The list below is that of the last reading.
  useEffect(() => {
    if (!reading) void queryClient.invalidateQueries({ queryKey: listFollowersQueryKey({ path: { tenant_id: tenantId, appid } }) });
  }, [queryClient, tenantId, appid, reading]);
  return (
    <section className="stack-wide" aria-labelledby="reading">
      <div className="toolbar">
        <h2 id="reading" className="section-title">
          {t('followers.reading')}
        </h2>
        <Button
          size="small"
          icon={<SyncOutlined aria-hidden />}
          loading={start.isPending || reading}
          disabled={!mayRead}
          title={mayRead ? t('sync.help') : t('frame.notAllowed')}
          onClick={() => start.mutate({ path, body: {} })}
        >
          {t('sync.button')}
        </Button>
      </div>
      <div role="status" className="stack-wide">
        <span>
          <SyncLine directory={directory} tabStop />
        </span>
        {sync?.status === 'running' && (
          <Progress
            className="sync-progress"
            percent={sync.total ? Math.floor((sync.read / sync.total) * 100) : 0}
            status="active"
            aria-label={t('sync.progress')}
          />
        )}
        {(sync?.status === 'failed' || sync?.status === 'paused') && <SyncTrouble sync={sync} />}
      </div>
      {start.isError && <ProblemAlert problem={start.error} />}
      <Facts
        facts={[
          [t('followers.count'), directory.followers?.toLocaleString(i18n.language)],
          [
            t('sync.changes'),
            sync?.status === 'done'
              ? t('sync.difference', {
                  added: sync.added.toLocaleString(i18n.language),
                  removed: sync.removed.toLocaleString(i18n.language),
                })
              : null,
          ],
          [t('sync.next'), directory.next_sync_at && <RelativeTime at={directory.next_sync_at} tabStop />],
        ]}
      />
      {!directory.events && <Alert type="warning" showIcon title={t('sync.noEvents')} />}
    </section>
  );
}

/** Why the reading rests or has ended, and what to do. */
function SyncTrouble({ sync }: { sync: FollowerSync }) {
  const { t } = useTranslation();
  return (
    <Alert
      type={sync.status === 'failed' ? 'error' : 'warning'}
      showIcon
      title={sync.error ? <ServerText>{sync.error}</ServerText> : t(`sync.${sync.status as 'failed' | 'paused'}`)}
      description={
        <div className="stack-wide">
          {sync.ended_at && (
            <span className="small quiet">
              <Trans i18nKey="sync.ended" components={{ at: <RelativeTime at={sync.ended_at} tabStop /> }} />
            </span>
          )}
          <Refusal errcode={sync.errcode} rid={sync.rid} advice={sync.advice} />
        </div>
      }
    />
  );
}
