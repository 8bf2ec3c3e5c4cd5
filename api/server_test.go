package api_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/api"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

func TestNew(t *testing.T) {
	t.Parallel()
	w := factory.NewWorld(t)

	t.Run("RefusedWithoutService", func(t *testing.T) {
		t.Parallel()
		_, err := api.New(api.Config{PublicURL: factory.PublicURL})
		require.ErrorContains(t, err, "lacks a service")
	})

	t.Run("RefusedWithoutUsablePublicURL", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		for _, publicURL := range []string{"", "steward.example.com", "ftp://steward.example.com", "https://", "://"} {
			_, err := api.New(api.Config{
				Tenants: w.Tenants, Components: w.Components, Authorizers: w.Authorizers, Followers: b.followers, Blacklist: b.blacklist, Lists: b.lists, Alerts: b.alerts,
				Console: http.NotFoundHandler(), PublicURL: publicURL,
			})
			require.ErrorContains(t, err, "PublicURL", publicURL)
		}
	})
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})

	t.Run("Head/AnsweredLikeGetWithoutBody", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/", "/healthz", "/docs", "/openapi.yaml", "/v1/me", b.tenantPath("/authorizers")} {
			res := b.do(t, request{method: http.MethodHead, path: path})
			require.Equal(t, http.StatusOK, res.status, path)
			require.Empty(t, res.body, path)
		}
		require.Equal(t, http.StatusUnauthorized, b.do(t, request{method: http.MethodHead, path: "/v1/me", key: "none"}).status)
	})

	t.Run("Options/SaysWhatIsAllowed", func(t *testing.T) {
		t.Parallel()
		res := b.do(t, request{method: http.MethodOptions, path: "/v1/session", key: "none"})
		require.Equal(t, http.StatusNoContent, res.status)
		require.Equal(t, "DELETE, POST, OPTIONS", res.header.Get("Allow"))
		require.Empty(t, res.header.Get("Access-Control-Allow-Origin"), "no other origin may read us")
	})

	t.Run("WrongMethod/Refused", func(t *testing.T) {
		t.Parallel()
		for path, methods := range map[string][]string{
			"/v1/session": {"GET", "PUT", "PATCH", "FOO"}, "/v1/tenants": {"DELETE", "PUT"}, b.accountPath("/blacklist/block"): {"GET", "DELETE"},
			b.tenantPath(""): {"POST", "DELETE"}, "/wechat/wx1/events": {"PUT", "DELETE"},
		} {
			for _, method := range methods {
				res := b.do(t, request{method: method, path: path})
				res.problem(t, http.StatusMethodNotAllowed, "method-not-allowed")
				require.NotEmpty(t, res.header.Get("Allow"), method+" "+path)
			}
		}
	})

	t.Run("UnknownPath/IsProblemWhereProgramsCall", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{
			"/v1/", "/v1/nothing", "/v1/tenants/", b.tenantPath("/nothing"), b.tenantPath("/batches/1/items/2"), "/v1/me/", "/v1/tenants/1/",
			"/wechat/", "/wechat/wx1", "/wechat/wx1/nothing", "/wechat/wx1/messages", "/connect/", "/connect/a/b", "/connect/a/callback/b", "/v1/..", "/v1/../v1/nothing",
		} {
			for _, key := range []string{"", "none"} {
				b.do(t, request{path: path, key: key}).problem(t, http.StatusNotFound, "not-found")
				b.do(t, request{method: http.MethodPost, path: path, key: key, body: `{}`}).problem(t, http.StatusNotFound, "not-found")
			}
		}
	})

	t.Run("EmptyID/NotFound", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/v1/tenants//authorizers", "/v1/tenants//authorizers/", b.tenantPath("/authorizers//blacklist"), b.tenantPath("/batches//items")} {
			b.do(t, request{path: path}).problem(t, http.StatusNotFound, "not-found")
		}
	})

	t.Run("UnknownPath/IsConsoleElsewhere", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/", "/tenants/1/accounts", "/assets/index.js", "/v2/me", "/v1"} {
			res := b.do(t, request{path: path, key: "none"})
			require.Equal(t, http.StatusOK, res.status, path)
			require.Equal(t, "the console", res.body)
		}
		for _, method := range []string{http.MethodPost, http.MethodDelete} {
			res := b.do(t, request{method: method, path: "/anything", key: "none"})
			res.problem(t, http.StatusMethodNotAllowed, "method-not-allowed")
			require.Equal(t, "GET, HEAD, OPTIONS", res.header.Get("Allow"))
		}
	})

	t.Run("OddIDs/NotFound", func(t *testing.T) {
		t.Parallel()
		for _, id := range []string{
			"..", "%2e%2e", "%2E%2E%2F%2E%2E%2Fcomponents", "..%2f..%2fme", "a%2Fb", "%2F", "%5C", "%00", "%ff", "%0d%0aX-Evil:%201", "%25", "%3F", "%20",
			"*", "'", `%22`, "%E5%BE%AE%E4%BF%A1", "null", "undefined", ";x=1", strings.Repeat("a", 100_000), strings.Repeat("%41", 10_000),
			b.account.AppID + "%00", b.account.AppID + "%20", strings.ToUpper(b.account.AppID), "%25" + b.account.AppID,
		} {
			for _, path := range []string{
				"/v1/tenants/" + id, "/v1/tenants/" + id + "/authorizers", b.tenantPath("/authorizers/" + id), b.tenantPath("/authorizers/" + id + "/blacklist"),
				b.tenantPath("/batches/" + id), b.tenantPath("/batches/" + id + "/items"), b.accountPath("/blacklist/pulls/" + id),
			} {
				res := b.do(t, request{path: path})
				res.problem(t, http.StatusNotFound, "not-found")
				require.Empty(t, res.header.Get("X-Evil"))
				require.Less(t, len(res.body), 1000)
			}
		}
	})

	t.Run("EncodedID/IsTheID", func(t *testing.T) {
		t.Parallel()
		encoded := fmt.Sprintf("%%%02x%s", b.account.AppID[0], b.account.AppID[1:])
		require.Equal(t, b.account.AppID, b.get(t, b.tenantPath("/authorizers/"+encoded))["appid"])
	})

	t.Run("Headers/RepeatedOnesAreOne", func(t *testing.T) {
		t.Parallel()
		res := b.do(t, request{method: http.MethodPost, path: b.accountPath("/blacklist/block"), body: `{"openids":["o1"]}`, header: http.Header{
			"Prefer": {"respond-async", "wait=0"}, "Idempotency-Key": {"a", "b"},
		}})
		require.Equal(t, http.StatusAccepted, res.status, res.body)
	})
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})

	t.Run("EveryAnswerIsGuarded", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/", "/docs", "/healthz", "/metrics", "/v1/me", "/v1/nothing", "/connect/x", "/wechat/x"} {
			header := b.do(t, request{path: path}).header
			require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"), path)
			require.Equal(t, "DENY", header.Get("X-Frame-Options"), path)
			require.Equal(t, "same-origin", header.Get("Cross-Origin-Opener-Policy"), path)
			require.Contains(t, header.Get("Content-Security-Policy"), "default-src", path)
			require.Contains(t, header.Get("Content-Security-Policy"), "frame-ancestors 'none'", path)
			require.NotContains(t, header.Get("Content-Security-Policy"), "unsafe-eval", path)
			require.NotEmpty(t, header.Get("Referrer-Policy"), path)
			require.Empty(t, header.Get("Server"), path)
		}
	})

	t.Run("RequestID/HarmlessOneIsKept", func(t *testing.T) {
		t.Parallel()
		for _, id := range []string{"order-4711", "A.b_C-9", strings.Repeat("x", 64)} {
			res := b.do(t, request{path: "/v1/nothing", header: http.Header{"X-Request-Id": {id}}})
			require.Equal(t, id, res.header.Get("X-Request-Id"))
			require.Equal(t, id, res.problem(t, http.StatusNotFound, "not-found").RequestID)
			require.Contains(t, b.Logs.String(), `"request_id":"`+id+`"`)
		}
	})

	t.Run("RequestID/AnyOtherIsReplaced", func(t *testing.T) {
		t.Parallel()
		for _, id := range []string{"", " ", "a b", "<script>", strings.Repeat("x", 65), "微信", "a\tb", `"`, "a,b", "a%0d%0ab"} {
			res := b.do(t, request{path: "/v1/nothing", header: http.Header{"X-Request-Id": {id}}})
			_, err := uuid.Parse(res.header.Get("X-Request-Id"))
			require.NoError(t, err, id)
		}
	})

	t.Run("RequestID/CannotBringFurtherHeaders", func(t *testing.T) {
		t.Parallel()
		for _, id := range []string{"a\rX-Evil: 1", "a\x00b", "a\n X-Evil: 1", "a\x0bX-Evil: 1"} {
			res := b.raw(t, "GET /v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-Id: "+id+"\r\n\r\n")
			require.Empty(t, res.Header.Get("X-Evil"))
			require.NotContains(t, res.Header.Get("X-Request-Id"), "X-Evil")
		}
		res := b.raw(t, "GET /v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-Id: one\r\nX-Request-Id: two\r\n\r\n")
		require.Equal(t, []string{"one"}, res.Header["X-Request-Id"])
	})

	t.Run("RequestID/EndsUpInAuditEntry", func(t *testing.T) {
		t.Parallel()
		res := b.do(t, request{
			method: http.MethodPost, path: b.tenantPath("/connect-links"), body: `{}`, header: http.Header{"X-Request-Id": {"audited-1"}},
		})
		require.Equal(t, http.StatusCreated, res.status)
		require.Contains(t, b.do(t, request{path: b.tenantPath("/audit")}).body, `"request_id":"audited-1"`)
	})
}

func TestKeyUse(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})

	t.Run("SchemeIsInAnyCaseAndNoOther", func(t *testing.T) {
		t.Parallel()
		for _, scheme := range []string{"Bearer ", "bearer ", "BEARER   "} {
			res := b.do(t, request{path: "/v1/me", key: "none", header: http.Header{"Authorization": {scheme + b.key}}})
			require.Equal(t, http.StatusOK, res.status, scheme)
		}
		for _, header := range []string{"Basic " + b.key, b.key, "Bearer", "Bearer ", "Bearer x " + b.key} {
			b.do(t, request{path: "/v1/me", key: "none", header: http.Header{"Authorization": {header}}}).
				problem(t, http.StatusUnauthorized, "unauthenticated")
		}
	})

	t.Run("KeyInQueryIsNone", func(t *testing.T) {
		t.Parallel()
		b.do(t, request{path: "/v1/me?access_key=" + url.QueryEscape(b.key), key: "none"}).problem(t, http.StatusUnauthorized, "unauthenticated")
	})

	t.Run("EndsWithItsTime", func(t *testing.T) {
		t.Parallel()
		w := setup(t, options{noAcount: true})
		end := w.Clock.Now().Add(time.Minute)
		key := w.newKey(t, tenant.KeyParams{ExpiresAt: &end})
		require.Equal(t, http.StatusOK, w.do(t, request{path: "/v1/me", key: key}).status)
		w.Clock.Advance(time.Minute)
		w.do(t, request{path: "/v1/me", key: key}).problem(t, http.StatusUnauthorized, "unauthenticated")
	})
}

func prefixes(t *testing.T, texts ...string) []netip.Prefix {
	t.Helper()
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		var err error
		list[i], err = netip.ParsePrefix(text)
		require.NoError(t, err)
	}
	return list
}
