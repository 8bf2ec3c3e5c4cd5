package blacklist_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

func TestHistory(t *testing.T) {
	t.Parallel()
	b := setup(t, 3)
	hold := b.holdable(t)
	b.start(t)
	ask := func(params blacklist.HistoryParams, openid string) blacklist.History {
		t.Helper()
		page, err := b.blacklist.History(t.Context(), b.key, b.tenantID, b.account.AppID, openid, params)
		require.NoError(t, err)
		return page
	}
	began := b.Clock.Now()
	until := began.Add(24 * time.Hour)
	spam, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID,
		blacklist.Request{OpenIDs: []string{b.openid(0), b.openid(1), "nobody"}, Reason: "spam", Until: &until})
	require.NoError(t, err)
	b.ended(t, spam.ID)
	b.Clock.Advance(time.Minute)
	unblocked := b.ended(t, b.unblock(t, b.openid(0)).ID)
	hold()
	waiting := b.block(t, b.openid(0))

	t.Run("HasTheNewestFirst", func(t *testing.T) {
		later := began.Add(time.Minute)
		require.Equal(t, blacklist.History{Events: []blacklist.Event{
			{At: later, Action: blacklist.ActionBlock, Outcome: blacklist.Pending, Actor: b.key.Actor(), BatchID: waiting.ID},
			{At: later, Action: blacklist.ActionUnblock, Outcome: blacklist.Done, Actor: b.key.Actor(), BatchID: unblocked.ID, EndedAt: &later},
			{At: began, Action: blacklist.ActionBlock, Outcome: blacklist.Done, Reason: "spam", Until: &until, Actor: b.key.Actor(), BatchID: spam.ID, EndedAt: &began},
		}}, ask(blacklist.HistoryParams{}, b.openid(0)))
	})
	t.Run("SaysWhyWeChatRefused", func(t *testing.T) {
		e := ask(blacklist.HistoryParams{}, "nobody").Events[0]
		require.Equal(t, blacklist.Failed, e.Outcome)
		require.Equal(t, 40003, *e.ErrCode)
		require.NotEmpty(t, e.RID)
		require.NotEmpty(t, e.Advice)
	})
	t.Run("ComesInPages", func(t *testing.T) {
		var ids []uuid.UUID
		params := blacklist.HistoryParams{Limit: 1}
		for {
			page := ask(params, b.openid(0))
			ids = append(ids, page.Events[0].BatchID)
			if params.Cursor = page.Next; page.Next == "" {
				break
			}
		}
		require.Equal(t, []uuid.UUID{waiting.ID, unblocked.ID, spam.ID}, ids)
		_, err := b.blacklist.History(t.Context(), b.key, b.tenantID, b.account.AppID, b.openid(0), blacklist.HistoryParams{Cursor: "nonsense"})
		require.ErrorIs(t, err, tenant.ErrInvalidCursor)
	})
	t.Run("IsEmptyWhereNobodyAsked", func(t *testing.T) {
		require.Empty(t, ask(blacklist.HistoryParams{}, b.openid(2)).Events)
		require.Empty(t, ask(blacklist.HistoryParams{}, "\xff\x00").Events)
		other := factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID})
		page, err := b.blacklist.History(t.Context(), b.key, b.tenantID, other.AppID, b.openid(0), blacklist.HistoryParams{})
		require.NoError(t, err)
		require.Empty(t, page.Events, "on another account it is another person")
	})
	t.Run("IsNobodyElses", func(t *testing.T) {
		owner := factory.Tenant(t, b.World)
		stranger := factory.Key(t, b.World, factory.KeyOptions{TenantID: owner.ID})
		for _, tenantID := range []uuid.UUID{b.tenantID, owner.ID} {
			_, err := b.blacklist.History(t.Context(), stranger, tenantID, b.account.AppID, b.openid(0), blacklist.HistoryParams{})
			require.ErrorIs(t, err, tenant.ErrNotFound)
		}
		writer := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.BlacklistWrite}})
		_, err := b.blacklist.History(t.Context(), writer, b.tenantID, b.account.AppID, b.openid(0), blacklist.HistoryParams{})
		var missing *tenant.ScopeMissingError
		require.ErrorAs(t, err, &missing)
	})
}
