package blacklist_test

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/internal/ratio"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// accepting is a service, and beside its tables others like them for a bare COPY.
type accepting struct {
	*bundle

	openids []string
}

func newAccepting(b *testing.B, n int) *accepting {
	b.Helper()
	w := factory.NewWorld(b)
	tenantID := factory.Tenant(b, w).ID
	a := &accepting{bundle: &bundle{
		World: w, tenantID: tenantID, key: factory.Key(b, w, factory.KeyOptions{TenantID: tenantID}),
		account: factory.Account(b, w, factory.AccountOptions{TenantID: tenantID, FollowerCount: 1}),
	}}
	var err error
	a.blacklist, err = blacklist.NewService(blacklist.Config{
		Pool: w.Pool, WeChat: w.WeChat, Authorizers: w.Authorizers, Followers: w.Followers, Jobs: w.Jobs, Now: w.Clock.Now, Logger: w.Logger,
	})
	require.NoError(b, err)
	for i := range n {
		a.openids = append(a.openids, simulator.OpenID(a.account.AppID, i))
	}
	return a
}

// empty leaves the tables as a migration does.
func (a *accepting) empty(b *testing.B) {
	b.Helper()
	_, err := a.Pool.Exec(b.Context(), `
		TRUNCATE blacklist_entries, blacklist_items, blacklist_batches CASCADE; DROP TABLE IF EXISTS bare_items, bare_entries`)
	require.NoError(b, err)
	_, err = a.Pool.Exec(b.Context(), `CHECKPOINT`)
	require.NoError(b, err)
}

// copyRows stores, by COPY, the rows that accepting the openids makes: an item and an entry for each, into tables like theirs with
// the same columns, checks and indexes, without foreign keys and without a look at what is there already.
func (a *accepting) copyRows(b *testing.B) time.Duration {
	b.Helper()
	a.empty(b)
	_, err := a.Pool.Exec(b.Context(), `
		CREATE TABLE bare_items (LIKE blacklist_items INCLUDING ALL); CREATE TABLE bare_entries (LIKE blacklist_entries INCLUDING ALL)`)
	require.NoError(b, err)
	began := time.Now()
	err = pgx.BeginFunc(b.Context(), a.Pool, func(tx pgx.Tx) error {
		if _, err := tx.CopyFrom(b.Context(), pgx.Identifier{"bare_items"}, []string{"tenant_id", "batch_id", "seq", "openid"},
			pgx.CopyFromSlice(len(a.openids), func(i int) ([]any, error) {
				return []any{a.tenantID, a.tenantID, int32(i + 1), a.openids[i]}, nil
			})); err != nil {
			return err
		}
		_, err := tx.CopyFrom(b.Context(), pgx.Identifier{"bare_entries"},
			[]string{"tenant_id", "authorizer_id", "openid", "want", "reason", "wanted_by", "wanted_at", "wish", "batch_id", "pending"},
			pgx.CopyFromSlice(len(a.openids), func(i int) ([]any, error) {
				return []any{a.tenantID, a.account.ID, a.openids[i], "blocked", "spam", "tenant key (tenant_key)", a.Clock.Now(), int64(1), a.tenantID, true}, nil
			}))
		return err
	})
	require.NoError(b, err)
	return time.Since(began)
}

func (a *accepting) accept(b *testing.B) time.Duration {
	b.Helper()
	a.empty(b)
	began := time.Now()
	batch, _, err := a.blacklist.Block(b.Context(), a.key, a.tenantID, a.account.AppID, blacklist.Request{OpenIDs: a.openids, Reason: "spam"})
	took := time.Since(began)
	require.NoError(b, err)
	require.Equal(b, len(a.openids), batch.Counts.Pending)
	return took
}

// acceptAgain accepts the same openids once more while the wishes for them are pending: each of them supersedes one.
func (a *accepting) acceptAgain(b *testing.B) time.Duration {
	b.Helper()
	a.accept(b)
	began := time.Now()
	_, _, err := a.blacklist.Unblock(b.Context(), a.key, a.tenantID, a.account.AppID, blacklist.Request{OpenIDs: a.openids})
	took := time.Since(began)
	require.NoError(b, err)
	return took
}

func (a *accepting) acceptFile(b *testing.B) time.Duration {
	b.Helper()
	a.empty(b)
	file := strings.Join(a.openids, "\n")
	began := time.Now()
	batch, _, err := a.blacklist.BlockFile(b.Context(), a.key, a.tenantID, a.account.AppID, blacklist.Upload{File: strings.NewReader(file), Reason: "spam"})
	took := time.Since(began)
	require.NoError(b, err)
	require.Equal(b, len(a.openids), batch.Counts.Pending)
	return took
}

// BenchmarkAccept measures how long it takes until 100,000 wishes are safely stored, as a multiple of a bare COPY of the same rows.
func BenchmarkAccept(b *testing.B) {
	const runs = 5
	a := newAccepting(b, blacklist.MaxOpenIDs)
	var table ratio.Table
	for b.Loop() {
		var requests, files, again []float64
		var bare, took []time.Duration
		for range runs {
			c := a.copyRows(b)
			r, f, g := a.accept(b), a.acceptFile(b), a.acceptAgain(b)
			bare, took = append(bare, c), append(took, r)
			requests, files, again = append(requests, r.Seconds()/c.Seconds()), append(files, f.Seconds()/c.Seconds()), append(again, g.Seconds()/c.Seconds())
		}
		table.Row("100,000 openids accepted: of a bare COPY of their rows", "≤ 3×", "%.2f× (%v of %v)",
			ratio.Median(requests), ratio.Median(took).Round(time.Millisecond), ratio.Median(bare).Round(time.Millisecond))
		table.Row("the same as a CSV file", "", "%.2f×", ratio.Median(files))
		table.Row("the same once more, each superseding one", "", "%.2f×", ratio.Median(again))
		b.ReportMetric(ratio.Median(requests), "copies")
	}
	table.Print(os.Stdout)
}

// BenchmarkAcceptMillion measures a file of a million lines.
func BenchmarkAcceptMillion(b *testing.B) {
	a := newAccepting(b, 1)
	for b.Loop() {
		a.empty(b)
		batch, _, err := a.blacklist.BlockFile(b.Context(), a.key, a.tenantID, a.account.AppID, blacklist.Upload{
			File: io.Reader(&lines{n: blacklist.MaxFileOpenIDs, each: func(int) {}}),
		})
		require.NoError(b, err)
		require.Equal(b, blacklist.MaxFileOpenIDs, batch.Counts.Pending)
	}
}
