import { Typography } from 'antd';
import type { BlacklistEntry } from '../client';
import { Actor } from '../frame/Actor';
import { RelativeTime } from '../time/RelativeTime';

export function OpenId({ openid }: { openid: string }) {
  return (
    <Typography.Text className="mono" copyable={{ text: openid }}>
      {openid}
    </Typography.Text>
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
