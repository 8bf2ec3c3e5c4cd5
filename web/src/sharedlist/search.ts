import { text } from '../paging/search';

export interface ListsSearch {
  cursor?: string;
}

export function parseListsSearch(search: Record<string, unknown>): ListsSearch {
  return { cursor: text(search.cursor) };
}

export interface ListSearch {
  /** What the unionid or openid begins with. */
  q?: string;
  cursor?: string;
  /** The id of the person on view. */
  person?: string;
}

export function parseListSearch(search: Record<string, unknown>): ListSearch {
  return { q: text(search.q), cursor: text(search.cursor), person: text(search.person) };
}
