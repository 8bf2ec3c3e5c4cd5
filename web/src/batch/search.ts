import { text } from '../paging/search';

export interface BatchesSearch {
  cursor?: string;
  /** The batch on view. */
  batch?: string;
}

export function parseBatchesSearch(search: Record<string, unknown>): BatchesSearch {
  return { cursor: text(search.cursor), batch: text(search.batch) };
}
