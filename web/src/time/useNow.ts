import { useSyncExternalStore } from 'react';

const everyMs = 10_000;
const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function tick() {
  now = Date.now();
  listeners.forEach((notify) => notify());
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  timer ??= setInterval(tick, everyMs);
  // Something that has just happened must not seem to lie ahead.
  if (Date.now() - now > 1_000) tick();
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The time, in milliseconds; all places that show it move on together, every ten seconds. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}
