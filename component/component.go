// Package component looks after the service provider's own account at WeChat, the third-party platform (第三方平台):
// its secrets and callback keys, the verify ticket that WeChat pushes every ten minutes, the component_access_token
// bought with it, and the authorization events that WeChat pushes.
//
// It knows no merchant: what an event means for an official account is the business of package authorizer.
package component

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/singleflight"

	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/token"
	"github.com/wechat-steward/steward/wechat"
)

// The errors of components.
var (
	// ErrUnknownComponent is returned for an appid that nobody registered.
	ErrUnknownComponent = errors.New("no component is registered under this appid")
	// ErrNoTicket is returned while a component has no component_verify_ticket that WeChat takes. WeChat pushes one every
	// ten minutes to the 授权事件接收URL; [Service.RequestTicket] asks it to start.
	ErrNoTicket = errors.New("WeChat has pushed no component_verify_ticket yet, or the last one is more than 12 hours old")
)

// InvalidParamError says which field of [Params] cannot be right.
type InvalidParamError struct {
	Param string // the name of the field
	Why   string // continues the sentence "Param …"; never holds the value
}

func (e *InvalidParamError) Error() string { return e.Param + " " + e.Why }

// Config holds what a [Service] needs.
type Config struct {
	Pool   *pgxpool.Pool  // required
	WeChat *wechat.Client // required
	Box    *secret.Box    // required
	// HTTPClient asks for our own callback URLs, to prove that they lead here. Redirects are not followed, unless its own
	// CheckRedirect says otherwise. nil: one with a timeout of 10 seconds.
	HTTPClient *http.Client
	Now        func() time.Time // nil: time.Now
	Logger     *slog.Logger     // nil: slog.Default()
}

// Service keeps components. It is safe for concurrent use, and any number of them, in any number of processes, may
// work on one database.
type Service struct {
	pool   *pgxpool.Pool
	wechat *wechat.Client
	box    *secret.Box
	http   *http.Client
	now    func() time.Time
	logger *slog.Logger

	renewals singleflight.Group
	pauses   token.Pauses // after failed renewals, by appid

	mu      sync.Mutex
	worksAt map[string]time.Time // when WeChat was last known to take a component's calls, by appid
}

// NewService returns a Service, or an error that says what Config lacks.
func NewService(cfg Config) (*Service, error) {
	if cfg.Pool == nil || cfg.WeChat == nil || cfg.Box == nil {
		return nil, errors.New("component: Config.Pool, Config.WeChat and Config.Box are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Service{
		pool: cfg.Pool, wechat: cfg.WeChat, box: cfg.Box, http: callbackClient(cfg.HTTPClient), now: cfg.Now, logger: cfg.Logger,
		worksAt: map[string]time.Time{},
	}, nil
}

// Component is a third-party platform, without its secrets. Times are UTC; nil: never.
type Component struct {
	AppID                string
	Name                 string
	TicketReceivedAt     *time.Time   // when the newest ticket came in
	AccessTokenExpiresAt *time.Time   // of the component_access_token
	AccessTokenRenewedAt *time.Time   // when that was bought
	Health               token.Health // of the component_access_token
	TicketRequestedAt    *time.Time   // when WeChat was last asked to push tickets
	PreviousKeysUntil    *time.Time   // until when pushes under the previous callback keys are taken; nil: there are none
	CreatedAt            time.Time
}

// List returns all components by appid; there are few of them, so they come whole. Platform only.
func (s *Service) List(ctx context.Context, p tenant.Principal) ([]Component, error) {
	if err := p.AuthorizePlatform(); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, selectComponents+` ORDER BY c.appid`)
	if err != nil {
		return nil, fmt.Errorf("list components: %w", err)
	}
	components, err := pgx.CollectRows(rows, scanComponent)
	if err != nil {
		return nil, fmt.Errorf("list components: %w", err)
	}
	return components, nil
}

// Get returns one component, or [ErrUnknownComponent]. Platform only.
func (s *Service) Get(ctx context.Context, p tenant.Principal, appid string) (Component, error) {
	if err := p.AuthorizePlatform(); err != nil {
		return Component{}, err
	}
	return s.get(ctx, s.pool, appid)
}

func (s *Service) get(ctx context.Context, db querier, appid string) (Component, error) {
	rows, err := db.Query(ctx, selectComponents+` WHERE c.appid = $1`, appid)
	if err != nil {
		return Component{}, fmt.Errorf("get component: %w", err)
	}
	c, err := pgx.CollectExactlyOneRow(rows, scanComponent)
	if errors.Is(err, pgx.ErrNoRows) {
		return Component{}, ErrUnknownComponent
	}
	if err != nil {
		return Component{}, fmt.Errorf("get component: %w", err)
	}
	return c, nil
}

// AppIDs returns the appids of all components, sorted. They are no secret: every consent page carries one.
func (s *Service) AppIDs(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT appid FROM components ORDER BY appid`)
	if err != nil {
		return nil, fmt.Errorf("list components: %w", err)
	}
	appids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list components: %w", err)
	}
	return appids, nil
}

// CheckKey returns an error that wraps [secret.ErrOpen] if what is stored was sealed under another master key. A program asks it
// at its start, rather than fail at the first push.
func (s *Service) CheckKey(ctx context.Context) error {
	appids, err := s.AppIDs(ctx)
	if err != nil {
		return err
	}
	for _, appid := range appids {
		if _, err := s.readCredentials(ctx, s.pool, appid, false); err != nil {
			return fmt.Errorf("credentials of component %s: %w", appid, err)
		}
	}
	return nil
}
