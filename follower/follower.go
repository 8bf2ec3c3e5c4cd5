// Package follower knows which openid belongs to which official account: a directory of followers, for the accounts whose
// directory somebody turned on, and of no other. It reads WeChat's list of followers once a day, keeps up with those who come
// and go in between, and finds out where else a person follows.
//
// It keeps no name, no picture and no message, and it forgets who left but for the openid.
package follower

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/wechat"
)

// Queue is the River queue of this package's jobs. They wait for WeChat or work through a long list, so a queue of their
// own, with some eight workers, keeps them from holding up other work. A client that is to work them must name it in
// Config.Queues.
const Queue = "followers"

// MaxOpenIDLength is how many bytes an openid may have. WeChat's have 28; more than this is no openid at all.
const MaxOpenIDLength = 128

var (
	// ErrDirectoryOff is returned where the account's directory of followers is needed, and nobody has turned it on.
	ErrDirectoryOff = errors.New("the account's directory of followers is off")
	// ErrWhomToFind is returned where neither an openid nor a unionid is given to look for, or both are.
	ErrWhomToFind = errors.New("either an openid or a unionid is needed")
	// ErrUnionIDsWithoutDirectory is returned where unionids are to be kept and openids are not.
	ErrUnionIDsWithoutDirectory = errors.New("unionids can only be kept in a directory that is on")
)

// Config holds what a [Service] needs.
type Config struct {
	Pool        *pgxpool.Pool       // required
	WeChat      *wechat.Client      // required
	Authorizers *authorizer.Service // required
	Jobs        authorizer.Jobs     // required; a River client, one that only inserts will do
	Now         func() time.Time    // nil: time.Now
	Logger      *slog.Logger        // nil: slog.Default()
	// Learned is told what a directory has learned, in the transaction that stores it and at its end: that somebody follows, or
	// somebody's unionid. WeChat's events wait for it. nil: nobody wants to know.
	Learned func(context.Context, pgx.Tx, Learned) error
}

// Learned is what an account's directory has learned of followers.
type Learned struct {
	TenantID     uuid.UUID
	AuthorizerID uuid.UUID
	OpenIDs      []string
	UnionIDs     []string // of each; empty: not known, or none
}

// Service keeps directories of followers. It is safe for concurrent use, and any number of them, in any number of processes,
// may work on one database.
type Service struct {
	pool        *pgxpool.Pool
	wechat      *wechat.Client
	authorizers *authorizer.Service
	jobs        authorizer.Jobs
	now         func() time.Time
	logger      *slog.Logger
	learned     func(context.Context, pgx.Tx, Learned) error
}

// NewService returns a Service, or an error that says what Config lacks.
func NewService(cfg Config) (*Service, error) {
	if cfg.Pool == nil || cfg.WeChat == nil || cfg.Authorizers == nil || cfg.Jobs == nil {
		return nil, errors.New("follower: Config.Pool, WeChat, Authorizers and Jobs are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Learned == nil {
		cfg.Learned = func(context.Context, pgx.Tx, Learned) error { return nil }
	}
	return &Service{
		pool: cfg.Pool, wechat: cfg.WeChat, authorizers: cfg.Authorizers, jobs: cfg.Jobs,
		now:    func() time.Time { return cfg.Now().UTC() },
		logger: cfg.Logger, learned: cfg.Learned,
	}, nil
}

// tell tells whoever wants to know what was learned.
func (s *Service) tell(ctx context.Context, tx pgx.Tx, l Learned) error {
	if len(l.OpenIDs) == 0 {
		return nil
	}
	if err := s.learned(ctx, tx, l); err != nil {
		return fmt.Errorf("tell what was learned: %w", err)
	}
	return nil
}

// AddWorkers registers this package's jobs. They are inserted into [Queue].
func (s *Service) AddWorkers(w *river.Workers) { river.AddWorker(w, &tendWorker{service: s}) }

// Querier is a pool or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
