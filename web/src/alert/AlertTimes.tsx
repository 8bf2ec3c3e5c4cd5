import { Trans } from 'react-i18next';
import type { Alert } from '../client';
import { RelativeTime } from '../time/RelativeTime';

/** Since when, when it last showed, and when it was mended. */
export function AlertTimes({ alert }: { alert: Alert }) {
  const { raised_at: raised, last_seen_at: seen, cleared_at: cleared } = alert;
  return (
    <div className="stack">
      <span>
        <Trans i18nKey="alerts.since" components={{ at: <RelativeTime at={raised} /> }} />
      </span>
      {seen !== raised && (
        <span className="small quiet">
          <Trans i18nKey="alerts.seen" components={{ at: <RelativeTime at={seen} /> }} />
        </span>
      )}
      {cleared !== null && (
        <span className="small good">
          <Trans i18nKey="alerts.cleared" components={{ at: <RelativeTime at={cleared} /> }} />
        </span>
      )}
    </div>
  );
}
