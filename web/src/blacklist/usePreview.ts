import { useMutation } from '@tanstack/react-query';
import { block, unblock, type Preview, type Problem } from '../client';
import type { Wish } from './useWish';

/** Asks what a wish would do. Nothing is done by that. */
export function usePreview() {
  return useMutation<Preview, Problem, Wish>({
    mutationFn: async ({ action, tenantId, appid, request }) => {
      const options = { path: { tenant_id: tenantId, appid }, throwOnError: true } as const;
      const body = { ...request, dry_run: true };
      const { data } = action === 'block' ? await block({ ...options, body }) : await unblock({ ...options, body });
      return data as Preview; // a dry run was asked for, so it is no batch
    },
  });
}
