package blacklist_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// neighbour is another account of the bundle's tenant, as a bundle of its own.
func (b *bundle) neighbour(t *testing.T, followers int) *bundle {
	t.Helper()
	other := *b
	other.account = factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, FollowerCount: followers})
	return &other
}

// sentEver returns every openid that stood in a call to block or unblock.
func (b *bundle) sentEver(t *testing.T) []string {
	t.Helper()
	var sent []string
	for _, path := range []string{pathBlock, pathUnblock} {
		for _, call := range b.Sim.CallsTo(path) {
			sent = append(sent, listIn(t, call)...)
		}
	}
	return sent
}

func TestMisplaced(t *testing.T) {
	t.Parallel()

	t.Run("FailsBeforeAnyCallAndNamesTheRightAccount", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3)
		other := b.neighbour(t, 2)
		b.knows(t, other.account, other.openids(0, 2)...)
		batch := b.block(t, b.openid(0), other.openid(0), "stranger")
		require.Equal(t, blacklist.Counts{Total: 3, Pending: 2, Failed: 1}, batch.Counts)
		b.consistent(t, batch)
		failed := b.items(t, batch.ID, blacklist.Failed)
		require.Len(t, failed, 1)
		require.Equal(t, other.openid(0), failed[0].OpenID)
		require.Nil(t, failed[0].ErrCode)
		require.NotNil(t, failed[0].EndedAt)
		require.Equal(t, "belongs to "+other.account.AppID, failed[0].Error)
		require.Contains(t, failed[0].Advice, "It belongs to the account "+other.account.AppID+",")
		entry := b.entry(t, other.openid(0))
		require.False(t, entry.Pending)
		require.Empty(t, entry.Actual)

		b.start(t)
		require.Equal(t, blacklist.Counts{Total: 3, Done: 1, Failed: 2}, b.ended(t, batch.ID).Counts)
		require.NotContains(t, b.sentEver(t), other.openid(0))
		history, err := b.blacklist.History(t.Context(), b.key, b.tenantID, b.account.AppID, other.openid(0), blacklist.HistoryParams{})
		require.NoError(t, err)
		require.Equal(t, failed[0].Advice, history.Events[0].Advice)
		page, err := b.Tenants.ListAudit(t.Context(), b.key, b.tenantID, 1, "")
		require.NoError(t, err)
		require.Equal(t, map[string]any{"batch_id": batch.ID.String(), "openids": 3.0, "skipped": 0.0, "belong_elsewhere": 1.0}, page.Entries[0].Detail)
	})

	t.Run("IsKnownFromBlacklistsToo", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		other := b.neighbour(t, 1)
		b.start(t)
		other.ended(t, other.block(t, other.openid(0), "refused").ID)
		batch := b.ended(t, b.unblock(t, other.openid(0), "refused").ID)
		require.Equal(t, blacklist.Counts{Total: 2, Failed: 2}, batch.Counts)
		failed := b.items(t, batch.ID, "")
		require.Equal(t, "belongs to "+other.account.AppID, failed[0].Error)
		require.NotNil(t, failed[1].ErrCode, "WeChat refused it on the other account, so it says nothing")
	})

	t.Run("EndsABatchThatHasNothingElse", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		other := b.neighbour(t, 2)
		b.knows(t, other.account, other.openids(0, 2)...)
		batch := b.block(t, append(other.openids(0, 2), other.openid(1), "")...)
		require.Equal(t, blacklist.Counts{Total: 4, Failed: 2, Skipped: 2}, batch.Counts)
		require.Equal(t, blacklist.StatusDone, batch.Status)
		b.consistent(t, batch)
	})

	t.Run("IsFoundInFiles", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3)
		other := b.neighbour(t, 2)
		b.knows(t, other.account, other.openids(0, 2)...)
		file := "openid,reason\n" + b.openid(0) + ",a\n" + other.openid(0) + ",b\n" + other.openid(1) + ",\n" + other.openid(0) + ",c\n"
		batch, _, err := b.blacklist.BlockFile(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Upload{File: strings.NewReader(file), Reason: "spam"})
		require.NoError(t, err)
		require.Equal(t, blacklist.Counts{Total: 4, Pending: 1, Failed: 2, Skipped: 1}, batch.Counts)
		b.consistent(t, batch)
		b.start(t)
		require.Equal(t, 1, b.ended(t, batch.ID).Counts.Done)
		require.Equal(t, []string{b.openid(0)}, b.sentEver(t))
	})

	t.Run("IsWhatAPreviewSays", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 10)
		other, third := b.neighbour(t, 10), b.neighbour(t, 10)
		b.knows(t, b.account, append(b.openids(0, 5), other.openid(1))...)
		b.knows(t, other.account, other.openids(0, 5)...)
		b.start(t)
		third.ended(t, third.block(t, third.openids(0, 3)...).ID)
		given := append(append(b.openids(3, 8), other.openids(0, 7)...), third.openids(1, 5)...)
		p := b.preview(t, blacklist.ActionBlock, given...)
		batch := b.block(t, given...)
		require.Equal(t, []blacklist.Misplaced{
			{OpenID: other.openid(0), AppID: other.account.AppID},
			{OpenID: other.openid(2), AppID: other.account.AppID},
			{OpenID: other.openid(3), AppID: other.account.AppID},
			{OpenID: other.openid(4), AppID: other.account.AppID},
			{OpenID: third.openid(1), AppID: third.account.AppID},
			{OpenID: third.openid(2), AppID: third.account.AppID},
		}, p.ElsewhereFirst)
		b.ended(t, batch.ID)
		var refused []blacklist.Misplaced
		for _, item := range b.items(t, batch.ID, blacklist.Failed) {
			if item.ErrCode == nil {
				refused = append(refused, blacklist.Misplaced{OpenID: item.OpenID, AppID: strings.TrimPrefix(item.Error, "belongs to ")})
			}
		}
		require.Equal(t, p.ElsewhereFirst, refused)
	})

	t.Run("IsNotWhatTheAccountItselfKnows", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2)
		other := b.neighbour(t, 0)
		b.start(t)
		b.ended(t, b.block(t, b.openid(0)).ID)
		b.knows(t, b.account, b.openid(1))
		b.knows(t, other.account, b.openids(0, 2)...)
		require.Equal(t, 2, b.ended(t, b.unblock(t, b.openids(0, 2)...).ID).Counts.Done)
	})

	t.Run("IsNotSaidByADirectoryThatIsOffOrByOtherTenants", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2)
		other := b.neighbour(t, 0)
		b.knows(t, other.account, b.openid(0))
		b.exec(t, `UPDATE follower_directories SET enabled = false`)
		stranger := factory.Account(t, b.World, factory.AccountOptions{TenantID: factory.Tenant(t, b.World).ID})
		b.knows(t, stranger, b.openid(1))
		require.Equal(t, 2, b.block(t, b.openids(0, 2)...).Counts.Pending)
	})

	t.Run("IsSentOnARetryOnceTheAccountKnowsIt", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		other := b.neighbour(t, 0)
		b.knows(t, other.account, b.openid(0))
		b.start(t)
		retried := func(former blacklist.Batch) blacklist.Batch {
			batch, _, err := b.blacklist.Retry(t.Context(), b.key, b.tenantID, former.ID, blacklist.RetryRequest{})
			require.NoError(t, err)
			return b.ended(t, batch.ID)
		}
		again := retried(b.block(t, b.openid(0)))
		require.Equal(t, blacklist.Counts{Total: 1, Failed: 1}, again.Counts)
		b.knows(t, b.account, b.openid(0))
		require.Equal(t, blacklist.Counts{Total: 1, Done: 1}, retried(again).Counts)
		require.Equal(t, b.openids(0, 1), b.blacklisted())
	})

	t.Run("TakesThePlaceOfAWishThatWaits", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		other := b.neighbour(t, 1)
		first := b.block(t, other.openid(0), b.openid(0))
		b.knows(t, other.account, other.openid(0))
		second := b.unblock(t, other.openid(0))
		require.Equal(t, blacklist.Counts{Total: 1, Failed: 1}, second.Counts)
		b.start(t)
		require.Equal(t, blacklist.Counts{Total: 2, Superseded: 1, Done: 1}, b.ended(t, first.ID).Counts)
		require.Equal(t, []string{b.openid(0)}, b.sentEver(t))
	})

	t.Run("IsForWeChatToSayWhereFindingOutTakesTooLong", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1, func(cfg *blacklist.Config) { cfg.SearchTimeout = 50 * time.Millisecond })
		other := b.neighbour(t, 1)
		b.knows(t, other.account, other.openid(0))
		err := pgx.BeginFunc(t.Context(), b.Pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), `LOCK TABLE followers IN ACCESS EXCLUSIVE MODE`)
			require.NoError(t, err)
			require.Equal(t, 1, b.preview(t, blacklist.ActionBlock, other.openid(0)).Unknown)
			require.Equal(t, blacklist.Counts{Total: 1, Pending: 1}, b.block(t, other.openid(0)).Counts)
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, 1, b.block(t, other.openid(0)).Counts.Failed)
	})

	t.Run("IsFoundAmongAHundredThousand", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 0)
		other := b.neighbour(t, 0)
		theirs := make([]string, 0, 50_000)
		for n := range 50_000 {
			theirs = append(theirs, simulator.OpenID(other.account.AppID, n))
		}
		b.knows(t, other.account, theirs...)
		batch, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: append(b.openids(0, 50_000), theirs...)})
		require.NoError(t, err)
		require.Equal(t, blacklist.Counts{Total: 100_000, Pending: 50_000, Failed: 50_000}, batch.Counts)
	})
}
