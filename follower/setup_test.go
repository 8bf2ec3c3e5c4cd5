package follower_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// WeChat's paths.
const (
	pathList  = "/cgi-bin/user/get"
	pathInfo  = "/cgi-bin/user/info/batchget"
	pathQuota = "/cgi-bin/openapi/quota/get"
)

// patience is how long tests wait for what should come at once; machines that test are busy.
const patience = 60 * time.Second

// bundle is a world with a tenant, one account of it, and the service under test.
type bundle struct {
	*factory.World

	followers *follower.Service
	tenantID  uuid.UUID
	key       tenant.Principal
	account   authorizer.Account
}

// setup makes a bundle whose account has that many followers, on pages of that size. Its jobs do not run before start.
func setup(t *testing.T, count, pageSize int, change ...func(*follower.Config)) *bundle {
	t.Helper()
	w := factory.NewWorld(t)
	require.NoError(t, w.Sim.Change(func(s *simulator.Settings) { s.FollowerPageSize = pageSize }))
	owner := factory.Tenant(t, w)
	return &bundle{
		World: w, followers: newService(t, w, change...), tenantID: owner.ID,
		key:     factory.Key(t, w, factory.KeyOptions{TenantID: owner.ID}),
		account: factory.Account(t, w, factory.AccountOptions{TenantID: owner.ID, FollowerCount: count}),
	}
}

func newService(t *testing.T, w *factory.World, change ...func(*follower.Config)) *follower.Service {
	t.Helper()
	cfg := follower.Config{Pool: w.Pool, WeChat: w.WeChat, Authorizers: w.Authorizers, Jobs: w.Jobs, Now: w.Clock.Now, Logger: w.Logger}
	for _, c := range change {
		c(&cfg)
	}
	s, err := follower.NewService(cfg)
	require.NoError(t, err)
	return s
}

// start has the jobs of the bundle's service worked until the test ends.
func (b *bundle) start(t *testing.T) {
	t.Helper()
	client := b.StartJobs(t, b.followers.AddWorkers)
	require.NoError(t, client.Queues().Add(follower.Queue, river.QueueConfig{MaxWorkers: 4}))
}

func (b *bundle) openid(n int) string { return simulator.OpenID(b.account.AppID, n) }

// openids returns those of some followers, sorted.
func (b *bundle) openids(from, to int) []string {
	list := []string{}
	for n := from; n < to; n++ {
		list = append(list, b.openid(n))
	}
	slices.Sort(list)
	return list
}

// turn turns the directory on or off.
func (b *bundle) turn(t *testing.T, enabled, unionids bool) follower.Directory {
	t.Helper()
	d, err := b.followers.SetDirectory(t.Context(), b.key, b.tenantID, b.account.AppID, follower.Settings{Enabled: enabled, UnionIDs: &unionids})
	require.NoError(t, err)
	return d
}

func (b *bundle) directory(t *testing.T) follower.Directory {
	t.Helper()
	d, err := b.followers.Directory(t.Context(), b.key, b.tenantID, b.account.AppID)
	require.NoError(t, err)
	return d
}

func (b *bundle) sync(t *testing.T) follower.Sync {
	t.Helper()
	_, err := b.followers.StartSync(t.Context(), b.key, b.tenantID, b.account.AppID)
	require.NoError(t, err)
	return b.synced(t)
}

// synced waits until the last sync has ended and nothing is left lying.
func (b *bundle) synced(t *testing.T) follower.Sync {
	t.Helper()
	return b.is(t, func(s follower.Sync) bool { return s.Ended() && b.count(t, "follower_sync_openids") == 0 })
}

// status waits until the last sync has the status.
func (b *bundle) status(t *testing.T, status follower.SyncStatus) follower.Sync {
	t.Helper()
	return b.is(t, func(s follower.Sync) bool { return s.Status == status })
}

func (b *bundle) is(t *testing.T, as func(follower.Sync) bool) follower.Sync {
	t.Helper()
	var last follower.Sync
	b.eventually(t, func() bool {
		d := b.directory(t)
		if d.Sync == nil {
			return false
		}
		last = *d.Sync
		return as(last)
	}, "the sync")
	return last
}

// eventually waits for something, and sweeps meanwhile as every process does.
func (b *bundle) eventually(t *testing.T, is func() bool, what string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if is() {
			return
		}
		b.sweep(t)
	}
	require.FailNow(t, "it never came: "+what, b.Logs.Trouble())
}

// list returns everybody in the directory who follows, page by page.
func (b *bundle) list(t *testing.T) []string {
	t.Helper()
	all := []string{}
	params := follower.ListParams{Limit: 7}
	if len(b.Sim.FollowersOf(b.account.AppID)) > 1000 {
		params.Limit = 1000
	}
	for {
		page, err := b.followers.List(t.Context(), b.key, b.tenantID, b.account.AppID, params)
		require.NoError(t, err)
		for _, f := range page.Followers {
			require.True(t, f.Following)
			all = append(all, f.OpenID)
		}
		if page.Next == "" {
			return all
		}
		params.Cursor = page.Next
	}
}

func (b *bundle) count(t *testing.T, from string) int {
	t.Helper()
	var n int
	require.NoError(t, b.Pool.QueryRow(t.Context(), `SELECT count(*) FROM `+from).Scan(&n))
	return n
}

// receive has an event come, with the time that WeChat gives it.
func (b *bundle) receive(t *testing.T, event, openid string, at time.Time) {
	t.Helper()
	require.NoError(t, b.followers.Receive(t.Context(), b.ComponentAppID, b.account.AppID, wechat.Message{
		ToUserName: b.account.UserName, FromUserName: openid, CreateTime: at, MsgType: "event", Event: event,
	}))
}

func (b *bundle) sweep(t *testing.T) {
	t.Helper()
	require.NoError(t, b.followers.Sweep(t.Context()))
}

func (b *bundle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := b.Pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func (b *bundle) inject(t *testing.T, f simulator.Fault) {
	t.Helper()
	_, err := b.Sim.Inject(f)
	require.NoError(t, err)
}

// hold makes WeChat hold the nth call to path when it has arrived: it closes inside, and goes on when goOn is closed.
func (b *bundle) hold(path string, nth int64) (inside, goOn chan struct{}) {
	inside, goOn = make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	b.Sim.BeforeCall(func(call simulator.Call) {
		if call.Path == path && calls.Add(1) == nth {
			close(inside)
			<-goOn
		}
	})
	return inside, goOn
}

// once does something when the nth call to path comes, before it is answered.
func (b *bundle) once(path string, nth int64, do func()) {
	var calls atomic.Int64
	b.Sim.BeforeCall(func(call simulator.Call) {
		if call.Path == path && calls.Add(1) == nth {
			do()
		}
	})
}

func (b *bundle) audited(t *testing.T) []string {
	t.Helper()
	rows, err := b.Pool.Query(t.Context(), `SELECT action FROM audit_entries WHERE action LIKE 'followers.%' ORDER BY id`)
	require.NoError(t, err)
	actions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return actions
}

func (b *bundle) token(t *testing.T) string {
	t.Helper()
	token, err := b.Authorizers.Token(t.Context(), b.account.ID)
	require.NoError(t, err)
	return token
}

// later lets time pass, in which WeChat pushes tickets as it always does.
func (b *bundle) later(t *testing.T, d time.Duration) {
	t.Helper()
	b.Clock.Advance(d)
	ticket, err := b.Sim.IssueTicket(b.ComponentAppID)
	require.NoError(t, err)
	require.NoError(t, b.Components.StoreTicket(t.Context(), wechat.TicketEvent{
		EventHeader: wechat.EventHeader{AppID: b.ComponentAppID, InfoType: "component_verify_ticket", CreateTime: b.Clock.Now()}, Ticket: ticket,
	}))
}
