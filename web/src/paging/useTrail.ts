import { useLocation } from '@tanstack/react-router';

/**
 * The way back through pages whose cursors lead forwards only: `go` gets the page to show and the trail of pages before it, to be kept in
 * the history entry, where a reload finds it again.
 */
export function useTrail(
  cursor: string | undefined,
  next: string | null | undefined,
  go: (cursor: string | undefined, trail: string[]) => void,
) {
  const walked = useLocation({ select: ({ state }) => state.trail ?? [] });
  const trail = cursor === undefined ? [] : walked; // the first page has none before it, wherever one came from
  const before = trail.at(-1);
  return {
    hasPrevious: cursor !== undefined,
    hasNext: typeof next === 'string',
    onFirst: () => go(undefined, []),
    onPrevious: before === undefined ? undefined : () => go(before || undefined, trail.slice(0, -1)),
    onNext: () => go(next ?? undefined, [...trail, cursor ?? '']),
  };
}
