import { Trans, useTranslation } from 'react-i18next';
import type { FollowerDirectory } from '../client';
import { RelativeTime } from '../time/RelativeTime';

interface Props {
  directory: FollowerDirectory;
  /** The keyboard reaches the exact time. */
  tabStop?: boolean;
}

/** How the reading of WeChat's list stands, in one line. */
export function SyncLine({ directory, tabStop }: Props) {
  const { t, i18n } = useTranslation();
  const { enabled, sync, synced_at: syncedAt } = directory;
  const number = (count: number) => count.toLocaleString(i18n.language);
  if (!enabled) return null;
  switch (sync?.status) {
    case 'queued':
      return t('sync.queued');
    case 'running':
      return sync.total === null ? t('sync.starting') : t('sync.running', { read: number(sync.read), total: number(sync.total) });
    case 'paused':
      return (
        <span className="warn">
          {t('sync.paused')}{' '}
          {sync.paused_until && (
            <Trans i18nKey="sync.resumes" components={{ at: <RelativeTime at={sync.paused_until} tabStop={tabStop} /> }} />
          )}
        </span>
      );
    case 'failed':
      return <span className="warn">{t('sync.failed')}</span>;
    default:
      return syncedAt === null ? (
        t('sync.never')
      ) : (
        <Trans i18nKey="sync.read" components={{ at: <RelativeTime at={syncedAt} tabStop={tabStop} /> }} />
      );
  }
}
