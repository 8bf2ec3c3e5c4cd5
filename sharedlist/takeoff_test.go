package sharedlist_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/internal/factory"
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
		require.Equal(t, "taken off list swindlers: they cheat", history.Events[0].Reason)
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

func TestSweeps(t *testing.T) {
	t.Parallel()

	t.Run("OfSeveralProcessesPutNobodyOnTwice", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2, func(c *sharedlist.Config) { c.Chunk = 3 })
		b.start(t)
		b.know(t, 0, 1)
		var unionids []string
		for n := range 10 {
			unionids = append(unionids, union(n))
		}
		b.add(t, b.list, sharedlist.Addition{UnionIDs: unionids})
		errs := make(chan error)
		for range 4 {
			other := b.process(t)
			go func() { errs <- other.lists.Sweep(context.WithoutCancel(t.Context())) }()
		}
		for range 4 {
			require.NoError(t, <-errs)
		}
		b.done(t)
		require.Len(t, b.blacklisted(0), 10)
		require.Len(t, b.blacklisted(1), 10)
		require.Equal(t, 20, b.count(t, `blacklist_items`), "each was asked for once")
	})

	t.Run("ThatFailInTheMiddleAreTakenUpAgainAndDoubleNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2)
		b.know0(t)
		person := b.addUnion(t, b.list, 3)
		// Each statement that changes something fails once: where a process dies, nothing of its transaction is left.
		for _, at := range []string{
			`DELETE ON blacklist_list_dues`, `INSERT ON blacklist_list_places`, `INSERT ON blacklist_batches`, `INSERT ON blacklist_items`,
			`INSERT ON blacklist_entries`, `INSERT ON audit_entries`, `UPDATE ON blacklist_list_places`,
		} {
			b.failing(t, at, func() { require.Error(t, b.lists.Sweep(t.Context()), at) })
		}
		b.done(t)
		require.Equal(t, []string{b.openid(0, 3)}, b.blacklisted(0))
		require.Equal(t, []string{b.openid(1, 3)}, b.blacklisted(1))
		require.Equal(t, 2, b.count(t, `blacklist_items`))
		b.remove(t, b.list, person)
		for _, at := range []string{
			`UPDATE ON blacklist_list_places`, `INSERT ON blacklist_items`, `DELETE ON blacklist_list_places`, `DELETE ON blacklist_list_persons`,
		} {
			b.failing(t, at, func() { require.Error(t, b.lists.Sweep(t.Context()), at) })
		}
		b.done(t)
		require.Empty(t, b.blacklisted(0))
		require.Empty(t, b.blacklisted(1))
		require.Equal(t, 4, b.count(t, `blacklist_items`))
	})

	t.Run("WorkForAnAccountWhoseNeighbourFails", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2)
		b.start(t)
		b.know(t, 0, 1)
		b.addUnion(t, b.list, 3)
		b.exec(t, `CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$`)
		b.exec(t, `CREATE TRIGGER broken BEFORE INSERT ON blacklist_batches FOR EACH ROW WHEN (NEW.authorizer_id = '`+b.accounts[0].ID.String()+`') EXECUTE FUNCTION broken()`)
		require.ErrorContains(t, b.lists.Sweep(t.Context()), "broken")
		require.Equal(t, 1, b.count(t, `blacklist_batches`))
		b.exec(t, `DROP TRIGGER broken ON blacklist_batches`)
		b.done(t)
		require.Len(t, b.blacklisted(0), 1)
		require.Len(t, b.blacklisted(1), 1)
	})
}

// know0 starts jobs and has the first two directories know everybody.
func (b *bundle) know0(t *testing.T) {
	t.Helper()
	b.start(t)
	b.know(t, 0, 1)
}

// failing has a statement fail while something is done.
func (b *bundle) failing(t *testing.T, at string, do func()) {
	t.Helper()
	b.exec(t, `CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$`)
	table := at[len("INSERT ON "):]
	b.exec(t, `CREATE TRIGGER broken BEFORE `+at+` FOR EACH ROW EXECUTE FUNCTION broken()`)
	do()
	b.exec(t, `DROP TRIGGER broken ON `+table)
}

func (b *bundle) exec(t *testing.T, sql string) {
	t.Helper()
	_, err := b.Pool.Exec(t.Context(), sql)
	require.NoError(t, err)
}

func TestLists(t *testing.T) {
	t.Parallel()
	b := setup(t, 2)
	b.start(t)
	stranger := factory.Key(t, b.World, factory.KeyOptions{TenantID: factory.Tenant(t, b.World).ID})
	reader := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.BlacklistRead}})
	ctx := context.Background()

	t.Run("TellWhichAccountsTheyCoverAndWhatToDo", func(t *testing.T) {
		_, accounts, err := b.lists.Get(ctx, b.key, b.tenantID, b.list.ID)
		require.NoError(t, err)
		require.Len(t, accounts, 2)
		require.Equal(t, sharedlist.DirectoryOff, accounts[0].Coverage)
		require.Contains(t, accounts[0].Coverage.Advice(), "turn on the account's directory")
		b.know(t, 0)
		_, accounts, err = b.lists.Get(ctx, b.key, b.tenantID, b.list.ID)
		require.NoError(t, err)
		for _, a := range accounts {
			want := sharedlist.DirectoryOff
			if a.AppID == b.accounts[0].AppID {
				want = sharedlist.Covered
			}
			require.Equal(t, want, a.Coverage)
		}
	})

	t.Run("TellOfAccountsForWhichWeChatGivesNoUnionIDs", func(t *testing.T) {
		b := setup(t, 1)
		for n := range 10 {
			require.NoError(t, b.Sim.SetUnionID(b.accounts[0].AppID, b.openid(0, n), ""))
		}
		b.start(t)
		_, err := b.followers.SetDirectory(ctx, b.key, b.tenantID, b.accounts[0].AppID, follower.Settings{Enabled: true, UnionIDs: new(true)})
		require.NoError(t, err)
		b.eventually(t, "it is known", func() bool {
			require.NoError(t, b.followers.Sweep(ctx))
			_, accounts, err := b.lists.Get(ctx, b.key, b.tenantID, b.list.ID)
			require.NoError(t, err)
			return accounts[0].Coverage == sharedlist.NoUnionIDs
		})
	})

	t.Run("AreNotFoundByOthers", func(t *testing.T) {
		person := b.add(t, b.list, sharedlist.Addition{UnionIDs: []string{"uKnownToNobody"}})
		for name, act := range map[string]func(p tenant.Principal, tenantID uuid.UUID) error{
			"Get": func(p tenant.Principal, id uuid.UUID) error {
				_, _, err := b.lists.Get(ctx, p, id, b.list.ID)
				return err
			},
			"Update": func(p tenant.Principal, id uuid.UUID) error {
				_, err := b.lists.Update(ctx, p, id, b.list.ID, sharedlist.Params{})
				return err
			},
			"Delete": func(p tenant.Principal, id uuid.UUID) error { return b.lists.Delete(ctx, p, id, b.list.ID, "") },
			"Persons": func(p tenant.Principal, id uuid.UUID) error {
				_, err := b.lists.Persons(ctx, p, id, b.list.ID, sharedlist.PersonsParams{})
				return err
			},
			"Add": func(p tenant.Principal, id uuid.UUID) error {
				_, err := b.lists.Add(ctx, p, id, b.list.ID, sharedlist.Addition{UnionIDs: []string{"u"}})
				return err
			},
			"Person": func(p tenant.Principal, id uuid.UUID) error {
				_, _, err := b.lists.Person(ctx, p, id, b.list.ID, person)
				return err
			},
			"Remove": func(p tenant.Principal, id uuid.UUID) error { return b.lists.Remove(ctx, p, id, b.list.ID, person, "") },
		} {
			require.ErrorIs(t, act(stranger, b.tenantID), tenant.ErrNotFound, name)
			require.ErrorIs(t, act(stranger, stranger.TenantID), tenant.ErrNotFound, name)
		}
		_, err := b.lists.Create(ctx, reader, b.tenantID, sharedlist.Params{Name: new("x")})
		require.ErrorAs(t, err, new(*tenant.ScopeMissingError))
	})

	t.Run("TakeNoAccountOfAnotherTenant", func(t *testing.T) {
		theirs := factory.Account(t, b.World, factory.AccountOptions{TenantID: stranger.TenantID})
		_, err := b.lists.Add(ctx, b.key, b.tenantID, b.list.ID, sharedlist.Addition{OpenIDs: []string{"o1"}, AppID: theirs.AppID})
		require.ErrorIs(t, err, tenant.ErrNotFound)
	})

	t.Run("HoldEachPersonOnce", func(t *testing.T) {
		list := b.newList(t, "once")
		a := sharedlist.Addition{UnionIDs: []string{"u1", " u1", "", "u2"}, OpenIDs: []string{"o1"}, AppID: b.accounts[0].AppID}
		added, err := b.lists.Add(ctx, b.key, b.tenantID, list.ID, a)
		require.NoError(t, err)
		require.Equal(t, sharedlist.Added{Added: 3, Skipped: 2}, added)
		added, err = b.lists.Add(ctx, b.key, b.tenantID, list.ID, a)
		require.NoError(t, err)
		require.Equal(t, sharedlist.Added{Already: 3, Skipped: 2}, added)
		page, err := b.lists.Persons(ctx, b.key, b.tenantID, list.ID, sharedlist.PersonsParams{Limit: 2})
		require.NoError(t, err)
		require.Len(t, page.Persons, 2)
		rest, err := b.lists.Persons(ctx, b.key, b.tenantID, list.ID, sharedlist.PersonsParams{Cursor: page.Next})
		require.NoError(t, err)
		require.Len(t, rest.Persons, 1)
		require.Empty(t, rest.Next)
		found, err := b.lists.Persons(ctx, b.key, b.tenantID, list.ID, sharedlist.PersonsParams{Query: "o"})
		require.NoError(t, err)
		require.Len(t, found.Persons, 1)
		require.Equal(t, b.accounts[0].AppID, found.Persons[0].AuthorizerAppID)
	})

	t.Run("TakeOneNameOnce", func(t *testing.T) {
		_, err := b.lists.Create(ctx, b.key, b.tenantID, sharedlist.Params{Name: new(" swindlers ")})
		require.ErrorIs(t, err, sharedlist.ErrNameTaken)
		other := b.newList(t, "renamed")
		_, err = b.lists.Update(ctx, b.key, b.tenantID, other.ID, sharedlist.Params{Name: new("swindlers")})
		require.ErrorIs(t, err, sharedlist.ErrNameTaken)
		renamed, err := b.lists.Update(ctx, b.key, b.tenantID, other.ID, sharedlist.Params{Name: new("renamed again")})
		require.NoError(t, err)
		require.Equal(t, "they cheat", renamed.Reason)
	})

	t.Run("TakeTenThousandPeopleAtOnceAndNoMore", func(t *testing.T) {
		list := b.newList(t, "many")
		var many []string
		for i := range sharedlist.MaxPersonsAtOnce {
			many = append(many, "uMany"+uuid.NewString()+string(rune('a'+i%26)))
		}
		added, err := b.lists.Add(ctx, b.key, b.tenantID, list.ID, sharedlist.Addition{UnionIDs: many})
		require.NoError(t, err)
		require.Equal(t, sharedlist.MaxPersonsAtOnce, added.Added)
		b.sweep(t)
		read, _, err := b.lists.Get(ctx, b.key, b.tenantID, list.ID)
		require.NoError(t, err)
		require.Equal(t, sharedlist.MaxPersonsAtOnce, read.Persons)
		require.False(t, read.Working)
		_, err = b.lists.Add(ctx, b.key, b.tenantID, list.ID, sharedlist.Addition{UnionIDs: append(many, "one more")})
		require.ErrorAs(t, err, new(*sharedlist.TooManyPersonsError))
	})
}
