package blacklist_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
)

// dead leaves the lane in the hands of a process that was killed: its job is running, says River, and its lease is taken.
func (b *bundle) dead(t *testing.T) {
	t.Helper()
	b.exec(t, `UPDATE river_job SET state = 'running', attempted_at = now(), attempt = 1, attempted_by = ARRAY['dead'] WHERE kind = 'push_blacklist' AND state = 'available'`)
	b.exec(t, `UPDATE blacklist_lanes SET lease_holder = 'dead', lease_until = now() + interval '10 seconds'`)
}

func TestTakingOver(t *testing.T) {
	t.Parallel()

	t.Run("FromAProcessThatWasKilled", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 45)
		batch := b.block(t, b.openids(0, 45)...)
		b.dead(t)
		b.start(t)
		b.sweep(t)
		b.exec(t, `UPDATE blacklist_lanes SET lease_until = now() - interval '1 second'`)
		b.sweep(t)
		require.Equal(t, 45, b.ended(t, batch.ID).Counts.Done)
		require.Len(t, b.blacklisted(), 45)
		require.Contains(t, b.Logs.String(), "another takes over")
	})

	t.Run("FromAProcessThatWasKilledBeforeItTookTheLease", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		batch := b.block(t, b.openids(0, 5)...)
		b.exec(t, `UPDATE river_job SET state = 'running', attempted_at = now() - interval '31 seconds', attempt = 1 WHERE kind = 'push_blacklist'`)
		b.start(t)
		b.sweep(t)
		require.Equal(t, 5, b.ended(t, batch.ID).Counts.Done)
	})

	t.Run("WhenAJobWasLost", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		batch := b.block(t, b.openids(0, 5)...)
		b.exec(t, `DELETE FROM river_job`)
		b.start(t)
		b.sweep(t)
		require.Equal(t, 5, b.ended(t, batch.ID).Counts.Done)
	})

	t.Run("WhenAJobWaitsOutAFailure", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		batch := b.block(t, b.openids(0, 5)...)
		b.exec(t, `UPDATE river_job SET state = 'retryable', scheduled_at = now() + interval '1 hour', attempt = 5 WHERE kind = 'push_blacklist'`)
		b.start(t)
		b.sweep(t)
		require.Equal(t, 5, b.ended(t, batch.ID).Counts.Done)
	})

	t.Run("AddsNoJobWhileOneWaitsForItsTurn", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		b.block(t, b.openids(0, 5)...)
		for range 3 {
			b.sweep(t)
			b.block(t, b.openid(1))
		}
		var jobs int
		require.NoError(t, b.Pool.QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE kind = 'push_blacklist'`).Scan(&jobs))
		require.Equal(t, 1, jobs)
	})

	t.Run("TheOneThatLostItsLeaseRecordsNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 20)
		inside, goOn := holdFirst(b, pathBlock)
		b.start(t)
		batch := b.block(t, b.openids(0, 20)...)
		<-inside
		// Somebody else takes over while WeChat takes its time.
		b.exec(t, `UPDATE blacklist_lanes SET lease_holder = 'another', lease_until = now() + interval '1 hour', generation = generation + 1`)
		close(goOn)
		b.eventually(t, func() bool {
			var running int
			err := b.Pool.QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE kind = 'push_blacklist' AND state = 'running'`).Scan(&running)
			return err == nil && running == 0
		}, "the late job never ended")
		require.Len(t, b.blacklisted(), 20, "WeChat has taken the call")
		late, err := b.blacklist.GetBatch(t.Context(), b.key, b.tenantID, batch.ID)
		require.NoError(t, err)
		require.Equal(t, blacklist.Counts{Total: 20, Pending: 20}, late.Counts)
		for _, e := range b.entries(t, blacklist.ActualAny) {
			require.True(t, e.Pending)
			require.Empty(t, e.Actual)
		}
		// The other one dies too; a third does the work again.
		b.exec(t, `UPDATE blacklist_lanes SET lease_until = now() - interval '1 second'`)
		b.sweep(t)
		require.Equal(t, blacklist.Counts{Total: 20, Done: 20}, b.ended(t, batch.ID).Counts)
	})
}

func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	b := setup(t, 200)
	other := b.process(t)
	b.start(t)
	other.start(t)
	second := factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, FollowerCount: 40})
	o := *b
	o.account = second

	var batches []blacklist.Batch
	for n := range 20 {
		batches = append(batches, b.block(t, b.openids(n*10, n*10+10)...))
		b.sweep(t)
		require.NoError(t, other.blacklist.Sweep(t.Context()))
	}
	alongside := o.block(t, o.openids(0, 40)...)
	for _, batch := range batches {
		require.Equal(t, blacklist.Counts{Total: 10, Done: 10}, b.ended(t, batch.ID).Counts)
	}
	require.Equal(t, 40, o.ended(t, alongside.ID).Counts.Done)
	require.Len(t, b.blacklisted(), 200)
	// One at a time: no openid was sent twice.
	var sent []string
	for _, call := range b.Sim.CallsTo(pathBlock) {
		sent = append(sent, listIn(t, call)...)
	}
	require.Len(t, sent, 240)
	require.NotContains(t, b.Logs.String(), "take over")
}
