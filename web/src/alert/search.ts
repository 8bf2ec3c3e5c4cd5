import { oneOf, text } from '../paging/search';

/** `open` is the default, and so is not in the URL. */
export const alertFilters = ['open', 'cleared', 'all'] as const;
export type AlertFilter = (typeof alertFilters)[number];

export interface AlertsSearch {
  show?: AlertFilter;
  cursor?: string;
}

export function parseAlertsSearch(search: Record<string, unknown>): AlertsSearch {
  return { show: oneOf(alertFilters, search.show), cursor: text(search.cursor) };
}

/** How many alerts a page has; the sign in the navigation counts no further. */
export const pageSize = 50;

/** What to ask the API for. Without anything chosen it is what the sign in the navigation asks for too. */
export function queryOf({ show = 'open', cursor }: AlertsSearch) {
  const open = { open: true, cleared: false, all: undefined }[show];
  return { open, cursor, limit: pageSize };
}

export const refetchInterval = 30_000;
