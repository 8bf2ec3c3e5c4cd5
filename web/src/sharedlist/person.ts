import type { SharedPerson } from '../client';

/** By what somebody stands on the list. */
export function idOf({ unionid, openid }: SharedPerson): string {
  return unionid ?? openid ?? '';
}
