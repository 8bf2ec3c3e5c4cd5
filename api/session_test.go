package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/api"
	"github.com/wechat-steward/steward/tenant"
)

// signIn returns the cookie of a new session, and the answer.
func (b *bundle) signIn(t *testing.T, key string, cookies ...*http.Cookie) (*http.Cookie, reply) {
	t.Helper()
	header := http.Header{}
	for _, c := range cookies {
		header.Add("Cookie", c.Name+"="+c.Value)
	}
	res := b.do(t, request{method: http.MethodPost, path: "/v1/session", key: "none", body: map[string]any{"key": key}, header: header})
	require.Equal(t, http.StatusOK, res.status, res.body)
	c := cookieOf(t, res)
	b.secret(c.Value)
	return c, res
}

func cookieOf(t *testing.T, r reply) *http.Cookie {
	t.Helper()
	set := (&http.Response{Header: r.header}).Cookies()
	require.Len(t, set, 1)
	return set[0]
}

// with calls with a session and no key.
func (b *bundle) with(t *testing.T, c *http.Cookie, r request, header ...string) reply {
	t.Helper()
	r.key = "none"
	r.header = http.Header{"Cookie": {c.Name + "=" + c.Value}}
	for i := 0; i < len(header); i += 2 {
		r.header.Set(header[i], header[i+1])
	}
	return b.do(t, r)
}

func TestSession(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})
	newLink := request{method: http.MethodPost, path: b.tenantPath("/connect-links"), body: `{}`}

	t.Run("SignIn/SetsCookieThatScriptsCannotRead", func(t *testing.T) {
		t.Parallel()
		c, res := b.signIn(t, b.key)
		require.Equal(t, "steward_session", c.Name)
		require.True(t, c.HttpOnly)
		require.True(t, c.Secure, "the world's PublicURL is https")
		require.Equal(t, http.SameSiteLaxMode, c.SameSite)
		require.Equal(t, "/", c.Path)
		require.Empty(t, c.Domain)
		require.Equal(t, 12*60*60, c.MaxAge)
		require.GreaterOrEqual(t, len(c.Value), 43, "256 bits")
		require.JSONEq(t, `{"kind":"tenant_key","name":"shop","tenant_id":"`+b.tenantID.String()+`","scopes":["authorizers:read","authorizers:write","tokens:read","connect-links:write","followers:read","blacklist:read","blacklist:write","keys:write","audit:read"]}`, res.body)
		require.NotContains(t, res.body, b.key)
		me := b.with(t, c, request{path: "/v1/me"})
		require.Equal(t, http.StatusOK, me.status)
		require.JSONEq(t, res.body, me.body)
		require.Equal(t, http.StatusCreated, b.with(t, c, newLink).status)
	})

	t.Run("SignIn/PlatformKeyIsEveryTenants", func(t *testing.T) {
		t.Parallel()
		_, res := b.signIn(t, b.platform)
		require.Contains(t, res.body, `"kind":"platform_key"`)
		require.Contains(t, res.body, `"tenant_id":null`)
	})

	t.Run("SignIn/CookieIsSecureOnlyWhereHTTPSIs", func(t *testing.T) {
		t.Parallel()
		plain := setup(t, options{noAcount: true, change: func(c *api.Config) { c.PublicURL = "http://localhost:8080" }})
		c, _ := plain.signIn(t, plain.key)
		require.False(t, c.Secure)
	})

	t.Run("SignIn/RefusedWithWrongKey", func(t *testing.T) {
		t.Parallel()
		for _, key := range []string{"stw_" + strings.Repeat("A", 52), "sesame", b.key + "A", b.key[:len(b.key)-1], strings.ToLower(b.key)} {
			res := b.do(t, request{method: http.MethodPost, path: "/v1/session", key: "none", body: map[string]any{"key": key}})
			res.problem(t, http.StatusUnauthorized, "unauthenticated")
			require.Empty(t, res.header.Get("Set-Cookie"))
		}
	})

	t.Run("SignIn/TokenIsNewEveryTime", func(t *testing.T) {
		t.Parallel()
		planted, _ := b.signIn(t, b.newKey(t, tenant.KeyParams{}))
		after, _ := b.signIn(t, b.key, planted)
		require.NotEqual(t, planted.Value, after.Value)
		b.with(t, planted, request{path: "/v1/me"}).problem(t, http.StatusUnauthorized, "unauthenticated")
		require.Equal(t, http.StatusOK, b.with(t, after, request{path: "/v1/me"}).status)

		made := &http.Cookie{Name: "steward_session", Value: "made-up-by-somebody"}
		after, _ = b.signIn(t, b.key, made)
		require.NotEqual(t, made.Value, after.Value)
	})

	t.Run("SignOut/EndsSessionAndTakesCookieBack", func(t *testing.T) {
		t.Parallel()
		c, _ := b.signIn(t, b.key)
		other, _ := b.signIn(t, b.key)
		res := b.with(t, c, request{method: http.MethodDelete, path: "/v1/session"})
		require.Equal(t, http.StatusNoContent, res.status)
		require.Empty(t, res.body)
		taken := cookieOf(t, res)
		require.Empty(t, taken.Value)
		require.Negative(t, taken.MaxAge)
		b.with(t, c, request{path: "/v1/me"}).problem(t, http.StatusUnauthorized, "unauthenticated")
		b.with(t, c, request{method: http.MethodDelete, path: "/v1/session"}).problem(t, http.StatusUnauthorized, "unauthenticated")
		require.Equal(t, http.StatusOK, b.with(t, other, request{path: "/v1/me"}).status, "another session of the same key goes on")
	})

	t.Run("RevokedKey/EndsItsSessions", func(t *testing.T) {
		t.Parallel()
		k, key := b.newKeyOf(t, b.tenantID, tenant.KeyParams{})
		c, _ := b.signIn(t, key)
		res := b.do(t, request{method: http.MethodDelete, path: b.tenantPath("/api-keys/" + k.ID.String())})
		require.Equal(t, http.StatusNoContent, res.status)
		b.with(t, c, request{path: "/v1/me"}).problem(t, http.StatusUnauthorized, "unauthenticated")
	})

	t.Run("ScopesOfKey/AreThoseOfSession", func(t *testing.T) {
		t.Parallel()
		c, _ := b.signIn(t, b.newKey(t, tenant.KeyParams{Scopes: []tenant.Scope{tenant.AuditRead}}))
		require.Equal(t, http.StatusOK, b.with(t, c, request{path: b.tenantPath("/audit")}).status)
		b.with(t, c, newLink).problem(t, http.StatusForbidden, "scope-missing")
	})

	t.Run("Cookie/RubbishIsNobody", func(t *testing.T) {
		t.Parallel()
		for _, value := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("A", 10_000), "%00", "../..", "' OR 1=1 --", "null", b.key} {
			b.with(t, &http.Cookie{Name: "steward_session", Value: value}, request{path: "/v1/me"}).problem(t, http.StatusUnauthorized, "unauthenticated")
		}
	})

	t.Run("Cookie/HashInDatabaseIsNoToken", func(t *testing.T) {
		t.Parallel()
		c, _ := b.signIn(t, b.key)
		rows, err := b.Pool.Query(t.Context(), `SELECT token FROM sessions`)
		require.NoError(t, err)
		defer rows.Close()
		for rows.Next() {
			var stored string
			require.NoError(t, rows.Scan(&stored))
			require.NotEqual(t, c.Value, stored)
			b.with(t, &http.Cookie{Name: c.Name, Value: stored}, request{path: "/v1/me"}).problem(t, http.StatusUnauthorized, "unauthenticated")
		}
		require.NoError(t, rows.Err())
	})

	t.Run("KeyBesideCookie/KeyCounts", func(t *testing.T) {
		t.Parallel()
		c, _ := b.signIn(t, b.platform)
		res := b.with(t, c, request{path: "/v1/me"}, "Authorization", "Bearer "+b.key)
		require.Contains(t, res.body, `"kind":"tenant_key"`)
		b.with(t, c, request{path: "/v1/me"}, "Authorization", "Bearer stw_wrong").problem(t, http.StatusUnauthorized, "unauthenticated")
		res = b.with(t, c, request{path: "/v1/me"})
		require.Contains(t, res.body, `"kind":"platform_key"`)
	})

	t.Run("OtherOrigin/RefusedWithCookieOnly", func(t *testing.T) {
		t.Parallel()
		c, _ := b.signIn(t, b.key)
		foreign := [][]string{
			{"Sec-Fetch-Site", "cross-site"},
			{"Sec-Fetch-Site", "same-site"},
			{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example.com"},
			{"Origin", "https://evil.example.com"},
			{"Origin", "null"},
			{"Origin", "https://steward.test.evil.example.com"},
			{"Origin", "http://steward.test"},
		}
		for _, header := range foreign {
			b.with(t, c, newLink, header...).problem(t, http.StatusForbidden, "cross-origin")
			b.with(t, c, request{method: http.MethodDelete, path: "/v1/session"}, header...).problem(t, http.StatusForbidden, "cross-origin")
			signIn := request{method: http.MethodPost, path: "/v1/session", body: map[string]any{"key": b.key}}
			b.with(t, &http.Cookie{}, signIn, header...).problem(t, http.StatusForbidden, "cross-origin")
			// Whoever knows the key has it from its holder, not from the holder's browser.
			require.Equal(t, http.StatusCreated, b.with(t, c, newLink, append(header, "Authorization", "Bearer "+b.key)...).status)
			require.Equal(t, http.StatusOK, b.with(t, c, request{path: "/v1/me"}, header...).status, "reading changes nothing")
		}
		for _, header := range [][]string{
			{},
			{"Sec-Fetch-Site", "same-origin"},
			{"Sec-Fetch-Site", "none"},
			{"Origin", b.url},
			{"Origin", "https://steward.test"}, // where the browser sees us; a proxy told us another host
		} {
			require.Equal(t, http.StatusCreated, b.with(t, c, newLink, header...).status, header)
		}
	})
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()

	t.Run("WithItsTime", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		c, _ := b.signIn(t, b.key)
		// Sessions are made by the wall clock and looked up by the world's.
		b.Clock.Advance(time.Until(b.Clock.Now()).Abs() + 11*time.Hour)
		require.Equal(t, http.StatusOK, b.with(t, c, request{path: "/v1/me"}).status)
		b.Clock.Advance(2 * time.Hour)
		b.with(t, c, request{path: "/v1/me"}).problem(t, http.StatusUnauthorized, "unauthenticated")
		require.NoError(t, b.Tenants.Sweep(t.Context()))
		var left int
		require.NoError(t, b.Pool.QueryRow(t.Context(), `SELECT count(*) FROM sessions`).Scan(&left))
		require.Zero(t, left)
	})

	t.Run("WhenDeletedFromDatabase", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		c, _ := b.signIn(t, b.key)
		_, err := b.Pool.Exec(t.Context(), `DELETE FROM sessions`)
		require.NoError(t, err)
		b.with(t, c, request{path: "/v1/me"}).problem(t, http.StatusUnauthorized, "unauthenticated")
	})

	t.Run("WhenItsDataCannotBeRead", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		c, _ := b.signIn(t, b.key)
		_, err := b.Pool.Exec(t.Context(), `UPDATE sessions SET data = 'rubbish'`)
		require.NoError(t, err)
		b.with(t, c, request{path: "/v1/me"}).problem(t, http.StatusUnauthorized, "unauthenticated")
		c, _ = b.signIn(t, b.key, c)
		require.Equal(t, http.StatusOK, b.with(t, c, request{path: "/v1/me"}).status)
	})
}
