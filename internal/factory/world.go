// Package factory makes what tests begin with: a database, a WeChat on this machine, the services between them, and
// tenants, keys and accounts in it. It is for tests only.
package factory

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/internal/testdb"
	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// PublicURL is where the world's connect links lead.
const PublicURL = "https://steward.test"

// WorldOptions say what is different about a world.
type WorldOptions struct {
	Settings          *simulator.Settings   // nil: simulator.DefaultSettings()
	NoTicket          bool                  // WeChat has pushed no ticket yet
	FurtherComponents []simulator.Component // registered too
}

// World is one test's own Steward and its own WeChat.
type World struct {
	Pool           *pgxpool.Pool
	Sim            *simulator.Server
	SimURL         string
	EventURL       string // takes pushes as the HTTP callback does
	WeChat         *wechat.Client
	Box            *secret.Box
	Clock          *Clock
	Logger         *slog.Logger
	Logs           *Logs
	Tenants        *tenant.Service
	Components     *component.Service
	Authorizers    *authorizer.Service
	Followers      *follower.Service
	Jobs           *river.Client[pgx.Tx] // only inserts
	ComponentAppID string
	Platform       tenant.Principal
}

// NewWorld makes a world with a registered component that has a valid ticket. It ends with the test.
func NewWorld(t testing.TB, opts ...WorldOptions) *World {
	t.Helper()
	var o WorldOptions
	if len(opts) > 0 {
		o = opts[0]
	}
	clock := &Clock{now: time.Date(2026, 3, 2, 8, 30, 0, 0, time.UTC)}
	logs := &Logs{}
	w := &World{
		Pool: testdb.New(t), Clock: clock, Logs: logs,
		Logger:   slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Platform: tenant.Principal{Kind: tenant.PlatformKey, ID: "platform-key", Name: "platform", Scopes: tenant.AllScopes()},
	}
	w.Sim = simulator.New(simulator.Config{Now: clock.Now, Settings: o.Settings, Further: o.FurtherComponents, Logger: w.Logger})
	server := httptest.NewServer(w.Sim)
	t.Cleanup(server.Close)
	t.Cleanup(w.Sim.Close)
	w.SimURL = server.URL
	w.ComponentAppID = w.Sim.Component().AppID

	var err error
	w.Box, err = secret.NewBox(bytes.Repeat([]byte{7}, secret.KeySize))
	require.NoError(t, err)
	w.WeChat, err = wechat.NewClient(wechat.Config{APIURL: w.SimURL, HTTPClient: server.Client()})
	require.NoError(t, err)
	w.addServices(t)
	w.listen(t)
	for _, c := range w.Sim.Components() {
		register(t, w, c, o.NoTicket)
	}
	return w
}

// addServices makes the services on w.Pool.
func (w *World) addServices(t testing.TB) {
	t.Helper()
	var err error
	w.Jobs, err = river.NewClient(riverpgxv5.New(w.Pool), &river.Config{Logger: w.Logger})
	require.NoError(t, err)
	w.Tenants, err = tenant.NewService(tenant.Config{Pool: w.Pool, Now: w.Clock.Now, Logger: w.Logger})
	require.NoError(t, err)
	w.Components, err = component.NewService(component.Config{Pool: w.Pool, WeChat: w.WeChat, Box: w.Box, Now: w.Clock.Now, Logger: w.Logger})
	require.NoError(t, err)
	w.Authorizers, err = authorizer.NewService(authorizer.Config{
		Pool: w.Pool, WeChat: w.WeChat, Components: w.Components, Box: w.Box, Jobs: w.Jobs,
		PublicURL: PublicURL, MPURL: w.SimURL, OpenURL: w.SimURL, Now: w.Clock.Now, Logger: w.Logger,
	})
	require.NoError(t, err)
	w.Followers, err = follower.NewService(follower.Config{
		Pool: w.Pool, WeChat: w.WeChat, Authorizers: w.Authorizers, Jobs: w.Jobs, Now: w.Clock.Now, Logger: w.Logger,
	})
	require.NoError(t, err)
}

// Process returns a second process of the same program: its own pool and services on the same database and WeChat.
func (w *World) Process(t testing.TB) *World {
	t.Helper()
	other := *w
	pool, err := pgxpool.NewWithConfig(t.Context(), w.Pool.Config())
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	other.Pool = pool
	other.addServices(t)
	return &other
}

// StartJobs works the jobs of accounts, and those that register adds, until the test ends.
func (w *World) StartJobs(t testing.TB, register ...func(*river.Workers)) *river.Client[pgx.Tx] {
	t.Helper()
	client, stop := w.startJobs(t, register...)
	t.Cleanup(stop)
	return client
}

func (w *World) startJobs(t testing.TB, register ...func(*river.Workers)) (*river.Client[pgx.Tx], func()) {
	t.Helper()
	workers := river.NewWorkers()
	w.Authorizers.AddWorkers(workers)
	for _, add := range register {
		add(workers)
	}
	client, err := river.NewClient(riverpgxv5.New(w.Pool), &river.Config{
		Workers: workers, Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}, authorizer.Queue: {MaxWorkers: 32}}, Logger: w.Logger,
		FetchCooldown: 10 * time.Millisecond, FetchPollInterval: 20 * time.Millisecond, PollOnly: true, TestOnly: true,
	})
	require.NoError(t, err)
	// Not t.Context(), which ends before the cleanup that stops the client in good order.
	ctx := context.WithoutCancel(t.Context())
	require.NoError(t, client.Start(ctx))
	return client, func() {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		if err := client.Stop(ctx); err != nil {
			t.Errorf("stop the jobs: %v", err)
		}
	}
}

// StartCancellable works the jobs of one queue for a test that ends their contexts itself. stopped is closed when all of them have
// ended.
func (w *World) StartCancellable(t testing.TB, queue string, register func(*river.Workers)) (cancel func(), stopped <-chan struct{}) {
	t.Helper()
	workers := river.NewWorkers()
	register(workers)
	client, err := river.NewClient(riverpgxv5.New(w.Pool), &river.Config{
		Workers: workers, Queues: map[string]river.QueueConfig{queue: {MaxWorkers: 4}}, Logger: w.Logger,
		FetchCooldown: 10 * time.Millisecond, FetchPollInterval: 20 * time.Millisecond, PollOnly: true, TestOnly: true,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	require.NoError(t, client.Start(ctx))
	t.Cleanup(func() {
		cancel()
		<-client.Stopped()
	})
	return cancel, client.Stopped()
}

// listen takes pushes: what the HTTP callback does, without its answers to wrong requests.
func (w *World) listen(t testing.TB) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if err := w.receive(r); err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(rw, "success")
	}))
	t.Cleanup(server.Close)
	w.EventURL = server.URL
	for _, c := range w.Sim.Components() {
		require.NoError(t, w.Sim.SetCallbackURLs(c.AppID, server.URL+"/"+c.AppID, ""))
	}
}

func (w *World) receive(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	push := wechat.Push{
		Signature: q.Get("signature"), MsgSignature: q.Get("msg_signature"), Timestamp: q.Get("timestamp"), Nonce: q.Get("nonce"), Body: body,
	}
	raw, err := w.Components.Open(r.Context(), strings.Trim(r.URL.Path, "/"), push)
	if err != nil {
		return err
	}
	ev, err := wechat.ParseEvent(raw)
	if err != nil {
		return err
	}
	return w.Authorizers.Receive(r.Context(), ev, raw)
}

func register(t testing.TB, w *World, c simulator.Component, noTicket bool) {
	t.Helper()
	_, err := w.Components.Register(t.Context(), w.Platform, component.Params{
		AppID: c.AppID, Name: c.Name, AppSecret: secret.New(c.AppSecret), Token: secret.New(c.Token), EncodingAESKey: secret.New(c.EncodingAESKey),
	})
	require.NoError(t, err)
	if noTicket {
		return
	}
	ticket, err := w.Sim.IssueTicket(c.AppID)
	require.NoError(t, err)
	require.NoError(t, w.Components.StoreTicket(t.Context(), wechat.TicketEvent{
		EventHeader: wechat.EventHeader{AppID: c.AppID, InfoType: "component_verify_ticket", CreateTime: w.Clock.Now()}, Ticket: ticket,
	}))
}

// Clock is the one clock of a world, WeChat's too. It stands still until it is moved.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now returns the world's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the world's time.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Logs is all that was logged in a world.
type Logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *Logs) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// String returns the log so far, a JSON object per line.
func (l *Logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Trouble is what was logged of trouble: for the messages of tests that fail.
func (l *Logs) Trouble() string {
	var lines []string
	for line := range strings.Lines(l.String()) {
		if !strings.Contains(line, `"level":"DEBUG"`) && !strings.Contains(line, "producer:") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}
