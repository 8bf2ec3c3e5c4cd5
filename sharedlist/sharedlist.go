// Package sharedlist keeps a tenant's lists of people who are to be blocked on all of its accounts: also on accounts that come
// later, and on accounts that these people follow later. Whoever is taken off a list is unblocked where the list blocked them,
// and nowhere else.
//
// The lists say what should be. A sweep finds out where the people are, see package follower, and has them blocked there, see
// package blacklist, which alone talks to WeChat.
package sharedlist

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/follower"
)

const (
	// MaxPersonsAtOnce is how many people one request may put on a list.
	MaxPersonsAtOnce = 10_000
	// MaxPersons is how many people a list may hold.
	MaxPersons = 100_000
)

// The errors of a request. None of them leaves anything written.
var (
	// ErrNameTaken is returned for a name that another list of the tenant has.
	ErrNameTaken = errors.New("the tenant has a list of this name")
	// ErrNobody is returned where people are to be put on a list, and none are given.
	ErrNobody = errors.New("nobody is given: neither unionids nor openids")
	// ErrWhoseOpenIDs is returned for openids without an account, and for an account without openids.
	ErrWhoseOpenIDs = errors.New("openids and the appid of the account to which they belong are given together")
	// ErrListFull is returned where a list would hold more than MaxPersons people.
	ErrListFull = fmt.Errorf("a list holds at most %d people", MaxPersons)
)

// TooManyPersonsError says that a request holds more people than one may.
type TooManyPersonsError struct {
	Given int
}

func (e *TooManyPersonsError) Error() string {
	return fmt.Sprintf("the request holds %d people; one may hold %d, so send it in parts", e.Given, MaxPersonsAtOnce)
}

// InvalidPersonError says which entry of a request can be neither an openid nor a unionid: it is too long, or no text.
type InvalidPersonError struct {
	Field string // "unionids" or "openids"
	Index int    // counted from 0
}

func (e *InvalidPersonError) Error() string {
	return fmt.Sprintf("%s[%d] is none: it has more than %d bytes, or bytes that are not text", e.Field, e.Index, blacklist.MaxOpenIDLength)
}

// Config holds what a [Service] needs.
type Config struct {
	Pool        *pgxpool.Pool       // required
	Authorizers *authorizer.Service // required
	// Followers knows where people are. Required; its Config.Learned has to be [Learned], or nobody is found who comes later.
	Followers *follower.Service
	Blacklist *blacklist.Service // required
	Now       func() time.Time   // nil: time.Now
	Logger    *slog.Logger       // nil: slog.Default()

	// Chunk is how many people, or places of people, one transaction of a sweep goes through. 0: 1,000.
	Chunk int
}

// Service keeps lists, and does what they say. It is safe for concurrent use, and any number of them, in any number of
// processes, may work on one database.
type Service struct {
	pool        *pgxpool.Pool
	authorizers *authorizer.Service
	followers   *follower.Service
	blacklist   *blacklist.Service
	now         func() time.Time
	logger      *slog.Logger
	chunk       int
}

// NewService returns a Service, or an error that says what Config lacks.
func NewService(cfg Config) (*Service, error) {
	if cfg.Pool == nil || cfg.Authorizers == nil || cfg.Followers == nil || cfg.Blacklist == nil {
		return nil, errors.New("sharedlist: Config.Pool, Authorizers, Followers and Blacklist are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Service{
		pool: cfg.Pool, authorizers: cfg.Authorizers, followers: cfg.Followers, blacklist: cfg.Blacklist,
		now:    func() time.Time { return cfg.Now().UTC() },
		logger: cfg.Logger,
		chunk:  cmp.Or(max(cfg.Chunk, 0), 1000),
	}, nil
}

// limited is how many rows a page has.
func limited(limit int) int {
	const byDefault, most = 50, 1000
	if limit <= 0 {
		return byDefault
	}
	return min(limit, most)
}
