package blacklist_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
)

func TestUntil(t *testing.T) {
	t.Parallel()

	t.Run("UnblocksWhenItIsReached", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 6)
		b.start(t)
		until := b.Clock.Now().Add(time.Hour)
		batch, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: b.openids(0, 5), Until: &until})
		require.NoError(t, err)
		b.ended(t, batch.ID)
		forever := b.ended(t, b.block(t, b.openids(3, 6)...).ID) // two of them without an end after all
		require.Equal(t, 2, forever.Counts.Already)

		b.Clock.Advance(time.Hour - time.Second)
		b.sweep(t)
		require.Len(t, b.batches(t), 2)
		b.Clock.Advance(time.Second)
		b.sweep(t)
		b.sweep(t)
		batches := b.batches(t)
		require.Len(t, batches, 3)
		ended := b.ended(t, batches[0].ID)
		require.Equal(t, blacklist.ActionUnblock, ended.Action)
		require.Equal(t, "the block's end was reached", ended.Reason)
		require.Equal(t, "Steward (system)", ended.Actor)
		require.Equal(t, blacklist.Counts{Total: 3, Done: 3}, ended.Counts)
		require.Equal(t, sorted(b.openids(3, 6)), b.blacklisted())
		for _, e := range b.entries(t, blacklist.ActualUnblocked) {
			require.Equal(t, "unblocked", e.Want)
			require.Nil(t, e.Until)
		}
		audit, err := b.Tenants.ListAudit(t.Context(), b.key, b.tenantID, 1, "")
		require.NoError(t, err)
		require.Equal(t, "blacklist.unblock", audit.Entries[0].Action)
		require.Equal(t, "authorizer:"+b.account.AppID, audit.Entries[0].Target)
	})

	t.Run("ReachedBeforeTheBlockWasPushedSupersedesIt", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2)
		until := b.Clock.Now().Add(time.Hour)
		batch, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: b.openids(0, 2), Until: &until})
		require.NoError(t, err)
		b.Clock.Advance(time.Hour)
		b.sweep(t)
		require.Equal(t, 2, b.ended(t, batch.ID).Counts.Superseded)
		b.start(t)
		require.Equal(t, 2, b.ended(t, b.batches(t)[0].ID).Counts.Total)
		require.Empty(t, b.blacklisted())
	})

	t.Run("DoesNotOvertakeALongerBlockThatIsBeingWritten", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		until := b.Clock.Now().Add(time.Hour)
		req := blacklist.Request{OpenIDs: b.openids(0, 1), Until: &until}
		_, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, req)
		require.NoError(t, err)
		b.Clock.Advance(time.Hour)
		later := b.Clock.Now().Add(time.Hour)
		req.Until = &later

		// Whoever writes wishes waits here, with their numbers drawn.
		row, err := b.Pool.Begin(t.Context())
		require.NoError(t, err)
		_, err = row.Exec(t.Context(), `SELECT FROM blacklist_entries FOR UPDATE`)
		require.NoError(t, err)
		waiting := func(n int) {
			b.eventually(t, func() bool {
				var waiting int
				err := b.Pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
				return err == nil && waiting == n
			}, "%d never waited", n)
		}
		done := make(chan error, 2)
		go func() {
			_, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, req)
			done <- err
		}()
		waiting(1)
		go func() { done <- b.blacklist.Sweep(t.Context()) }()
		waiting(2)
		require.NoError(t, row.Rollback(t.Context()))
		require.NoError(t, <-done)
		require.NoError(t, <-done)
		require.Len(t, b.batches(t), 2)
		e := b.entries(t, blacklist.ActualAny)[0]
		require.Equal(t, "blocked", e.Want)
		require.Equal(t, later, *e.Until)
	})
}

// batches returns all batches of the account, newest first.
func (b *bundle) batches(t *testing.T) []blacklist.Batch {
	t.Helper()
	var all []blacklist.Batch
	params := blacklist.BatchesParams{AppID: b.account.AppID, Limit: 2}
	for {
		page, err := b.blacklist.ListBatches(t.Context(), b.key, b.tenantID, params)
		require.NoError(t, err)
		all = append(all, page.Batches...)
		if page.Next == "" {
			return all
		}
		params.Cursor = page.Next
	}
}
