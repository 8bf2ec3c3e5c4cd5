import type { AuthorizerState } from '../client';
import { oneOf, text } from '../paging/search';

export const states = ['active', 'needs_reauthorization', 'limited', 'revoked'] as const satisfies readonly AuthorizerState[];

export interface AccountsSearch {
  q?: string;
  state?: AuthorizerState;
  cursor?: string;
}

export function parseAccountsSearch(search: Record<string, unknown>): AccountsSearch {
  return { q: text(search.q), state: oneOf(states, search.state), cursor: text(search.cursor) };
}
