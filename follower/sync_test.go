package follower_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestSync(t *testing.T) {
	t.Parallel()

	t.Run("ReadsTheWholeListWhateverThePageSize", func(t *testing.T) {
		t.Parallel()
		for _, size := range []int{2, 9, 10000} {
			t.Run(fmt.Sprint(size), func(t *testing.T) {
				t.Parallel()
				b := setup(t, 50, size)
				b.start(t)
				b.turn(t, true, false)
				sync := b.synced(t)
				require.Equal(t, follower.SyncDone, sync.Status, sync.Error)
				require.Equal(t, []int{50, 50, 50, 0}, []int{sync.Read, *sync.Total, sync.Added, sync.Removed})
				require.Equal(t, b.key.Actor(), sync.Actor)
				require.Equal(t, b.openids(0, 50), b.list(t))
				require.Equal(t, (50+size-1)/size+1, b.Sim.CallCount(pathList), "one call a page, and one for the end")
				d := b.directory(t)
				require.Equal(t, 50, *d.Followers)
				require.Equal(t, b.Clock.Now(), *d.SyncedAt)
				require.WithinRange(t, *d.NextSyncAt, b.Clock.Now().Add(22*time.Hour), b.Clock.Now().Add(26*time.Hour))
			})
		}
	})

	t.Run("ReadsEveryFormOfAnEmptyList", func(t *testing.T) {
		t.Parallel()
		for _, form := range []string{simulator.EmptyNoData, simulator.EmptyArray, simulator.EmptyNull} {
			t.Run(form, func(t *testing.T) {
				t.Parallel()
				b := setup(t, 3, 10)
				b.start(t)
				b.turn(t, true, false)
				b.synced(t)
				require.NoError(t, b.Sim.RemoveFollowers(b.account.AppID, b.openids(0, 3)...))
				require.NoError(t, b.Sim.Change(func(s *simulator.Settings) { s.EmptyList = form }))
				require.Equal(t, 3, b.sync(t).Removed)
				require.Empty(t, b.list(t))
			})
		}
	})

	t.Run("NotesWhoCameAndWhoLeft", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 20, 6)
		b.start(t)
		b.turn(t, true, false)
		b.synced(t)
		require.NoError(t, b.Sim.RemoveFollowers(b.account.AppID, b.openids(3, 8)...))
		require.NoError(t, b.Sim.AddFollowers(b.account.AppID, b.openids(30, 32)...))
		sync := b.sync(t)
		require.Equal(t, []int{17, 2, 5}, []int{sync.Read, sync.Added, sync.Removed})
		want := slices.Concat(b.openids(0, 3), b.openids(8, 20), b.openids(30, 32))
		slices.Sort(want)
		require.Equal(t, want, b.list(t))
		require.NoError(t, b.Sim.AddFollowers(b.account.AppID, b.openid(3)))
		require.Equal(t, 1, b.sync(t).Added, "who comes back is there again")
	})

	t.Run("GoesThroughMoreThanOneSpan", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 10_001, 10_000)
		b.start(t)
		b.turn(t, true, false)
		require.Equal(t, 10_001, b.synced(t).Added)
		require.NoError(t, b.Sim.RemoveFollowers(b.account.AppID, b.openids(0, 5001)...))
		require.Equal(t, 5001, b.sync(t).Removed)
		require.Equal(t, b.openids(5001, 10_001), b.list(t))
	})

	t.Run("IsOneAtATime", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3, 10)
		first := b.turn(t, true, false)
		require.Equal(t, follower.SyncQueued, first.Sync.Status)
		again, err := b.followers.StartSync(t.Context(), b.key, b.tenantID, b.account.AppID)
		require.NoError(t, err)
		require.Equal(t, first, again)
		b.start(t)
		b.synced(t)
		require.Equal(t, 2, b.Sim.CallCount(pathList))
	})

	t.Run("BeginsByItselfOnceADay", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3, 10)
		b.start(t)
		b.turn(t, true, false)
		b.synced(t)
		b.sweep(t)
		require.Equal(t, 2, b.Sim.CallCount(pathList), "it is not due yet")
		require.NoError(t, b.Sim.AddFollowers(b.account.AppID, b.openid(7)))
		b.later(t, 26*time.Hour)
		b.sweep(t)
		b.sweep(t)
		b.is(t, func(s follower.Sync) bool { return s.Ended() && s.Added == 1 })
		require.Equal(t, "Steward (system)", b.directory(t).Sync.Actor)
		require.Equal(t, 4, b.Sim.CallCount(pathList))
	})

	t.Run("DoesNotBeginByItselfForAnAccountThatCannotBeActedFor", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3, 10)
		b.start(t)
		b.turn(t, true, false)
		b.synced(t)
		b.exec(t, `UPDATE authorizers SET state = 'revoked' WHERE id = $1`, b.account.ID)
		b.later(t, 26*time.Hour)
		b.sweep(t)
		require.Equal(t, follower.SyncDone, b.directory(t).Sync.Status)
		b.exec(t, `UPDATE authorizers SET state = 'active' WHERE id = $1`, b.account.ID)
		b.sweep(t)
		require.NotEqual(t, b.key.Actor(), b.directory(t).Sync.Actor)
	})
}

func TestSync_OfAListThatChangesWhileItIsRead(t *testing.T) {
	t.Parallel()

	t.Run("EndsWithAllWhoStayed", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 20, 5)
		b.once(pathList, 3, func() {
			require.NoError(t, b.Sim.RemoveFollowers(b.account.AppID, b.openid(9), b.openid(15))) // the cursor, and one not read yet
			require.NoError(t, b.Sim.AddFollowers(b.account.AppID, b.openid(40)))
		})
		b.start(t)
		b.turn(t, true, false)
		require.Equal(t, follower.SyncDone, b.synced(t).Status)
		list := b.list(t)
		require.Contains(t, list, b.openid(40))
		require.Contains(t, list, b.openid(9), "who left after being read is found out by the next sync, or by the event")
		require.NotContains(t, list, b.openid(15))
		require.Len(t, list, 20)
	})

	t.Run("KnowsLessThanAnEventThatCameMeanwhile", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 20, 5)
		b.start(t)
		b.once(pathList, 3, func() {
			b.receive(t, "unsubscribe", b.openid(0), b.Clock.Now())
			b.receive(t, "subscribe", b.openid(50), b.Clock.Now())
		})
		b.turn(t, true, false)
		sync := b.synced(t)
		require.Equal(t, []int{20, 19, 0}, []int{sync.Read, sync.Added, sync.Removed})
		list := b.list(t)
		require.NotContains(t, list, b.openid(0))
		require.Contains(t, list, b.openid(50))
	})

	t.Run("BeginsAnewWhenTheCursorIsNotTakenAnyMore", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 20, 5)
		b.inject(t, simulator.Fault{Path: pathList, Code: 40003, Skip: 2, Times: 1})
		b.start(t)
		b.turn(t, true, false)
		sync := b.synced(t)
		require.Equal(t, follower.SyncDone, sync.Status)
		require.Empty(t, sync.Error)
		require.Equal(t, b.openids(0, 20), b.list(t))
		require.Equal(t, 3+5, b.Sim.CallCount(pathList))
	})

	t.Run("IsGivenUpWhenTheCursorIsNeverTakenAndTheDirectoryIsAsItWas", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 20, 5)
		b.start(t)
		b.turn(t, true, false)
		b.synced(t)
		require.NoError(t, b.Sim.RemoveFollowers(b.account.AppID, b.openids(0, 4)...))
		calls := b.Sim.CallCount(pathList)
		b.inject(t, simulator.Fault{Path: pathList, Code: 40003, Skip: 1, Every: 2})
		sync := b.sync(t)
		require.Equal(t, follower.SyncFailed, sync.Status)
		require.Contains(t, sync.Error, "the openid at which the next page begins")
		require.NotEmpty(t, sync.Advice)
		require.Equal(t, calls+3+2+2, b.Sim.CallCount(pathList))
		require.Len(t, b.list(t), 20)
	})
}

func TestSync_RestsWhenWeChatWantsItTo(t *testing.T) {
	t.Parallel()

	t.Run("UntilTheNextDayInChinaAndGoesOnWhereItStopped", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 10, 2)
		require.NoError(t, b.Sim.SetQuota(b.account.AppID, pathList, simulator.Quota{Daily: 3}))
		b.start(t)
		b.turn(t, true, false)
		sync := b.status(t, follower.SyncPaused)
		require.Equal(t, time.Date(2026, 3, 2, 16, 0, 0, 0, time.UTC), *sync.PausedUntil)
		require.Equal(t, 45009, *sync.ErrCode)
		require.NotEmpty(t, sync.RID)
		require.Contains(t, sync.Advice, "midnight in Shanghai")
		require.Equal(t, 6, sync.Read)
		require.Empty(t, b.list(t), "nothing before the list is whole")
		calls := b.Sim.CallCount(pathList)
		b.sweep(t)
		b.later(t, sync.PausedUntil.Sub(b.Clock.Now()))
		require.Equal(t, calls, b.Sim.CallCount(pathList))
		b.sweep(t)
		sync = b.synced(t)
		require.Equal(t, follower.SyncDone, sync.Status)
		require.Empty(t, sync.Error)
		require.Equal(t, calls+3, b.Sim.CallCount(pathList))
		require.Equal(t, b.openids(0, 10), b.list(t))
	})

	t.Run("ForAMinute", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 10, 5)
		b.inject(t, simulator.Fault{Path: pathList, Code: 45011, Skip: 1, Times: 1})
		b.start(t)
		b.turn(t, true, false)
		sync := b.status(t, follower.SyncPaused)
		require.WithinRange(t, *sync.PausedUntil, b.Clock.Now().Add(time.Minute), b.Clock.Now().Add(75*time.Second))
		b.Clock.Advance(75 * time.Second)
		b.sweep(t)
		require.Equal(t, 10, b.synced(t).Added)
	})

	t.Run("WhenTheDaysCallsWouldNotDoForALongList", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 10, 10)
		require.NoError(t, b.Sim.SetQuota(b.account.AppID, pathList, simulator.Quota{Daily: 30}))
		b.start(t)
		b.turn(t, true, false)
		b.synced(t)
		require.Zero(t, b.Sim.CallCount(pathQuota), "a short list is read without asking")
		b.exec(t, `UPDATE follower_directories SET followers = 299000`)
		calls := b.Sim.CallCount(pathList)
		require.Equal(t, follower.SyncDone, b.sync(t).Status, "most of a day's calls are left, and more than those there never will be")
		b.exec(t, `UPDATE follower_directories SET followers = 299000`)
		for range 3 {
			_, err := b.WeChat.Followers(t.Context(), b.token(t), "") // another system of the merchant's
			require.NoError(t, err)
		}
		_, err := b.followers.StartSync(t.Context(), b.key, b.tenantID, b.account.AppID)
		require.NoError(t, err)
		sync := b.status(t, follower.SyncPaused)
		require.Contains(t, sync.Error, "too few calls left today")
		require.Nil(t, sync.ErrCode)
		require.Equal(t, calls+2+3, b.Sim.CallCount(pathList))
		b.later(t, 24*time.Hour)
		b.sweep(t)
		require.Equal(t, follower.SyncDone, b.synced(t).Status)
	})

	t.Run("LongerEachTimeWhileItIsBusyAndIsGivenUpInTheEnd", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 10, 5)
		b.start(t)
		b.turn(t, true, false)
		b.synced(t)
		require.NoError(t, b.Sim.AddFollowers(b.account.AppID, b.openid(20)))
		b.inject(t, simulator.Fault{Path: pathList, Code: -1, Skip: 1})
		_, err := b.followers.StartSync(t.Context(), b.key, b.tenantID, b.account.AppID)
		require.NoError(t, err)
		var last time.Duration
		for range 7 {
			pause := b.status(t, follower.SyncPaused).PausedUntil.Sub(b.Clock.Now())
			require.GreaterOrEqual(t, pause*5/4, last)
			last = pause
			b.Clock.Advance(pause)
			b.sweep(t)
		}
		sync := b.synced(t)
		require.Equal(t, follower.SyncFailed, sync.Status)
		require.Equal(t, -1, *sync.ErrCode)
		require.Equal(t, b.openids(0, 10), b.list(t))
		b.Sim.ClearFaults()
		require.Equal(t, 1, b.sync(t).Added)
	})
}

func TestSync_FailsWhenTheMerchantRevokes(t *testing.T) {
	t.Parallel()
	b := setup(t, 3, 10)
	b.turn(t, true, false)
	require.NoError(t, b.Sim.Revoke(b.account.AppID))
	b.Sim.ExpireTokens(b.account.AppID)
	b.start(t)
	sync := b.synced(t)
	require.Equal(t, follower.SyncFailed, sync.Status)
	require.Contains(t, sync.Error, "revoked")
}

func TestSync_OfAHundredThousand(t *testing.T) {
	t.Parallel()
	b := setup(t, 100_000, 10_000)
	b.start(t)
	b.turn(t, true, false)
	sync := b.synced(t)
	require.Equal(t, follower.SyncDone, sync.Status, sync.Error)
	require.Equal(t, 100_000, sync.Added)
	require.Equal(t, 11, b.Sim.CallCount(pathList))
	places, err := b.followers.Lookup(t.Context(), b.Pool, b.tenantID, b.openids(50_000, 150_000))
	require.NoError(t, err)
	require.Len(t, places, 50_000)
	b.turn(t, false, false)
	b.eventually(t, func() bool { return b.count(t, "followers") == 0 && !b.directory(t).Erasing }, "nobody is left")
}
