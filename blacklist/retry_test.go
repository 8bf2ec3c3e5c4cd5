package blacklist_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func (b *bundle) retry(t *testing.T, id uuid.UUID) blacklist.Batch {
	t.Helper()
	batch, replayed, err := b.blacklist.Retry(t.Context(), b.key, b.tenantID, id, blacklist.RetryRequest{})
	require.NoError(t, err)
	require.False(t, replayed)
	return batch
}

func TestRetry(t *testing.T) {
	t.Parallel()

	t.Run("AsksAgainForWhatHasFailedAndNothingElse", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 60)
		// Not followers yet, which is why WeChat refuses them.
		late := b.openids(60, 63)
		b.start(t)
		until := b.Clock.Now().Add(time.Hour)
		first, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID,
			blacklist.Request{OpenIDs: append(b.openids(0, 40), late...), Reason: "spam", Until: &until})
		require.NoError(t, err)
		require.Equal(t, blacklist.Counts{Total: 43, Done: 40, Failed: 3}, b.ended(t, first.ID).Counts)
		require.NoError(t, b.Sim.AddFollowers(b.account.AppID, late[0], late[1]))
		b.ended(t, b.unblock(t, late[1]).ID) // wished otherwise since

		second := b.retry(t, first.ID)
		require.Equal(t, first.ID, *second.RetryOf)
		require.Equal(t, []any{blacklist.ActionBlock, "spam", until, 2}, []any{second.Action, second.Reason, *second.Until, second.Counts.Total})
		require.Equal(t, blacklist.Counts{Total: 2, Done: 1, Failed: 1}, b.ended(t, second.ID).Counts)
		require.Equal(t, sorted(append(b.openids(0, 40), late[0])), b.blacklisted())

		_, _, err = b.blacklist.Retry(t.Context(), b.key, b.tenantID, first.ID, blacklist.RetryRequest{})
		require.ErrorIs(t, err, blacklist.ErrNothingToRetry, "the second batch has taken over what the first one failed")
		require.Equal(t, 1, b.retry(t, second.ID).Counts.Total)
	})

	t.Run("KeepsTheReasonOfEachRowOfAFile", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		first, _, err := b.blacklist.BlockFile(t.Context(), b.key, b.tenantID, b.account.AppID,
			blacklist.Upload{File: strings.NewReader("openid,reason\nnobody,insults\nnone,\n"), Reason: "spam"})
		require.NoError(t, err)
		require.Equal(t, 2, b.ended(t, first.ID).Counts.Failed)
		second := b.ended(t, b.retry(t, first.ID).ID)
		require.Equal(t, blacklist.Counts{Total: 2, Failed: 2}, second.Counts)
		require.Equal(t, []string{"insults", "spam"}, []string{b.entry(t, "nobody").Reason, b.entry(t, "none").Reason})
		items := b.items(t, second.ID, "")
		require.Equal(t, []string{"nobody", "none"}, []string{items[0].OpenID, items[1].OpenID}, "in the order of the first batch")
	})

	t.Run("IsRefusedWhenTheBlockWouldHaveEnded", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		until := b.Clock.Now().Add(time.Hour)
		first, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: []string{"nobody"}, Until: &until})
		require.NoError(t, err)
		b.ended(t, first.ID)
		b.Clock.Advance(time.Hour)
		_, _, err = b.blacklist.Retry(t.Context(), b.key, b.tenantID, first.ID, blacklist.RetryRequest{})
		require.ErrorIs(t, err, blacklist.ErrBlockWouldHaveEnded)
	})

	t.Run("MakesOneBatchUnderOneIdempotencyKey", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		first, other := b.ended(t, b.block(t, "nobody").ID), b.ended(t, b.block(t, "none").ID)
		again := func(id uuid.UUID) (blacklist.Batch, bool, error) {
			return b.blacklist.Retry(context.WithoutCancel(t.Context()), b.key, b.tenantID, id, blacklist.RetryRequest{IdempotencyKey: "k"})
		}
		ids := make([]uuid.UUID, 6)
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() {
				if batch, _, err := again(first.ID); err == nil {
					ids[i] = batch.ID
				}
			})
		}
		all.Wait()
		require.NotZero(t, ids[0])
		for _, id := range ids {
			require.Equal(t, ids[0], id)
		}
		_, replayed, err := again(first.ID)
		require.NoError(t, err)
		require.True(t, replayed)
		_, _, err = again(other.ID)
		require.ErrorIs(t, err, tenant.ErrIdempotencyKeyReused)
	})

	t.Run("TakesNothingTwiceWhenSeveralAskAtOnce", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		first := b.ended(t, b.block(t, "a", "b", "c").ID)
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				_, _, _ = b.blacklist.Retry(context.WithoutCancel(t.Context()), b.key, b.tenantID, first.ID, blacklist.RetryRequest{})
			})
		}
		all.Wait()
		page, err := b.blacklist.ListBatches(t.Context(), b.key, b.tenantID, blacklist.BatchesParams{})
		require.NoError(t, err)
		require.Len(t, page.Batches, 2)
		require.Equal(t, 3, page.Batches[0].Counts.Total)
	})
}

func (b *bundle) undo(t *testing.T, id uuid.UUID) blacklist.Batch {
	t.Helper()
	batch, _, err := b.blacklist.Undo(t.Context(), b.key, b.tenantID, id, blacklist.UndoRequest{})
	require.NoError(t, err)
	require.Equal(t, id, *batch.UndoOf)
	return batch
}

func TestUndo(t *testing.T) {
	t.Parallel()

	t.Run("TakesBackWhatABlockChangedAndNothingElse", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 30)
		b.start(t)
		b.ended(t, b.block(t, b.openids(0, 5)...).ID) // so these are blocked already
		batch := b.ended(t, b.block(t, append(b.openids(0, 25), "nobody")...).ID)
		require.Equal(t, blacklist.Counts{Total: 26, Already: 5, Done: 20, Failed: 1}, batch.Counts)
		b.ended(t, b.block(t, b.openids(20, 22)...).ID)                                // blocked by somebody else too, by now
		require.NoError(t, b.Sim.RemoteUnblock(b.account.AppID, b.openid(22)))         // by hand, which
		require.NoError(t, b.Sim.RemoteUnblock(b.account.AppID, b.openids(23, 24)...)) // a pull finds
		b.pull(t)

		undone := b.undo(t, batch.ID)
		require.Equal(t, blacklist.ActionUnblock, undone.Action)
		require.Equal(t, blacklist.Counts{Total: 16, Done: 16}, b.ended(t, undone.ID).Counts)
		require.Equal(t, sorted(append(b.openids(0, 5), b.openids(20, 22)...)), b.blacklisted())

		_, _, err := b.blacklist.Undo(t.Context(), b.key, b.tenantID, batch.ID, blacklist.UndoRequest{})
		require.ErrorIs(t, err, blacklist.ErrNothingToUndo)
		// The undoing can be undone itself.
		require.Equal(t, blacklist.Counts{Total: 16, Done: 16}, b.ended(t, b.undo(t, undone.ID).ID).Counts)
		require.Len(t, b.blacklisted(), 23)
	})

	t.Run("BlocksAgainWithReasonAndEndOfBefore", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		b.start(t)
		block := func(reason string, until time.Time, openids ...string) {
			batch, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: openids, Reason: reason, Until: &until})
			require.NoError(t, err)
			b.ended(t, batch.ID)
		}
		soon, late := b.Clock.Now().Add(time.Hour), b.Clock.Now().Add(24*time.Hour)
		block("spam", late, b.openid(0))
		block("insults", soon, b.openid(1))
		require.NoError(t, b.Sim.RemoteBlock(b.account.AppID, b.openid(2)))
		b.pull(t)
		unblocked := b.ended(t, b.unblock(t, b.openids(0, 3)...).ID)
		require.Equal(t, 3, unblocked.Counts.Done)
		b.Clock.Advance(2 * time.Hour)

		undone, _, err := b.blacklist.Undo(t.Context(), b.key, b.tenantID, unblocked.ID, blacklist.UndoRequest{})
		require.NoError(t, err)
		require.Equal(t, 3, b.ended(t, undone.ID).Counts.Done)
		require.Equal(t, sorted(b.openids(0, 3)), b.blacklisted())
		reasons, ends := []string{}, []*time.Time{}
		for n := range 3 {
			e := b.entry(t, b.openid(n))
			reasons, ends = append(reasons, e.Reason), append(ends, e.Until)
		}
		require.Equal(t, []string{"spam", "insults", ""}, reasons)
		require.Equal(t, []*time.Time{&late, nil, nil}, ends)
	})

	t.Run("GivesTheReasonOfTheRequest", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2)
		b.start(t)
		b.ended(t, b.block(t, b.openid(0)).ID)
		unblocked := b.ended(t, b.unblock(t, b.openid(0)).ID)
		undone, _, err := b.blacklist.Undo(t.Context(), b.key, b.tenantID, unblocked.ID, blacklist.UndoRequest{Reason: "too soon"})
		require.NoError(t, err)
		require.Equal(t, "too soon", undone.Reason)
		require.Equal(t, "too soon", b.entry(t, b.openid(0)).Reason)
	})

	t.Run("LeavesWhatWasAdoptedSince", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		batch := b.ended(t, b.block(t, b.openid(0)).ID)
		require.NoError(t, b.Sim.RemoteUnblock(b.account.AppID, b.openid(0)))
		b.pull(t)
		_, err := b.blacklist.Adopt(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.DriftParams{}, "")
		require.NoError(t, err)
		require.NoError(t, b.Sim.RemoteBlock(b.account.AppID, b.openid(0)))
		b.pull(t)
		_, _, err = b.blacklist.Undo(t.Context(), b.key, b.tenantID, batch.ID, blacklist.UndoRequest{})
		require.ErrorIs(t, err, blacklist.ErrNothingToUndo)
	})

	t.Run("LeavesWhatACancelledBatchDidNotChange", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2)
		hold := b.holdable(t)
		b.start(t)
		done := b.ended(t, b.block(t, b.openid(0)).ID)
		hold()
		cancelled := b.cancel(t, b.unblock(t, b.openid(0)).ID)
		_, _, err := b.blacklist.Undo(t.Context(), b.key, b.tenantID, cancelled.ID, blacklist.UndoRequest{})
		require.ErrorIs(t, err, blacklist.ErrNothingToUndo)
		// What was wished before is again the last wish, and so can be undone.
		require.Equal(t, 1, b.undo(t, done.ID).Counts.Pending)
	})

	t.Run("IsRefusedWhileTheBatchIsUnderWay", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2)
		_, _, err := b.blacklist.Undo(t.Context(), b.key, b.tenantID, b.block(t, b.openid(0)).ID, blacklist.UndoRequest{})
		require.ErrorIs(t, err, blacklist.ErrBatchNotEnded)
	})

	t.Run("TakesBackAHundredThousand", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 0)
		openids := b.openids(0, blacklist.MaxOpenIDs)
		id := b.block(t, openids...).ID
		b.exec(t, `UPDATE blacklist_items SET outcome = 'done', ended_at = now()`)
		b.exec(t, `UPDATE blacklist_entries SET pending = false, actual = 'blocked'`)
		b.exec(t, `UPDATE blacklist_batches SET done = total, ended_at = now()`)
		require.Equal(t, len(openids), b.undo(t, id).Counts.Pending)
	})
}

func TestSequelsAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.start(t)
	id := b.ended(t, b.block(t, b.openid(0), "nobody").ID).ID
	other := factory.Tenant(t, b.World)
	stranger := factory.Key(t, b.World, factory.KeyOptions{TenantID: other.ID})
	reader := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.BlacklistRead}})
	for verb, do := range map[string]func(tenant.Principal, uuid.UUID, uuid.UUID) error{
		"Retry": func(p tenant.Principal, tenantID, id uuid.UUID) error {
			_, _, err := b.blacklist.Retry(t.Context(), p, tenantID, id, blacklist.RetryRequest{})
			return err
		},
		"Undo": func(p tenant.Principal, tenantID, id uuid.UUID) error {
			_, _, err := b.blacklist.Undo(t.Context(), p, tenantID, id, blacklist.UndoRequest{})
			return err
		},
	} {
		t.Run(verb, func(t *testing.T) {
			require.ErrorIs(t, do(stranger, b.tenantID, id), tenant.ErrNotFound)
			require.ErrorIs(t, do(stranger, other.ID, id), tenant.ErrNotFound)
			require.ErrorIs(t, do(b.key, b.tenantID, uuid.New()), tenant.ErrNotFound)
			var missing *tenant.ScopeMissingError
			require.ErrorAs(t, do(reader, b.tenantID, id), &missing)
		})
	}
	t.Run("ForAnAccountThatIsLost", func(t *testing.T) {
		b.exec(t, `UPDATE authorizers SET state = 'revoked'`)
		var state *authorizer.AccountStateError
		_, _, err := b.blacklist.Undo(t.Context(), b.key, b.tenantID, id, blacklist.UndoRequest{IdempotencyKey: "k"})
		require.ErrorAs(t, err, &state)
		_, _, err = b.blacklist.Retry(t.Context(), b.key, b.tenantID, id, blacklist.RetryRequest{})
		require.ErrorAs(t, err, &state)
		b.exec(t, `UPDATE authorizers SET state = 'active'`)
		batch, replayed, err := b.blacklist.Undo(t.Context(), b.key, b.tenantID, id, blacklist.UndoRequest{IdempotencyKey: "k"})
		require.NoError(t, err)
		require.False(t, replayed, "a request that was refused has not used up its key")
		require.Equal(t, simulator.OpenID(b.account.AppID, 0), b.items(t, batch.ID, "")[0].OpenID)
	})
}
