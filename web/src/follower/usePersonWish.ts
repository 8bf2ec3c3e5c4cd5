import { useMutation } from '@tanstack/react-query';
import { useIdempotencyKey } from '../batch/idempotency';
import type { Action } from '../blacklist/useWish';
import { block, unblock, type Batch, type BlockRequest, type Follower, type Problem } from '../client';
import { asProblem } from '../problem/problem';

interface Wish {
  action: Action;
  tenantId: string;
  places: Follower[];
  terms: Pick<BlockRequest, 'reason' | 'until'>;
}

/** What came of a wish on each account: a batch, or why there is none. */
export interface PersonResult {
  taken: { place: Follower; batch: Batch }[];
  refused: { place: Follower; problem: Problem }[];
}

/**
 * Blocks or unblocks a person on several accounts, one after the other, each by name: what one account refuses does not keep the others
 * from it. Those that are sent again carry the same Idempotency-Key.
 */
export function usePersonWish() {
  const { keyFor } = useIdempotencyKey();
  return useMutation<PersonResult, Problem, Wish>({
    mutationFn: async ({ action, tenantId, places, terms }) => {
      const result: PersonResult = { taken: [], refused: [] };
      for (const place of places) {
        const request: BlockRequest = { openids: [place.openid], ...terms };
        const options = {
          path: { tenant_id: tenantId, appid: place.authorizer_appid },
          headers: { 'Idempotency-Key': `${keyFor(action, tenantId, terms)}-${place.authorizer_appid}` },
          throwOnError: true,
        } as const;
        try {
          const { data } = action === 'block' ? await block({ ...options, body: request }) : await unblock({ ...options, body: request });
          result.taken.push({ place, batch: data as Batch }); // no dry run was asked for, so it is no preview
        } catch (error) {
          result.refused.push({ place, problem: asProblem(error) });
        }
      }
      return result;
    },
  });
}
