import { getRouteApi } from '@tanstack/react-router';
import type { Me, Scope } from '../client';

const signedIn = getRouteApi('/_signed-in');

/** Who is signed in; only for pages behind the login. */
export function useMe(): Me {
  return signedIn.useRouteContext({ select: ({ me }) => me });
}

export function useMay(scope: Scope): boolean {
  return useMe().scopes.includes(scope);
}
