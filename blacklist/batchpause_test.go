package blacklist_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

func (b *bundle) pause(t *testing.T, id uuid.UUID, reason string) blacklist.Batch {
	t.Helper()
	batch, err := b.blacklist.PauseBatch(t.Context(), b.key, b.tenantID, id, reason)
	require.NoError(t, err)
	return batch
}

func (b *bundle) resume(t *testing.T, id uuid.UUID) blacklist.Batch {
	t.Helper()
	batch, err := b.blacklist.ResumeBatch(t.Context(), b.key, b.tenantID, id, "")
	require.NoError(t, err)
	return batch
}

func (b *bundle) work(t *testing.T) blacklist.Work {
	t.Helper()
	work, err := b.blacklist.GetWork(t.Context(), b.key, b.tenantID, b.account.AppID)
	require.NoError(t, err)
	return work
}

// idle waits until the account's push has ended because it found nothing more to do.
func (b *bundle) idle(t *testing.T) {
	t.Helper()
	b.eventually(t, func() bool {
		var idle bool
		err := b.Pool.QueryRow(t.Context(), `SELECT NOT busy AND lease_holder = '' FROM blacklist_lanes WHERE authorizer_id = $1`, b.account.ID).Scan(&idle)
		return err == nil && idle
	}, "the push never ended")
}

func TestPauseBatch(t *testing.T) {
	t.Parallel()

	t.Run("StopsThatBatchAndNoOther", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 60)
		before, paused := b.block(t, b.openids(0, 20)...), b.block(t, b.openids(20, 40)...)
		got := b.pause(t, paused.ID, "the list was wrong")
		require.Equal(t, blacklist.StatusPaused, got.Status)
		require.Equal(t, b.Clock.Now(), *got.PausedAt)
		require.Equal(t, b.key.Actor(), got.PausedBy)
		require.Equal(t, "Paused by "+b.key.Actor()+": the list was wrong", got.PauseReason)
		require.Nil(t, got.PausedUntil)
		after := b.block(t, b.openids(40, 60)...)
		b.start(t)
		require.Equal(t, 20, b.ended(t, before.ID).Counts.Done)
		require.Equal(t, 20, b.ended(t, after.ID).Counts.Done)
		b.idle(t)
		b.sweep(t)
		b.idle(t)
		require.Equal(t, sorted(slices.Concat(b.openids(0, 20), b.openids(40, 60))), b.blacklisted())
		require.Equal(t, got, b.status(t, paused.ID, blacklist.StatusPaused))

		resumed := b.resume(t, paused.ID)
		require.Nil(t, resumed.PausedAt)
		require.Empty(t, resumed.PausedBy)
		require.Empty(t, resumed.PauseReason)
		require.Equal(t, blacklist.Counts{Total: 20, Done: 20}, b.ended(t, paused.ID).Counts)
		require.Len(t, b.blacklisted(), 60)
	})

	t.Run("LetsWhatIsInTheAirComeToItsEndAndNoticesWhatWasReadAhead", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2000)
		a := watchAir(b)
		b.start(t)
		batch := b.block(t, b.openids(0, 2000)...)
		<-a.arrivals
		<-a.arrivals
		b.pause(t, batch.ID, "")
		close(a.release)
		b.idle(t)
		paused := b.status(t, batch.ID, blacklist.StatusPaused)
		require.Equal(t, b.Sim.CallCount(pathBlock)*20, paused.Counts.Done, "what was in the air is recorded")
		require.Less(t, paused.Counts.Done, 1000)
		require.Equal(t, len(b.blacklisted()), paused.Counts.Done)
		require.Equal(t, b.key.Actor(), b.work(t).Paused[0].By)
		b.resume(t, batch.ID)
		require.Equal(t, 2000, b.ended(t, batch.ID).Counts.Done)
	})

	t.Run("IsSkippedWhereverItLies", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 100)
		var paused, others []blacklist.Batch
		for n := range 10 {
			batch := b.block(t, b.openids(n*10, n*10+10)...)
			if slices.Contains([]int{0, 3, 4, 9}, n) { // the first, neighbours, the last
				b.pause(t, batch.ID, "")
				paused = append(paused, batch)
			} else {
				others = append(others, batch)
			}
		}
		b.start(t)
		for _, batch := range others {
			require.Equal(t, 10, b.ended(t, batch.ID).Counts.Done)
		}
		b.idle(t)
		require.Len(t, b.blacklisted(), 60)
		for _, batch := range paused {
			require.Equal(t, 10, b.status(t, batch.ID, blacklist.StatusPaused).Counts.Pending)
			b.resume(t, batch.ID)
			require.Equal(t, 10, b.ended(t, batch.ID).Counts.Done)
		}
	})

	t.Run("KeepsNoLaterWishWaiting", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 4)
		paused := b.block(t, b.openids(0, 4)...)
		b.pause(t, paused.ID, "")
		b.start(t)
		require.Equal(t, 3, b.ended(t, b.unblock(t, b.openids(0, 3)...).ID).Counts.Total)
		require.Equal(t, blacklist.Counts{Total: 4, Pending: 1, Superseded: 3}, b.status(t, paused.ID, blacklist.StatusPaused).Counts)
		b.ended(t, b.unblock(t, b.openid(3)).ID)
		ended := b.ended(t, paused.ID)
		require.Equal(t, blacklist.StatusDone, ended.Status)
		require.Nil(t, ended.PausedAt)
		require.Empty(t, b.work(t).Paused)
		require.Equal(t, ended, b.resume(t, paused.ID))
	})

	t.Run("CanBeCancelled", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		batch := b.block(t, b.openids(0, 5)...)
		b.pause(t, batch.ID, "")
		cancelled := b.cancel(t, batch.ID)
		require.Equal(t, blacklist.StatusCancelled, cancelled.Status)
		require.Nil(t, cancelled.PausedAt)
		require.Zero(t, b.work(t).PausedBatches)
		require.Equal(t, cancelled, b.pause(t, batch.ID, ""))
	})

	t.Run("HasNothingToDoWithHoldingTheAccount", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2)
		batch, other := b.block(t, b.openid(0)), b.block(t, b.openid(1))
		b.pause(t, batch.ID, "mine")
		_, err := b.blacklist.Hold(t.Context(), b.key, b.tenantID, b.account.AppID, "ours")
		require.NoError(t, err)
		require.Contains(t, b.status(t, batch.ID, blacklist.StatusPaused).PauseReason, "mine")
		require.Contains(t, b.status(t, other.ID, blacklist.StatusPaused).PauseReason, "ours")
		_, err = b.blacklist.Resume(t.Context(), b.key, b.tenantID, b.account.AppID)
		require.NoError(t, err)
		b.start(t) // only now: a job that finds the account held ends, and the next one would have to wait for a sweep
		b.ended(t, other.ID)
		b.idle(t)
		require.Equal(t, b.openids(1, 2), b.blacklisted())

		_, err = b.blacklist.Hold(t.Context(), b.key, b.tenantID, b.account.AppID, "ours")
		require.NoError(t, err)
		require.Contains(t, b.resume(t, batch.ID).PauseReason, "ours")
		b.sweep(t)
		require.Equal(t, b.openids(1, 2), b.blacklisted())
		_, err = b.blacklist.Resume(t.Context(), b.key, b.tenantID, b.account.AppID)
		require.NoError(t, err)
		b.ended(t, batch.ID)
	})

	t.Run("IsWithdrawnWhenTheEndOfItsBlocksComes", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 4)
		b.start(t)
		b.ended(t, b.block(t, b.openid(0)).ID)
		before := b.entry(t, b.openid(0))
		b.idle(t) // or the push that is about to end would still take the next wishes
		_, err := b.blacklist.Hold(t.Context(), b.key, b.tenantID, b.account.AppID, "")
		require.NoError(t, err)
		until := b.Clock.Now().Add(time.Hour)
		batch, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: b.openids(0, 4), Until: &until})
		require.NoError(t, err)
		b.pause(t, batch.ID, "")
		_, err = b.blacklist.Resume(t.Context(), b.key, b.tenantID, b.account.AppID)
		require.NoError(t, err)
		b.Clock.Advance(time.Hour)
		b.sweep(t)
		require.Equal(t, blacklist.Counts{Total: 4, Cancelled: 4}, b.ended(t, batch.ID).Counts)
		require.Len(t, b.batches(t), 2, "nobody is unblocked for a block that was not made")
		require.Equal(t, before, b.entry(t, b.openid(0)))
		require.Equal(t, b.openids(0, 1), b.blacklisted())
		audit, err := b.Tenants.ListAudit(t.Context(), b.key, b.tenantID, 1, "")
		require.NoError(t, err)
		require.Equal(t, "blacklist.cancel", audit.Entries[0].Action)
		require.Equal(t, tenant.Kind("system"), audit.Entries[0].ActorKind)
		require.Equal(t, map[string]any{"batch_id": batch.ID.String(), "openids": 4.0}, audit.Entries[0].Detail)
	})

	t.Run("IsWithdrawnOnlyAsFarAsBlocksHaveEnded", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3)
		b.start(t)
		until := b.Clock.Now().Add(time.Hour)
		first, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: b.openids(0, 1), Until: &until})
		require.NoError(t, err)
		b.ended(t, first.ID)
		b.ended(t, b.block(t, b.openids(1, 3)...).ID)
		unblock := b.ended(t, b.unblock(t, b.openids(0, 3)...).ID)
		b.idle(t) // or the push that is about to end would still take the next wishes
		_, err = b.blacklist.Hold(t.Context(), b.key, b.tenantID, b.account.AppID, "")
		require.NoError(t, err)
		undo, _, err := b.blacklist.Undo(t.Context(), b.key, b.tenantID, unblock.ID, blacklist.UndoRequest{}) // one of whose blocks gets its end back
		require.NoError(t, err)
		b.pause(t, undo.ID, "")
		_, err = b.blacklist.Resume(t.Context(), b.key, b.tenantID, b.account.AppID)
		require.NoError(t, err)
		b.Clock.Advance(time.Hour)
		b.sweep(t)
		require.Equal(t, blacklist.Counts{Total: 3, Pending: 2, Cancelled: 1}, b.status(t, undo.ID, blacklist.StatusPaused).Counts)
		b.resume(t, undo.ID)
		require.Equal(t, blacklist.Counts{Total: 3, Done: 2, Cancelled: 1}, b.ended(t, undo.ID).Counts)
		require.Equal(t, sorted(b.openids(1, 3)), b.blacklisted())
	})

	t.Run("IsWithdrawnHoweverLargeItIs", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 0)
		until := b.Clock.Now().Add(time.Hour)
		batch, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: b.openids(0, blacklist.MaxOpenIDs), Until: &until})
		require.NoError(t, err)
		b.pause(t, batch.ID, "")
		b.Clock.Advance(time.Hour)
		b.sweep(t)
		batch, err = b.blacklist.GetBatch(t.Context(), b.key, b.tenantID, batch.ID)
		require.NoError(t, err)
		require.Equal(t, blacklist.Counts{Total: blacklist.MaxOpenIDs, Cancelled: blacklist.MaxOpenIDs}, batch.Counts)
	})

	t.Run("IsNotSentAfterTheEndOfItsBlocksByAResumeBeforeTheSweep", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2)
		until := b.Clock.Now().Add(time.Hour)
		batch, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: b.openids(0, 2), Until: &until})
		require.NoError(t, err)
		b.pause(t, batch.ID, "")
		b.Clock.Advance(time.Hour)
		require.Equal(t, blacklist.StatusCancelled, b.resume(t, batch.ID).Status)
		b.start(t)
		b.ended(t, b.unblock(t, "nobody").ID)
		require.Zero(t, b.Sim.CallCount(pathBlock))
	})

	t.Run("ShowsInTheWorkOfTheAccount", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		batch := b.block(t, b.openids(0, 5)...)
		b.pause(t, batch.ID, "later")
		b.start(t)
		b.idle(t)
		require.Equal(t, blacklist.Work{
			AppID: b.account.AppID, Status: blacklist.WorkIdle, PausedBatches: 1,
			Paused: []blacklist.PausedBatch{{ID: batch.ID, At: b.Clock.Now(), By: b.key.Actor(), Reason: "later", Pending: 5}},
		}, b.work(t))
	})

	t.Run("IsPausedAndResumedOnceAndAuditedOnce", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		batch := b.block(t, b.openids(0, 5)...)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				_, _ = b.blacklist.PauseBatch(context.WithoutCancel(t.Context()), b.key, b.tenantID, batch.ID, "first")
			})
		}
		all.Wait()
		b.Clock.Advance(time.Minute)
		again := b.pause(t, batch.ID, "second")
		require.Contains(t, again.PauseReason, "first")
		require.NotEqual(t, b.Clock.Now(), *again.PausedAt)
		b.resume(t, batch.ID)
		require.Equal(t, b.resume(t, batch.ID), b.status(t, batch.ID, blacklist.StatusQueued))
		page, err := b.Tenants.ListAudit(t.Context(), b.key, b.tenantID, 3, "")
		require.NoError(t, err)
		for i, action := range []string{"blacklist.resume_batch", "blacklist.pause_batch", "blacklist.block"} {
			require.Equal(t, action, page.Entries[i].Action)
			require.Equal(t, "authorizer:"+b.account.AppID, page.Entries[i].Target)
		}
		require.Equal(t, "first", page.Entries[1].Reason)
		require.Equal(t, map[string]any{"batch_id": batch.ID.String(), "openids": 5.0}, page.Entries[1].Detail)
	})

	t.Run("CostsTheOthersNothingHoweverLargeItIs", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 20)
		first := b.block(t, b.openids(1000, 1000+blacklist.MaxOpenIDs)...)
		b.pause(t, first.ID, "")
		other := b.block(t, b.openids(0, 20)...)
		b.start(t)
		require.Equal(t, 20, b.ended(t, other.ID).Counts.Done)
		b.idle(t)
		require.Equal(t, 1, b.Sim.CallCount(pathBlock))
	})

	t.Run("IsRefused", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		id := b.block(t, b.openid(0)).ID
		reader := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.BlacklistRead}})
		stranger := factory.Key(t, b.World, factory.KeyOptions{TenantID: factory.Tenant(t, b.World).ID})
		for _, do := range []func(context.Context, tenant.Principal, uuid.UUID, uuid.UUID, string) (blacklist.Batch, error){b.blacklist.PauseBatch, b.blacklist.ResumeBatch} {
			_, err := do(t.Context(), reader, b.tenantID, id, "")
			var missing *tenant.ScopeMissingError
			require.ErrorAs(t, err, &missing)
			_, err = do(t.Context(), stranger, b.tenantID, id, "")
			require.ErrorIs(t, err, tenant.ErrNotFound)
			_, err = do(t.Context(), b.key, b.tenantID, uuid.New(), "")
			require.ErrorIs(t, err, tenant.ErrNotFound)
			_, err = do(t.Context(), b.key, b.tenantID, id, "\x00")
			require.ErrorIs(t, err, blacklist.ErrInvalidReason)
		}
	})
}

func TestPauseAndResumeWhileOthersWishCancelAndPush(t *testing.T) {
	t.Parallel()
	const openids, rounds = 60, 12
	b := setup(t, openids)
	b.start(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	var ids []uuid.UUID
	var failed []error
	for g := range 4 {
		all.Go(func() {
			for i := range rounds {
				ctx, req := context.WithoutCancel(t.Context()), blacklist.Request{OpenIDs: b.openids((g+i)%20, openids-(g*i)%20)}
				do := b.blacklist.Block
				if (g+i)%2 == 1 {
					do = b.blacklist.Unblock
				}
				batch, _, err := do(ctx, b.key, b.tenantID, b.account.AppID, req)
				if err == nil {
					_, err = b.blacklist.PauseBatch(ctx, b.key, b.tenantID, batch.ID, "")
				}
				if err == nil && i%3 == 0 {
					_, err = b.blacklist.Cancel(ctx, b.key, b.tenantID, batch.ID)
				}
				if err == nil && i%3 == 1 {
					_, err = b.blacklist.ResumeBatch(ctx, b.key, b.tenantID, batch.ID, "")
				}
				mu.Lock()
				ids, failed = append(ids, batch.ID), append(failed, err)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for _, err := range failed {
		require.NoError(t, err, "%s", b.Logs.Trouble())
	}
	last := b.block(t, b.openids(0, 30)...)
	for _, id := range ids {
		b.resume(t, id)
	}
	for _, id := range append(ids, last.ID) {
		require.Zero(t, b.ended(t, id).Counts.Pending)
	}
	require.Equal(t, b.blacklisted(), openidsOf(b.entries(t, blacklist.ActualBlocked)))
	require.Subset(t, b.blacklisted(), b.openids(0, 30))
	require.NotContains(t, b.Logs.String(), "errored")
}
