import { oneOf } from '../paging/search';

export interface PeopleSearch {
  /** `block` is the default, and so is not in the URL. */
  action?: 'unblock';
}

export function parsePeopleSearch(search: Record<string, unknown>): PeopleSearch {
  return { action: oneOf(['unblock'], search.action) };
}
