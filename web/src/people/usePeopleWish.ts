import { useMutation } from '@tanstack/react-query';
import { useIdempotencyKey } from '../batch/idempotency';
import type { Action } from '../blacklist/useWish';
import { routeBlock, routeUnblock, type Problem, type RouteBlockRequest, type Routed, type RoutePreview } from '../client';

export interface PeopleWish {
  action: Action;
  tenantId: string;
  request: RouteBlockRequest;
}

/** Sends a wish about people without naming an account. */
export function usePeopleWish(onTaken: (routed: Routed) => void) {
  const { keyFor, forget } = useIdempotencyKey();
  return useMutation<Routed, Problem, PeopleWish>({
    mutationFn: async (wish) => {
      const { action, tenantId, request } = wish;
      const options = { path: { tenant_id: tenantId }, headers: { 'Idempotency-Key': keyFor(wish) }, throwOnError: true } as const;
      const { data } =
        action === 'block' ? await routeBlock({ ...options, body: request }) : await routeUnblock({ ...options, body: request });
      return data as Routed; // no dry run was asked for, so it is no preview
    },
    onSuccess: (routed) => {
      forget();
      onTaken(routed);
    },
  });
}

/** Asks what a wish would do, and has nothing done. */
export function usePeoplePreview() {
  return useMutation<RoutePreview, Problem, PeopleWish>({
    mutationFn: async ({ action, tenantId, request }) => {
      const options = { path: { tenant_id: tenantId }, body: { ...request, dry_run: true }, throwOnError: true } as const;
      const { data } = action === 'block' ? await routeBlock(options) : await routeUnblock(options);
      return data as RoutePreview; // a dry run was asked for
    },
  });
}
