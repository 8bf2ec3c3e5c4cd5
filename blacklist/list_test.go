package blacklist_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

// page is the first page of the default list.
func (b *bundle) page(t *testing.T) blacklist.Page {
	t.Helper()
	page, err := b.blacklist.List(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ListParams{})
	require.NoError(t, err)
	return page
}

func TestList(t *testing.T) {
	t.Parallel()
	b := setup(t, 40)
	b.start(t)
	until := b.Clock.Now().Add(time.Hour)
	batch, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID,
		blacklist.Request{OpenIDs: b.openids(0, 30), Reason: "spam", Until: &until})
	require.NoError(t, err)
	b.ended(t, batch.ID)
	b.ended(t, b.unblock(t, b.openids(0, 10)...).ID)
	b.ended(t, b.block(t, "malformed").ID)

	t.Run("ShowsTheBlockedOnesByDefault", func(t *testing.T) {
		page := b.page(t)
		require.Equal(t, 20, page.Total)
		require.Equal(t, sorted(b.openids(10, 30)), openidsOf(page.Entries))
		e := page.Entries[0]
		require.Equal(t, blacklist.Entry{
			OpenID: e.OpenID, Want: "blocked", Actual: "blocked", ActualAt: e.ActualAt, Reason: "spam", Until: &until,
			WantedBy: b.key.Actor(), WantedAt: e.WantedAt, BatchID: &batch.ID,
		}, e)
		require.Equal(t, b.Clock.Now(), *e.ActualAt)
		require.Equal(t, b.Clock.Now(), *e.WantedAt)
	})
	t.Run("FiltersByWhatIsTheCase", func(t *testing.T) {
		require.Equal(t, sorted(b.openids(0, 10)), openidsOf(b.entries(t, blacklist.ActualUnblocked)))
		require.Equal(t, []string{"malformed"}, openidsOf(b.entries(t, blacklist.ActualUnknown)))
		require.Len(t, b.entries(t, blacklist.ActualAny), 31)
	})
	t.Run("CountsAllWhoAreBlockedAndOthersAsFarAsIsQuick", func(t *testing.T) {
		b.exec(t, `INSERT INTO blacklist_entries (tenant_id, authorizer_id, openid) SELECT $1, $2, 'other-' || n FROM generate_series(1, 10000) n`, b.tenantID, b.account.ID)
		defer b.exec(t, `DELETE FROM blacklist_entries WHERE openid LIKE 'other-%'`)
		require.Equal(t, 20, b.page(t).Total)
		page, err := b.blacklist.List(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ListParams{Actual: blacklist.ActualAny})
		require.NoError(t, err)
		require.Equal(t, blacklist.MaxCounted, page.Total)
		require.True(t, page.AtLeast)
	})
	t.Run("FiltersByPrefix", func(t *testing.T) {
		for query, want := range map[string]int{b.openid(12): 1, b.openid(12)[:3]: 20, "%": 0, "_": 0, "zzz": 0, "\xff": 0, "a\x00": 0} {
			page, err := b.blacklist.List(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ListParams{Query: query})
			require.NoError(t, err)
			require.Equal(t, want, page.Total, query)
			require.Len(t, page.Entries, want, query)
		}
	})
	t.Run("RefusesUnknownFiltersAndCursors", func(t *testing.T) {
		var unknown *blacklist.UnknownFilterError
		_, err := b.blacklist.List(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ListParams{Actual: "perhaps"})
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, "actual", unknown.Filter)
		_, err = b.blacklist.Items(t.Context(), b.key, b.tenantID, batch.ID, blacklist.ItemsParams{Outcome: "perhaps"})
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, "outcome", unknown.Filter)
		for _, cursor := range []string{"?", tenant.EncodeCursor("a", "b")} {
			_, err = b.blacklist.List(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ListParams{Cursor: cursor})
			require.ErrorIs(t, err, tenant.ErrInvalidCursor)
		}
		for _, cursor := range []string{"?", tenant.EncodeCursor("a")} {
			_, err = b.blacklist.Items(t.Context(), b.key, b.tenantID, batch.ID, blacklist.ItemsParams{Cursor: cursor})
			require.ErrorIs(t, err, tenant.ErrInvalidCursor)
			_, err = b.blacklist.ListBatches(t.Context(), b.key, b.tenantID, blacklist.BatchesParams{Cursor: cursor})
			require.ErrorIs(t, err, tenant.ErrInvalidCursor)
		}
	})
	t.Run("NeedsTheScope", func(t *testing.T) {
		writer := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.BlacklistWrite}})
		_, err := b.blacklist.List(t.Context(), writer, b.tenantID, b.account.AppID, blacklist.ListParams{})
		var missing *tenant.ScopeMissingError
		require.ErrorAs(t, err, &missing)
		require.Equal(t, tenant.BlacklistRead, missing.Scope)
	})
	t.Run("ShowsItemsInTheOrderOfTheRequest", func(t *testing.T) {
		items := b.items(t, batch.ID, "")
		require.Len(t, items, 30)
		for n, item := range items {
			require.Equal(t, b.openid(n), item.OpenID)
			require.Equal(t, blacklist.Done, item.Outcome)
			require.NotNil(t, item.EndedAt)
		}
	})
	t.Run("ShowsBatchesOfAllAccountsNewestFirst", func(t *testing.T) {
		page, err := b.blacklist.ListBatches(t.Context(), b.key, b.tenantID, blacklist.BatchesParams{})
		require.NoError(t, err)
		require.Len(t, page.Batches, 3)
		require.Equal(t, batch.ID, page.Batches[2].ID)
		require.Equal(t, b.batches(t), page.Batches)
	})
}

func TestNewServiceSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := blacklist.NewService(blacklist.Config{})
	require.ErrorContains(t, err, "Config.Pool")
}
