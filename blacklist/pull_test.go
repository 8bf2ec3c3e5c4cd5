package blacklist_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func (b *bundle) startPull(t *testing.T) blacklist.Pull {
	t.Helper()
	pull, err := b.blacklist.StartPull(t.Context(), b.key, b.tenantID, b.account.AppID)
	require.NoError(t, err)
	return pull
}

func (b *bundle) pullEnded(t *testing.T, id uuid.UUID) blacklist.Pull {
	t.Helper()
	pull, err := b.blacklist.WaitPull(t.Context(), b.key, b.tenantID, id, patience)
	require.NoError(t, err)
	require.True(t, pull.Ended(), "%+v\n%s", pull, b.Logs.Trouble())
	var staged int
	require.NoError(t, b.Pool.QueryRow(t.Context(), `SELECT count(*) FROM blacklist_pull_openids WHERE pull_id = $1`, id).Scan(&staged))
	require.Zero(t, staged)
	return pull
}

func (b *bundle) pull(t *testing.T) blacklist.Pull {
	t.Helper()
	return b.pullEnded(t, b.startPull(t).ID)
}

func TestPull(t *testing.T) {
	t.Parallel()

	t.Run("ReadsTheWholeListWhateverThePageSize", func(t *testing.T) {
		t.Parallel()
		for _, size := range []int{2, 9, 1000, 10000} {
			t.Run(fmt.Sprint(size), func(t *testing.T) {
				t.Parallel()
				b := setup(t, 50)
				require.NoError(t, b.Sim.Change(func(s *simulator.Settings) { s.PageSize = size }))
				require.NoError(t, b.Sim.RemoteBlock(b.account.AppID, b.openids(0, 45)...))
				b.start(t)
				pull := b.pull(t)
				require.Equal(t, blacklist.PullDone, pull.Status)
				require.Equal(t, 45, pull.Read)
				require.Equal(t, 45, *pull.Total)
				require.Equal(t, 45, pull.Added)
				require.Zero(t, pull.Removed)
				require.NotNil(t, pull.StartedAt)
				require.Equal(t, b.key.Actor(), pull.Actor)
				require.Equal(t, b.account.AppID, pull.AuthorizerAppID)
				require.Equal(t, sorted(b.openids(0, 45)), openidsOf(b.entries(t, blacklist.ActualBlocked)))
			})
		}
	})

	t.Run("ReadsEveryFormOfAnEmptyList", func(t *testing.T) {
		t.Parallel()
		for _, form := range []string{simulator.EmptyNoData, simulator.EmptyArray, simulator.EmptyNull} {
			t.Run(form, func(t *testing.T) {
				t.Parallel()
				b := setup(t, 3)
				b.start(t)
				b.ended(t, b.block(t, b.openids(0, 2)...).ID)
				require.NoError(t, b.Sim.RemoteUnblock(b.account.AppID, b.openids(0, 2)...))
				require.NoError(t, b.Sim.Change(func(s *simulator.Settings) { s.EmptyList = form }))
				pull := b.pull(t)
				require.Equal(t, blacklist.PullDone, pull.Status)
				require.Equal(t, 2, pull.Removed)
				require.Empty(t, b.entries(t, blacklist.ActualBlocked))
			})
		}
	})

	t.Run("LeavesWishesAloneAndWantsNothingOfWhatTheMerchantBlockedByHand", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 10)
		b.start(t)
		b.ended(t, b.block(t, b.openids(0, 4)...).ID)
		require.NoError(t, b.Sim.RemoteBlock(b.account.AppID, b.openids(4, 6)...))
		require.NoError(t, b.Sim.RemoteUnblock(b.account.AppID, b.openid(3)))
		require.Nil(t, b.page(t).SyncedAt)

		pull := b.pull(t)
		require.Equal(t, 5, pull.Read)
		require.Equal(t, 2, pull.Added)
		require.Equal(t, 1, pull.Removed)
		byHand := map[string]blacklist.Entry{}
		for _, e := range b.entries(t, blacklist.ActualAny) {
			byHand[e.OpenID] = e
		}
		require.Len(t, byHand, 6)
		for n := range 6 {
			e := byHand[b.openid(n)]
			require.False(t, e.Pending)
			switch {
			case n < 3:
				require.Equal(t, []string{"blocked", "blocked"}, []string{e.Want, e.Actual})
			case n == 3:
				require.Equal(t, []string{"blocked", "unblocked"}, []string{e.Want, e.Actual})
			default:
				require.Equal(t, []string{"", "blocked"}, []string{e.Want, e.Actual})
				require.Nil(t, e.WantedAt)
				require.Nil(t, e.BatchID)
			}
		}
		require.Equal(t, b.Clock.Now(), *b.page(t).SyncedAt)

		// Nothing here undoes what was done by hand.
		calls := b.Sim.CallCount(pathBlock) + b.Sim.CallCount(pathUnblock)
		b.sweep(t)
		again := b.pull(t)
		require.Zero(t, again.Added+again.Removed)
		require.Equal(t, calls, b.Sim.CallCount(pathBlock)+b.Sim.CallCount(pathUnblock))
		audit, err := b.Tenants.ListAudit(t.Context(), b.key, b.tenantID, 10, "")
		require.NoError(t, err)
		require.Equal(t, "blacklist.pulled", audit.Entries[0].Action)
		require.Equal(t, "blacklist.pull", audit.Entries[1].Action)
		require.Equal(t, map[string]any{"pull_id": pull.ID.String(), "added": 2.0, "removed": 1.0}, audit.Entries[2].Detail)
	})

	t.Run("KnowsLessThanAPushThatRanMeanwhile", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 30)
		require.NoError(t, b.Sim.Change(func(s *simulator.Settings) { s.PageSize = 10 }))
		b.start(t)
		b.ended(t, b.block(t, b.openids(0, 20)...).ID)
		inside, goOn := holdSecond(b, pathList)
		pull := b.startPull(t)
		<-inside // the first page, with the first ten, has been read
		b.ended(t, b.unblock(t, b.openids(0, 5)...).ID)
		b.ended(t, b.block(t, b.openids(25, 28)...).ID)
		require.NoError(t, b.Sim.RemoteUnblock(b.account.AppID, b.openid(19)))
		close(goOn)
		ended := b.pullEnded(t, pull.ID)
		require.Equal(t, blacklist.PullDone, ended.Status)
		require.Equal(t, 1, ended.Removed)
		require.Equal(t, b.blacklisted(), openidsOf(b.entries(t, blacklist.ActualBlocked)))
	})

	t.Run("LeavesAloneWhatIsStillToBePushed", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		b.start(t)
		b.ended(t, b.block(t, b.openid(0)).ID)
		require.NoError(t, b.Sim.SetQuota(b.account.AppID, pathUnblock, simulator.Quota{Daily: 1}))
		b.ended(t, b.unblock(t, b.openid(1)).ID) // a follower who was not blocked; it uses up the quota
		waiting := b.status(t, b.unblock(t, b.openid(0)).ID, blacklist.StatusPaused)
		require.Equal(t, 1, waiting.Counts.Pending)
		require.NoError(t, b.Sim.RemoteUnblock(b.account.AppID, b.openid(0)))
		require.Zero(t, b.pull(t).Removed)
		left := b.entries(t, blacklist.ActualBlocked)
		require.Equal(t, b.openids(0, 1), openidsOf(left))
		require.True(t, left[0].Pending)
	})

	t.Run("IsOneAtATime", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		first := b.startPull(t)
		require.Equal(t, blacklist.PullQueued, first.Status)
		require.Equal(t, first, b.startPull(t))
		b.start(t)
		b.pullEnded(t, first.ID)
		require.NotEqual(t, first.ID, b.startPull(t).ID)
	})

	t.Run("NeedsTheScope", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.key = factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.BlacklistWrite}})
		_, err := b.blacklist.StartPull(t.Context(), b.key, b.tenantID, b.account.AppID)
		var missing *tenant.ScopeMissingError
		require.ErrorAs(t, err, &missing)
	})
}

func TestPullFails(t *testing.T) {
	t.Parallel()

	t.Run("InTheMiddleAndLeavesOurCopyAsItWas", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			fault simulator.Fault
			code  int
		}{
			"Busy":         {simulator.Fault{Code: -1}, -1},
			"Quota":        {simulator.Fault{Code: 45009}, 45009},
			"Unauthorized": {simulator.Fault{Code: 48001}, 48001},
			"Silent":       {simulator.Fault{Status: 502}, 0},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := setup(t, 30)
				require.NoError(t, b.Sim.Change(func(s *simulator.Settings) { s.PageSize = 10 }))
				b.start(t)
				b.ended(t, b.block(t, b.openids(0, 25)...).ID)
				require.NoError(t, b.Sim.RemoteBlock(b.account.AppID, b.openids(25, 30)...))
				before := b.entries(t, blacklist.ActualAny)
				c.fault.Path, c.fault.Skip = pathList, 1
				_, err := b.Sim.Inject(c.fault)
				require.NoError(t, err)
				pull := b.pull(t)
				require.Equal(t, blacklist.PullFailed, pull.Status)
				require.Equal(t, 10, pull.Read)
				require.NotEmpty(t, pull.Error)
				require.NotEmpty(t, pull.Advice)
				if c.code != 0 {
					require.Equal(t, c.code, *pull.ErrCode)
					require.NotEmpty(t, pull.RID)
				}
				require.Equal(t, before, b.entries(t, blacklist.ActualAny))
				require.Nil(t, b.page(t).SyncedAt)

				b.Sim.ClearFaults()
				require.Equal(t, 30, b.pull(t).Read)
			})
		}
	})

	t.Run("WhenTheMerchantRevokes", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3)
		pull := b.startPull(t)
		require.NoError(t, b.Sim.Revoke(b.account.AppID))
		b.Sim.ExpireTokens(b.account.AppID)
		b.start(t)
		ended := b.pullEnded(t, pull.ID)
		require.Equal(t, blacklist.PullFailed, ended.Status)
		require.Contains(t, ended.Error, "revoked")
	})
}

func TestPullTakenOver(t *testing.T) {
	t.Parallel()

	t.Run("FromAProcessThatWasKilled", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		require.NoError(t, b.Sim.RemoteBlock(b.account.AppID, b.openids(0, 5)...))
		pull := b.startPull(t)
		b.exec(t, `UPDATE river_job SET state = 'running', attempted_at = now(), attempt = 1 WHERE kind = 'pull_blacklist'`)
		b.exec(t, `UPDATE blacklist_pulls SET status = 'running', read = 1, lease_holder = 'dead', lease_until = now() - interval '1 second'`)
		b.exec(t, `INSERT INTO blacklist_pull_openids VALUES ($1, $2, 'stale')`, b.tenantID, pull.ID)
		b.start(t)
		b.sweep(t)
		ended := b.pullEnded(t, pull.ID)
		require.Equal(t, blacklist.PullDone, ended.Status)
		require.Equal(t, 5, ended.Read)
		require.NotContains(t, openidsOf(b.entries(t, blacklist.ActualAny)), "stale")
	})

	t.Run("WhenItsJobWasLost", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		pull := b.startPull(t)
		b.exec(t, `DELETE FROM river_job`)
		b.start(t)
		b.sweep(t)
		require.Equal(t, blacklist.PullDone, b.pullEnded(t, pull.ID).Status)
	})

	t.Run("TheOneThatLostItsLeaseSwapsNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		require.NoError(t, b.Sim.RemoteBlock(b.account.AppID, b.openids(0, 5)...))
		inside, goOn := holdFirst(b, pathList)
		b.start(t)
		pull := b.startPull(t)
		<-inside
		b.exec(t, `UPDATE blacklist_pulls SET lease_holder = 'another', lease_until = now() + interval '1 hour', generation = generation + 1`)
		close(goOn)
		b.eventually(t, func() bool {
			var running int
			err := b.Pool.QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE kind = 'pull_blacklist' AND state = 'running'`).Scan(&running)
			return err == nil && running == 0
		}, "the late job never ended")
		late, err := b.blacklist.GetPull(t.Context(), b.key, b.tenantID, pull.ID)
		require.NoError(t, err)
		require.Equal(t, blacklist.PullRunning, late.Status)
		require.Zero(t, late.Read)
		require.Empty(t, b.entries(t, blacklist.ActualAny))
	})

	t.Run("WhenTheDatabaseLostWhatWasReadItBeginsAnew", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		require.NoError(t, b.Sim.Change(func(s *simulator.Settings) { s.PageSize = 2 }))
		require.NoError(t, b.Sim.RemoteBlock(b.account.AppID, b.openids(0, 5)...))
		lost := make(chan error, 1)
		b.Sim.BeforeAnswer(func(call simulator.Call) {
			if call.Path == pathList && b.Sim.CallCount(pathList) == 3 {
				_, err := b.Pool.Exec(context.Background(), `TRUNCATE blacklist_pull_openids`)
				lost <- err
			}
		})
		b.start(t)
		pull := b.pull(t)
		require.NoError(t, <-lost)
		require.Equal(t, blacklist.PullDone, pull.Status)
		require.Equal(t, 5, pull.Added)
		require.Len(t, b.entries(t, blacklist.ActualBlocked), 5)
	})

	t.Run("AfterAGracefulStopItBeginsAnew", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		require.NoError(t, b.Sim.Change(func(s *simulator.Settings) { s.PageSize = 2 }))
		require.NoError(t, b.Sim.RemoteBlock(b.account.AppID, b.openids(0, 5)...))
		inside, goOn := holdFirst(b, pathList)
		cancel, stopped := b.StartCancellable(t, blacklist.Queue, b.blacklist.AddWorkers)
		pull := b.startPull(t)
		<-inside
		cancel()
		close(goOn)
		<-stopped
		require.Equal(t, 1, b.Sim.CallCount(pathList))
		b.start(t)
		require.Equal(t, 5, b.pullEnded(t, pull.ID).Added)
	})
}

func TestWaitBatchAndWaitPullGiveUp(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	batch, pull := b.block(t, b.openid(0)), b.startPull(t)
	waited, err := b.blacklist.WaitBatch(t.Context(), b.key, b.tenantID, batch.ID, 30*time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, batch, waited)
	stillOpen, err := b.blacklist.WaitPull(t.Context(), b.key, b.tenantID, pull.ID, 0)
	require.NoError(t, err)
	require.Equal(t, pull, stillOpen)
}
