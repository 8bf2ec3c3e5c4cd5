// Package api is all of Steward's HTTP: the versioned API of openapi.yaml, WeChat's callbacks, the pages that a merchant sees while
// authorizing us, and the console's files.
//
// It holds no business rule and no SQL: a handler translates, calls one method of a domain package and translates back.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/sharedlist"
	"github.com/wechat-steward/steward/tenant"
)

//go:generate go tool -modfile=../tools/go.mod oapi-codegen -config oapi-codegen.yaml openapi.yaml

const (
	// maxCallbackBody is far above the largest push of WeChat, some kilobytes.
	maxCallbackBody = "1M"
	// sessionLifetime is how long one stays signed in to the console.
	sessionLifetime = 12 * time.Hour
	sessionCookie   = "steward_session"
)

// Config holds what the server needs.
type Config struct {
	Tenants     *tenant.Service     // required
	Components  *component.Service  // required
	Authorizers *authorizer.Service // required
	Followers   *follower.Service   // required
	Blacklist   *blacklist.Service  // required
	Lists       *sharedlist.Service // required
	Alerts      *alert.Service      // required
	Console     http.Handler        // required: the console's files, served where no route is
	// PublicURL is where browsers and WeChat reach us: "https://steward.example.com". Required.
	PublicURL string
	// Ready returns nil when the process can do its work: GET /readyz. nil: always ready.
	Ready func(context.Context) error
	// Stopping ends when the process is about to: requests that wait for a batch are then answered with how it stands. nil: never.
	Stopping context.Context //nolint:containedctx // a signal, not a request's context
	// Metrics is served at /metrics. nil: a registry of its own.
	Metrics *prometheus.Registry
	// TrustedProxies are the reverse proxies whose X-Forwarded-For we believe. Empty: none.
	TrustedProxies []netip.Prefix
	Logger         *slog.Logger // nil: slog.Default()
}

func (c Config) validate() error {
	switch {
	case c.Tenants == nil, c.Components == nil, c.Authorizers == nil, c.Followers == nil, c.Blacklist == nil, c.Lists == nil, c.Alerts == nil, c.Console == nil:
		return errors.New("api: Config lacks a service")
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("api: Config.PublicURL %q is not an http or https URL", c.PublicURL)
	}
	return nil
}

// server answers the operations of openapi.yaml; its methods stand in a file per noun.
type server struct {
	Config
	sessions    *scs.SessionManager
	crossOrigin *http.CrossOriginProtection
	spec        *openapi3.T
}

var _ StrictServerInterface = (*server)(nil)

// New returns Steward's whole HTTP interface.
func New(cfg Config) (http.Handler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.PublicURL = strings.TrimSuffix(cfg.PublicURL, "/")
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = prometheus.NewRegistry()
	}
	if cfg.Stopping == nil {
		cfg.Stopping = context.Background()
	}
	spec, err := openapi3.NewLoader().LoadFromData(openapiYAML)
	if err != nil {
		return nil, fmt.Errorf("api: read openapi.yaml: %w", err)
	}
	s := &server{Config: cfg, sessions: newSessions(cfg), spec: spec}
	if s.crossOrigin, err = newCrossOrigin(cfg.PublicURL); err != nil {
		return nil, fmt.Errorf("api: Config.PublicURL: %w", err)
	}
	requests, err := newRequestMetrics(cfg.Metrics)
	if err != nil {
		return nil, err
	}

	e := echo.New()
	e.HideBanner = true
	e.HTTPErrorHandler = s.answerError
	e.IPExtractor = ipExtractor(cfg.TrustedProxies)
	e.Use(requestID(), requests.observe, s.logRequests(), middleware.RecoverWithConfig(middleware.RecoverConfig{
		LogErrorFunc: s.logPanic,
	}), secureHeaders)

	if err := s.routeContract(e); err != nil {
		return nil, err
	}
	s.routeCallbacks(e)
	s.routeConnect(e)
	s.routeOperations(e)
	s.routeDocs(e)
	e.RouteNotFound("/*", s.fallback)
	return headIsGet(e), nil
}

// routeContract serves the operations of openapi.yaml. Their middleware hangs on each route and not on a group: Echo gives a
// group with middleware all paths below it, known or not.
func (s *server) routeContract(e *echo.Echo) error {
	validate, err := s.validateRequests()
	if err != nil {
		return err
	}
	guarded := map[string][]echo.MiddlewareFunc{}
	for _, item := range s.spec.Paths.Map() {
		for _, op := range item.Operations() {
			guarded[op.OperationID] = []echo.MiddlewareFunc{noStore, s.authenticate, validate}
		}
	}
	RegisterHandlersWithOptions(e, NewStrictHandler(s, nil), RegisterHandlersOptions{OperationMiddlewares: guarded})
	return nil
}

// fallback answers what no route matches: with the console, unless it is programs that call there.
func (s *server) fallback(c echo.Context) error {
	allowed := methodsOf(c)
	program := slices.ContainsFunc([]string{"/v1/", "/wechat/", "/connect/"}, func(prefix string) bool {
		return strings.HasPrefix(c.Request().URL.Path, prefix)
	})
	switch {
	case len(allowed) == 0 && program:
		return echo.ErrNotFound
	case len(allowed) == 0 && c.Request().Method == http.MethodGet:
		s.Console.ServeHTTP(c.Response(), c.Request())
		return nil
	case len(allowed) == 0:
		allowed = []string{http.MethodGet}
	}
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	c.Response().Header().Set(echo.HeaderAllow, strings.Join(append(allowed, http.MethodOptions), ", "))
	if c.Request().Method == http.MethodOptions {
		return c.NoContent(http.StatusNoContent)
	}
	return echo.ErrMethodNotAllowed
}

// methodsOf are the methods that the path has a route for. Echo's own answer would be the fallback's for every one of them.
func methodsOf(c echo.Context) []string {
	e := c.Echo()
	probe := e.AcquireContext()
	defer e.ReleaseContext(probe)
	var methods []string
	for _, method := range []string{http.MethodDelete, http.MethodGet, http.MethodPatch, http.MethodPost, http.MethodPut} {
		probe.Reset(c.Request(), nil)
		e.Router().Find(method, echo.GetPath(c.Request()), probe)
		if probe.Path() != c.Path() {
			methods = append(methods, method)
		}
	}
	return methods
}

// headIsGet answers HEAD wherever GET is answered, as RFC 9110 wants; net/http leaves out the body by itself.
func headIsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			r = r.WithContext(r.Context()) // a copy: net/http looks at the method of its own
			r.Method = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}

// noStore keeps tenants' data out of every cache.
func noStore(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
		return next(c)
	}
}

// ipExtractor believes X-Forwarded-For only where it comes through a proxy that the operator named.
func ipExtractor(trusted []netip.Prefix) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, prefix := range trusted {
		options = append(options, echo.TrustIPRange(ipNet(prefix)))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}

// usableRequestID keeps a caller's own id out of our logs unless it is harmless there.
var usableRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func requestID() echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			id := c.Request().Header.Get(echo.HeaderXRequestID)
			if !usableRequestID.MatchString(id) {
				id = uuid.NewString()
			}
			c.Response().Header().Set(echo.HeaderXRequestID, id)
			return next(c)
		}
	}
}

// consoleCSP allows inline styles because Ant Design writes its styles at run time; scripts come from us alone.
const consoleCSP = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

func secureHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Content-Security-Policy", consoleCSP)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Referrer-Policy", "same-origin")
		return next(c)
	}
}

func (s *server) logRequests() echo.MiddlewareFunc {
	return middleware.RequestLoggerWithConfig(middleware.RequestLoggerConfig{
		// The path's template, not the URI: WeChat carries codes in the query, and a connect link's state is in the path.
		LogRoutePath: true, LogMethod: true, LogStatus: true, LogLatency: true, LogRemoteIP: true, LogRequestID: true, LogError: true,
		HandleError: true,
		LogValuesFunc: func(c echo.Context, v middleware.RequestLoggerValues) error {
			level := slog.LevelInfo
			if v.Status >= http.StatusInternalServerError {
				level = slog.LevelError
			}
			attrs := []slog.Attr{
				slog.String("method", v.Method), slog.String("route", v.RoutePath), slog.Int("status", v.Status),
				slog.Duration("took", v.Latency), slog.String("remote_ip", v.RemoteIP), slog.String("request_id", v.RequestID),
			}
			if v.Error != nil && v.Status >= http.StatusInternalServerError {
				attrs = append(attrs, slog.Any("error", v.Error))
			}
			s.Logger.LogAttrs(c.Request().Context(), level, "request", attrs...)
			return nil
		},
	})
}

func (s *server) logPanic(c echo.Context, err error, stack []byte) error {
	s.Logger.ErrorContext(c.Request().Context(), "panic in a handler", "error", err, "stack", string(stack),
		"request_id", c.Response().Header().Get(echo.HeaderXRequestID))
	return err
}
