package keyring_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/internal/testdb"
	"github.com/wechat-steward/steward/keyring"
	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// A sealed column that Reseal does not know would stay under old keys for ever.
func TestEverySealedColumnIsKnown(t *testing.T) {
	t.Parallel()
	rows, err := testdb.New(t).Query(t.Context(), `
		SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name LIKE '%\_sealed'`)
	require.NoError(t, err)
	inSchema, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.NotEmpty(t, inSchema)
	require.ElementsMatch(t, inSchema, keyring.SealedColumns())
}

// The packages that own the tables say where a value is; so does the ring, and they have to say the same.
func TestPlacesAreThoseOfThePackagesThatSeal(t *testing.T) {
	t.Parallel()
	w := factory.NewWorld(t)
	ids := fill(t, w)
	ring := open(t, w.Pool, master(7))
	rotate(t, ring)
	report := reseal(t, ring)
	require.Empty(t, report.Unreadable)
	require.Zero(t, report.Left)
	requireFilled(t, status(t, ring)[0], "reconciliation_accounts.refresh_token_sealed") // which live as long as a reconciliation: see below

	// Another process, to which the master key alone says nothing any more.
	w.Box = ring.Box()
	p := w.Process(t)
	require.NoError(t, p.Components.CheckKey(t.Context()))
	w.Clock.Advance(3 * time.Hour)
	w.Sim.ResetCalls()
	for _, id := range ids {
		token, err := p.Authorizers.Token(t.Context(), id)
		require.NoError(t, err, "the refresh token, and the ticket behind it")
		require.NotEmpty(t, token)
	}
	require.Equal(t, len(ids), w.Sim.CallCount("/cgi-bin/component/api_authorizer_token"))
	require.Equal(t, 1, w.Sim.CallCount("/cgi-bin/component/api_component_token"))
	requirePushOpens(t, p)
	requireEventsOpen(t, p)
	require.Zero(t, reseal(t, ring).Resealed, "and all that was sealed meanwhile is under the newest key")
}

func TestPlacesOfAReconciliationAreThoseOfThePackageThatSeals(t *testing.T) {
	t.Parallel()
	w := factory.NewWorld(t)
	w.Box = open(t, w.Pool, master(7)).Box()
	p := w.Process(t)
	account := factory.Account(t, p, factory.AccountOptions{TenantID: factory.Tenant(t, p).ID})
	_, err := p.Pool.Exec(t.Context(), `UPDATE authorizers SET state = 'needs_reauthorization' WHERE id = $1`, account.ID)
	require.NoError(t, err)
	_, err = p.Sim.Inject(simulator.Fault{Path: "/cgi-bin/component/api_get_authorizer_info", Code: -1})
	require.NoError(t, err)
	p.StartJobs(t)
	begun, err := p.Authorizers.StartReconciliation(t.Context(), p.Platform, p.ComponentAppID)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return count(t, p, `SELECT count(*) FROM reconciliations WHERE failures > 0`) == 1 }, patience, 10*time.Millisecond)
	require.Equal(t, 1, count(t, p, `SELECT count(*) FROM reconciliation_accounts WHERE refresh_token_sealed IS NOT NULL AND settled_at IS NULL`))

	other := open(t, p.Pool, master(7)) // another process
	rotate(t, other)
	report := reseal(t, other)
	require.Empty(t, report.Unreadable)
	require.Zero(t, report.Left)

	p.Sim.ClearFaults()
	p.Clock.Advance(time.Hour)
	require.NoError(t, p.Authorizers.Sweep(t.Context()))
	require.Eventually(t, func() bool {
		ended, err := p.Authorizers.Reconciliation(t.Context(), p.Platform, p.ComponentAppID, begun.ID)
		require.NoError(t, err)
		return ended.Restored == 1 && ended.Status == authorizer.ReconciliationDone
	}, patience, 10*time.Millisecond)
}

func count(t *testing.T, w *factory.World, sql string) (n int) {
	t.Helper()
	require.NoError(t, w.Pool.QueryRow(t.Context(), sql).Scan(&n))
	return n
}

// fill sees to a value in each sealed column, and returns the ids of accounts.
func fill(t *testing.T, w *factory.World) []uuid.UUID {
	t.Helper()
	var ids []uuid.UUID
	for _, tenantID := range []uuid.UUID{factory.Tenant(t, w).ID, uuid.Nil} { // the latter comes by a pushed event
		ids = append(ids, factory.Account(t, w, factory.AccountOptions{TenantID: tenantID}).ID)
	}
	ticket, err := w.Sim.IssueTicket(w.ComponentAppID)
	require.NoError(t, err)
	w.Clock.Advance(time.Second)
	require.NoError(t, w.Components.StoreTicket(t.Context(), wechat.TicketEvent{
		EventHeader: wechat.EventHeader{AppID: w.ComponentAppID, CreateTime: w.Clock.Now()}, Ticket: ticket,
	}))
	// New callback keys; WeChat still uses the former ones.
	_, err = w.Components.Register(t.Context(), w.Platform, component.Params{
		AppID: w.ComponentAppID, AppSecret: secret.New(w.Sim.Component().AppSecret),
		Token: secret.New("anotherToken"), EncodingAESKey: secret.New(strings.Repeat("Ab1", 14) + "A"),
	})
	require.NoError(t, err)
	return ids
}

// requireFilled: without a value in a column, nothing would be proved of its place.
func requireFilled(t *testing.T, key keyring.Key, but ...string) {
	t.Helper()
	filled := but
	for _, count := range key.Counts {
		if count.Column != "" {
			filled = append(filled, count.Table+"."+count.Column)
		}
	}
	require.ElementsMatch(t, keyring.SealedColumns(), filled)
}

// requirePushOpens has WeChat push to the process.
func requirePushOpens(t *testing.T, p *factory.World) {
	t.Helper()
	opened := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		q := r.URL.Query()
		if err == nil {
			_, err = p.Components.Open(r.Context(), p.ComponentAppID, wechat.Push{
				Signature: q.Get("signature"), MsgSignature: q.Get("msg_signature"), Timestamp: q.Get("timestamp"), Nonce: q.Get("nonce"), Body: body,
			})
		}
		opened <- err
		_, _ = io.WriteString(rw, "success")
	}))
	t.Cleanup(server.Close)
	require.NoError(t, p.Sim.SetCallbackURLs(p.ComponentAppID, server.URL, ""))
	require.NoError(t, p.Sim.PushTicket(t.Context()))
	require.NoError(t, <-opened)
}

func requireEventsOpen(t *testing.T, p *factory.World) {
	t.Helper()
	rows, err := p.Pool.Query(t.Context(), `SELECT id FROM component_events`)
	require.NoError(t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	require.NoError(t, err)
	require.NotEmpty(t, ids)
	for _, id := range ids {
		_, err := p.Components.OpenEvent(t.Context(), id)
		require.NoError(t, err)
	}
}
