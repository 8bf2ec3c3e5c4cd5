import { oneOf, text } from '../paging/search';

/** `blocked` is the default, and so is not in the URL. */
export const actualFilters = ['blocked', 'unblocked', 'any'] as const;
export type ActualFilter = (typeof actualFilters)[number];

export interface BlacklistSearch {
  actual?: ActualFilter;
  q?: string;
  cursor?: string;
  /** The batch on view. */
  batch?: string;
  /** The pull whose progress or result is on view. */
  pull?: string;
}

export function parseBlacklistSearch(search: Record<string, unknown>): BlacklistSearch {
  return {
    actual: oneOf(actualFilters, search.actual),
    q: text(search.q),
    cursor: text(search.cursor),
    batch: text(search.batch),
    pull: text(search.pull),
  };
}

/** `any` is the default, and so is not in the URL. */
export const driftFilters = ['any', 'unblocked_outside', 'blocked_outside'] as const;
export type DriftFilter = (typeof driftFilters)[number];

export interface DriftSearch {
  drift?: DriftFilter;
  cursor?: string;
  /** The batch on view. */
  batch?: string;
  /** The pull whose progress or result is on view. */
  pull?: string;
}

export function parseDriftSearch(search: Record<string, unknown>): DriftSearch {
  return {
    drift: oneOf(driftFilters, search.drift),
    cursor: text(search.cursor),
    batch: text(search.batch),
    pull: text(search.pull),
  };
}
