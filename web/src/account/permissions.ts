import type { Authorizer, PermissionSet } from '../client';

/** Either of these permission sets lets us work on the blacklist (用户管理权限). */
export const blacklistSets: readonly number[] = [2, 100];

export function isBlacklistSet(set: PermissionSet): boolean {
  return blacklistSets.includes(set.id);
}

export function grantsBlacklist(account: Authorizer): boolean {
  return account.permission_sets.some(isBlacklistSet);
}
