package blacklist_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/internal/ratio"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

// pushing is a Steward of one process before a WeChat that says yes to everything, after a while, and has a long blacklist.
type pushing struct {
	*factory.World
	pool     *pgxpool.Pool
	service  *blacklist.Service
	jobs     *river.Client[pgx.Tx]
	url      string
	calls    atomic.Int64
	inAir    atomic.Int64
	mostAir  atomic.Int64
	listed   int // how many openids the blacklist has
	tenantID uuid.UUID
	key      tenant.Principal
	accounts []uuid.UUID
	appids   []string
}

func newPushing(t testing.TB, accounts int, latency time.Duration) *pushing {
	t.Helper()
	p := &pushing{World: factory.NewWorld(t)}
	_, err := p.Components.AccessToken(t.Context(), p.ComponentAppID)
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := p.inAir.Add(1)
		for most := p.mostAir.Load(); now > most && !p.mostAir.CompareAndSwap(most, now); most = p.mostAir.Load() {
		}
		if r.URL.Path == pathList {
			p.answerList(w, r)
			p.inAir.Add(-1)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(latency)
		p.inAir.Add(-1)
		p.calls.Add(1)
		_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	config := p.Pool.Config()
	config.MaxConns = 48
	p.pool, err = pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(p.pool.Close)
	owner := factory.Tenant(t, p.World)
	p.tenantID, p.key = owner.ID, factory.Key(t, p.World, factory.KeyOptions{TenantID: owner.ID})
	p.accounts = factory.ManyAccounts(t, factory.Bulk{
		Pool: p.Pool, Box: p.Box, ComponentAppID: p.ComponentAppID, TenantID: owner.ID, Now: p.Clock.Now(), Count: accounts,
	})
	for i := range accounts {
		p.appids = append(p.appids, factory.BulkAppID(i))
	}
	p.addServices(t)
	return p
}

func (p *pushing) addServices(t testing.TB) {
	t.Helper()
	client, err := wechat.NewClient(wechat.Config{APIURL: p.url})
	require.NoError(t, err)
	p.jobs, err = river.NewClient(riverpgxv5.New(p.pool), &river.Config{Logger: p.Logger})
	require.NoError(t, err)
	components, err := component.NewService(component.Config{Pool: p.pool, WeChat: client, Box: p.Box, Now: p.Clock.Now, Logger: p.Logger})
	require.NoError(t, err)
	authorizers, err := authorizer.NewService(authorizer.Config{
		Pool: p.pool, WeChat: client, Components: components, Box: p.Box, Jobs: p.jobs, PublicURL: factory.PublicURL, Now: p.Clock.Now, Logger: p.Logger,
	})
	require.NoError(t, err)
	p.service, err = blacklist.NewService(blacklist.Config{
		Pool: p.pool, WeChat: client, Authorizers: authorizers, Followers: p.Followers, Jobs: p.jobs, Now: p.Clock.Now, Logger: p.Logger,
	})
	require.NoError(t, err)
}

// work works the jobs until the function that it returns is called.
func (p *pushing) work(t testing.TB, workers int) (stop func()) {
	t.Helper()
	list := river.NewWorkers()
	p.service.AddWorkers(list)
	client, err := river.NewClient(riverpgxv5.New(p.pool), &river.Config{
		Workers: list, Queues: map[string]river.QueueConfig{blacklist.Queue: {MaxWorkers: workers}}, Logger: p.Logger, FetchCooldown: 10 * time.Millisecond,
	})
	require.NoError(t, err)
	require.NoError(t, client.Start(context.WithoutCancel(t.Context())))
	return func() { require.NoError(t, client.Stop(context.WithoutCancel(t.Context()))) }
}

func people(n int, prefix string) []string {
	openids := make([]string, n)
	for i := range openids {
		openids[i] = person(i, prefix)
	}
	return openids
}

func person(i int, prefix string) string { return fmt.Sprintf("o%s-%020d", prefix, i) }

// pushAll blocks openids on accounts and returns how long WeChat's side of it took, outcomes recorded.
func (p *pushing) pushAll(t testing.TB, round, accounts, each, workers int) time.Duration {
	t.Helper()
	for i := range accounts {
		_, _, err := p.service.Block(t.Context(), p.key, p.tenantID, p.appids[i], blacklist.Request{OpenIDs: people(each, fmt.Sprintf("%d-%d", i, round))})
		require.NoError(t, err)
	}
	_, err := p.Pool.Exec(t.Context(), `ANALYZE blacklist_entries, blacklist_items, blacklist_batches, blacklist_lanes`)
	require.NoError(t, err)
	p.calls.Store(0)
	began := time.Now()
	stop := p.work(t, workers)
	require.Eventually(t, func() bool {
		var open int
		err := p.Pool.QueryRow(t.Context(), `SELECT count(*) FROM blacklist_batches WHERE ended_at IS NULL`).Scan(&open)
		return err == nil && open == 0
	}, 5*time.Minute, 5*time.Millisecond)
	took := time.Since(began)
	stop()
	require.EqualValues(t, accounts*each/20, p.calls.Load())
	return took
}

// bareLoop makes the same HTTP calls and records nothing.
func (p *pushing) bareLoop(t testing.TB, calls, inFlight int) time.Duration {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: inFlight}}
	defer client.CloseIdleConnections()
	body, err := json.Marshal(map[string]any{"openid_list": people(20, "bare")})
	require.NoError(t, err)
	began := time.Now()
	var group errgroup.Group
	group.SetLimit(inFlight)
	for range calls {
		group.Go(func() error {
			resp, err := client.Post(p.url+"/cgi-bin/tags/members/batchblacklist?access_token=x", "application/json", bytes.NewReader(body))
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			var out struct{ Errcode int }
			return json.NewDecoder(resp.Body).Decode(&out)
		})
	}
	require.NoError(t, group.Wait())
	return time.Since(began)
}

// BenchmarkBlacklist measures ratios, each within one run and in turns. make bench-blacklist runs it.
func BenchmarkBlacklist(b *testing.B) {
	if b.N != 1 {
		b.Skip("run it with -benchtime 1x")
	}
	var out ratio.Table
	benchOneAccount(b, &out)
	benchManyAccounts(b, &out)
	out.Print(os.Stdout)
}

func benchOneAccount(b *testing.B, out *ratio.Table) {
	const openids, rounds = 20_000, 3
	p := newPushing(b, 1, 20*time.Millisecond)
	var ratios []float64
	var ours, bare time.Duration
	for round := range rounds {
		bare = p.bareLoop(b, openids/20, 8)
		ours = p.pushAll(b, round, 1, openids, 4)
		ratios = append(ratios, float64(ours)/float64(bare))
	}
	out.Row("20,000 openids on one account, 20 ms latency, 8 calls in the air: wall time against a bare HTTP loop", "≤ 1.2×", "%.2f× (%.2f s, %.2f s)",
		ratio.Median(ratios), ours.Seconds(), bare.Seconds())
	require.LessOrEqual(b, p.mostAir.Load(), int64(8))
}

func benchManyAccounts(b *testing.B, out *ratio.Table) {
	const accounts, each, rounds = 1_000, 200, 3
	p := newPushing(b, accounts, 20*time.Millisecond)
	var ratios []float64
	var ours, bare time.Duration
	for round := range rounds {
		bare = p.bareLoop(b, accounts*each/20, 64)
		ours = p.pushAll(b, round, accounts, each, 100)
		ratios = append(ratios, float64(bare)/float64(ours))
	}
	out.Row("1,000 accounts with 200 openids each, 64 calls in the air: rate against a bare HTTP loop", "≥ 0.85", "%.2f (%.1f s, %.1f s)",
		ratio.Median(ratios), ours.Seconds(), bare.Seconds())
}
