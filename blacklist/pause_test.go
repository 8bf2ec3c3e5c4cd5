package blacklist_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestPauseAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 8, 30, 0, 0, time.UTC)
	refused := func(code int) error { return &wechat.Error{Code: code, Message: "words", RID: "rid"} }

	t.Run("TheDailyQuotaLastsUntilMidnightInChina", func(t *testing.T) {
		t.Parallel()
		for at, until := range map[string]string{
			"2026-03-02T08:30:00Z": "2026-03-02T16:00:00Z",
			"2026-03-02T15:59:59Z": "2026-03-02T16:00:00Z",
			"2026-03-02T16:00:00Z": "2026-03-03T16:00:00Z",
			"2026-12-31T17:00:00Z": "2027-01-01T16:00:00Z",
		} {
			now, err := time.Parse(time.RFC3339, at)
			require.NoError(t, err)
			p := blacklist.PauseAfter(refused(45009), 3, now)
			require.Equal(t, until, p.Until.Format(time.RFC3339))
			require.Equal(t, 45009, *p.ErrCode)
			require.Equal(t, "rid", p.RID)
		}
	})
	t.Run("OthersGrowUpToALimit", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			err      error
			failures int
			least    time.Duration
		}{
			{refused(45011), 0, time.Minute},
			{refused(45011), 9, time.Minute},
			{refused(-1), 0, 5 * time.Second},
			{refused(-1), 2, 20 * time.Second},
			{refused(-1), 1000, 5 * time.Minute},
			{&wechat.TransportError{}, 1, 10 * time.Second},
			{errors.New("no database"), 0, 5 * time.Second},
			{refused(61004), 0, time.Minute},
			{refused(61004), 1, 2 * time.Minute},
			{refused(61004), 1000, 15 * time.Minute},
			{refused(61005), 0, time.Minute},
			{refused(40001), 0, time.Minute},
		} {
			p := blacklist.PauseAfter(c.err, c.failures, now)
			require.False(t, p.AwaitsAccount)
			require.NotEmpty(t, p.Reason)
			require.GreaterOrEqual(t, p.Until.Sub(now), c.least, "%v", c.err)
			require.Less(t, p.Until.Sub(now), c.least*6/5, "%v", c.err)
		}
	})
	t.Run("WhatIsUpToTheAccountHasNoEndDate", func(t *testing.T) {
		t.Parallel()
		for _, err := range []error{
			refused(61007), refused(48001), refused(61016), refused(61003), refused(48004), refused(50002),
			&authorizer.AccountStateError{AppID: "wx1", State: authorizer.StateRevoked},
			&authorizer.PermissionMissingError{AppID: "wx1"},
		} {
			p := blacklist.PauseAfter(err, 0, now)
			require.True(t, p.AwaitsAccount, "%v", err)
			require.Nil(t, p.Until)
			require.NotEmpty(t, p.Reason)
		}
	})
}

func TestPausing(t *testing.T) {
	t.Parallel()

	t.Run("OnTheDailyQuotaUntilTheNextDay", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 60)
		require.NoError(t, b.Sim.SetQuota(b.account.AppID, pathBlock, simulator.Quota{Daily: 1}))
		b.start(t)
		batch := b.status(t, b.block(t, b.openids(0, 60)...).ID, blacklist.StatusPaused)
		require.Equal(t, blacklist.Counts{Total: 60, Done: 20, Pending: 40}, batch.Counts)
		require.NotEmpty(t, batch.PauseReason)
		require.Equal(t, 45009, *batch.PauseErrCode)
		require.NotEmpty(t, batch.PauseRID)
		require.Equal(t, time.Date(2026, 3, 2, 16, 0, 0, 0, time.UTC), *batch.PausedUntil)
		require.Len(t, b.blacklisted(), 20)

		// New wishes wait too.
		calls := b.Sim.CallCount(pathBlock)
		b.unblock(t, b.blacklisted()[0])
		b.sweep(t)
		require.Equal(t, blacklist.StatusPaused, b.status(t, batch.ID, blacklist.StatusPaused).Status)
		require.Equal(t, calls, b.Sim.CallCount(pathBlock))

		b.Clock.Advance(8 * time.Hour)
		require.NoError(t, b.Sim.SetQuota(b.account.AppID, pathBlock, simulator.Quota{}))
		b.sweep(t)
		batch = b.ended(t, batch.ID)
		require.Equal(t, blacklist.Counts{Total: 60, Done: 60}, batch.Counts)
		require.Empty(t, batch.PauseReason)
		b.eventually(t, func() bool { return len(b.blacklisted()) == 59 }, "60 blocked, one unblocked")
	})

	t.Run("OnAFailureThatStays", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 20)
		fault, err := b.Sim.Inject(simulator.Fault{Path: pathBlock, Code: -1})
		require.NoError(t, err)
		b.start(t)
		batch := b.status(t, b.block(t, b.openids(0, 20)...).ID, blacklist.StatusPaused)
		require.Equal(t, blacklist.Counts{Total: 20, Pending: 20}, batch.Counts)
		require.Equal(t, 3, b.Sim.CallCount(pathBlock))
		require.Equal(t, -1, *batch.PauseErrCode)

		// The second pause is longer.
		first := batch.PausedUntil.Sub(b.Clock.Now())
		b.Clock.Advance(first + time.Second)
		b.sweep(t)
		b.eventually(t, func() bool { return b.Sim.CallCount(pathBlock) == 6 }, "tries after the pause")
		batch = b.status(t, batch.ID, blacklist.StatusPaused)
		require.Greater(t, batch.PausedUntil.Sub(b.Clock.Now()), first)

		b.Sim.ClearFaults(fault)
		b.Clock.Advance(time.Minute)
		b.sweep(t)
		require.Equal(t, 20, b.ended(t, batch.ID).Counts.Done)
	})

	t.Run("WhenTheMerchantRevokesUntilItIsBack", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 45, oneCall)
		afterFirst(b, pathBlock, func() { _ = b.Sim.Revoke(b.account.AppID) })
		b.start(t)
		batch := b.status(t, b.block(t, b.openids(0, 45)...).ID, blacklist.StatusPaused)
		require.Equal(t, blacklist.Counts{Total: 45, Done: 20, Pending: 25}, batch.Counts)
		require.Nil(t, batch.PausedUntil)
		require.NotEmpty(t, batch.PauseReason)

		_, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: b.openids(0, 1)})
		var state *authorizer.AccountStateError
		require.ErrorAs(t, err, &state)
		b.Clock.Advance(time.Hour)
		b.sweep(t)
		require.Equal(t, blacklist.StatusPaused, b.status(t, batch.ID, blacklist.StatusPaused).Status)

		b.authorize(t, 1, 2, 3)
		b.sweep(t)
		require.Equal(t, 45, b.ended(t, batch.ID).Counts.Done)
		require.Len(t, b.blacklisted(), 45)
	})

	t.Run("WhenThePermissionIsTakenUntilItIsBack", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 45, oneCall)
		afterFirst(b, pathBlock, func() { _, _ = b.Sim.SetPermissionSets(b.account.AppID, 1, 3) })
		b.start(t)
		batch := b.status(t, b.block(t, b.openids(0, 45)...).ID, blacklist.StatusPaused)
		require.Equal(t, 20, batch.Counts.Done)
		require.Equal(t, 61007, *batch.PauseErrCode)

		// Our copy of the permission sets still says that it may: no reason to ask WeChat again.
		calls := b.Sim.CallCount(pathBlock)
		b.sweep(t)
		b.status(t, batch.ID, blacklist.StatusPaused)
		require.Equal(t, calls, b.Sim.CallCount(pathBlock))

		b.authorize(t, 1, 3)
		b.sweep(t)
		b.status(t, batch.ID, blacklist.StatusPaused)
		b.authorize(t, 1, 2)
		b.sweep(t)
		require.Equal(t, 45, b.ended(t, batch.ID).Counts.Done)
	})

	t.Run("WhenThePermissionIsTakenUntilAReconciliationFindsItBack", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 45)
		afterFirst(b, pathBlock, func() { _, _ = b.Sim.SetPermissionSets(b.account.AppID, 1, 3) })
		b.start(t)
		b.Clock.Advance(2 * time.Minute)
		batch := b.status(t, b.block(t, b.openids(0, 45)...).ID, blacklist.StatusPaused)
		granted := func(sets ...int) func() bool {
			return func() bool {
				account, err := b.Authorizers.FindByID(t.Context(), b.account.ID)
				return err == nil && slices.Equal(account.PermissionSets, sets)
			}
		}
		b.eventually(t, granted(1, 3), "WeChat's refusal had nobody look at the sets")
		b.sweep(t)
		b.status(t, batch.ID, blacklist.StatusPaused)

		_, err := b.Sim.SetPermissionSets(b.account.AppID, 1, 2) // and the push is lost
		require.NoError(t, err)
		b.Clock.Advance(time.Minute)
		reconciliation, err := b.Authorizers.StartReconciliation(t.Context(), b.Platform, b.ComponentAppID)
		require.NoError(t, err)
		b.eventually(t, func() bool {
			r, err := b.Authorizers.Reconciliation(t.Context(), b.Platform, b.ComponentAppID, reconciliation.ID)
			return err == nil && r.Profiles == 1 && r.EndedAt != nil
		}, "the reconciliation did not end")
		b.Clock.Advance(10 * time.Minute)
		b.eventually(t, func() bool { return b.Authorizers.Sweep(t.Context()) == nil && granted(1, 2)() }, "nobody looked at the sets")
		b.sweep(t)
		require.Equal(t, 45, b.ended(t, batch.ID).Counts.Done)
	})

	t.Run("EndsWithANewWishThatPassesTheCheck", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 25)
		// WeChat calls it unauthorized although the set is granted, as it does for accounts that are not verified.
		fault, err := b.Sim.Inject(simulator.Fault{Path: pathBlock, Code: 48001})
		require.NoError(t, err)
		b.start(t)
		batch := b.status(t, b.block(t, b.openids(0, 20)...).ID, blacklist.StatusPaused)
		calls := b.Sim.CallCount(pathBlock)
		b.sweep(t)
		b.status(t, batch.ID, blacklist.StatusPaused)
		require.Equal(t, calls, b.Sim.CallCount(pathBlock))

		b.Sim.ClearFaults(fault)
		later := b.block(t, b.openids(20, 25)...)
		require.Equal(t, 5, b.ended(t, later.ID).Counts.Done)
		require.Equal(t, 20, b.ended(t, batch.ID).Counts.Done)
	})
}

// oneCall lets a process make one call at a time, so that what the first one meets decides about the second.
func oneCall(cfg *blacklist.Config) { cfg.Calls = 1 }

// afterFirst does something when WeChat has taken the first call to path, and before it answers.
func afterFirst(b *bundle, path string, do func()) {
	done := make(chan struct{}, 1)
	done <- struct{}{}
	b.Sim.BeforeAnswer(func(call simulator.Call) {
		if call.Path == path {
			select {
			case <-done:
				do()
			default:
			}
		}
	})
}

// authorize has the merchant authorize us again, with these permission sets.
func (b *bundle) authorize(t *testing.T, sets ...int) {
	t.Helper()
	code, err := b.Sim.Authorize(b.account.AppID, sets...)
	require.NoError(t, err)
	b.Clock.Advance(time.Second)
	require.NoError(t, b.Sim.Push(t.Context(), simulator.Event{
		InfoType: simulator.UpdateAuthorized, AuthorizerAppID: b.account.AppID, AuthorizationCode: code,
	}))
	b.eventually(t, func() bool {
		account, err := b.Authorizers.FindByID(t.Context(), b.account.ID)
		return err == nil && account.State == authorizer.StateActive && slices.Equal(account.PermissionSets, sets)
	}, "the account never was authorized again")
}
