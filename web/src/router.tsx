import type { QueryClient } from '@tanstack/react-query';
import { createRouter as createTanStackRouter, parseSearchWith, stringifySearchWith, type RouterHistory } from '@tanstack/react-router';
import { Loading } from './frame/Loading';
import { RouteProblem } from './problem/RouteProblem';
import { routeTree } from './routeTree.gen';

/** The places of the console. */
export function createRouter(queryClient: QueryClient, history?: RouterHistory) {
  return createTanStackRouter({
    routeTree,
    history,
    context: { queryClient },
    // Plain text, where the router would write JSON.
    parseSearch: parseSearchWith((value) => value),
    stringifySearch: stringifySearchWith(String),
    defaultPendingComponent: Loading,
    defaultErrorComponent: RouteProblem,
    defaultPreload: 'intent',
    scrollRestoration: true,
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createRouter>;
  }
  interface HistoryState {
    /** The cursors of the pages before this one; the first page's is ''. */
    trail?: string[];
  }
}
