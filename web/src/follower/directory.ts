import { getFollowerDirectoryOptions } from '../client/@tanstack/react-query.gen';
import type { FollowerDirectory } from '../client';

/** An account's directory, asked for often while something is being done to it. */
export function directoryOptions(tenantId: string, appid: string) {
  return {
    ...getFollowerDirectoryOptions({ path: { tenant_id: tenantId, appid } }),
    refetchInterval: ({ state }: { state: { data?: FollowerDirectory } }) => (state.data && isBusy(state.data) ? 2_000 : 60_000),
  };
}

/** Its list is being read, or what was kept is being deleted. */
export function isBusy(directory: FollowerDirectory): boolean {
  return directory.erasing || isReading(directory);
}

export function isReading({ enabled, sync }: FollowerDirectory): boolean {
  return enabled && (sync?.status === 'queued' || sync?.status === 'running');
}
