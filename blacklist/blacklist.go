// Package blacklist blocks and unblocks the followers of official accounts: any number of openids in one request, twenty in
// a call to WeChat, none of them lost, and an outcome for each. It keeps what is wanted beside what is the case at WeChat,
// and makes the second follow the first. It leaves alone what a merchant blocked by hand.
package blacklist

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/semaphore"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/wechat"
)

// Queue is the River queue of this package's jobs. They wait for WeChat most of the time, so a queue of their own, with
// some ten workers, keeps them from holding up other work. A client that is to work them must name it in Config.Queues.
const Queue = "blacklist"

// defaultCalls is how many calls a process has in the air at a time.
const defaultCalls = 64

const (
	// MaxOpenIDs is how many openids one request may hold.
	MaxOpenIDs = 100_000
	// MaxReasonLength is how many characters a reason may have.
	MaxReasonLength = 500
	// MaxNoteLength is how many characters a note may have.
	MaxNoteLength = 1000
	// MaxOpenIDLength is how many bytes an openid may have. WeChat's have 28; more than this is no openid at all.
	MaxOpenIDLength = 128
	// MaxIdempotencyKeyLength is how many characters an Idempotency-Key may have.
	MaxIdempotencyKeyLength = 255
)

// The errors of a request. None of them leaves anything written.
var (
	// ErrUntilPast is returned for a block that would end before it begins.
	ErrUntilPast = errors.New("until lies in the past")
	// ErrUntilOnUnblock is returned for an unblock that carries an end: only blocks end by themselves.
	ErrUntilOnUnblock = errors.New("only a block can have an until")
	// ErrInvalidReason is returned for a reason that is too long, or that no database takes.
	ErrInvalidReason = fmt.Errorf("a reason has at most %d characters, none of them NUL", MaxReasonLength)
	// ErrInvalidNote is returned for a note that is too long, or that no database takes.
	ErrInvalidNote = fmt.Errorf("a note has at most %d characters, none of them NUL", MaxNoteLength)
	// ErrIdempotencyKeyTooLong is returned for an Idempotency-Key of more than MaxIdempotencyKeyLength characters.
	ErrIdempotencyKeyTooLong = fmt.Errorf("an Idempotency-Key has at most %d characters", MaxIdempotencyKeyLength)
	// ErrWhomToRoute is returned for a request to be routed that names nobody.
	ErrWhomToRoute = errors.New("openids or unionids are needed")
	// ErrSearchTooWide is returned for a list whose filters would have too many entries looked at.
	ErrSearchTooWide = errors.New("too many entries would have to be searched")
)

// TooManyOpenIDsError says that a request holds more openids than one may.
type TooManyOpenIDsError struct {
	Given int
	Limit int
}

func (e *TooManyOpenIDsError) Error() string {
	return fmt.Sprintf("the request holds %d openids; one may hold %d, so send it in parts", e.Given, e.Limit)
}

// InvalidOpenIDError says which entry of a request cannot be an openid at all: it is longer than MaxOpenIDLength, or holds
// NUL or bytes that are no UTF-8. Whether an openid exists is WeChat's to say, in the outcome of its item.
type InvalidOpenIDError struct {
	Index   int  // in Request.OpenIDs, counted from 0
	UnionID bool // in RouteRequest.UnionIDs instead
}

func (e *InvalidOpenIDError) Error() string {
	if e.UnionID {
		return fmt.Sprintf("unionids[%d] is not a unionid: it has more than %d bytes, or bytes that are not text", e.Index, MaxOpenIDLength)
	}
	return fmt.Sprintf("openids[%d] is not an openid: it has more than %d bytes, or bytes that are not text", e.Index, MaxOpenIDLength)
}

// UnknownFilterError says that a list was asked for a value that none of its rows can have.
type UnknownFilterError struct {
	Filter string // "actual", "want" or "outcome"
	Value  string
}

func (e *UnknownFilterError) Error() string {
	return fmt.Sprintf("%q is not a value of %s", e.Value, e.Filter)
}

// Config holds what a [Service] needs.
type Config struct {
	Pool        *pgxpool.Pool       // required
	WeChat      *wechat.Client      // required
	Authorizers *authorizer.Service // required
	Followers   *follower.Service   // required: where openids belong
	Jobs        authorizer.Jobs     // required; a River client, one that only inserts will do
	Now         func() time.Time    // nil: time.Now
	Logger      *slog.Logger        // nil: slog.Default()

	// RetryDelay is the first pause before a call that failed in passing is made again; the next is twice as long.
	// 0: a second.
	RetryDelay time.Duration
	// CallTimeout bounds one call to WeChat, the token renewal that it may need included. 0: 40 seconds.
	CallTimeout time.Duration
	// Calls is how many calls this process has in the air at a time, for all accounts together. 0: 64.
	Calls int
	// SearchTimeout ends a search that has to look at too many entries, see [ErrSearchTooWide]. 0: five seconds. Finding out whose
	// openids are, when a request is accepted, may take twice as long, and that once more for each MaxOpenIDs.
	SearchTimeout time.Duration
	// Break is how long no calls are made for the accounts of a component after calls for several of them have failed. 0: 15 seconds.
	Break time.Duration
	// Slice is how long a push job works for one account before others have their turn. 0: 20 seconds.
	Slice time.Duration
}

// Service takes wishes, pushes them to WeChat, and pulls WeChat's lists.
type Service struct {
	pool        *pgxpool.Pool
	wechat      *wechat.Client
	authorizers *authorizer.Service
	followers   *follower.Service
	jobs        authorizer.Jobs
	now         func() time.Time
	logger      *slog.Logger
	retryDelay  time.Duration
	callTimeout time.Duration
	slice       time.Duration
	calls       *semaphore.Weighted
	transfers   *semaphore.Weighted
	breakers    breakers

	searchTimeout time.Duration
}

// NewService returns a Service, or an error that says what Config lacks.
func NewService(cfg Config) (*Service, error) {
	switch {
	case cfg.Pool == nil:
		return nil, errors.New("blacklist: Config.Pool is required")
	case cfg.WeChat == nil:
		return nil, errors.New("blacklist: Config.WeChat is required")
	case cfg.Authorizers == nil:
		return nil, errors.New("blacklist: Config.Authorizers is required")
	case cfg.Followers == nil:
		return nil, errors.New("blacklist: Config.Followers is required")
	case cfg.Jobs == nil:
		return nil, errors.New("blacklist: Config.Jobs is required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Service{
		pool: cfg.Pool, wechat: cfg.WeChat, authorizers: cfg.Authorizers, followers: cfg.Followers, jobs: cfg.Jobs,
		now:         func() time.Time { return cfg.Now().UTC() },
		logger:      cfg.Logger,
		retryDelay:  orDefault(cfg.RetryDelay, time.Second),
		callTimeout: orDefault(cfg.CallTimeout, 40*time.Second),
		slice:       orDefault(cfg.Slice, 20*time.Second),
		calls:       semaphore.NewWeighted(int64(cmp.Or(max(cfg.Calls, 0), defaultCalls))),
		transfers:   semaphore.NewWeighted(mostTransfers),
		breakers: breakers{pause: orDefault(cfg.Break, defaultBreak), changed: func(component string, from, to gobreaker.State) {
			cfg.Logger.Warn("blacklist calls of a component's accounts: the breaker has changed", "component_appid", component, "from", from.String(), "to", to.String())
		}},

		searchTimeout: orDefault(cfg.SearchTimeout, 5*time.Second),
	}, nil
}

func orDefault(d, byDefault time.Duration) time.Duration {
	if d <= 0 {
		return byDefault
	}
	return d
}

// AddWorkers registers this package's jobs. They are inserted into [Queue].
func (s *Service) AddWorkers(w *river.Workers) {
	river.AddWorker(w, &pushWorker{service: s})
	river.AddWorker(w, &pullWorker{service: s})
}
