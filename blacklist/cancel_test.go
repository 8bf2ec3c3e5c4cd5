package blacklist_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func (b *bundle) cancel(t *testing.T, id uuid.UUID) blacklist.Batch {
	t.Helper()
	batch, err := b.blacklist.Cancel(t.Context(), b.key, b.tenantID, id)
	require.NoError(t, err)
	require.NotNil(t, batch.EndedAt)
	b.consistent(t, batch)
	return batch
}

// holdable returns a function from which on WeChat holds all blocks and unblocks, until the test ends. It is called before start.
func (b *bundle) holdable(t *testing.T) (hold func()) {
	t.Helper()
	var held atomic.Bool
	goOn := make(chan struct{})
	b.Sim.BeforeCall(func(call simulator.Call) {
		if held.Load() && (call.Path == pathBlock || call.Path == pathUnblock) {
			<-goOn
		}
	})
	return func() {
		held.Store(true)
		t.Cleanup(func() { close(goOn) }) // before the cleanup that waits for the jobs
	}
}

// entry returns the entry of an openid.
func (b *bundle) entry(t *testing.T, openid string) blacklist.Entry {
	t.Helper()
	page, err := b.blacklist.List(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ListParams{Actual: blacklist.ActualAny, Query: openid})
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
	return page.Entries[0]
}

func TestCancel(t *testing.T) {
	t.Parallel()

	t.Run("EndsABatchBeforeAnythingWasSent", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 45)
		batch := b.cancel(t, b.block(t, append(b.openids(0, 45), "")...).ID)
		require.Equal(t, blacklist.StatusCancelled, batch.Status)
		require.Equal(t, blacklist.Counts{Total: 46, Cancelled: 45, Skipped: 1}, batch.Counts)
		require.Nil(t, batch.StartedAt)
		b.start(t)
		require.Equal(t, 1, b.ended(t, b.block(t, b.openid(1)).ID).Counts.Done)
		require.Equal(t, b.openids(1, 2), b.blacklisted())
		e := b.entry(t, b.openid(0))
		require.Equal(t, blacklist.Entry{OpenID: b.openid(0)}, e, "nobody wants anything of it any more")
	})

	t.Run("LeavesWhatIsDoneAndWithdrawsTheRest", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1000)
		var calls atomic.Int64
		goOn := make(chan struct{})
		b.Sim.BeforeCall(func(call simulator.Call) {
			if call.Path == pathBlock && calls.Add(1) > 2 {
				<-goOn
			}
		})
		b.start(t)
		id := b.block(t, b.openids(0, 1000)...).ID
		b.eventually(t, func() bool {
			batch, err := b.blacklist.GetBatch(t.Context(), b.key, b.tenantID, id)
			return err == nil && batch.Counts.Done > 0
		}, "nothing was recorded")
		batch := b.cancel(t, id)
		require.Equal(t, blacklist.StatusCancelled, batch.Status)
		require.Equal(t, 1000, batch.Counts.Done+batch.Counts.Cancelled)
		close(goOn)
		// What was under way may have been carried out, and is known then; nothing was begun after.
		b.ended(t, b.block(t, b.openid(0)).ID)
		b.eventually(t, func() bool {
			return len(b.entries(t, blacklist.ActualBlocked)) == len(b.blacklisted())
		}, "our copy is not WeChat's")
		require.LessOrEqual(t, len(b.blacklisted()), 700, "the push went on with what it had read ahead")
		require.Equal(t, batch, b.ended(t, id))
	})

	t.Run("LearnsWhatACallUnderWayDid", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 20)
		inside, goOn := holdFirst(b, pathBlock)
		b.start(t)
		id := b.block(t, b.openids(0, 20)...).ID
		<-inside
		batch := b.cancel(t, id)
		require.Equal(t, blacklist.Counts{Total: 20, Cancelled: 20}, batch.Counts)
		close(goOn)
		b.eventually(t, func() bool { return len(b.entries(t, blacklist.ActualBlocked)) == 20 }, "what the call did was never learned")
		for _, e := range b.entries(t, blacklist.ActualAny) {
			require.Empty(t, e.Want)
			require.False(t, e.Pending)
		}
		require.Equal(t, batch.Counts, b.ended(t, id).Counts, "nothing is counted twice")
		require.NotContains(t, b.Logs.String(), "errored")
	})

	t.Run("WithdrawsNothingThatALaterWishTook", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		first := b.block(t, b.openids(0, 5)...)
		second := b.unblock(t, b.openids(0, 2)...)
		require.Equal(t, blacklist.Counts{Total: 5, Superseded: 2, Cancelled: 3}, b.cancel(t, first.ID).Counts)
		b.start(t)
		require.Equal(t, 2, b.ended(t, second.ID).Counts.Done)
		require.Empty(t, b.blacklisted())
	})

	t.Run("GivesBackTheWishBefore", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		client := b.start(t)
		until := b.Clock.Now().Add(time.Hour)
		first, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID,
			blacklist.Request{OpenIDs: []string{b.openid(0), "nobody"}, Reason: "spam", Until: &until})
		require.NoError(t, err)
		b.ended(t, first.ID)
		blocked, refused := b.entry(t, b.openid(0)), b.entry(t, "nobody")
		require.NotNil(t, refused.ErrCode)
		require.NoError(t, client.QueuePause(t.Context(), blacklist.Queue, nil))
		require.NoError(t, client.Stop(t.Context()))

		b.cancel(t, b.unblock(t, b.openid(0), "nobody").ID)
		require.Equal(t, blocked, b.entry(t, b.openid(0)))
		require.Equal(t, refused, b.entry(t, "nobody"))

		// A wish that the cancelled one took the place of has ended and stays ended.
		superseded, last := b.unblock(t, b.openid(0)), b.unblock(t, b.openid(0))
		b.cancel(t, last.ID)
		require.Equal(t, 1, b.ended(t, superseded.ID).Counts.Superseded)
		require.Equal(t, blocked, b.entry(t, b.openid(0)))
	})

	t.Run("LeavesTheBlockOfAMerchantAlone", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.exec(t, `INSERT INTO blacklist_entries (tenant_id, authorizer_id, openid, actual, actual_at, actual_seq) VALUES ($1, $2, $3, 'blocked', $4, 1)`,
			b.tenantID, b.account.ID, b.openid(0), b.Clock.Now())
		b.exec(t, `INSERT INTO blacklist_lanes (tenant_id, authorizer_id, blocked) VALUES ($1, $2, 1)`, b.tenantID, b.account.ID)
		b.cancel(t, b.unblock(t, b.openid(0)).ID)
		require.Equal(t, blacklist.Entry{OpenID: b.openid(0), Actual: "blocked", ActualAt: new(b.Clock.Now())}, b.entry(t, b.openid(0)))
	})

	t.Run("DoesNotStandInTheWayOfAnOlderWishThatIsWrittenLater", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		// As if it had got its number before the one that is cancelled, and was written after that.
		b.exec(t, `SELECT setval('blacklist_wishes', 100)`)
		b.cancel(t, b.unblock(t, b.openid(0)).ID)
		b.exec(t, `SELECT setval('blacklist_wishes', 50)`)
		b.start(t)
		require.Equal(t, 1, b.ended(t, b.block(t, b.openid(0)).ID).Counts.Done)
	})

	t.Run("AnswersWithABatchThatHasEnded", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		b.start(t)
		done := b.ended(t, b.block(t, b.openids(0, 5)...).ID)
		require.Equal(t, done, b.cancel(t, done.ID))
		cancelled := b.cancel(t, b.unblock(t, b.openid(0)).ID)
		require.Equal(t, cancelled, b.cancel(t, cancelled.ID))
	})

	t.Run("IsAuditedOnce", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		id := b.block(t, b.openids(0, 5)...).ID
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { _, _ = b.blacklist.Cancel(context.WithoutCancel(t.Context()), b.key, b.tenantID, id) })
		}
		all.Wait()
		require.Equal(t, 5, b.cancel(t, id).Counts.Cancelled)
		page, err := b.Tenants.ListAudit(t.Context(), b.key, b.tenantID, 2, "")
		require.NoError(t, err)
		require.Equal(t, "blacklist.cancel", page.Entries[0].Action)
		require.Equal(t, "authorizer:"+b.account.AppID, page.Entries[0].Target)
		require.Equal(t, map[string]any{"batch_id": id.String(), "openids": 5.0}, page.Entries[0].Detail)
		require.Equal(t, "blacklist.block", page.Entries[1].Action)
	})

	t.Run("WorksForAnAccountThatIsLost", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		id := b.block(t, b.openids(0, 5)...).ID
		b.exec(t, `UPDATE authorizers SET state = 'revoked'`)
		require.Equal(t, blacklist.StatusCancelled, b.cancel(t, id).Status)
	})

	t.Run("TakesAHundredThousand", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 0)
		id := b.block(t, b.openids(0, blacklist.MaxOpenIDs)...).ID
		batch, err := b.blacklist.Cancel(t.Context(), b.key, b.tenantID, id)
		require.NoError(t, err)
		require.Equal(t, blacklist.Counts{Total: blacklist.MaxOpenIDs, Cancelled: blacklist.MaxOpenIDs}, batch.Counts)
	})

	t.Run("IsRefused", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		id := b.block(t, b.openid(0)).ID
		reader := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.BlacklistRead}})
		_, err := b.blacklist.Cancel(t.Context(), reader, b.tenantID, id)
		var missing *tenant.ScopeMissingError
		require.ErrorAs(t, err, &missing)
		other := factory.Tenant(t, b.World)
		stranger := factory.Key(t, b.World, factory.KeyOptions{TenantID: other.ID})
		for _, tenantID := range []uuid.UUID{b.tenantID, other.ID} {
			_, err = b.blacklist.Cancel(t.Context(), stranger, tenantID, id)
			require.ErrorIs(t, err, tenant.ErrNotFound)
		}
		_, err = b.blacklist.Cancel(t.Context(), b.key, b.tenantID, uuid.New())
		require.ErrorIs(t, err, tenant.ErrNotFound)
	})
}

func TestCancelAndUndoWhileOthersWishAndPush(t *testing.T) {
	t.Parallel()
	const openids, rounds = 60, 15
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
				if err == nil && i%3 != 0 {
					_, err = b.blacklist.Cancel(ctx, b.key, b.tenantID, batch.ID)
				}
				undone, _, undoErr := b.blacklist.Undo(ctx, b.key, b.tenantID, batch.ID, blacklist.UndoRequest{})
				mu.Lock()
				ids, failed = append(ids, batch.ID), append(failed, err)
				switch {
				case undoErr == nil:
					ids = append(ids, undone.ID)
				case !errors.Is(undoErr, blacklist.ErrBatchNotEnded) && !errors.Is(undoErr, blacklist.ErrNothingToUndo):
					failed = append(failed, undoErr)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for _, err := range failed {
		require.NoError(t, err, "%s", b.Logs.Trouble())
	}
	last := b.block(t, b.openids(0, 30)...)
	for _, id := range append(ids, last.ID) {
		require.Zero(t, b.ended(t, id).Counts.Pending)
	}
	for _, e := range b.entries(t, blacklist.ActualAny) {
		require.False(t, e.Pending)
	}
	require.Equal(t, b.blacklisted(), openidsOf(b.entries(t, blacklist.ActualBlocked)))
	require.Subset(t, b.blacklisted(), b.openids(0, 30))
	require.NotContains(t, b.Logs.String(), "errored")
}
