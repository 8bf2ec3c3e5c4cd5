import { oneOf, text } from '../paging/search';

/** `blocked` is the default, and so is not in the URL. */
export const actualFilters = ['blocked', 'unblocked', 'unknown', 'any'] as const;
export type ActualFilter = (typeof actualFilters)[number];

export const wantFilters = ['blocked', 'unblocked', 'nothing'] as const;
export type WantFilter = (typeof wantFilters)[number];

/** How the last wish went. */
export const stateFilters = ['pending', 'failed'] as const;
export type StateFilter = (typeof stateFilters)[number];

export interface BlacklistSearch {
  actual?: ActualFilter;
  q?: string;
  reason?: string;
  by?: string;
  want?: WantFilter;
  state?: StateFilter;
  cursor?: string;
  /** The batch on view. */
  batch?: string;
  /** The openid whose history is on view. */
  history?: string;
  /** The pull whose progress or result is on view. */
  pull?: string;
}

/** What the filters ask the API for. */
export function filtersOf({ actual = 'blocked', q, reason, by, want, state }: BlacklistSearch) {
  return { actual, q, reason, by, want, pending: state === 'pending' || undefined, failed: state === 'failed' || undefined };
}

/** Whether more than the two first filters is set. */
export function hasMoreFilters({ reason, by, want, state }: BlacklistSearch): boolean {
  return [reason, by, want, state].some((one) => one !== undefined);
}

export function parseBlacklistSearch(search: Record<string, unknown>): BlacklistSearch {
  return {
    actual: oneOf(actualFilters, search.actual),
    q: text(search.q),
    reason: text(search.reason),
    by: text(search.by),
    want: oneOf(wantFilters, search.want),
    state: oneOf(stateFilters, search.state),
    cursor: text(search.cursor),
    batch: text(search.batch),
    history: text(search.history),
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
