package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/api"
	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/keyring"
	"github.com/wechat-steward/steward/migrations"
	"github.com/wechat-steward/steward/sharedlist"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/web"
	"github.com/wechat-steward/steward/wechat"
)

const (
	// sweepEvery is how soon work that no job stands for is found again, for example after kill -9.
	sweepEvery = 3 * time.Second
	// jobTimeout and rescueAfter: a job that a dead process left running is taken up again after rescueAfter at the latest.
	jobTimeout  = time.Minute
	rescueAfter = 75 * time.Second
	maxWorkers  = 16 // a queue
	// blacklistWorkers is how many accounts are pushed side by side; how many calls they make is bounded elsewhere.
	blacklistWorkers = 64
	// upkeepWorkers is eight components' worth of renewals that hang; their calls are bounded elsewhere.
	upkeepWorkers = 64
	// followerWorkers is how many accounts' lists of followers are read at a time: there is a day's time for all of them.
	followerWorkers = 8
	// poolSize is enough for the renewals, each of which holds a connection while it waits for WeChat, for callers, and for
	// the workers, most of which wait without one. Two processes fit into PostgreSQL's default of 100 connections;
	// pool_max_conns in DATABASE_URL says otherwise.
	poolSize = 48
	// fetchCooldown: jobs inserted that close upon each other are announced once, and wait up to a second for the next poll.
	fetchCooldown = 10 * time.Millisecond
	// stopTimeout is longer than the longest call to WeChat, so that running calls end and are recorded.
	stopTimeout = 45 * time.Second
)

// app is every service of Steward, wired.
type app struct {
	handler     http.Handler
	tenants     *tenant.Service
	components  *component.Service
	authorizers *authorizer.Service
	followers   *follower.Service
	blacklist   *blacklist.Service
	lists       *sharedlist.Service
	keys        *keyring.Ring

	pool     *pgxpool.Pool
	jobs     *river.Client[pgx.Tx]
	started  bool
	logger   *slog.Logger
	stopping context.Context //nolint:containedctx // ends waiting requests when the process stops
	stop     context.CancelFunc
	sweeps   sync.WaitGroup
}

// newApp builds every service in dependency order. It refuses a database whose schema is not this program's before it writes to it.
func newApp(ctx context.Context, cfg Config, logger *slog.Logger) (*app, error) {
	pool, err := openPool(ctx, cfg)
	if err != nil {
		return nil, err
	}
	a := &app{pool: pool, logger: logger}
	a.stopping, a.stop = context.WithCancel(context.Background())
	if err = migrations.Check(ctx, pool); err == nil {
		a.keys, err = openKeys(ctx, cfg, pool, logger)
	}
	if err == nil {
		err = a.build(cfg)
	}
	if err == nil {
		err = a.components.CheckKey(ctx)
	}
	if err != nil {
		a.stop()
		pool.Close()
		return nil, err
	}
	return a, nil
}

func openPool(ctx context.Context, cfg Config) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(cfg.DatabaseURL.Reveal())
	if err != nil {
		// pgx redacts the password, but only in forms that it can parse.
		return nil, errors.New("DATABASE_URL is not a PostgreSQL connection string")
	}
	config.ConnConfig.RuntimeParams["application_name"] = "steward"
	if !strings.Contains(cfg.DatabaseURL.Reveal(), "pool_max_conns") {
		config.MaxConns = poolSize
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return pool, nil
}

func openKeys(ctx context.Context, cfg Config, pool *pgxpool.Pool, logger *slog.Logger) (*keyring.Ring, error) {
	master, err := cfg.masterKey()
	if err != nil {
		return nil, err
	}
	previous, err := cfg.previousMasterKeys()
	if err != nil {
		return nil, err
	}
	return keyring.Open(ctx, keyring.Config{Pool: pool, Master: master, PreviousMasters: previous, Logger: logger})
}

func (a *app) build(cfg Config) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	client, err := wechat.NewClient(wechat.Config{APIURL: cfg.WeChatAPIURL, Observe: observeCalls(registry)})
	if err != nil {
		return err
	}
	// Services insert jobs before the client that works them can exist, because that one needs their workers.
	inserting, err := river.NewClient(riverpgxv5.New(a.pool), &river.Config{Logger: quiet(a.logger), FetchCooldown: fetchCooldown})
	if err != nil {
		return fmt.Errorf("job queue: %w", err)
	}
	if a.tenants, err = tenant.NewService(tenant.Config{Pool: a.pool, Logger: a.logger}); err != nil {
		return err
	}
	if a.components, err = component.NewService(component.Config{Pool: a.pool, WeChat: client, Box: a.keys.Box(), Logger: a.logger}); err != nil {
		return err
	}
	if a.authorizers, err = authorizer.NewService(authorizer.Config{
		Pool: a.pool, WeChat: client, Components: a.components, Box: a.keys.Box(), Jobs: inserting, Logger: a.logger,
		PublicURL: cfg.PublicURL, MPURL: cfg.WeChatMPURL, OpenURL: cfg.WeChatOpenURL, Renewals: cfg.Renewals,
	}); err != nil {
		return err
	}
	if a.followers, err = follower.NewService(follower.Config{
		Pool: a.pool, WeChat: client, Authorizers: a.authorizers, Jobs: inserting, Logger: a.logger, Learned: sharedlist.Learned,
	}); err != nil {
		return err
	}
	if a.blacklist, err = blacklist.NewService(blacklist.Config{
		Pool: a.pool, WeChat: client, Authorizers: a.authorizers, Followers: a.followers, Jobs: inserting, Logger: a.logger,
	}); err != nil {
		return err
	}
	if a.lists, err = sharedlist.NewService(sharedlist.Config{
		Pool: a.pool, Authorizers: a.authorizers, Followers: a.followers, Blacklist: a.blacklist, Logger: a.logger,
	}); err != nil {
		return err
	}
	workers := river.NewWorkers()
	a.authorizers.AddWorkers(workers)
	a.followers.AddWorkers(workers)
	a.blacklist.AddWorkers(workers)
	a.jobs, err = river.NewClient(riverpgxv5.New(a.pool), &river.Config{
		Logger: quiet(a.logger), Workers: workers,
		// Queues of their own, so that neither long pushes nor renewals that hang ever keep an authorization waiting.
		Queues: map[string]river.QueueConfig{
			river.QueueDefault: {MaxWorkers: maxWorkers}, blacklist.Queue: {MaxWorkers: blacklistWorkers}, authorizer.Queue: {MaxWorkers: upkeepWorkers},
			follower.Queue: {MaxWorkers: followerWorkers},
		},
		JobTimeout: jobTimeout, RescueStuckJobsAfter: rescueAfter, FetchCooldown: fetchCooldown,
	})
	if err != nil {
		return fmt.Errorf("job queue: %w", err)
	}
	alerts, err := alert.NewService(a.pool)
	if err != nil {
		return err
	}
	registry.MustRegister(newStanding(a.components, a.authorizers, alerts, a.logger))
	a.handler, err = api.New(api.Config{
		Tenants: a.tenants, Components: a.components, Authorizers: a.authorizers, Followers: a.followers, Blacklist: a.blacklist, Lists: a.lists, Alerts: alerts,
		Console: web.Handler(), PublicURL: cfg.PublicURL, Ready: a.ready, Stopping: a.stopping, Metrics: registry,
		TrustedProxies: cfg.TrustedProxies, Logger: a.logger,
	})
	return err
}

// registerComponent stores the component of the environment, so that changing it there and starting again is enough.
func (a *app) registerComponent(ctx context.Context, cfg Config) error {
	if !cfg.hasComponent() {
		return nil
	}
	_, err := a.components.Register(ctx, tenant.System("environment"), component.Params{
		AppID: cfg.ComponentAppID, AppSecret: cfg.ComponentAppSecret, Token: cfg.ComponentToken, EncodingAESKey: cfg.ComponentAESKey,
	})
	return err
}

func (a *app) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return migrations.Check(ctx, a.pool)
}

// start begins the background work.
func (a *app) start(ctx context.Context) error {
	// Not ctx: jobs end when stop says so, after the requests have ended.
	if err := a.jobs.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the job queue: %w", err)
	}
	a.started = true
	for name, sweep := range map[string]func(context.Context) error{
		"keys": a.keys.Refresh, "tenants": a.tenants.Sweep, "components": a.components.Sweep, "authorizers": a.authorizers.Sweep,
		"followers": a.followers.Sweep, "blacklist": a.blacklist.Sweep, "lists": a.lists.Sweep,
	} {
		a.sweeps.Go(func() { a.sweepForever(name, sweep) })
	}
	return nil
}

// sweepForever sweeps in every process: sweeps find what is undone and insert uniquely named jobs, so two at once do no harm.
func (a *app) sweepForever(name string, sweep func(context.Context) error) {
	for {
		if err := sweep(a.stopping); err != nil && a.stopping.Err() == nil {
			a.logger.Warn("a sweep failed; the next one tries again", "sweep", name, "error", err)
		}
		select {
		case <-a.stopping.Done():
			return
		case <-time.After(sweepEvery/2 + rand.N(sweepEvery)):
		}
	}
}

// close ends the background work and waits for it until ctx ends: running calls to WeChat end and are recorded.
func (a *app) close(ctx context.Context) error {
	a.stop()
	a.sweeps.Wait()
	defer a.pool.Close()
	if !a.started {
		return nil
	}
	// Cancelled, a push begins no further call; Stop would let it go on for its whole turn, longer than docker stop waits.
	if err := a.jobs.StopAndCancel(ctx); err != nil {
		return fmt.Errorf("some jobs did not end in time; they are taken up again at the next start: %w", err)
	}
	return nil
}

// quiet keeps the job queue's own chatter out of the log.
func quiet(logger *slog.Logger) *slog.Logger {
	return slog.New(minLevel{logger.Handler(), slog.LevelWarn})
}

// minLevel drops what is below level.
type minLevel struct {
	slog.Handler
	level slog.Level
}

func (h minLevel) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level && h.Handler.Enabled(ctx, level)
}

func (h minLevel) WithAttrs(attrs []slog.Attr) slog.Handler {
	return minLevel{h.Handler.WithAttrs(attrs), h.level}
}

func (h minLevel) WithGroup(name string) slog.Handler {
	return minLevel{h.Handler.WithGroup(name), h.level}
}
