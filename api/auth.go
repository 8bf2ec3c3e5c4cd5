package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/tenant"
)

// sessionKeyID is where a session keeps the id of the key that opened it. The key itself is kept nowhere.
const sessionKeyID = "key_id"

// errCrossOrigin is returned when another site's page tries to use a console session.
var errCrossOrigin = errors.New("another site's page may not use the console's session")

type principalKey struct{}

// principalOf returns the caller whom authenticate found. It is the only use of a context value: every domain method takes
// the principal as an argument.
func principalOf(ctx context.Context) tenant.Principal {
	p, _ := ctx.Value(principalKey{}).(tenant.Principal)
	return p
}

// newSessions does without scs.New, which starts a goroutine for a store in memory that we do not use.
func newSessions(cfg Config) *scs.SessionManager {
	return &scs.SessionManager{
		Store: cfg.Tenants.Sessions(), HashTokenInStore: true, Codec: sessionCodec{}, Lifetime: sessionLifetime,
	}
}

// sessionCodec takes a session that it cannot read, such as one of another version of this program, for an empty one: its
// holder is asked to sign in, and can.
type sessionCodec struct{ scs.GobCodec }

func (c sessionCodec) Decode(data []byte) (time.Time, map[string]any, error) {
	deadline, values, err := c.GobCodec.Decode(data)
	if err != nil {
		return time.Time{}, map[string]any{}, nil // see above
	}
	return deadline, values, nil
}

// newCrossOrigin keeps other sites' pages from using the console's cookie. Where the console is we know, even if a proxy tells
// us another host than the browser's.
func newCrossOrigin(publicURL string) (*http.CrossOriginProtection, error) {
	u, err := url.Parse(publicURL)
	if err != nil {
		return nil, err
	}
	protection := http.NewCrossOriginProtection()
	return protection, protection.AddTrustedOrigin(strings.ToLower(u.Scheme + "://" + u.Host))
}

// withSession is ctx with the session of the request's cookie, or with a new one. Not scs's own middleware: it commits while
// the answer is being written, when it is too late to say that the database failed.
func (s *server) withSession(r *http.Request) (context.Context, error) {
	token := ""
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		token = cookie.Value
	}
	return s.sessions.Load(r.Context(), token)
}

// cookie is the Set-Cookie header for a session; an empty token takes the cookie back.
func (s *server) cookie(token string) string {
	c := http.Cookie{
		Name: sessionCookie, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(s.PublicURL, "https:"), MaxAge: int(sessionLifetime.Seconds()),
	}
	if token == "" {
		c.MaxAge = -1
	}
	return c.String()
}

// authenticate finds out who calls, by bearer key or by session. Only signing in needs nobody.
func (s *server) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		header := r.Header.Get(echo.HeaderAuthorization)
		if header == "" && s.crossOrigin.Check(r) != nil {
			return errCrossOrigin
		}
		ctx, err := s.withSession(r)
		if err != nil {
			return err
		}
		if c.Path() != "/v1/session" || r.Method != http.MethodPost {
			p, err := s.caller(ctx, header)
			if err != nil {
				return err
			}
			p.RequestID = c.Response().Header().Get(echo.HeaderXRequestID)
			ctx = context.WithValue(ctx, principalKey{}, p)
		}
		c.SetRequest(r.WithContext(ctx))
		return next(c)
	}
}

func (s *server) caller(ctx context.Context, header string) (tenant.Principal, error) {
	if header != "" {
		scheme, key, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return tenant.Principal{}, tenant.ErrUnauthenticated
		}
		return s.Tenants.Authenticate(ctx, secret.New(strings.TrimSpace(key)))
	}
	id, err := uuid.Parse(s.sessions.GetString(ctx, sessionKeyID))
	if err != nil {
		return tenant.Principal{}, tenant.ErrUnauthenticated
	}
	return s.Tenants.AuthenticateID(ctx, id)
}

// ipNet translates for Echo, which still speaks the older type.
func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Masked().Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
