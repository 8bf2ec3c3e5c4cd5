package blacklist_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// accountsOf returns the bundle, and others for further accounts of its tenant.
func (b *bundle) accountsOf(t *testing.T, n int) []*bundle {
	t.Helper()
	all := []*bundle{b}
	for len(all) < n {
		other := *b
		other.account = factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, FollowerCount: 20})
		all = append(all, &other)
	}
	return all
}

func TestWeChatFailingForAllAccounts(t *testing.T) {
	t.Parallel()

	t.Run("IsNotAskedForEachOfThem", func(t *testing.T) {
		t.Parallel()
		const accounts, workers = 12, 4
		b := setup(t, 20, func(cfg *blacklist.Config) { cfg.Break = time.Hour })
		_, err := b.Sim.Inject(simulator.Fault{Path: pathBlock, Code: -1})
		require.NoError(t, err)
		var batches []uuid.UUID
		for _, one := range b.accountsOf(t, accounts) {
			batches = append(batches, one.block(t, one.openids(0, 20)...).ID)
		}
		b.start(t)
		held := 0
		for _, id := range batches {
			if b.status(t, id, blacklist.StatusPaused).PauseErrCode == nil {
				held++
			}
		}
		require.Positive(t, held, "accounts whose calls were not made")
		require.Less(t, b.Sim.CallCount(pathBlock), 10+workers, "each worker may have had one in the air")
	})

	t.Run("IsAskedAgainAfterAWhile", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 20, func(cfg *blacklist.Config) { cfg.Break = time.Millisecond })
		accounts := b.accountsOf(t, 6)
		fault, err := b.Sim.Inject(simulator.Fault{Path: "*", Status: 502})
		require.NoError(t, err)
		var batches []uuid.UUID
		for _, one := range accounts {
			batches = append(batches, one.block(t, one.openids(0, 20)...).ID)
		}
		b.start(t)
		for _, id := range batches {
			b.status(t, id, blacklist.StatusPaused)
		}
		b.Sim.ClearFaults(fault)
		for _, id := range batches {
			b.eventually(t, func() bool {
				b.Clock.Advance(time.Second)
				b.sweep(t)
				batch, err := b.blacklist.GetBatch(t.Context(), b.key, b.tenantID, id)
				return err == nil && batch.Counts.Done == 20
			}, "it did not go on")
		}
	})

	t.Run("IsNotWhatOneAccountInTroubleShows", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 20, func(cfg *blacklist.Config) { cfg.Break = time.Hour })
		other := b.accountsOf(t, 2)[1]
		_, err := b.Sim.Inject(simulator.Fault{Path: pathBlock, AppID: b.account.AppID, Code: -1})
		require.NoError(t, err)
		b.block(t, b.openids(0, 20)...)
		b.start(t)
		b.eventually(t, func() bool {
			b.Clock.Advance(10 * time.Minute)
			b.sweep(t)
			return b.Sim.CallCount(pathBlock) > 15
		}, "it tries again and again")
		require.Equal(t, 20, b.ended(t, other.block(t, other.openids(0, 20)...).ID).Counts.Done)
	})
}
