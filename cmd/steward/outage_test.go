package main_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/localpg"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestDatabaseStopsUnderLoad(t *testing.T) {
	t.Parallel()
	const people = 3000 // many more than are called for before somebody notices
	b, server := setupWithOwnDatabase(t)
	appid, followers := b.connect(people, "1", "2")
	slow(t, b, pathBlock, 30*time.Millisecond)
	made := b.startBlock(appid, followers)
	eventually(t, "five calls were made", func() bool { return b.sim.CallCount(pathBlock) >= 5 })

	server.stop()
	requireNotReady(t, b)
	down := b.get("/v1/tenants")
	require.GreaterOrEqual(t, down.status, 500)
	require.NotContains(t, string(down.body), "connect", "what only the operator can mend is in the log")
	down.problem()
	require.Error(t, b.sim.PushTicket(t.Context()), "a ticket that cannot be stored is not acknowledged")
	require.Less(t, len(b.sim.Blacklisted(appid)), people)

	server.start()
	goesOn(t, b, appid, made, followers)
	require.NoError(t, b.sim.PushTicket(t.Context()))
	b.steward.stop()
}

// A network that swallows packets is worse than one that refuses them.
func TestDatabaseFallsSilentUnderLoad(t *testing.T) {
	t.Parallel()
	const people = 3000
	b, server := setupWithOwnDatabase(t)
	appid, followers := b.connect(people, "1", "2")
	slow(t, b, pathBlock, 30*time.Millisecond)
	made := b.startBlock(appid, followers)
	eventually(t, "five calls were made", func() bool { return b.sim.CallCount(pathBlock) >= 5 })

	server.way.silence(true)
	requireNotReady(t, b)
	require.Less(t, len(b.sim.Blacklisted(appid)), people)

	server.way.silence(false)
	goesOn(t, b, appid, made, followers)
	b.steward.stop()
}

func TestEndsWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	b, server := setupWithOwnDatabase(t)
	appid, followers := b.connect(400, "1", "2")
	slow(t, b, pathBlock, 30*time.Millisecond)
	made := b.startBlock(appid, followers)
	eventually(t, "five calls were made", func() bool { return b.sim.CallCount(pathBlock) >= 5 })

	server.stop()
	requireNotReady(t, b)
	again := time.Now()
	b.steward.stop()
	t.Logf("with the database down, SIGTERM took %s", time.Since(again).Round(time.Millisecond))

	server.start()
	b.serve()
	goesOn(t, b, appid, made, followers)
}

// requireNotReady waits until Steward says so; it lives on all the same.
func requireNotReady(t *testing.T, b *bundle) {
	t.Helper()
	eventually(t, "it says that it is not ready", func() bool { return b.visit("/readyz").status == http.StatusServiceUnavailable })
	b.visit("/healthz").is(200)
	require.False(t, b.steward.hasEnded())
}

// goesOn waits for the end of a batch that an outage interrupted.
func goesOn(t *testing.T, b *bundle, appid string, made batch, openids []string) {
	t.Helper()
	again := time.Now()
	eventually(t, "it is ready again", func() bool { return b.visit("/readyz").status == http.StatusOK })
	ready := time.Since(again)
	got := b.ended(made.ID)
	t.Logf("after the database came back: ready after %s, all done after %s", ready.Round(time.Millisecond), time.Since(again).Round(time.Millisecond))
	requireAllBlocked(t, b, appid, got, openids)
}

// ownDatabase is a server of one test, which may come and go.
type ownDatabase struct {
	t      *testing.T
	dir    string
	server *localpg.Server
	way    *forwarder
}

func setupWithOwnDatabase(t *testing.T) (*bundle, *ownDatabase) {
	t.Helper()
	d := &ownDatabase{t: t, dir: dirForPostgres(t), way: newForwarder(t)}
	t.Cleanup(func() { _ = d.server.Stop() })
	d.start()
	u, err := url.Parse(d.server.URL)
	require.NoError(t, err)
	u.Host = d.way.address
	return setupOn(t, u.String()), d
}

func (d *ownDatabase) start() {
	d.t.Helper()
	var err error
	d.server, err = localpg.Start(d.t.Context(), localpg.Config{Dir: d.dir})
	require.NoError(d.t, err)
	u, err := url.Parse(d.server.URL)
	require.NoError(d.t, err)
	d.way.target.Store(&u.Host)
}

func (d *ownDatabase) stop() {
	d.t.Helper()
	require.NoError(d.t, d.server.Stop())
}

func TestWeChatIsUnreachableForAWhile(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]simulator.Fault{
		"BadGateway":        {Status: http.StatusBadGateway},
		"ConnectionsBreak":  {Drop: true},
		"BreaksAfterTheAct": {Drop: true, Applied: true},
		"SystemError":       {Code: -1},
		"Garbage":           {Garbage: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			appid, followers := b.connect(45, "1", "2")
			fault.Path, fault.Skip, fault.Times = pathBlock, 1, 2
			_, err := b.sim.Inject(fault)
			require.NoError(t, err)
			require.Equal(t, counts{Total: 45, Done: 45}, b.block(appid, followers).Counts)
			require.ElementsMatch(t, followers, b.sim.Blacklisted(appid))
			require.Equal(t, 5, b.sim.CallCount(pathBlock))
		})
	}
}

// dirForPostgres can be reached by the user that PostgreSQL runs as when we are root; t.TempDir cannot.
func dirForPostgres(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "steward-test-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// forwarder is one address for a database server that gets another port at each start.
type forwarder struct {
	address string
	target  atomic.Pointer[string]
	silent  sync.RWMutex // held for writing: nothing passes
}

func newForwarder(t *testing.T) *forwarder {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	f := &forwarder{address: listener.Addr().String()}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go f.forward(conn)
		}
	}()
	return f
}

// silence lets nothing pass any more, in either direction, or again everything that was held back.
func (f *forwarder) silence(on bool) {
	if on {
		f.silent.Lock()
	} else {
		f.silent.Unlock()
	}
}

func (f *forwarder) forward(conn net.Conn) {
	defer conn.Close()
	server, err := net.Dial("tcp", *f.target.Load())
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		f.copy(server, conn)
		_, _ = conn.Close(), server.Close()
	}()
	f.copy(conn, server)
}

func (f *forwarder) copy(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		f.silent.RLock()
		_, writeErr := to.Write(buffer[:n])
		f.silent.RUnlock()
		if err != nil || writeErr != nil {
			return
		}
	}
}

// The database is away for twenty seconds while tokens end and are asked for; a renewal is under way when it goes.
func TestTokensOutliveADatabaseThatStops(t *testing.T) {
	t.Parallel()
	b, server := setupWithOwnDatabase(t)
	require.NoError(t, b.sim.Change(rotating))
	appids := b.connectMany(10)
	fault, err := b.sim.Inject(simulator.Fault{Path: pathAuthorizerToken, AppID: appids[0], Applied: true, Hang: true})
	require.NoError(t, err)
	b.expire(appids)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for n := range 20 {
		load.Go(func() {
			for ctx.Err() == nil {
				_, _ = b.ask(b.steward, appids[n%len(appids)])
			}
		})
	}
	eventually(t, "a renewal is under way", func() bool { return b.sim.Hanging() > 0 })
	server.stop()
	b.sim.ClearFaults(fault) // WeChat answers, and there is nowhere to put the answer
	time.Sleep(20 * time.Second)
	server.start()
	eventually(t, "it is ready again", func() bool { return b.visit("/readyz").status == http.StatusOK })
	stop()
	load.Wait()
	requireHealthy(t, b, appids)
}

// A renewal that hangs for a minute holds up nobody who has a token that lives, nor any other account; and its lock frees itself.
func TestARenewalThatHangsForAMinute(t *testing.T) {
	t.Parallel()
	b := setup(t)
	appids := b.connectMany(3)
	before, err := b.ask(b.steward, appids[0])
	require.NoError(t, err)
	second := serve(t, b.env)
	_, err = b.sim.Inject(simulator.Fault{Path: pathAuthorizerToken, AppID: appids[0], LatencyMS: 60_000, Times: 1})
	require.NoError(t, err)
	_, err = b.db.Exec(t.Context(), `UPDATE authorizer_tokens SET renewed_at = now() - interval '100 minutes', access_token_expires_at = now() + interval '20 minutes', renew_after = now()`)
	require.NoError(t, err)

	for _, p := range []*process{b.steward, second} {
		got, err := b.ask(p, appids[0])
		require.NoError(t, err)
		require.Equal(t, before.AccessToken, got.AccessToken, "the one that lives")
		for _, other := range appids[1:] {
			_, err := b.ask(p, other)
			require.NoError(t, err)
		}
	}
	requireHealthy(t, b, appids[1:])
	deadline := time.After(2 * time.Minute)
	for {
		got, err := b.ask(second, appids[0])
		if err == nil && got.AccessToken != before.AccessToken {
			break
		}
		select {
		case <-deadline:
			require.FailNow(t, "the account was never renewed")
		case <-time.After(100 * time.Millisecond):
		}
	}
	requireHealthy(t, b, appids[:1])
}
