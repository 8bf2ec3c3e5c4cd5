package simulator

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Errors of the methods that tests and the control API call.
var (
	// ErrUnknownAccount says that no account with this appid was added.
	ErrUnknownAccount = errors.New("simulator: unknown account")
	// ErrUnknownComponent says that this appid is none of the simulator's third-party platforms.
	ErrUnknownComponent = errors.New("simulator: unknown component")
	// ErrNotAuthorized says that the account has not authorized the component, or has revoked.
	ErrNotAuthorized = errors.New("simulator: the account does not authorize the component")
	// ErrNoCallbackURL says that the component has no URL to push to.
	ErrNoCallbackURL = errors.New("simulator: no callback URL is set")
)

// Config describes the WeChat to simulate. The zero value is usable: one component with the defaults of [Component].
type Config struct {
	// Component is the third-party platform under test. Methods that name no component mean this one.
	Component Component
	// Further components, which authorize and are pushed to on their own.
	Further []Component
	// EventURL is where ticket and authorization events go (授权事件接收URL), for components that bring none.
	EventURL string
	// MessageURL is where users' messages go (消息与事件接收URL), for components that bring none. $APPID$ in it is
	// replaced by the appid of the account.
	MessageURL string
	// Now is the clock that AdvanceClock moves ahead of. Default time.Now.
	Now func() time.Time
	// HTTPClient sends pushes. Default: a client of its own that follows no redirects.
	HTTPClient *http.Client
	// Logger gets failed pushes. Default: nothing is logged.
	Logger *slog.Logger
	// PageSize overrides Settings.PageSize where it is above zero.
	PageSize int
	// Settings to start with. Default [DefaultSettings]. Settings that are not valid are replaced by the defaults.
	Settings *Settings
	// CallLimit is how many calls, deliveries and rids are remembered. Default 10000.
	CallLimit int
}

// Server is a WeChat. It is safe for concurrent use. [New] makes one, Close ends it.
type Server struct {
	cfg     Config
	routes  map[string]endpoint
	control http.Handler
	pages   *template.Template

	mu         sync.Mutex // guards everything below, up to the next blank line; never held while anything is sent
	settings   Settings
	offset     time.Duration // of the simulator's clock
	serial     int           // of tokens, codes and calls
	components []*component
	accounts   []*account // in the order in which they were added
	byAppID    map[string]*account
	tokens     map[string]*token
	codes      map[string]*authCode
	preAuth    map[string]*preAuthCode
	calls      ring[Call]
	callCounts map[string]int
	rids       map[string]ridRecord
	ridOrder   ring[string]
	faults     []*fault
	hanging    int
	deliveries ring[Delivery]
	held       []Event
	beforeCall func(Call)
	beforeSend func(Call)
	quotas     map[string]Quota // path → limit of every account
	wake       chan struct{}    // closed and replaced when tickets may be due
	ticking    int              // how often StartTickets runs
	active     int              // pushes under way that Flush waits for
	idle       chan struct{}    // closed when active falls to zero

	background sync.WaitGroup
	closed     chan struct{}
	closeOnce  sync.Once
}

// New returns a simulator. Nothing runs in the background before it is asked to push.
func New(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.CallLimit <= 0 {
		cfg.CallLimit = 10000
	}
	s := &Server{
		cfg:        cfg,
		pages:      parsePages(),
		settings:   startSettings(cfg),
		byAppID:    map[string]*account{},
		tokens:     map[string]*token{},
		codes:      map[string]*authCode{},
		preAuth:    map[string]*preAuthCode{},
		calls:      ring[Call]{limit: cfg.CallLimit},
		callCounts: map[string]int{},
		rids:       map[string]ridRecord{},
		ridOrder:   ring[string]{limit: cfg.CallLimit},
		deliveries: ring[Delivery]{limit: cfg.CallLimit},
		quotas:     map[string]Quota{},
		wake:       make(chan struct{}),
		closed:     make(chan struct{}),
	}
	s.control = s.controlRoutes()
	s.routes = endpoints()
	for path, e := range s.routes {
		s.quotas[path] = e.quota
	}
	for i, c := range append([]Component{cfg.Component}, cfg.Further...) {
		s.components = append(s.components, newComponent(c, i, cfg))
	}
	return s
}

func startSettings(cfg Config) Settings {
	settings := DefaultSettings()
	if cfg.Settings != nil {
		if err := cfg.Settings.validate(); err != nil {
			cfg.Logger.Error("simulator: settings refused, defaults are used", "error", err)
		} else {
			settings = cfg.Settings.clone()
		}
	}
	if cfg.PageSize > 0 {
		settings.PageSize = cfg.PageSize
	}
	return settings
}

// Close ends StartTickets, lets hanging calls go, and waits until no push is under way. The handler goes on answering.
func (s *Server) Close() {
	s.closeOnce.Do(func() { close(s.closed) })
	s.Release()
	s.background.Wait()
	s.cfg.HTTPClient.CloseIdleConnections()
}

// ServeHTTP answers for api.weixin.qq.com, for the consent pages of mp.weixin.qq.com and open.weixin.qq.com, and for
// the control API below /__sim/. A path that WeChat does not have answers 404 with a plain text.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/__sim/"):
		s.control.ServeHTTP(w, r)
	case path == desktopConsentPath || path == mobileConsentPath:
		s.serveConsent(w, r)
	default:
		e, ok := s.routes[path]
		if !ok {
			http.Error(w, "This is a simulator of WeChat, and WeChat has no such path.", http.StatusNotFound)
			return
		}
		s.serveAPI(w, r, e)
	}
}

// Now returns the simulator's time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

func (s *Server) now() time.Time {
	return s.cfg.Now().Add(s.offset)
}

// AdvanceClock moves the simulator's time ahead by d: tokens, tickets and codes age, quotas come back.
func (s *Server) AdvanceClock(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
	s.wakeTickets()
}

// Flush waits until every push that the simulator began by itself has ended: those of a consent page after its
// redirect, and the ticket that api_start_push_ticket asked for. It returns ctx.Err() if ctx ends first.
func (s *Server) Flush(ctx context.Context) error {
	s.mu.Lock()
	idle := s.idle
	if s.active == 0 {
		idle = nil
	}
	s.mu.Unlock()
	if idle == nil {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// inBackground runs work until it ends or Close cancels its context. s.mu is held.
func (s *Server) inBackground(work func(context.Context)) {
	if s.active == 0 {
		s.idle = make(chan struct{})
	}
	s.active++
	s.background.Go(func() {
		ctx, cancel := s.untilClosed(context.Background())
		work(ctx)
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.active--; s.active == 0 {
			close(s.idle)
		}
	})
}

// untilClosed returns a context that Close ends, too.
func (s *Server) untilClosed(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	go func() {
		select {
		case <-s.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// ring remembers the newest items, at most limit of them.
type ring[T any] struct {
	limit int
	items []T
}

// push appends item. Twice the limit may be held for a while, so that trimming costs nothing on average; trimmed
// holds the items that were let go.
func (r *ring[T]) push(item T) (trimmed []T) {
	r.items = append(r.items, item)
	if len(r.items) < 2*r.limit {
		return nil
	}
	cut := len(r.items) - r.limit
	trimmed = r.items[:cut]
	r.items = slices.Clone(r.items[cut:])
	return trimmed
}

func (r *ring[T]) list() []T {
	return slices.Clone(r.items[max(0, len(r.items)-r.limit):])
}
