package blacklist_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
)

func TestSearch(t *testing.T) {
	t.Parallel()

	t.Run("FiltersAddUp", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.exec(t, `
			INSERT INTO blacklist_batches (tenant_id, id, authorizer_id, wish, action, actor_kind, actor_id, actor_name, total, skipped, created_at)
			VALUES ($1, gen_random_uuid(), $2, 1, 'block', '', '', '', 1, 0, now())`, b.tenantID, b.account.ID)
		b.exec(t, `
			INSERT INTO blacklist_entries (tenant_id, authorizer_id, openid, want, actual, pending, reason, wanted_by, errcode, wish, batch_id)
			SELECT $1, $2, e.*, 1, (SELECT id FROM blacklist_batches) FROM (VALUES
				('a1', 'blocked', 'blocked', false, 'Spam 垃圾评论', 'Night Watch (tenant_key)', NULL::int),
				('a2', 'blocked', NULL, true, 'spam', 'shop (tenant_key)', NULL),
				('a3', 'unblocked', 'blocked', true, '100% rude_', 'shop (tenant_key)', NULL),
				('b1', 'blocked', NULL, false, 'rude', 'night watch (tenant_key)', 40003),
				('b2', NULL, 'blocked', false, '', '', NULL),
				('b3', 'unblocked', 'unblocked', false, '', 'shop (tenant_key)', NULL)) e`, b.tenantID, b.account.ID)
		for name, want := range map[string]struct {
			params  blacklist.ListParams
			openids []string
		}{
			"Everything":            {blacklist.ListParams{}, []string{"a1", "a2", "a3", "b1", "b2", "b3"}},
			"ReasonInEitherCase":    {blacklist.ListParams{Reason: "SPAM"}, []string{"a1", "a2"}},
			"ReasonInside":          {blacklist.ListParams{Reason: "圾评"}, []string{"a1"}},
			"ReasonIsNoPattern":     {blacklist.ListParams{Reason: "%"}, []string{"a3"}},
			"ReasonNobodyCanHave":   {blacklist.ListParams{Reason: "a\x00"}, []string{}},
			"By":                    {blacklist.ListParams{By: "night"}, []string{"a1", "b1"}},
			"WantBlocked":           {blacklist.ListParams{Want: blacklist.WantBlocked}, []string{"a1", "a2", "b1"}},
			"WantUnblocked":         {blacklist.ListParams{Want: blacklist.WantUnblocked}, []string{"a3", "b3"}},
			"WantNothing":           {blacklist.ListParams{Want: blacklist.WantNothing}, []string{"b2"}},
			"Pending":               {blacklist.ListParams{Pending: new(true)}, []string{"a2", "a3"}},
			"NotPending":            {blacklist.ListParams{Pending: new(false)}, []string{"a1", "b1", "b2", "b3"}},
			"Failed":                {blacklist.ListParams{Failed: new(true)}, []string{"b1"}},
			"NotFailed":             {blacklist.ListParams{Failed: new(false)}, []string{"a1", "a2", "a3", "b2", "b3"}},
			"WithPrefix":            {blacklist.ListParams{By: "night", Query: "b"}, []string{"b1"}},
			"WithActual":            {blacklist.ListParams{Want: blacklist.WantUnblocked, Actual: blacklist.ActualBlocked}, []string{"a3"}},
			"AllOfThemAndNoneMatch": {blacklist.ListParams{Want: blacklist.WantBlocked, Pending: new(true), Failed: new(true), Reason: "spam", By: "shop"}, []string{}},
		} {
			require.Equal(t, want.openids, b.found(t, want.params), name)
		}
		var unknown *blacklist.UnknownFilterError
		_, err := b.blacklist.List(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ListParams{Want: "Blocked"})
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, blacklist.UnknownFilterError{Filter: "want", Value: "Blocked"}, *unknown)
	})

	t.Run("EndsWhenItTakesTooLong", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1, func(c *blacklist.Config) { c.SearchTimeout = 20 * time.Millisecond })
		hold, err := b.Pool.Begin(t.Context()) // stands for millions of entries: nothing can be read
		require.NoError(t, err)
		defer hold.Rollback(t.Context())
		_, err = hold.Exec(t.Context(), `LOCK TABLE blacklist_entries IN ACCESS EXCLUSIVE MODE`)
		require.NoError(t, err)
		_, err = b.blacklist.List(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ListParams{Reason: "spam"})
		require.ErrorIs(t, err, blacklist.ErrSearchTooWide)
		require.NoError(t, hold.Rollback(t.Context()))
		_, err = b.blacklist.List(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ListParams{})
		require.NoError(t, err, "the limit must not stay with the connection")
	})
}

// found are the openids that a list has with these filters, page by page.
func (b *bundle) found(t *testing.T, params blacklist.ListParams) []string {
	t.Helper()
	openids := []string{}
	params.Limit = 2
	if params.Actual == "" {
		params.Actual = blacklist.ActualAny
	}
	for {
		page, err := b.blacklist.List(t.Context(), b.key, b.tenantID, b.account.AppID, params)
		require.NoError(t, err)
		openids = append(openids, openidsOf(page.Entries)...)
		if page.Next == "" {
			require.Len(t, openids, page.Total)
			return openids
		}
		params.Cursor = page.Next
	}
}
