import { useMutation } from '@tanstack/react-query';
import { useIdempotencyKey } from '../batch/idempotency';
import { block, unblock, type Batch, type BlockRequest, type Problem } from '../client';

export type Action = 'block' | 'unblock';

export interface Wish {
  action: Action;
  tenantId: string;
  appid: string;
  request: BlockRequest;
}

/** Sends a wish to block or unblock. */
export function useWish(onTaken: (batch: Batch) => void) {
  const { keyFor, forget } = useIdempotencyKey();
  return useMutation<Batch, Problem, Wish>({
    mutationFn: async (wish) => {
      const { action, tenantId, appid, request } = wish;
      const options = {
        path: { tenant_id: tenantId, appid },
        headers: { 'Idempotency-Key': keyFor(wish) },
        throwOnError: true,
      } as const;
      const { data } = action === 'block' ? await block({ ...options, body: request }) : await unblock({ ...options, body: request });
      return data as Batch; // no dry run was asked for, so it is no preview
    },
    onSuccess: (batch) => {
      forget();
      onTaken(batch);
    },
  });
}
