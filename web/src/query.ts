import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import type { Problem } from './client';
import { asProblem, isTemporary } from './problem/problem';

declare module '@tanstack/react-query' {
  interface Register {
    defaultError: Problem;
    queryMeta: ExpectsSignedOut;
    mutationMeta: ExpectsSignedOut;
  }
}

interface ExpectsSignedOut extends Record<string, unknown> {
  /** Whoever asks handles 401 itself: it is an answer here, not the end of the session. */
  expectsSignedOut?: boolean;
}

/** The cache of everything read from Steward. Any 401 means that the session has ended. */
export function createQueryClient(onSignedOut: () => void): QueryClient {
  const onError = (error: Problem, meta: ExpectsSignedOut | undefined) => {
    if (error.status === 401 && !meta?.expectsSignedOut) onSignedOut();
  };
  return new QueryClient({
    queryCache: new QueryCache({ onError: (error, query) => onError(asProblem(error), query.meta) }),
    mutationCache: new MutationCache({
      onError: (error, _variables, _result, mutation) => onError(asProblem(error), mutation.meta),
    }),
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        retry: (failures, error) => isTemporary(asProblem(error)) && failures < 2,
      },
    },
  });
}
