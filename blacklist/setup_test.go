package blacklist_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// WeChat's paths.
const (
	pathList    = "/cgi-bin/tags/members/getblacklist"
	pathBlock   = "/cgi-bin/tags/members/batchblacklist"
	pathUnblock = "/cgi-bin/tags/members/batchunblacklist"
)

// patience is how long tests wait for what should come at once; machines that test are busy.
const patience = 60 * time.Second

// bundle is a world with a tenant, one account of it, and the service under test.
type bundle struct {
	*factory.World

	blacklist *blacklist.Service
	tenantID  uuid.UUID
	key       tenant.Principal
	account   authorizer.Account
}

// setup makes a bundle whose account has that many followers. Its jobs do not run before start.
func setup(t *testing.T, followers int, change ...func(*blacklist.Config)) *bundle {
	t.Helper()
	w := factory.NewWorld(t)
	owner := factory.Tenant(t, w)
	return &bundle{
		World: w, blacklist: newService(t, w, change...), tenantID: owner.ID,
		key:     factory.Key(t, w, factory.KeyOptions{TenantID: owner.ID}),
		account: factory.Account(t, w, factory.AccountOptions{TenantID: owner.ID, FollowerCount: followers}),
	}
}

// newService returns a service that wastes no time between tries.
func newService(t *testing.T, w *factory.World, change ...func(*blacklist.Config)) *blacklist.Service {
	t.Helper()
	cfg := blacklist.Config{
		Pool: w.Pool, WeChat: w.WeChat, Authorizers: w.Authorizers, Followers: w.Followers, Jobs: w.Jobs, Now: w.Clock.Now, Logger: w.Logger,
		RetryDelay: time.Millisecond,
	}
	for _, c := range change {
		c(&cfg)
	}
	s, err := blacklist.NewService(cfg)
	require.NoError(t, err)
	return s
}

// start has the jobs of the bundle's service worked until the test ends.
func (b *bundle) start(t *testing.T) *river.Client[pgx.Tx] {
	t.Helper()
	return startJobs(t, b.World, b.blacklist)
}

func startJobs(t *testing.T, w *factory.World, s *blacklist.Service) *river.Client[pgx.Tx] {
	t.Helper()
	client := w.StartJobs(t, s.AddWorkers)
	require.NoError(t, client.Queues().Add(blacklist.Queue, river.QueueConfig{MaxWorkers: 4}))
	return client
}

// process is a second process of the same program, with the same tenant and account.
func (b *bundle) process(t *testing.T, change ...func(*blacklist.Config)) *bundle {
	t.Helper()
	other := *b
	other.World = b.World.Process(t)
	other.blacklist = newService(t, other.World, change...)
	return &other
}

func (b *bundle) openid(n int) string { return simulator.OpenID(b.account.AppID, n) }

func (b *bundle) openids(from, to int) []string {
	var list []string
	for n := from; n < to; n++ {
		list = append(list, b.openid(n))
	}
	return list
}

func (b *bundle) block(t *testing.T, openids ...string) blacklist.Batch {
	t.Helper()
	batch, replayed, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: openids})
	require.NoError(t, err)
	require.False(t, replayed)
	return batch
}

func (b *bundle) unblock(t *testing.T, openids ...string) blacklist.Batch {
	t.Helper()
	batch, _, err := b.blacklist.Unblock(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: openids})
	require.NoError(t, err)
	return batch
}

// ended waits until the batch has ended.
func (b *bundle) ended(t *testing.T, id uuid.UUID) blacklist.Batch {
	t.Helper()
	batch, err := b.blacklist.WaitBatch(t.Context(), b.key, b.tenantID, id, patience)
	require.NoError(t, err)
	require.NotNil(t, batch.EndedAt, "%+v\n%s", batch, b.Logs.Trouble())
	b.consistent(t, batch)
	return batch
}

// consistent checks that a batch's counts are those of its items, and that everybody who is blocked is counted.
func (b *bundle) consistent(t *testing.T, batch blacklist.Batch) {
	t.Helper()
	counted := map[blacklist.Outcome]int{}
	for _, item := range b.items(t, batch.ID, "") {
		counted[item.Outcome]++
	}
	c := batch.Counts
	require.Equal(t, c.Total, c.Pending+c.Done+c.Already+c.Failed+c.Superseded+c.Cancelled+c.Skipped)
	require.Equal(t, []int{c.Pending, c.Done, c.Already, c.Failed, c.Superseded, c.Cancelled}, []int{
		counted[blacklist.Pending], counted[blacklist.Done], counted[blacklist.Already], counted[blacklist.Failed], counted[blacklist.Superseded], counted[blacklist.Cancelled],
	})
	var known, blocked int
	require.NoError(t, b.Pool.QueryRow(t.Context(), `
		SELECT blocked, (SELECT count(*) FROM blacklist_entries e WHERE e.authorizer_id = l.authorizer_id AND e.actual = 'blocked')
		FROM blacklist_lanes l WHERE l.authorizer_id = $1`, b.account.ID).Scan(&known, &blocked))
	require.Equal(t, blocked, known)
}

// items returns all the items of a batch that have the outcome, page by page.
func (b *bundle) items(t *testing.T, id uuid.UUID, outcome blacklist.Outcome) []blacklist.Item {
	t.Helper()
	var all []blacklist.Item
	params := blacklist.ItemsParams{Outcome: outcome, Limit: 7}
	for {
		page, err := b.blacklist.Items(t.Context(), b.key, b.tenantID, id, params)
		require.NoError(t, err)
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		params.Cursor = page.Next
	}
}

// status waits until the batch has the status.
func (b *bundle) status(t *testing.T, id uuid.UUID, status blacklist.Status) blacklist.Batch {
	t.Helper()
	var batch blacklist.Batch
	b.eventually(t, func() bool {
		var err error
		batch, err = b.blacklist.GetBatch(t.Context(), b.key, b.tenantID, id)
		return err == nil && batch.Status == status
	}, "the batch never was %s", status)
	return batch
}

func (b *bundle) eventually(t *testing.T, is func() bool, what string, args ...any) {
	t.Helper()
	if !eventually(is) {
		require.FailNowf(t, "it never came", what+"\n%s", append(args, b.Logs.Trouble())...)
	}
}

// eventually is require.Eventually without a goroutine that outlives it.
func eventually(is func() bool) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if is() {
			return true
		}
	}
	return is()
}

// sizes returns the numbers of openids in the calls to path that WeChat accepted.
func (b *bundle) sizes(t *testing.T, path string) []int {
	t.Helper()
	var sizes []int
	for _, call := range b.Sim.CallsTo(path) {
		if call.Code == 0 && call.Status == 200 {
			sizes = append(sizes, len(listIn(t, call)))
		}
	}
	return sizes
}

func listIn(t *testing.T, call simulator.Call) []string {
	t.Helper()
	var body map[string][]string
	require.NoError(t, json.Unmarshal(call.Body, &body))
	require.Contains(t, body, "openid_list")
	return body["openid_list"]
}

func (b *bundle) blacklisted() []string {
	list := b.Sim.Blacklisted(b.account.AppID)
	slices.Sort(list)
	return list
}

// entries returns all entries that the filter matches.
func (b *bundle) entries(t *testing.T, actual blacklist.Actual) []blacklist.Entry {
	t.Helper()
	var all []blacklist.Entry
	params := blacklist.ListParams{Actual: actual, Limit: 7}
	for {
		page, err := b.blacklist.List(t.Context(), b.key, b.tenantID, b.account.AppID, params)
		require.NoError(t, err)
		all = append(all, page.Entries...)
		if page.Next == "" {
			require.Equal(t, page.Total, len(all))
			return all
		}
		params.Cursor = page.Next
	}
}

func openidsOf(entries []blacklist.Entry) []string {
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = e.OpenID
	}
	return list
}

// sorted returns a sorted copy.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

func (b *bundle) sweep(t *testing.T) {
	t.Helper()
	require.NoError(t, b.blacklist.Sweep(t.Context()))
}

func (b *bundle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := b.Pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}
