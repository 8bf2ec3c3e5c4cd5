package blacklist_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

// pulls is how many pulls there have been.
func (b *bundle) pulls(t *testing.T) int {
	t.Helper()
	var n int
	require.NoError(t, b.Pool.QueryRow(t.Context(), `SELECT count(*) FROM blacklist_pulls`).Scan(&n))
	return n
}

func TestWeChatsListIsReadSoon(t *testing.T) {
	t.Parallel()

	t.Run("AfterWeChatRefusedAnOpenIDThatItHadToldUsOf", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		b.start(t)
		b.ended(t, b.block(t, b.openids(0, 5)...).ID)
		_, err := b.Sim.Inject(simulator.Fault{Path: pathUnblock, Code: 40003})
		require.NoError(t, err)
		require.Equal(t, 1, b.ended(t, b.unblock(t, b.openid(2)).ID).Counts.Failed)
		b.sweep(t)
		require.Zero(t, b.pulls(t), "not in the middle of the work")
		b.Clock.Advance(2 * time.Minute)
		b.sweep(t)
		require.Equal(t, 1, b.pulls(t))
	})

	t.Run("ButNotAfterOneThatNobodyKnows", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		b.start(t)
		require.Equal(t, 1, b.ended(t, b.block(t, "nobody").ID).Counts.Failed)
		b.Clock.Advance(2 * time.Minute)
		b.sweep(t)
		require.Zero(t, b.pulls(t))
	})

	t.Run("AfterAProcessFellSilentOverItsCalls", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		batch := b.block(t, b.openids(0, 5)...)
		b.dead(t)
		b.start(t)
		b.exec(t, `UPDATE blacklist_lanes SET lease_until = now() - interval '1 second'`)
		b.sweep(t)
		b.ended(t, batch.ID)
		b.Clock.Advance(2 * time.Minute)
		b.sweep(t)
		require.Equal(t, 1, b.pulls(t))
	})

	t.Run("ButNotAgainAndAgain", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		b.start(t)
		b.ended(t, b.block(t, b.openids(0, 5)...).ID)
		b.pull(t)
		_, err := b.Sim.Inject(simulator.Fault{Path: pathUnblock, Code: 40003})
		require.NoError(t, err)
		b.ended(t, b.unblock(t, b.openid(2)).ID)
		b.Clock.Advance(2 * time.Minute)
		b.sweep(t)
		require.Equal(t, 1, b.pulls(t), "the one before")
		b.Clock.Advance(29 * time.Minute)
		b.sweep(t)
		require.Equal(t, 2, b.pulls(t))
	})
}
