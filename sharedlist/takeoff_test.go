package sharedlist_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/sharedlist"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestTakenOff(t *testing.T) {
	t.Parallel()

	t.Run("TheyAreUnblockedWhereTheListBlockedThemAndNowhereElse", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3)
		b.start(t)
		b.know(t, 0, 1, 2)
		b.byHand(t, blacklist.ActionBlock, 1, 3)
		person := b.addUnion(t, b.list, 3)
		b.addUnion(t, b.list, 4)
		b.done(t)
		b.byHand(t, blacklist.ActionUnblock, 2, 3)
		b.Sim.ResetCalls()
		b.remove(t, b.list, person)
		b.done(t)
		require.Equal(t, []string{b.openid(0, 4)}, b.blacklisted(0))
		require.ElementsMatch(t, []string{b.openid(1, 3), b.openid(1, 4)}, b.blacklisted(1), "blocked by hand before")
		require.Equal(t, []string{b.openid(2, 4)}, b.blacklisted(2))
		require.Equal(t, 1, b.Sim.CallCount(pathUnblock), "unblocked by hand in between")
		require.Zero(t, b.count(t, `blacklist_list_persons WHERE id = '`+person.String()+`'`), "nothing is kept of them")

		history, err := b.blacklist.History(t.Context(), b.key, b.tenantID, b.accounts[0].AppID, b.openid(0, 3), blacklist.HistoryParams{})
		require.NoError(t, err)
		require.Equal(t, blacklist.ActionUnblock, history.Events[0].Action)
		require.Equal(t, b.list.ID, *history.Events[0].ListID)
		require.Contains(t, history.Events[0].Reason, "taken off list swindlers: they cheat")
		_, _, err = b.lists.Person(t.Context(), b.key, b.tenantID, b.list.ID, person)
		require.ErrorIs(t, err, tenant.ErrNotFound)
	})

	t.Run("TheyStayBlockedWhereStaffBlockedThemAnewAfterwards", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		b.know(t, 0)
		person := b.addUnion(t, b.list, 3)
		b.done(t)
		b.byHand(t, blacklist.ActionBlock, 0, 3)
		require.Equal(t, map[int]sharedlist.State{0: sharedlist.Already}, b.states(t, b.list, person))
		b.remove(t, b.list, person)
		b.done(t)
		require.Equal(t, []string{b.openid(0, 3)}, b.blacklisted(0))
	})

	t.Run("TheyStayBlockedWhileAnotherListHoldsThemAndNoLonger", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		b.know(t, 0)
		other := b.newList(t, "scalpers")
		first := b.addUnion(t, b.list, 3)
		b.done(t)
		second := b.add(t, other, sharedlist.Addition{OpenIDs: []string{b.openid(0, 3)}, AppID: b.accounts[0].AppID})
		b.done(t)
		require.Equal(t, map[int]sharedlist.State{0: sharedlist.Already}, b.states(t, other, second))
		b.remove(t, b.list, first)
		b.done(t)
		require.Equal(t, []string{b.openid(0, 3)}, b.blacklisted(0), "the other list holds them")
		require.Equal(t, map[int]sharedlist.State{0: sharedlist.Blocked}, b.states(t, other, second), "it is that list's block now")
		b.remove(t, other, second)
		b.done(t)
		require.Empty(t, b.blacklisted(0))
	})

	t.Run("TheyStayBlockedWhileTheSameListHoldsThemInAnotherWay", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		b.know(t, 0)
		byUnion := b.addUnion(t, b.list, 3)
		byOpenID := b.add(t, b.list, sharedlist.Addition{OpenIDs: []string{b.openid(0, 3)}, AppID: b.accounts[0].AppID})
		b.done(t)
		require.Equal(t, 1, b.Sim.CallCount(pathBlock))
		b.remove(t, b.list, byOpenID)
		b.done(t)
		require.Equal(t, []string{b.openid(0, 3)}, b.blacklisted(0))
		b.remove(t, b.list, byUnion)
		b.done(t)
		require.Empty(t, b.blacklisted(0))
	})

	t.Run("AndPutOnAgainAtOnceTheyStayBlocked", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		b.know(t, 0)
		person := b.addUnion(t, b.list, 3)
		b.done(t)
		b.remove(t, b.list, person)
		again := b.addUnion(t, b.list, 3)
		require.NotEqual(t, person, again)
		b.done(t)
		require.Equal(t, []string{b.openid(0, 3)}, b.blacklisted(0))
		b.remove(t, b.list, again)
		b.done(t)
		require.Empty(t, b.blacklisted(0))
	})

	t.Run("WhatWasNotSentYetIsWithdrawn", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		person := b.add(t, b.list, sharedlist.Addition{OpenIDs: []string{b.openid(0, 3)}, AppID: b.accounts[0].AppID})
		b.sweep(t)
		require.Equal(t, map[int]sharedlist.State{0: sharedlist.Pending}, b.states(t, b.list, person))
		batchID := *b.places(t, b.list, person)[0].BatchID
		b.remove(t, b.list, person)
		b.sweep(t)
		batch, err := b.blacklist.GetBatch(t.Context(), b.key, b.tenantID, batchID)
		require.NoError(t, err)
		require.Equal(t, blacklist.StatusCancelled, batch.Status)
		require.Equal(t, blacklist.Counts{Total: 1, Cancelled: 1}, batch.Counts)
		b.start(t)
		b.done(t)
		require.Zero(t, b.Sim.CallCount(pathBlock)+b.Sim.CallCount(pathUnblock))
	})

	t.Run("WhomACallInTheAirBlockedNeverthelessAreUnblocked", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		inside, goOn := make(chan struct{}), make(chan struct{})
		letGo := sync.OnceFunc(func() { close(goOn) })
		t.Cleanup(letGo)
		b.Sim.BeforeCall(func(call simulator.Call) {
			if call.Path == pathBlock {
				close(inside)
				<-goOn
			}
		})
		b.start(t)
		person := b.add(t, b.list, sharedlist.Addition{OpenIDs: []string{b.openid(0, 3)}, AppID: b.accounts[0].AppID})
		b.sweep(t)
		<-inside
		b.remove(t, b.list, person)
		b.sweep(t)
		require.Equal(t, 1, b.count(t, `blacklist_batches WHERE cancelled = 1`))
		require.Equal(t, 1, b.count(t, `blacklist_list_places WHERE due`), "it is not certain yet")
		letGo()
		b.done(t)
		require.Empty(t, b.blacklisted(0))
		require.Equal(t, 1, b.Sim.CallCount(pathUnblock))
	})

	t.Run("TheUnblockingWaitsForAnAccountThatCannotBeWorkedFor", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		person := b.add(t, b.list, sharedlist.Addition{OpenIDs: []string{b.openid(0, 3)}, AppID: b.accounts[0].AppID})
		b.done(t)
		b.grant(t, 0, 1)
		b.remove(t, b.list, person)
		b.eventually(t, "the unblocking waits", func() bool {
			b.sweep(t)
			return b.count(t, `blacklist_batches WHERE action = 'unblock' AND ended_at IS NULL`) == 1
		})
		require.Equal(t, []string{b.openid(0, 3)}, b.blacklisted(0))
		b.grant(t, 0, 1, 2)
		b.done(t)
		require.Empty(t, b.blacklisted(0))
	})

	t.Run("ByARetryOfStaffTheyAreUnblockedToo", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		person := b.add(t, b.list, sharedlist.Addition{OpenIDs: []string{"oNotYetAFollower"}, AppID: b.accounts[0].AppID})
		b.done(t)
		failed := *b.places(t, b.list, person)[0].BatchID
		require.NoError(t, b.Sim.AddFollowers(b.accounts[0].AppID, "oNotYetAFollower"))
		retry, _, err := b.blacklist.Retry(t.Context(), b.key, b.tenantID, failed, blacklist.RetryRequest{})
		require.NoError(t, err)
		require.Equal(t, b.list.ID, *retry.ListID)
		b.done(t)
		require.Equal(t, map[int]sharedlist.State{0: sharedlist.Blocked}, b.states(t, b.list, person))
		b.remove(t, b.list, person)
		b.done(t)
		require.Empty(t, b.blacklisted(0))
	})

	t.Run("WithTheWholeListEverybodyIs", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2, func(c *sharedlist.Config) { c.Chunk = 2 })
		b.start(t)
		b.know(t, 0, 1)
		var unionids []string
		for n := range 7 {
			unionids = append(unionids, union(n))
		}
		b.add(t, b.list, sharedlist.Addition{UnionIDs: unionids})
		b.done(t)
		require.Len(t, b.blacklisted(0), 7)
		require.Len(t, b.blacklisted(1), 7)
		require.NoError(t, b.lists.Delete(t.Context(), b.key, b.tenantID, b.list.ID, "settled"))
		_, _, err := b.lists.Get(t.Context(), b.key, b.tenantID, b.list.ID)
		require.ErrorIs(t, err, tenant.ErrNotFound)
		b.done(t)
		require.Empty(t, b.blacklisted(0))
		require.Empty(t, b.blacklisted(1))
		require.Zero(t, b.count(t, `blacklist_list_persons`))
		b.newList(t, "swindlers") // the name is free again
	})
}

// grant changes what the merchant has granted, and waits until that is known.
func (b *bundle) grant(t *testing.T, account int, sets ...int) {
	t.Helper()
	appid := b.accounts[account].AppID
	code, err := b.Sim.SetPermissionSets(appid, sets...)
	require.NoError(t, err)
	b.Clock.Advance(time.Second)
	require.NoError(t, b.Sim.Push(t.Context(), simulator.Event{
		ComponentAppID: b.ComponentAppID, InfoType: simulator.UpdateAuthorized, AuthorizerAppID: appid, AuthorizationCode: code,
	}))
	b.eventually(t, "the sets are known", func() bool {
		a, err := b.Authorizers.FindByID(t.Context(), b.accounts[account].ID)
		return err == nil && len(a.PermissionSets) == len(sets)
	})
}
