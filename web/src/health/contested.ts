import type { TokenHealth } from '../client';

/** Whether somebody else fetches tokens of the same account or platform. One refusal alone may be a whim of WeChat's. */
export type Contest = 'none' | 'suspected' | 'certain';

/** Steward itself forgets refusals after a day without another. */
const keptMs = 24 * 3600 * 1000;

export function contestOf({ refused_early: times, refused_early_at: at }: TokenHealth, now: number): Contest {
  if (times < 1 || at === null || now - Date.parse(at) >= keptMs) return 'none';
  return times < 2 ? 'suspected' : 'certain';
}
