// Package authorizer looks after the official accounts that authorized us: how they come to us (connect links, the
// authorization code, WeChat's pushes), what they granted, what state they are in, and the access tokens to act for them.
//
// It does nothing on behalf of an account: other packages do, with [Service.Call]. It keeps no follower and no message.
package authorizer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/token"
	"github.com/wechat-steward/steward/wechat"
)

// WeChat's own hosts of the consent pages.
const (
	DefaultMPURL   = "https://mp.weixin.qq.com"
	DefaultOpenURL = "https://open.weixin.qq.com"
)

// exchangeTimeout bounds what goes on after its caller went away: exchanging a code, renewing a token. It is less than
// the minute that a job may take.
const exchangeTimeout = 45 * time.Second

// Jobs puts jobs into a queue in a transaction. A *river.Client[pgx.Tx] is one.
type Jobs interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
}

// Config holds what a [Service] needs.
type Config struct {
	Pool       *pgxpool.Pool      // required
	WeChat     *wechat.Client     // required
	Components *component.Service // required
	Box        *secret.Box        // required
	Jobs       Jobs               // required; its jobs are worked where AddWorkers' workers are
	PublicURL  string             // required: where merchants' browsers reach us, https://steward.example.com
	MPURL      string             // host of the consent page for desks; empty: DefaultMPURL
	OpenURL    string             // host of the consent page inside WeChat; empty: DefaultOpenURL
	Renewals   int                // how many renewals go on in the background at a time; 0: DefaultRenewals; never more than the pool has room for
	Now        func() time.Time   // nil: time.Now
	Logger     *slog.Logger       // nil: slog.Default()
}

func (c Config) withDefaults() (Config, error) {
	if c.Pool == nil || c.WeChat == nil || c.Components == nil || c.Box == nil || c.Jobs == nil {
		return c, errors.New("authorizer: Config.Pool, WeChat, Components, Box and Jobs are required")
	}
	if c.MPURL == "" {
		c.MPURL = DefaultMPURL
	}
	if c.OpenURL == "" {
		c.OpenURL = DefaultOpenURL
	}
	for _, base := range []struct {
		name string
		url  *string
	}{{"PublicURL", &c.PublicURL}, {"MPURL", &c.MPURL}, {"OpenURL", &c.OpenURL}} {
		if !isWebURL(*base.url) {
			return c, fmt.Errorf("authorizer: Config.%s must be an absolute http or https URL", base.name)
		}
		*base.url = strings.TrimRight(*base.url, "/")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, nil
}

func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// Service keeps authorizers. It is safe for concurrent use, and any number of them, in any number of processes, may
// work on one database.
type Service struct {
	pool       *pgxpool.Pool
	wechat     *wechat.Client
	components *component.Service
	box        *secret.Box
	jobs       Jobs
	publicURL  string
	mpURL      string
	openURL    string
	now        func() time.Time
	logger     *slog.Logger

	// slots bounds the transactions that wait for WeChat: each holds a connection of the pool, and when WeChat hangs the
	// rest of the program must go on.
	slots *semaphore.Weighted
	// background bounds those of them that no caller waits for.
	background *semaphore.Weighted
	share      int64 // how many of those one component may have, where there are several
	renewals   singleflight.Group
	pauses     token.Pauses // after failed renewals, by account id

	mu        sync.Mutex
	reconnect map[string]reconnectLink       // by account id
	gates     map[string]*semaphore.Weighted // see gate, by component
	cleanedAt time.Time
}

// NewService returns a Service, or an error that says what is wrong with Config.
func NewService(cfg Config) (*Service, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if cfg.Renewals <= 0 {
		cfg.Renewals = DefaultRenewals
	}
	slots, background := room(int64(cfg.Pool.Config().MaxConns), int64(cfg.Renewals))
	return &Service{
		pool: cfg.Pool, wechat: cfg.WeChat, components: cfg.Components, box: cfg.Box, jobs: cfg.Jobs,
		publicURL: cfg.PublicURL, mpURL: cfg.MPURL, openURL: cfg.OpenURL, now: cfg.Now, logger: cfg.Logger,
		slots: semaphore.NewWeighted(slots), background: semaphore.NewWeighted(background), share: max(1, background*3/4),
		reconnect: map[string]reconnectLink{}, gates: map[string]*semaphore.Weighted{},
	}, nil
}

// room divides the pool's connections: a fifth is for those who only read and write, and of the transactions that wait
// for WeChat a sixth is for callers.
func room(conns, renewals int64) (slots, background int64) {
	slots = max(1, conns-max(2, conns/5))
	return slots, min(renewals, max(1, slots-max(1, slots/6)))
}

// withComponent calls call with a component_access_token and a slot. call may begin one transaction and ask WeChat in
// it; the token was had before, so that no transaction waits for a second connection.
func (s *Service) withComponent(ctx context.Context, componentAppID string, call func(ctx context.Context, cat string) error) error {
	if err := s.slots.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("too many calls wait for WeChat: %w", err)
	}
	defer s.slots.Release(1)
	return s.components.Call(ctx, componentAppID, call)
}
