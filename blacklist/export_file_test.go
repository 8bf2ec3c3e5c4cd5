package blacklist_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

// exported returns all that an export hands out.
func (b *bundle) exported(t *testing.T, params blacklist.ListParams) []string {
	t.Helper()
	var openids []string
	require.NoError(t, b.blacklist.Export(t.Context(), b.key, b.tenantID, b.account.AppID, params, func(e blacklist.Entry) error {
		openids = append(openids, e.OpenID)
		return nil
	}))
	return openids
}

// manyEntries writes blocked entries without WeChat: o00000001, o00000002, …
func (b *bundle) manyEntries(t *testing.T, n int) {
	t.Helper()
	b.exec(t, `
		INSERT INTO blacklist_entries (tenant_id, authorizer_id, openid, want, actual, reason, wanted_by)
		SELECT $1, $2, 'o' || lpad(n::text, 8, '0'), 'blocked', 'blocked', 'spam', 'shop (tenant_key)' FROM generate_series(1, $3) n`,
		b.tenantID, b.account.ID, n)
}

func (b *bundle) audited(t *testing.T, action string) []map[string]any {
	t.Helper()
	page, err := b.Tenants.ListAudit(t.Context(), b.Platform, b.tenantID, 100, "")
	require.NoError(t, err)
	var details []map[string]any
	for _, e := range page.Entries {
		if e.Action == action {
			details = append(details, e.Detail)
		}
	}
	return details
}

func TestExport(t *testing.T) {
	t.Parallel()

	t.Run("HandsOutWhatTheListHas", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 30)
		b.start(t)
		b.ended(t, b.block(t, append(b.openids(0, 25), "nobody")...).ID)
		b.ended(t, b.unblock(t, b.openids(0, 5)...).ID)
		for _, actual := range []blacklist.Actual{"", blacklist.ActualUnblocked, blacklist.ActualUnknown, blacklist.ActualAny} {
			var got []blacklist.Entry
			require.NoError(t, b.blacklist.Export(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ListParams{Actual: actual}, func(e blacklist.Entry) error {
				got = append(got, e)
				return nil
			}))
			require.Equal(t, b.entries(t, actual), got)
		}
	})

	t.Run("ItemsComeInTheOrderOfTheRequest", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 10)
		b.start(t)
		batch := b.ended(t, b.block(t, b.openid(7), "nobody", b.openid(2), b.openid(7)).ID)
		for _, outcome := range []blacklist.Outcome{"", blacklist.Failed, blacklist.Done, blacklist.Cancelled} {
			var got []blacklist.Item
			require.NoError(t, b.blacklist.ExportItems(t.Context(), b.key, b.tenantID, batch.ID, outcome, func(i blacklist.Item) error {
				got = append(got, i)
				return nil
			}))
			require.Equal(t, b.items(t, batch.ID, outcome), got)
		}
		require.Len(t, b.audited(t, "blacklist.export"), 4)
	})

	t.Run("IsOfOneMoment", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.manyEntries(t, 20_000)
		n := 0
		require.NoError(t, b.blacklist.Export(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ListParams{}, func(blacklist.Entry) error {
			if n++; n == 1 {
				b.exec(t, `UPDATE blacklist_entries SET actual = 'unblocked'`)
			}
			return nil
		}))
		require.Equal(t, 20_000, n)
	})

	t.Run("IsAuditedWithItsCountAndFilters", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.manyEntries(t, 5)
		require.Len(t, b.exported(t, blacklist.ListParams{Query: "o0000000", Reason: "SPAM"}), 5)
		require.Equal(t, []map[string]any{{
			"count": 5.0, "whole": true, "filters": map[string]any{"query": "o0000000", "reason": "SPAM"},
		}}, b.audited(t, "blacklist.export"))
	})

	t.Run("IsAuditedAsPartWhenBrokenOff", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.manyEntries(t, 50)
		gone, n := errors.New("the caller is gone"), 0
		err := b.blacklist.Export(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ListParams{}, func(blacklist.Entry) error {
			if n++; n == 7 {
				return gone
			}
			return nil
		})
		require.ErrorIs(t, err, gone)
		require.Equal(t, []map[string]any{{"count": 7.0, "whole": false}}, b.audited(t, "blacklist.export"))
	})

	t.Run("IsForWhoeverMayReadTheTenantsLists", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		batch := b.block(t, b.openid(0))
		stranger := factory.Key(t, b.World, factory.KeyOptions{TenantID: factory.Tenant(t, b.World).ID})
		writer := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.BlacklistWrite}})
		try := func(p tenant.Principal, tenantID uuid.UUID) (lists, items error) {
			lists = b.blacklist.Export(t.Context(), p, tenantID, b.account.AppID, blacklist.ListParams{Actual: blacklist.ActualAny}, func(blacklist.Entry) error {
				return errors.New("handed out")
			})
			items = b.blacklist.ExportItems(t.Context(), p, tenantID, batch.ID, "", func(blacklist.Item) error { return errors.New("handed out") })
			return lists, items
		}
		lists, items := try(stranger, b.tenantID)
		require.ErrorIs(t, lists, tenant.ErrNotFound)
		require.ErrorIs(t, items, tenant.ErrNotFound)
		lists, items = try(stranger, stranger.TenantID)
		require.ErrorIs(t, lists, tenant.ErrNotFound)
		require.ErrorIs(t, items, tenant.ErrNotFound)
		lists, items = try(writer, b.tenantID)
		var missing *tenant.ScopeMissingError
		require.ErrorAs(t, lists, &missing)
		require.ErrorAs(t, items, &missing)
		require.Empty(t, b.audited(t, "blacklist.export"))
	})

	t.Run("UnknownFilterIsRefused", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		batch := b.block(t, b.openid(0))
		var unknown *blacklist.UnknownFilterError
		for _, params := range []blacklist.ListParams{{Actual: "x"}, {Want: "x"}} {
			require.ErrorAs(t, b.blacklist.Export(t.Context(), b.key, b.tenantID, b.account.AppID, params, nil), &unknown)
		}
		require.ErrorAs(t, b.blacklist.ExportItems(t.Context(), b.key, b.tenantID, batch.ID, "x", nil), &unknown)
	})
}
