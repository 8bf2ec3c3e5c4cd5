import { redirect, type AnyRouter } from '@tanstack/react-router';
import type { QueryClient } from '@tanstack/react-query';
import type { Me } from '../client';
import { getMeOptions } from '../client/@tanstack/react-query.gen';
import { asProblem } from '../problem/problem';

/** Who is signed in. 401 is an answer to this question, not the end of a session. */
export function meOptions() {
  return { ...getMeOptions(), staleTime: 60_000, meta: { expectsSignedOut: true } };
}

/** Lets only those through who are signed in; all others go to the login page, which leads back to `href`. */
export async function requireMe(queryClient: QueryClient, href: string): Promise<Me> {
  try {
    return await queryClient.query({ ...meOptions(), staleTime: 'static' });
  } catch (error) {
    if (asProblem(error).status !== 401) throw error;
    throw redirect({ to: '/login', search: { next: placeWithin(href) } });
  }
}

export async function isSignedIn(queryClient: QueryClient): Promise<boolean> {
  try {
    await queryClient.query({ ...meOptions(), staleTime: 'static' });
    return true;
  } catch {
    // Also when Steward cannot be reached: signing in will say so.
    return false;
  }
}

/** The session is over: forget everything that was read with it. */
export async function leaveToLogin(router: AnyRouter, { keepPlace }: { keepPlace: boolean }) {
  const { queryClient } = router.options.context as { queryClient: QueryClient };
  const { pathname, href } = router.latestLocation;
  // Several requests may have come back with 401 at once.
  if (pathname !== '/login') {
    queryClient.removeQueries({ queryKey: meOptions().queryKey });
    await router.navigate({ to: '/login', search: { next: keepPlace ? placeWithin(href) : undefined } });
  }
  queryClient.clear();
}

/** A place of this console, or undefined: a link to the login page must not be able to lead anybody elsewhere. */
export function placeWithin(href: string | undefined): string | undefined {
  if (!href?.startsWith('/') || /^\/[/\\]/.test(href) || href === '/') return undefined;
  return href;
}
