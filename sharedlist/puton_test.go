package sharedlist_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/sharedlist"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestPeopleOnAList(t *testing.T) {
	t.Parallel()

	t.Run("ByUnionIDAreBlockedOnAllAccountsThatKnowThem", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3)
		b.start(t)
		b.know(t, 0, 1)
		person := b.addUnion(t, b.list, 3)
		b.done(t)
		require.Equal(t, []string{b.openid(0, 3)}, b.blacklisted(0))
		require.Equal(t, []string{b.openid(1, 3)}, b.blacklisted(1))
		require.Empty(t, b.blacklisted(2), "its directory is off")
		require.Equal(t, map[int]sharedlist.State{0: sharedlist.Blocked, 1: sharedlist.Blocked}, b.states(t, b.list, person))

		batch, err := b.blacklist.GetBatch(t.Context(), b.key, b.tenantID, *b.places(t, b.list, person)[0].BatchID)
		require.NoError(t, err)
		require.Equal(t, b.list.ID, *batch.ListID)
		require.Equal(t, "list swindlers: they cheat", batch.Reason)
		require.Equal(t, "Steward (system)", batch.Actor)
		history, err := b.blacklist.History(t.Context(), b.key, b.tenantID, b.accounts[0].AppID, b.openid(0, 3), blacklist.HistoryParams{})
		require.NoError(t, err)
		require.Equal(t, b.list.ID, *history.Events[0].ListID)
		page, err := b.blacklist.List(t.Context(), b.key, b.tenantID, b.accounts[0].AppID, blacklist.ListParams{})
		require.NoError(t, err)
		require.Equal(t, "list swindlers: they cheat: fake vouchers: added by tenant key (tenant_key)", page.Entries[0].Reason, "who put them on can be found")
	})

	t.Run("AreBlockedOnAnAccountThatComesLater", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		b.know(t, 0)
		b.addUnion(t, b.list, 2)
		b.done(t)
		later := b.addAccount(t, factory.AccountOptions{})
		b.know(t, later)
		b.done(t)
		require.Equal(t, []string{b.openid(later, 2)}, b.blacklisted(later))
	})

	t.Run("AreBlockedWhenTheyFollowLater", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		b.know(t, 0)
		b.add(t, b.list, sharedlist.Addition{UnionIDs: []string{"uStranger"}})
		b.done(t)
		require.Empty(t, b.blacklisted(0))
		b.comes(t, 0, "oStrangerOnThisAccount", "uStranger")
		b.comes(t, 0, "oSomebodyElse", "uSomebodyElse")
		b.eventually(t, "the stranger is blocked", func() bool { b.done(t); return len(b.blacklisted(0)) > 0 })
		require.Equal(t, []string{"oStrangerOnThisAccount"}, b.blacklisted(0))
	})

	t.Run("ByOpenIDAreBlockedThereWhateverTheDirectoryKnows", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2)
		b.start(t)
		person := b.add(t, b.list, sharedlist.Addition{OpenIDs: []string{b.openid(0, 4)}, AppID: b.accounts[0].AppID})
		b.done(t)
		require.Equal(t, []string{b.openid(0, 4)}, b.blacklisted(0))
		require.Equal(t, map[int]sharedlist.State{0: sharedlist.Blocked}, b.states(t, b.list, person))
	})

	for name, order := range map[string][]int{"WhenTheirOwnAccountLearnsItLast": {1, 0}, "WhenTheOtherAccountLearnsItLast": {0, 1}} {
		t.Run("ByOpenIDAreBlockedOnOtherAccountsOnceTheirUnionIDIsKnown/"+name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 2)
			b.start(t)
			b.add(t, b.list, sharedlist.Addition{OpenIDs: []string{b.openid(0, 4)}, AppID: b.accounts[0].AppID})
			b.done(t)
			for _, account := range order {
				require.Empty(t, b.blacklisted(1))
				b.know(t, account)
				b.done(t)
			}
			require.Equal(t, []string{b.openid(0, 4)}, b.blacklisted(0))
			require.Equal(t, []string{b.openid(1, 4)}, b.blacklisted(1))
			require.Equal(t, 1, b.count(t, `blacklist_batches WHERE authorizer_id = '`+b.accounts[0].ID.String()+`'`), "nothing is put on twice")
		})
	}

	t.Run("WhomWeChatRefusedAreTriedAgainWhenTheyFollow", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		b.know(t, 0)
		person := b.add(t, b.list, sharedlist.Addition{OpenIDs: []string{"oNotYetAFollower"}, AppID: b.accounts[0].AppID})
		b.done(t)
		failed := b.places(t, b.list, person)[0]
		require.Equal(t, sharedlist.Failed, failed.State)
		require.NotNil(t, failed.ErrCode)
		require.NotEmpty(t, failed.Advice)
		b.comes(t, 0, "oNotYetAFollower", "")
		b.done(t)
		require.Equal(t, []string{"oNotYetAFollower"}, b.blacklisted(0))
		require.Equal(t, map[int]sharedlist.State{0: sharedlist.Blocked}, b.states(t, b.list, person))
	})

	t.Run("WaitForAnAccountThatHasNotGrantedWhatItTakes", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 0)
		account := b.addAccount(t, factory.AccountOptions{Sets: []int{1, 3}})
		b.start(t)
		person := b.add(t, b.list, sharedlist.Addition{OpenIDs: []string{b.openid(account, 1)}, AppID: b.accounts[account].AppID})
		b.sweep(t)
		b.sweep(t)
		waiting := b.places(t, b.list, person)[account]
		require.Equal(t, sharedlist.Waiting, waiting.State)
		require.Contains(t, waiting.Advice, "permission set 2")
		require.Zero(t, b.count(t, `blacklist_batches`))
		list, accounts, err := b.lists.Get(t.Context(), b.key, b.tenantID, b.list.ID)
		require.NoError(t, err)
		require.True(t, list.Working)
		require.Equal(t, sharedlist.NoPermission, accounts[0].Coverage)

		code, err := b.Sim.SetPermissionSets(b.accounts[account].AppID, 1, 2, 3)
		require.NoError(t, err)
		require.NoError(t, b.Sim.Push(t.Context(), simulator.Event{ComponentAppID: b.ComponentAppID, InfoType: simulator.UpdateAuthorized, AuthorizerAppID: b.accounts[account].AppID, AuthorizationCode: code}))
		b.done(t)
		require.Equal(t, []string{b.openid(account, 1)}, b.blacklisted(account))
		require.Equal(t, map[int]sharedlist.State{account: sharedlist.Blocked}, b.states(t, b.list, person))
	})

	t.Run("AreLeftAsTheyAreWhereTheyWereBlockedBefore", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		b.know(t, 0)
		b.byHand(t, blacklist.ActionBlock, 0, 3)
		person := b.addUnion(t, b.list, 3)
		b.done(t)
		require.Equal(t, 1, b.Sim.CallCount(pathBlock))
		place := b.places(t, b.list, person)[0]
		require.Equal(t, sharedlist.Already, place.State)
		require.Nil(t, place.BatchID)
	})

	t.Run("StayUnblockedWhereStaffUnblockedThemAfterwards", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		b.know(t, 0)
		person := b.addUnion(t, b.list, 3)
		b.done(t)
		b.byHand(t, blacklist.ActionUnblock, 0, 3)
		b.Clock.Advance(time.Minute)
		b.comes(t, 0, b.openid(0, 3), union(3)) // something that makes the list look again
		b.done(t)
		require.Empty(t, b.blacklisted(0), "the last wish wins")
		require.Equal(t, map[int]sharedlist.State{0: sharedlist.Overruled}, b.states(t, b.list, person))
	})

	t.Run("AreBlockedByTheListWhenTheBlockOfSomebodyElseEndsByItself", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.start(t)
		b.know(t, 0)
		b.wish(t, blacklist.ActionBlock, 0, blacklist.Request{OpenIDs: []string{b.openid(0, 3)}, Until: new(b.Clock.Now().Add(5 * time.Minute))})
		b.done(t)
		person := b.addUnion(t, b.list, 3)
		b.done(t)
		require.Equal(t, map[int]sharedlist.State{0: sharedlist.Already}, b.states(t, b.list, person))
		b.Clock.Advance(6 * time.Minute)
		b.eventually(t, "the list blocks them", func() bool { b.done(t); return b.states(t, b.list, person)[0] == sharedlist.Blocked })
		require.Equal(t, []string{b.openid(0, 3)}, b.blacklisted(0))
		b.remove(t, b.list, person)
		b.done(t)
		require.Empty(t, b.blacklisted(0))
	})

	t.Run("AreBlockedByTheListWhenTheBlockOfSomebodyElseIsCancelled", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		batch := b.wish(t, blacklist.ActionBlock, 0, blacklist.Request{OpenIDs: []string{b.openid(0, 3)}})
		person := b.add(t, b.list, sharedlist.Addition{OpenIDs: []string{b.openid(0, 3)}, AppID: b.accounts[0].AppID})
		b.sweep(t)
		require.Equal(t, map[int]sharedlist.State{0: sharedlist.Already}, b.states(t, b.list, person))
		_, err := b.blacklist.Cancel(t.Context(), b.key, b.tenantID, batch.ID)
		require.NoError(t, err)
		b.Clock.Advance(2 * time.Minute)
		b.start(t)
		b.eventually(t, "the list blocks them", func() bool { b.done(t); return b.states(t, b.list, person)[0] == sharedlist.Blocked })
	})
}
