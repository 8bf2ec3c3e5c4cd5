package blacklist_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/ratio"
	"github.com/wechat-steward/steward/tenant"
)

// answerList answers with a page of ten thousand, the most that WeChat gives.
func (p *pushing) answerList(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Begin string `json:"begin_openid"`
	}
	_ = json.NewDecoder(r.Body).Decode(&asked)
	const most = 10_000
	var openids []string
	from := 0
	if _, number, goesOn := strings.Cut(asked.Begin, "-"); goesOn {
		from, _ = strconv.Atoi(number)
		from++
	}
	for i := from; i < p.listed && len(openids) < most; i++ {
		openids = append(openids, person(i, "pulled"))
	}
	next := ""
	if len(openids) > 0 {
		next = openids[len(openids)-1]
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"total": p.listed, "count": len(openids), "data": map[string]any{"openid": openids}, "next_openid": next,
	})
}

// BenchmarkPull reads a list of a million openids that our copy knows nothing of, and compares with a bare COPY of the
// entries that come of it. make bench-blacklist runs it.
func BenchmarkPull(b *testing.B) {
	const openids, rounds = 1_000_000, 3
	p := newPushing(b, 1, 0)
	p.listed = openids
	stop := p.work(b, 4)
	defer stop()
	var ratios []float64
	var ours, bare time.Duration
	var growth int
	for range rounds {
		bare = p.copyEntries(b)
		_, err := p.Pool.Exec(b.Context(), `TRUNCATE blacklist_entries`)
		require.NoError(b, err)
		before, most := ratio.ResidentMB(b, os.Getpid()), 0
		began := time.Now()
		pull, err := p.service.StartPull(b.Context(), p.key, p.tenantID, p.appids[0])
		require.NoError(b, err)
		for !pull.Ended() {
			time.Sleep(50 * time.Millisecond)
			most = max(most, ratio.ResidentMB(b, os.Getpid()))
			pull, err = p.service.GetPull(b.Context(), p.key, p.tenantID, pull.ID)
			require.NoError(b, err)
		}
		ours = time.Since(began)
		require.Equal(b, openids, pull.Added, "%+v", pull)
		ratios, growth = append(ratios, float64(bare)/float64(ours)), max(growth, most-before)
	}
	var out ratio.Table
	out.Row("a pull of 1,000,000 entries: rate against a bare COPY of the same rows", "≥ 0.3", "%.2f (%.1f s, %.1f s)", ratio.Median(ratios), ours.Seconds(), bare.Seconds())
	out.Row("the same: growth of the process's resident memory", "≤ 64 MB", "%d MB", growth)
	out.Print(os.Stdout)
}

// copyEntries stores, by COPY, the rows that a pull makes.
func (p *pushing) copyEntries(b *testing.B) time.Duration {
	b.Helper()
	_, err := p.Pool.Exec(b.Context(), `TRUNCATE blacklist_entries`)
	require.NoError(b, err)
	now := p.Clock.Now()
	began := time.Now()
	_, err = p.Pool.CopyFrom(b.Context(), pgx.Identifier{"blacklist_entries"},
		[]string{"tenant_id", "authorizer_id", "openid", "actual", "actual_at", "actual_seq"},
		pgx.CopyFromSlice(p.listed, func(i int) ([]any, error) {
			return []any{p.tenantID, p.accounts[0], person(i, "pulled"), "blocked", now, int64(1)}, nil
		}))
	require.NoError(b, err)
	return time.Since(began)
}

// BenchmarkPage reads pages of two lists, one a thousand times as long as the other. make bench-blacklist runs it.
func BenchmarkPage(b *testing.B) {
	const small, large, pages = 10_000, 10_000_000, 2_000
	p := newPushing(b, 2, 0)
	sizes := [2]int{small, large}
	for i, size := range sizes {
		_, err := p.Pool.Exec(b.Context(), `
			INSERT INTO blacklist_lanes (tenant_id, authorizer_id, blocked) VALUES ($1, $2, $3)`, p.tenantID, p.accounts[i], size)
		require.NoError(b, err)
		_, err = p.Pool.Exec(b.Context(), `
			INSERT INTO blacklist_entries (tenant_id, authorizer_id, openid, actual, actual_at, actual_seq)
			SELECT $1, $2, 'opulled-' || lpad(n::text, 20, '0'), 'blocked', now(), 1 FROM generate_series(0, $3::integer - 1) n`, p.tenantID, p.accounts[i], size)
		require.NoError(b, err)
	}
	_, err := p.Pool.Exec(b.Context(), `VACUUM ANALYZE blacklist_entries`)
	require.NoError(b, err)
	var took [2][]time.Duration
	for range pages {
		for i, size := range sizes {
			began := time.Now()
			page, err := p.service.List(b.Context(), p.key, p.tenantID, p.appids[i], blacklist.ListParams{
				Cursor: tenant.EncodeCursor(person(rand.N(size-100), "pulled")),
			})
			took[i] = append(took[i], time.Since(began))
			require.NoError(b, err)
			require.Equal(b, size, page.Total)
		}
	}
	p99 := func(all []time.Duration) time.Duration { return slices.Sorted(slices.Values(all))[len(all)*99/100] }
	var out ratio.Table
	out.Row("a page of the list with 10,000,000 entries: p99 against that with 10,000", "≤ 2×", "%.2f× (%v, %v)",
		float64(p99(took[1]))/float64(p99(took[0])), p99(took[1]).Round(time.Microsecond), p99(took[0]).Round(time.Microsecond))
	out.Row("the same: median", "", "%.2f× (%v, %v)",
		float64(ratio.Median(took[1]))/float64(ratio.Median(took[0])), ratio.Median(took[1]).Round(time.Microsecond), ratio.Median(took[0]).Round(time.Microsecond))
	out.Print(os.Stdout)
}
