import type { AuthorizerState, HealthStatus } from '../client';
import { oneOf, text } from '../paging/search';

export const states = ['active', 'needs_reauthorization', 'limited', 'revoked'] as const satisfies readonly AuthorizerState[];

export const healths = ['ok', 'failing', 'exhausted', 'broken'] as const satisfies readonly HealthStatus[];

export interface AccountsSearch {
  q?: string;
  state?: AuthorizerState;
  health?: HealthStatus;
  cursor?: string;
}

export function parseAccountsSearch(search: Record<string, unknown>): AccountsSearch {
  return {
    q: text(search.q),
    state: oneOf(states, search.state),
    health: oneOf(healths, search.health),
    cursor: text(search.cursor),
  };
}
