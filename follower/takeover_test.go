package follower_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/follower"
)

func TestSync_TakenOver(t *testing.T) {
	t.Parallel()

	t.Run("FromAProcessThatWasKilledGoesOnWhereThatStopped", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 20, 5)
		inside, goOn := b.hold(pathList, 3)
		cancel, stopped := b.StartCancellable(t, follower.Queue, b.followers.AddWorkers)
		b.turn(t, true, false)
		<-inside
		cancel()
		<-stopped
		close(goOn)
		// What kill -9 leaves: a job that is called running, and a lease that nobody renews.
		b.exec(t, `UPDATE river_job SET state = 'running', finalized_at = NULL, attempted_at = now() WHERE kind = 'tend_followers'`)
		b.exec(t, `UPDATE follower_directories SET lease_holder = 'dead', lease_until = now() - interval '1 second'`)
		require.Equal(t, 10, b.directory(t).Sync.Read)
		calls := b.Sim.CallCount(pathList)
		b.start(t)
		b.sweep(t)
		require.Equal(t, follower.SyncDone, b.synced(t).Status)
		require.Equal(t, b.openids(0, 20), b.list(t))
		require.Equal(t, calls+3, b.Sim.CallCount(pathList))
	})

	t.Run("WhileItCompares", func(t *testing.T) {
		t.Parallel()
		for _, phase := range []string{"adding", "removing"} {
			t.Run(phase, func(t *testing.T) {
				t.Parallel()
				b := setup(t, 20, 10_000)
				b.turn(t, true, false)
				b.exec(t, `DELETE FROM river_job`)
				b.exec(t, `UPDATE follower_directories SET sync_status = 'running', sync_phase = $1, sync_seq = 5, sync_read = 20, staged = true,
					lease_holder = 'dead', lease_until = now() - interval '1 second'`, phase)
				b.exec(t, `INSERT INTO follower_sync_openids SELECT $1, $2, unnest($3::text[])`, b.tenantID, b.account.ID, b.openids(0, 20))
				b.exec(t, `INSERT INTO followers (tenant_id, authorizer_id, openid, following, seq, changed_at)
					SELECT $1, $2, o, true, 3, now() FROM unnest($3::text[]) o`, b.tenantID, b.account.ID, append(b.openids(0, 20), "oGone"))
				b.start(t)
				b.sweep(t)
				sync := b.synced(t)
				require.Equal(t, []int{20, 0, 1}, []int{sync.Read, sync.Added, sync.Removed})
				require.Equal(t, b.openids(0, 20), b.list(t))
				require.Zero(t, b.Sim.CallCount(pathList))
			})
		}
	})

	t.Run("WhenItsJobWasLost", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5, 10)
		b.turn(t, true, false)
		b.exec(t, `DELETE FROM river_job`)
		b.exec(t, `UPDATE follower_directories SET lease_until = now() - interval '1 second'`)
		b.start(t)
		b.sweep(t)
		require.Equal(t, follower.SyncDone, b.synced(t).Status)
	})

	t.Run("TheOneThatLostItsLeaseStoresNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5, 10)
		inside, goOn := b.hold(pathList, 1)
		b.start(t)
		b.turn(t, true, false)
		<-inside
		b.exec(t, `UPDATE follower_directories SET lease_holder = 'another', lease_until = now() + interval '1 hour'`)
		close(goOn)
		b.eventually(t, func() bool { return b.count(t, "river_job WHERE state = 'running'") == 0 }, "the end of the late job")
		require.Equal(t, follower.SyncRunning, b.directory(t).Sync.Status)
		require.Zero(t, b.count(t, "follower_sync_openids")+b.count(t, "followers"))
	})

	t.Run("ByTwoProcessesAtOnceIsDoneOnce", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 30, 5)
		other := *b
		other.World = b.Process(t)
		other.followers = newService(t, other.World)
		b.start(t)
		other.start(t)
		b.turn(t, true, false)
		for range 20 {
			b.sweep(t)
			other.sweep(t)
		}
		require.Equal(t, 30, b.synced(t).Added)
		require.Equal(t, 7, b.Sim.CallCount(pathList))
	})
}
