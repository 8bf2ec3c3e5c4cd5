import { text } from '../paging/search';

export interface FollowersSearch {
  /** An openid or a unionid. */
  person?: string;
  /** Which accounts, by name or appid. */
  q?: string;
  cursor?: string;
}

export function parseFollowersSearch(search: Record<string, unknown>): FollowersSearch {
  return { person: text(search.person), q: text(search.q), cursor: text(search.cursor) };
}

export interface AccountFollowersSearch {
  /** What the openid begins with. */
  q?: string;
  cursor?: string;
}

export function parseAccountFollowersSearch(search: Record<string, unknown>): AccountFollowersSearch {
  return { q: text(search.q), cursor: text(search.cursor) };
}
