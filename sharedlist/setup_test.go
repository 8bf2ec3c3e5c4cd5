package sharedlist_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/sharedlist"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// WeChat's paths.
const (
	pathBlock   = "/cgi-bin/tags/members/batchblacklist"
	pathUnblock = "/cgi-bin/tags/members/batchunblacklist"
)

// patience is how long tests wait for what should come at once; machines that test are busy.
const patience = 60 * time.Second

// bundle is a world with a tenant, accounts of it, and the services that lists need.
type bundle struct {
	*factory.World

	followers *follower.Service
	blacklist *blacklist.Service
	lists     *sharedlist.Service
	tenantID  uuid.UUID
	key       tenant.Principal
	accounts  []authorizer.Account
	list      sharedlist.List
}

// setup makes a bundle with that many accounts, each with ten followers, and an empty list. Follower n of each account is the
// same person, with the unionid union(n). Their directories are off, and jobs do not run before start.
func setup(t *testing.T, accounts int, change ...func(*sharedlist.Config)) *bundle {
	t.Helper()
	b := &bundle{World: factory.NewWorld(t)}
	owner := factory.Tenant(t, b.World)
	b.tenantID, b.key = owner.ID, factory.Key(t, b.World, factory.KeyOptions{TenantID: owner.ID})
	b.addServices(t, change...)
	for range accounts {
		b.addAccount(t, factory.AccountOptions{})
	}
	b.list = b.newList(t, "swindlers")
	return b
}

func (b *bundle) addServices(t *testing.T, change ...func(*sharedlist.Config)) {
	t.Helper()
	var err error
	b.followers, err = follower.NewService(follower.Config{
		Pool: b.Pool, WeChat: b.WeChat, Authorizers: b.Authorizers, Jobs: b.Jobs, Now: b.Clock.Now, Logger: b.Logger, Learned: sharedlist.Learned,
	})
	require.NoError(t, err)
	b.blacklist, err = blacklist.NewService(blacklist.Config{
		Pool: b.Pool, WeChat: b.WeChat, Authorizers: b.Authorizers, Followers: b.followers, Jobs: b.Jobs, Now: b.Clock.Now, Logger: b.Logger, RetryDelay: time.Millisecond,
	})
	require.NoError(t, err)
	cfg := sharedlist.Config{
		Pool: b.Pool, Authorizers: b.Authorizers, Followers: b.followers, Blacklist: b.blacklist, Now: b.Clock.Now, Logger: b.Logger,
	}
	for _, c := range change {
		c(&cfg)
	}
	b.lists, err = sharedlist.NewService(cfg)
	require.NoError(t, err)
}

// process is a second process of the same program.
func (b *bundle) process(t *testing.T) *bundle {
	t.Helper()
	other := *b
	other.World = b.World.Process(t)
	other.addServices(t)
	return &other
}

// addAccount adds an account to the bundle, with ten followers unless o says otherwise, and returns its number.
func (b *bundle) addAccount(t *testing.T, o factory.AccountOptions) int {
	t.Helper()
	o.TenantID, o.FollowerCount = b.tenantID, 10
	account := factory.Account(t, b.World, o)
	for n := range o.FollowerCount {
		require.NoError(t, b.Sim.SetUnionID(account.AppID, simulator.OpenID(account.AppID, n), union(n)))
	}
	b.accounts = append(b.accounts, account)
	return len(b.accounts) - 1
}

func union(n int) string { return "uPerson" + string(rune('A'+n)) }

// start has the jobs of the bundle's services worked until the test ends.
func (b *bundle) start(t *testing.T) {
	t.Helper()
	client := b.StartJobs(t, b.followers.AddWorkers, b.blacklist.AddWorkers)
	require.NoError(t, client.Queues().Add(follower.Queue, river.QueueConfig{MaxWorkers: 4}))
	require.NoError(t, client.Queues().Add(blacklist.Queue, river.QueueConfig{MaxWorkers: 4}))
}

// know turns the directories of accounts on, with unionids, and waits until they know everybody.
func (b *bundle) know(t *testing.T, accounts ...int) {
	t.Helper()
	for _, i := range accounts {
		_, err := b.followers.SetDirectory(t.Context(), b.key, b.tenantID, b.accounts[i].AppID, follower.Settings{Enabled: true, UnionIDs: new(true)})
		require.NoError(t, err)
	}
	b.eventually(t, "the directories know everybody", func() bool {
		require.NoError(t, b.followers.Sweep(t.Context()))
		known, err := b.followers.Knowledge(t.Context(), b.Pool, b.tenantID)
		require.NoError(t, err)
		return !slices.ContainsFunc(accounts, func(i int) bool { return known[b.accounts[i].ID] != follower.KnowsEverybody })
	})
}

func (b *bundle) newList(t *testing.T, name string) sharedlist.List {
	t.Helper()
	list, err := b.lists.Create(t.Context(), b.key, b.tenantID, sharedlist.Params{Name: &name, Reason: new("they cheat")})
	require.NoError(t, err)
	return list
}

// add puts people on a list and returns the id of the first.
func (b *bundle) add(t *testing.T, list sharedlist.List, a sharedlist.Addition) uuid.UUID {
	t.Helper()
	_, err := b.lists.Add(t.Context(), b.key, b.tenantID, list.ID, a)
	require.NoError(t, err)
	page, err := b.lists.Persons(t.Context(), b.key, b.tenantID, list.ID, sharedlist.PersonsParams{Query: slices.Concat(a.UnionIDs, a.OpenIDs)[0]})
	require.NoError(t, err)
	return page.Persons[0].ID
}

func (b *bundle) addUnion(t *testing.T, list sharedlist.List, n int) uuid.UUID {
	t.Helper()
	return b.add(t, list, sharedlist.Addition{UnionIDs: []string{union(n)}, Reason: "fake vouchers"})
}

func (b *bundle) remove(t *testing.T, list sharedlist.List, person uuid.UUID) {
	t.Helper()
	require.NoError(t, b.lists.Remove(t.Context(), b.key, b.tenantID, list.ID, person, "paid back"))
}

func (b *bundle) sweep(t *testing.T) {
	t.Helper()
	require.NoError(t, b.lists.Sweep(t.Context()))
}

// done sweeps until nothing is left to do, neither for the lists nor for any account.
func (b *bundle) done(t *testing.T) {
	t.Helper()
	b.eventually(t, "everything is done", func() bool {
		b.sweep(t)
		require.NoError(t, b.followers.Sweep(t.Context()))
		require.NoError(t, b.blacklist.Sweep(t.Context()))
		return b.count(t, `blacklist_list_dues`)+b.count(t, `blacklist_list_places WHERE due`)+b.count(t, `blacklist_list_persons WHERE removed_at IS NOT NULL`)+
			b.count(t, `blacklist_entries WHERE pending`)+b.count(t, `blacklist_batches WHERE ended_at IS NULL`) == 0
	})
}

func (b *bundle) count(t *testing.T, from string) int {
	t.Helper()
	var n int
	require.NoError(t, b.Pool.QueryRow(t.Context(), `SELECT count(*) FROM `+from).Scan(&n))
	return n
}

func (b *bundle) openid(account, n int) string { return simulator.OpenID(b.accounts[account].AppID, n) }

func (b *bundle) blacklisted(account int) []string {
	return b.Sim.Blacklisted(b.accounts[account].AppID)
}

// states returns how it stands with a person, by account.
func (b *bundle) states(t *testing.T, list sharedlist.List, person uuid.UUID) map[int]sharedlist.State {
	t.Helper()
	states := map[int]sharedlist.State{}
	for i, place := range b.places(t, list, person) {
		states[i] = place.State
	}
	return states
}

func (b *bundle) places(t *testing.T, list sharedlist.List, person uuid.UUID) map[int]sharedlist.Place {
	t.Helper()
	_, places, err := b.lists.Person(t.Context(), b.key, b.tenantID, list.ID, person)
	require.NoError(t, err)
	byAccount := map[int]sharedlist.Place{}
	for _, place := range places {
		byAccount[slices.IndexFunc(b.accounts, func(a authorizer.Account) bool { return a.AppID == place.AppID })] = place
	}
	return byAccount
}

func (b *bundle) wish(t *testing.T, action blacklist.Action, account int, req blacklist.Request) blacklist.Batch {
	t.Helper()
	act := b.blacklist.Block
	if action == blacklist.ActionUnblock {
		act = b.blacklist.Unblock
	}
	batch, _, err := act(t.Context(), b.key, b.tenantID, b.accounts[account].AppID, req)
	require.NoError(t, err)
	return batch
}

// byHand blocks or unblocks somebody as staff do, and waits until that is done.
func (b *bundle) byHand(t *testing.T, action blacklist.Action, account, n int) {
	t.Helper()
	b.wish(t, action, account, blacklist.Request{OpenIDs: []string{b.openid(account, n)}})
	b.done(t)
}

// comes lets somebody follow an account, of which WeChat tells.
func (b *bundle) comes(t *testing.T, account int, openid, unionid string) {
	t.Helper()
	appid := b.accounts[account].AppID
	require.NoError(t, b.Sim.AddFollowers(appid, openid))
	require.NoError(t, b.Sim.SetUnionID(appid, openid, unionid))
	require.NoError(t, b.followers.Receive(t.Context(), b.ComponentAppID, appid, wechat.Message{
		ToUserName: b.accounts[account].UserName, FromUserName: openid, CreateTime: b.Clock.Now(), MsgType: "event", Event: "subscribe",
	}))
}

// eventually waits for something.
func (b *bundle) eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if is() {
			return
		}
	}
	require.FailNow(t, "it never came: "+what, b.Logs.Trouble())
}
