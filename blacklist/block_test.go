package blacklist_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestBlock(t *testing.T) {
	t.Parallel()

	t.Run("SendsFortyFiveAsTwentyTwentyFive", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 50)
		b.start(t)
		batch := b.block(t, b.openids(0, 45)...)
		require.Equal(t, blacklist.StatusQueued, batch.Status)
		require.Equal(t, blacklist.Counts{Total: 45, Pending: 45}, batch.Counts)
		require.Equal(t, b.account.AppID, batch.AuthorizerAppID)

		batch = b.ended(t, batch.ID)
		require.Equal(t, blacklist.StatusDone, batch.Status)
		require.Equal(t, blacklist.Counts{Total: 45, Done: 45}, batch.Counts)
		require.NotNil(t, batch.StartedAt)
		require.ElementsMatch(t, []int{20, 20, 5}, b.sizes(t, pathBlock))
		require.Equal(t, sorted(b.openids(0, 45)), b.blacklisted())

		batch = b.ended(t, b.unblock(t, b.openids(0, 3)...).ID)
		require.Equal(t, blacklist.ActionUnblock, batch.Action)
		require.Equal(t, blacklist.Counts{Total: 3, Done: 3}, batch.Counts)
		require.Len(t, b.blacklisted(), 42)
	})

	t.Run("FailsTheBadOnesAndNoOthers", func(t *testing.T) {
		t.Parallel()
		for _, partial := range []bool{false, true} {
			t.Run(fmt.Sprintf("Partial=%v", partial), func(t *testing.T) {
				t.Parallel()
				b := setup(t, 50)
				require.NoError(t, b.Sim.Change(func(s *simulator.Settings) { s.BatchPartial = partial }))
				other := factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, FollowerCount: 1})
				foreign := b.Sim.FollowersOf(other.AppID)[0]
				b.start(t)

				openids := b.openids(0, 45)
				openids[7], openids[33] = "malformed", foreign
				batch := b.ended(t, b.block(t, openids...).ID)
				require.Equal(t, blacklist.Counts{Total: 45, Done: 43, Failed: 2}, batch.Counts)
				require.Len(t, b.blacklisted(), 43)

				failed := b.items(t, batch.ID, blacklist.Failed)
				require.Len(t, failed, 2)
				for i, want := range []struct {
					openid string
					code   int
				}{{"malformed", 40003}, {foreign, 49003}} {
					require.Equal(t, want.openid, failed[i].OpenID)
					require.Equal(t, want.code, *failed[i].ErrCode)
					require.NotEmpty(t, failed[i].RID)
					require.NotEmpty(t, failed[i].Error)
					require.NotEmpty(t, failed[i].Advice)
				}
				unknown := b.entries(t, blacklist.ActualUnknown)
				require.ElementsMatch(t, []string{"malformed", foreign}, openidsOf(unknown))
				require.False(t, unknown[0].Pending)
				require.NotNil(t, unknown[0].ErrCode)
				require.NotEmpty(t, unknown[0].Advice)
			})
		}
	})

	t.Run("CountsBlanksAndDuplicatesAsSkipped", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5)
		b.start(t)
		batch := b.block(t, "\ufeff"+b.openid(0)+"\r", " "+b.openid(0), "", "\u200b \t", b.openid(1)+"\n", b.openid(2))
		require.Equal(t, blacklist.Counts{Total: 6, Pending: 3, Skipped: 3}, batch.Counts)
		batch = b.ended(t, batch.ID)
		require.Equal(t, blacklist.Counts{Total: 6, Done: 3, Skipped: 3}, batch.Counts)
		require.Equal(t, sorted(b.openids(0, 3)), b.blacklisted())
	})

	t.Run("EndsAtOnceWithoutUsableOpenIDs", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		for _, openids := range [][]string{nil, {"", " "}} {
			batch := b.block(t, openids...)
			require.Equal(t, blacklist.StatusDone, batch.Status)
			require.Equal(t, blacklist.Counts{Total: len(openids), Skipped: len(openids)}, batch.Counts)
		}
	})

	t.Run("SendsAWishEvenIfOurCopySaysThatItIsSo", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2)
		b.start(t)
		b.ended(t, b.block(t, b.openid(0)).ID)
		// By hand, so that our copy is wrong.
		require.NoError(t, b.Sim.RemoteUnblock(b.account.AppID, b.openid(0)))
		batch := b.ended(t, b.block(t, b.openids(0, 2)...).ID)
		require.Equal(t, blacklist.Counts{Total: 2, Done: 1, Already: 1}, batch.Counts)
		require.Equal(t, sorted(b.openids(0, 2)), b.blacklisted())
	})

	t.Run("AcceptsAHundredThousand", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 0)
		openids := make([]string, blacklist.MaxOpenIDs)
		for i := range openids {
			openids[i] = b.openid(i)
		}
		batch := b.block(t, openids...)
		require.Equal(t, blacklist.Counts{Total: len(openids), Pending: len(openids)}, batch.Counts)
		// All of them again: each of the first batch's is superseded.
		later := b.unblock(t, openids...)
		require.Equal(t, len(openids), later.Counts.Pending)
		batch, err := b.blacklist.GetBatch(t.Context(), b.key, b.tenantID, batch.ID)
		require.NoError(t, err)
		require.Equal(t, blacklist.Counts{Total: len(openids), Superseded: len(openids)}, batch.Counts)
		require.Equal(t, blacklist.StatusDone, batch.Status)
	})

	t.Run("IsAudited", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2)
		until := b.Clock.Now().Add(time.Hour)
		batch, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID,
			blacklist.Request{OpenIDs: []string{b.openid(0), ""}, Reason: "spam", Until: &until})
		require.NoError(t, err)
		require.Equal(t, "spam", batch.Reason)
		require.Equal(t, until, *batch.Until)
		require.Equal(t, b.key.Actor(), batch.Actor)
		page, err := b.Tenants.ListAudit(t.Context(), b.key, b.tenantID, 1, "")
		require.NoError(t, err)
		entry := page.Entries[0]
		require.Equal(t, "blacklist.block", entry.Action)
		require.Equal(t, "authorizer:"+b.account.AppID, entry.Target)
		require.Equal(t, "spam", entry.Reason)
		require.Equal(t, b.key.ID, entry.ActorID)
		require.Equal(t, map[string]any{
			"batch_id": batch.ID.String(), "openids": 1.0, "skipped": 1.0, "until": until.Format(time.RFC3339),
		}, entry.Detail)
	})
}

func TestBlockRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, 5)

	block := func(t *testing.T, req blacklist.Request) error {
		t.Helper()
		_, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, req)
		return err
	}
	past := b.Clock.Now()
	future := past.Add(time.Hour)

	t.Run("UntilInThePast", func(t *testing.T) {
		require.ErrorIs(t, block(t, blacklist.Request{OpenIDs: b.openids(0, 1), Until: &past}), blacklist.ErrUntilPast)
	})
	t.Run("UntilOfAnUnblock", func(t *testing.T) {
		_, _, err := b.blacklist.Unblock(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: b.openids(0, 1), Until: &future})
		require.ErrorIs(t, err, blacklist.ErrUntilOnUnblock)
	})
	t.Run("ReasonsThatAreTooLongOrNoText", func(t *testing.T) {
		for _, reason := range []string{strings.Repeat("理", 501), "a\x00b", "\xff"} {
			require.ErrorIs(t, block(t, blacklist.Request{OpenIDs: b.openids(0, 1), Reason: reason}), blacklist.ErrInvalidReason)
		}
		require.NoError(t, block(t, blacklist.Request{Reason: strings.Repeat("理", 500)}))
	})
	t.Run("OpenIDsThatAreNone", func(t *testing.T) {
		for _, openid := range []string{strings.Repeat("o", 129), "a\x00b", "\xff"} {
			err := block(t, blacklist.Request{OpenIDs: []string{b.openid(0), openid}})
			var invalid *blacklist.InvalidOpenIDError
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, 1, invalid.Index)
		}
	})
	t.Run("MoreThanAHundredThousand", func(t *testing.T) {
		var many *blacklist.TooManyOpenIDsError
		require.ErrorAs(t, block(t, blacklist.Request{OpenIDs: make([]string, blacklist.MaxOpenIDs+1)}), &many)
		require.Equal(t, blacklist.MaxOpenIDs+1, many.Given)
	})
	t.Run("LongIdempotencyKeys", func(t *testing.T) {
		require.ErrorIs(t, block(t, blacklist.Request{IdempotencyKey: strings.Repeat("k", 256)}), blacklist.ErrIdempotencyKeyTooLong)
	})
	t.Run("KeysWithoutTheScope", func(t *testing.T) {
		reader := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.BlacklistRead}})
		_, _, err := b.blacklist.Block(t.Context(), reader, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: b.openids(0, 1)})
		var missing *tenant.ScopeMissingError
		require.ErrorAs(t, err, &missing)
		require.Equal(t, tenant.BlacklistWrite, missing.Scope)
	})
	t.Run("WhatBelongsToOthers", func(t *testing.T) {
		owner := factory.Tenant(t, b.World)
		stranger := factory.Key(t, b.World, factory.KeyOptions{TenantID: owner.ID})
		batch := b.block(t, b.openid(0))
		ctx, s := t.Context(), b.blacklist
		errs := map[string]error{}
		_, _, errs["block, their tenant"] = s.Block(ctx, stranger, b.tenantID, b.account.AppID, blacklist.Request{})
		_, _, errs["block, their account"] = s.Block(ctx, stranger, owner.ID, b.account.AppID, blacklist.Request{})
		_, _, errs["unblock, no account"] = s.Unblock(ctx, b.key, b.tenantID, "wx-none", blacklist.Request{})
		_, errs["batch, their tenant"] = s.GetBatch(ctx, stranger, b.tenantID, batch.ID)
		_, errs["batch, own tenant"] = s.GetBatch(ctx, stranger, owner.ID, batch.ID)
		_, errs["batch, no batch"] = s.GetBatch(ctx, b.key, b.tenantID, uuid.New())
		_, errs["wait"] = s.WaitBatch(ctx, stranger, owner.ID, batch.ID, time.Minute)
		_, errs["items"] = s.Items(ctx, stranger, owner.ID, batch.ID, blacklist.ItemsParams{})
		_, errs["list"] = s.List(ctx, stranger, owner.ID, b.account.AppID, blacklist.ListParams{})
		_, errs["batches"] = s.ListBatches(ctx, stranger, owner.ID, blacklist.BatchesParams{AppID: b.account.AppID})
		_, errs["pull"] = s.StartPull(ctx, stranger, owner.ID, b.account.AppID)
		_, errs["pull, no pull"] = s.GetPull(ctx, b.key, b.tenantID, uuid.New())
		for what, err := range errs {
			require.ErrorIs(t, err, tenant.ErrNotFound, what)
		}
	})
}

func TestBlockRefusedWhenPermissionMissing(t *testing.T) {
	t.Parallel()
	b := setup(t, 0)
	b.account = factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, FollowerCount: 2, Sets: []int{1, 3}})
	b.start(t)
	before := written(t, b)
	_, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: b.openids(0, 2), IdempotencyKey: "k"})
	var missing *authorizer.PermissionMissingError
	require.ErrorAs(t, err, &missing)
	_, err = b.blacklist.StartPull(t.Context(), b.key, b.tenantID, b.account.AppID)
	require.ErrorAs(t, err, &missing)
	require.Equal(t, before, written(t, b))
	require.Zero(t, b.Sim.CallCount(pathBlock)+b.Sim.CallCount(pathList))
}

// written counts the rows of everything that a request writes.
func written(t *testing.T, b *bundle) map[string]int {
	t.Helper()
	rows := map[string]int{}
	for _, table := range []string{
		"blacklist_lanes", "blacklist_batches", "blacklist_items", "blacklist_entries", "blacklist_pulls", "idempotency_keys",
	} {
		var n int
		require.NoError(t, b.Pool.QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&n))
		rows[table] = n
	}
	return rows
}
