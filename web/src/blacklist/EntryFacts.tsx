import { Typography } from 'antd';
import type { BlacklistEntry } from '../client';
import { Actor } from '../frame/Actor';
import { Note } from '../frame/Note';
import { RelativeTime } from '../time/RelativeTime';

export function OpenId({ openid }: { openid: string }) {
  return (
    <Typography.Text className="mono" copyable={{ text: openid }}>
      {openid}
    </Typography.Text>
  );
}

/** Why it was asked for, with what was noted about it. */
export function Why({ entry }: { entry: BlacklistEntry }) {
  return (
    <div className="stack">
      <span>{entry.reason}</span>
      <Note className="small quiet">{entry.note}</Note>
    </div>
  );
}

/** Who asked last, and when. */
export function Who({ entry }: { entry: BlacklistEntry }) {
  if (!entry.wanted_at) return null;
  return (
    <span>
      <Actor by={entry.wanted_by} />{' '}
      <span className="small quiet">
        <RelativeTime at={entry.wanted_at} />
      </span>
    </span>
  );
}
