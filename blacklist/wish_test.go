package blacklist_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/tenant"
)

func TestIdempotency(t *testing.T) {
	t.Parallel()
	b := setup(t, 5)
	until := b.Clock.Now().Add(time.Hour)
	req := blacklist.Request{OpenIDs: b.openids(0, 3), Reason: "spam", Until: &until, IdempotencyKey: "key-1"}
	first, replayed, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, req)
	require.NoError(t, err)
	require.False(t, replayed)

	t.Run("ReplaysTheSameRequest", func(t *testing.T) {
		again, replayed, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, req)
		require.NoError(t, err)
		require.True(t, replayed)
		require.Equal(t, first, again)
	})
	t.Run("RefusesTheKeyForAnotherRequest", func(t *testing.T) {
		other := []func(*blacklist.Request){
			func(r *blacklist.Request) { r.OpenIDs = b.openids(0, 2) },
			func(r *blacklist.Request) { r.Reason = "other" },
			func(r *blacklist.Request) { r.Until = nil },
		}
		for _, change := range other {
			changed := req
			change(&changed)
			_, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, changed)
			require.ErrorIs(t, err, tenant.ErrIdempotencyKeyReused)
		}
		_, _, err := b.blacklist.Unblock(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: req.OpenIDs, Reason: "spam", IdempotencyKey: "key-1"})
		require.ErrorIs(t, err, tenant.ErrIdempotencyKeyReused)
	})
	t.Run("MakesOneBatchOfManyEqualRequestsAtOnce", func(t *testing.T) {
		concurrent := req
		concurrent.IdempotencyKey = "key-2"
		ids := make([]uuid.UUID, 8)
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() {
				if batch, _, err := b.blacklist.Block(context.WithoutCancel(t.Context()), b.key, b.tenantID, b.account.AppID, concurrent); err == nil {
					ids[i] = batch.ID
				}
			})
		}
		all.Wait()
		require.NotZero(t, ids[0])
		for _, id := range ids {
			require.Equal(t, ids[0], id)
		}
	})
	t.Run("ReplaysWhatWouldBeRefusedToday", func(t *testing.T) {
		b.Clock.Advance(2 * time.Hour)
		again, replayed, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, req)
		require.NoError(t, err)
		require.True(t, replayed)
		require.Equal(t, first.ID, again.ID)

		fresh := req
		fresh.IdempotencyKey = "key-3"
		_, _, err = b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, fresh)
		require.ErrorIs(t, err, blacklist.ErrUntilPast)
		fresh.Until = nil
		_, replayed, err = b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, fresh)
		require.NoError(t, err, "a request that was refused has not used up its key")
		require.False(t, replayed)
	})
}

func TestWishes(t *testing.T) {
	t.Parallel()

	t.Run("TheLastOneWins", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		first := b.block(t, b.openids(0, 3)...)
		second := b.unblock(t, b.openids(1, 4)...)
		third := b.block(t, b.openids(2, 5)...)
		b.start(t)
		require.Equal(t, blacklist.Counts{Total: 3, Done: 3}, b.ended(t, third.ID).Counts)
		require.Equal(t, blacklist.Counts{Total: 3, Superseded: 2, Done: 1}, b.ended(t, first.ID).Counts)
		require.Equal(t, blacklist.Counts{Total: 3, Superseded: 2, Failed: 0, Done: 1}, b.ended(t, second.ID).Counts)
		require.Equal(t, sorted([]string{b.openid(0), b.openid(2), b.openid(3), b.openid(4)}), b.blacklisted())
		require.Len(t, b.items(t, first.ID, blacklist.Superseded), 2)
	})

	t.Run("TheLastOneWinsWhileTheFirstIsUnderWay", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		inside, goOn := holdFirst(b, pathBlock)
		b.start(t)
		first := b.block(t, b.openid(0))
		<-inside
		second := b.unblock(t, b.openid(0))
		close(goOn)
		require.Equal(t, blacklist.Counts{Total: 1, Done: 1}, b.ended(t, second.ID).Counts)
		require.Equal(t, blacklist.Counts{Total: 1, Superseded: 1}, b.ended(t, first.ID).Counts)
		require.Empty(t, b.blacklisted())
		require.Equal(t, "unblocked", b.entries(t, blacklist.ActualAny)[0].Actual)
		require.Equal(t, []int{1}, b.sizes(t, pathBlock))
		require.Equal(t, []int{1}, b.sizes(t, pathUnblock))
		require.NotContains(t, b.Logs.String(), "errored")
	})

	t.Run("AnOlderOneThatIsWrittenLaterIsSuperseded", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2)
		first := b.block(t, b.openid(0))
		// As if this wish had got its number after the one below.
		b.exec(t, `UPDATE blacklist_entries SET wish = wish + 1000`)
		late := b.unblock(t, b.openids(0, 2)...)
		require.Equal(t, blacklist.Counts{Total: 2, Superseded: 1, Pending: 1}, late.Counts)
		b.start(t)
		require.Equal(t, blacklist.Counts{Total: 2, Superseded: 1, Done: 1}, b.ended(t, late.ID).Counts)
		require.Equal(t, blacklist.Counts{Total: 1, Done: 1}, b.ended(t, first.ID).Counts)
		require.Equal(t, b.openids(0, 1), b.blacklisted())
	})

	t.Run("NoneIsForgottenThatComesWhileAJobEnds", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		for range 25 { // without a sweep, which would help
			require.Equal(t, 1, b.ended(t, b.block(t, b.openid(0)).ID).Counts.Total)
			require.Equal(t, 1, b.ended(t, b.unblock(t, b.openid(0)).ID).Counts.Total)
		}
	})

	t.Run("OfManyAtOnceTheLastAcceptedOneIsWhatWeChatHas", func(t *testing.T) {
		t.Parallel()
		const openids, rounds = 40, 12
		b := setup(t, openids)
		b.start(t)
		var all sync.WaitGroup
		var mu sync.Mutex
		var batches []uuid.UUID
		for g := range 6 {
			all.Go(func() {
				for i := range rounds {
					ctx, req := context.WithoutCancel(t.Context()), blacklist.Request{OpenIDs: b.openids((g+i)%10, openids-(g*i)%10)}
					do := b.blacklist.Block
					if (g+i)%2 == 1 {
						do = b.blacklist.Unblock
					}
					if batch, _, err := do(ctx, b.key, b.tenantID, b.account.AppID, req); err == nil {
						mu.Lock()
						batches = append(batches, batch.ID)
						mu.Unlock()
					}
				}
			})
		}
		all.Wait()
		require.Len(t, batches, 6*rounds, "%s", b.Logs.Trouble())
		last := b.block(t, b.openids(0, 20)...)
		for _, id := range append(batches, last.ID) {
			require.Zero(t, b.ended(t, id).Counts.Pending)
		}
		var wanted []string
		for _, e := range b.entries(t, blacklist.ActualAny) {
			require.Equal(t, e.Want, e.Actual)
			require.False(t, e.Pending)
			if e.Want == "blocked" {
				wanted = append(wanted, e.OpenID)
			}
		}
		require.Equal(t, sorted(wanted), b.blacklisted())
		require.Subset(t, wanted, b.openids(0, 20))
	})

	t.Run("NoneIsForgottenThatIsBeingWrittenWhileAJobLooksALastTime", func(t *testing.T) {
		t.Parallel()
		inserted, commit := make(chan struct{}), make(chan struct{})
		jobs := &heldJobs{hold: func(n int64) {
			if n == 2 {
				close(inserted)
				<-commit
			}
		}}
		b := setup(t, 2, func(cfg *blacklist.Config) {
			jobs.Jobs = cfg.Jobs
			cfg.Jobs = jobs
		})
		inside, goOn := holdFirst(b, pathBlock)
		b.start(t)
		first := b.block(t, b.openid(0))
		<-inside
		// The second wish relies on the job that runs, but is not there to be seen yet.
		written := make(chan blacklist.Batch, 1)
		go func() {
			batch, _, _ := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: b.openids(1, 2)})
			written <- batch
		}()
		<-inserted
		close(goOn)
		b.ended(t, first.ID)
		for range 20 { // long enough for a job that would end too early
			var state string
			require.NoError(t, b.Pool.QueryRow(t.Context(), `SELECT state FROM river_job WHERE kind = 'push_blacklist'`).Scan(&state))
			require.Equal(t, "running", state)
			time.Sleep(10 * time.Millisecond)
		}
		close(commit)
		require.Equal(t, 1, b.ended(t, (<-written).ID).Counts.Done)
	})
}

// heldJobs calls hold after it has inserted the n-th job, before the transaction commits.
type heldJobs struct {
	authorizer.Jobs

	hold     func(n int64)
	inserted atomic.Int64
}

func (h *heldJobs) InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error) {
	result, err := h.Jobs.InsertTx(ctx, tx, args, opts)
	h.hold(h.inserted.Add(1))
	return result, err
}
