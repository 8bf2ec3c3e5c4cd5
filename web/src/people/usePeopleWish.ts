import { useMutation } from '@tanstack/react-query';
import { useIdempotencyKey } from '../batch/idempotency';
import type { Action } from '../blacklist/useWish';
import { routeBlock, routeUnblock, type Problem, type RouteBlockRequest, type Routed } from '../client';

interface Wish {
  action: Action;
  tenantId: string;
  request: RouteBlockRequest;
}

/** Sends a wish about people without naming an account. */
export function usePeopleWish(onTaken: (routed: Routed) => void) {
  const { keyFor, forget } = useIdempotencyKey();
  return useMutation<Routed, Problem, Wish>({
    mutationFn: async (wish) => {
      const { action, tenantId, request } = wish;
      const options = { path: { tenant_id: tenantId }, headers: { 'Idempotency-Key': keyFor(wish) }, throwOnError: true } as const;
      const { data } =
        action === 'block' ? await routeBlock({ ...options, body: request }) : await routeUnblock({ ...options, body: request });
      return data;
    },
    onSuccess: (routed) => {
      forget();
      onTaken(routed);
    },
  });
}
