package authorizer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
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
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/internal/ratio"
	"github.com/wechat-steward/steward/wechat"
)

const benchRenewals = 32

// renewing is a Steward of one process with its background work, before a WeChat that does nothing but renew.
type renewing struct {
	*factory.World
	pool       *pgxpool.Pool
	service    *authorizer.Service
	url        string // of that WeChat
	calls      atomic.Int64
	statements atomic.Int64
	ids        []uuid.UUID
}

// TraceQueryStart counts, among all statements, what a renewal costs the database.
func (r *renewing) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	r.statements.Add(1)
	return ctx
}

func (r *renewing) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// newRenewing makes one with so many accounts, none of which is due.
func newRenewing(t testing.TB, accounts int, latency time.Duration) *renewing {
	t.Helper()
	r := &renewing{World: factory.NewWorld(t)}
	_, err := r.Components.AccessToken(t.Context(), r.ComponentAppID)
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
		var in struct {
			RefreshToken string `json:"authorizer_refresh_token"`
		}
		_ = json.NewDecoder(q.Body).Decode(&in)
		time.Sleep(latency)
		fmt.Fprintf(rw, `{"authorizer_access_token":"87_%026d","expires_in":7200,"authorizer_refresh_token":"%s"}`, r.calls.Add(1), in.RefreshToken)
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	config := r.Pool.Config()
	config.MaxConns = 48
	config.ConnConfig.Tracer = r
	r.pool, err = pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(r.pool.Close)
	r.addServices(t)
	r.ids = factory.ManyAccounts(t, factory.Bulk{
		Pool: r.Pool, Box: r.Box, ComponentAppID: r.ComponentAppID, TenantID: factory.Tenant(t, r.World).ID, Now: r.Clock.Now(), Count: accounts,
	})
	return r
}

func (r *renewing) addServices(t testing.TB) {
	t.Helper()
	client, err := wechat.NewClient(wechat.Config{APIURL: r.url})
	require.NoError(t, err)
	inserting, err := river.NewClient(riverpgxv5.New(r.pool), &river.Config{Logger: r.Logger})
	require.NoError(t, err)
	components, err := component.NewService(component.Config{Pool: r.pool, WeChat: client, Box: r.Box, Now: r.Clock.Now, Logger: r.Logger})
	require.NoError(t, err)
	r.service, err = authorizer.NewService(authorizer.Config{
		Pool: r.pool, WeChat: client, Components: components, Box: r.Box, Jobs: inserting, Renewals: benchRenewals,
		PublicURL: factory.PublicURL, Now: r.Clock.Now, Logger: r.Logger,
	})
	require.NoError(t, err)
	workers := river.NewWorkers()
	r.service.AddWorkers(workers)
	jobs, err := river.NewClient(riverpgxv5.New(r.pool), &river.Config{
		Workers: workers, Queues: map[string]river.QueueConfig{authorizer.Queue: {MaxWorkers: 64}}, Logger: r.Logger,
		FetchCooldown: 10 * time.Millisecond,
	})
	require.NoError(t, err)
	require.NoError(t, jobs.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() { require.NoError(t, jobs.Stop(context.Background())) })
}

// makeDue makes the first n accounts due.
func (r *renewing) makeDue(t testing.TB, n int) {
	t.Helper()
	_, err := r.Pool.Exec(t.Context(), `UPDATE authorizer_tokens SET renew_after = $2 WHERE authorizer_id = ANY ($1)`, r.ids[:n], r.Clock.Now().Add(-time.Second))
	require.NoError(t, err)
	_, err = r.Pool.Exec(t.Context(), `VACUUM ANALYZE authorizer_tokens`)
	require.NoError(t, err)
}

// renewDue renews n accounts the way that serving does, and returns how long it took, and how many statements.
func (r *renewing) renewDue(t testing.TB, n int) (time.Duration, int64) {
	t.Helper()
	r.makeDue(t, n)
	began, before := time.Now(), r.statements.Load()
	r.calls.Store(0)
	require.NoError(t, r.service.Sweep(t.Context()))
	for r.calls.Load() < int64(n) {
		time.Sleep(time.Millisecond)
	}
	require.Eventually(t, func() bool {
		var left int
		err := r.Pool.QueryRow(t.Context(), `SELECT count(*) FROM authorizer_tokens WHERE renew_after <= $1`, r.Clock.Now()).Scan(&left)
		return err == nil && left == 0
	}, patience, time.Millisecond)
	took := time.Since(began)
	require.Equal(t, int64(n), r.calls.Load(), "one renewal each")
	return took, r.statements.Load() - before
}

// bareLoop does the same HTTP calls and one UPDATE each, and nothing else: what a script would do that needs not be right.
func (r *renewing) bareLoop(t testing.TB, n int) time.Duration {
	t.Helper()
	r.makeDue(t, n)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchRenewals}}
	defer client.CloseIdleConnections()
	value := bytes.Repeat([]byte{1}, 64)
	began := time.Now()
	var group errgroup.Group
	group.SetLimit(benchRenewals)
	for _, id := range r.ids[:n] {
		group.Go(func() error {
			body, err := json.Marshal(map[string]string{
				"component_appid": r.ComponentAppID, "authorizer_appid": id.String(), "authorizer_refresh_token": "refreshtoken@@@" + id.String(),
			})
			if err != nil {
				return err
			}
			resp, err := client.Post(r.url+"/cgi-bin/component/api_authorizer_token?component_access_token=x", "application/json", bytes.NewReader(body))
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			var out map[string]any
			if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
				return err
			}
			_, err = r.pool.Exec(t.Context(), `
				UPDATE authorizer_tokens SET access_token_sealed = $2, renewed_at = $3, access_token_expires_at = $4, renew_after = $5, version = version + 1
				WHERE authorizer_id = $1`, id, value, r.Clock.Now(), r.Clock.Now().Add(2*time.Hour), r.Clock.Now().Add(time.Hour))
			return err
		})
	}
	require.NoError(t, group.Wait())
	return time.Since(began)
}

func TestRenewals_TakeFiveStatementsEachAtMost(t *testing.T) {
	t.Parallel()
	const accounts = 500
	r := newRenewing(t, accounts, 0)
	_, statements := r.renewDue(t, accounts)
	require.LessOrEqual(t, float64(statements)/accounts, 5.0, "with all that the sweep and the job queue do")
}

// BenchmarkTokens measures ratios, each within one run and in turns, since machines differ and are shared. make bench-tokens runs it.
func BenchmarkTokens(b *testing.B) {
	if b.N != 1 {
		b.Skip("run it with -benchtime 1x")
	}
	var out ratio.Table
	benchAgainstBareLoop(b, &out)
	benchFlatness(b, &out)
	benchReading(b, &out)
	out.Print(os.Stdout)
}

func benchAgainstBareLoop(b *testing.B, out *ratio.Table) {
	const accounts, rounds = 10_000, 3
	r := newRenewing(b, accounts, 20*time.Millisecond)
	var ratios []float64
	var statements int64
	var ours, bare time.Duration
	for range rounds {
		var n int64
		bare = r.bareLoop(b, accounts)
		factory.SealAgain(b, r.Pool, r.Box, r.ids) // the loop above stored no tokens
		ours, n = r.renewDue(b, accounts)
		statements += n
		ratios = append(ratios, float64(ours)/float64(bare))
	}
	out.Row("10,000 accounts due at once, 20 ms latency, 32 at a time: wall time against a bare loop of the same HTTP calls and one UPDATE each", "≤ 1.15×",
		"%.2f× (%.1f s, %.1f s)", ratio.Median(ratios), ours.Seconds(), bare.Seconds())
	out.Row("statements per renewal, sweep and job queue included", "≤ 5", "%.2f", float64(statements)/accounts/rounds)
}

func benchFlatness(b *testing.B, out *ratio.Table) {
	const due, rounds = 1_000, 7
	sizes := []int{1_000, 10_000, 100_000}
	worlds, took := make([]*renewing, len(sizes)), make([][]time.Duration, len(sizes))
	for i, size := range sizes {
		worlds[i] = newRenewing(b, size, 0)
	}
	for range rounds {
		for i, r := range worlds {
			once, _ := r.renewDue(b, due)
			took[i] = append(took[i], once)
		}
	}
	small := ratio.Median(took[0])
	for i, size := range sizes {
		once := ratio.Median(took[i])
		out.Row(fmt.Sprintf("cost per renewal with %d accounts, against %d", size, sizes[0]), "0.8 to 1.2", "%.2f (%d µs)",
			float64(once)/float64(small), once.Microseconds()/due)
	}
}

func benchReading(b *testing.B, out *ratio.Table) {
	const callers, each, rounds = 64, 400, 5
	r := newRenewing(b, 1_000, 0)
	run := func(read func(ctx context.Context, id uuid.UUID) error) time.Duration {
		began := time.Now()
		var wait sync.WaitGroup
		for caller := range callers {
			wait.Go(func() {
				for i := range each {
					if err := read(b.Context(), r.ids[(caller*each+i)%len(r.ids)]); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wait.Wait()
		return time.Since(began)
	}
	var ratios []float64
	for range rounds {
		bare := run(func(ctx context.Context, id uuid.UUID) error {
			var sealed []byte
			return r.pool.QueryRow(ctx, `SELECT access_token_sealed FROM authorizer_tokens WHERE authorizer_id = $1`, id).Scan(&sealed)
		})
		ours := run(func(ctx context.Context, id uuid.UUID) error {
			_, err := r.service.Token(ctx, id)
			return err
		})
		ratios = append(ratios, float64(bare)/float64(ours))
	}
	out.Row("reading a valid token under 64 callers: rate against a bare SELECT by key on the same pool", "≥ 0.5", "%.2f", ratio.Median(ratios))
}
