import { useMutation } from '@tanstack/react-query';
import { useRef } from 'react';
import { block, unblock, type Batch, type BlockRequest, type Problem } from '../client';

export type Action = 'block' | 'unblock';

interface Wish {
  action: Action;
  tenantId: string;
  appid: string;
  request: BlockRequest;
}

/**
 * Sends a wish to block or unblock. Sent again unchanged, after an answer that never came, it carries the same Idempotency-Key, and so
 * cannot become two batches.
 */
export function useWish(onTaken: (batch: Batch) => void) {
  const last = useRef<{ body: string; key: string }>(undefined);
  return useMutation<Batch, Problem, Wish>({
    mutationFn: async ({ action, tenantId, appid, request }) => {
      const body = JSON.stringify([action, tenantId, appid, request]);
      if (last.current?.body !== body) last.current = { body, key: newIdempotencyKey() };
      const options = {
        path: { tenant_id: tenantId, appid },
        headers: { 'Idempotency-Key': last.current.key },
        throwOnError: true,
      } as const;
      const { data } = action === 'block' ? await block({ ...options, body: request }) : await unblock({ ...options, body: request });
      return data as Batch; // no dry run was asked for, so it is no preview
    },
    onSuccess: (batch) => {
      last.current = undefined; // the same wish again is a new one
      onTaken(batch);
    },
  });
}

/** Not crypto.randomUUID: browsers have it on https pages only, and a first trial may well be on http. */
function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `console-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
