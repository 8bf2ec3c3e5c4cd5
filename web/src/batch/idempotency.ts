import { useCallback, useRef } from 'react';

/**
 * Gives a request its Idempotency-Key: sent again unchanged, after an answer that never came, it has the same one, and so cannot be done
 * twice. `forget` once it has been answered: the same again is a new request then.
 */
export function useIdempotencyKey() {
  const last = useRef<{ request: string; key: string }>(undefined);
  const keyFor = useCallback((...request: unknown[]) => {
    const text = JSON.stringify(request);
    if (last.current?.request !== text) last.current = { request: text, key: newKey() };
    return last.current.key;
  }, []);
  const forget = useCallback(() => {
    last.current = undefined;
  }, []);
  return { keyFor, forget };
}

/** Not crypto.randomUUID: browsers have it on https pages only, and a first trial may well be on http. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `console-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
