package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/api"
)

func TestUnexpectedErrors(t *testing.T) {
	t.Parallel()
	const fixed = "What was accepted before is not lost. Try again; if it stays so, give the operator the request id."

	t.Run("PanicIsProblemAndItsCauseIsLogged", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true, change: func(c *api.Config) {
			c.Console = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the cause of it") })
		}})
		res := b.do(t, request{path: "/anything", key: "none"})
		p := res.problem(t, http.StatusInternalServerError, "internal")
		require.Equal(t, fixed, p.Detail)
		require.NotContains(t, res.body, "the cause of it")
		line := b.logged(t, "panic in a handler")
		require.Equal(t, "the cause of it", line["error"])
		require.Equal(t, p.RequestID, line["request_id"])
		require.Contains(t, line["stack"], "TestUnexpectedErrors")
		require.Equal(t, "ERROR", b.logged(t, "request")["level"])
	})

	t.Run("AbortIsLeftToNetHTTP", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true, change: func(c *api.Config) {
			c.Console = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		}})
		_, err := b.client.Do(b.newRequest(t, request{path: "/anything"}))
		require.Error(t, err)
	})

	t.Run("UnknownErrorIsProblemAndItsCauseIsLogged", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		_, err := b.Pool.Exec(t.Context(), `ALTER TABLE authorizers RENAME TO hidden_from_everybody`)
		require.NoError(t, err)
		res := b.do(t, request{path: b.tenantPath("/authorizers")})
		p := res.problem(t, http.StatusInternalServerError, "internal")
		require.Equal(t, fixed, p.Detail)
		require.NotContains(t, res.body, "authorizers\\\"")
		require.NotContains(t, res.body, "SQLSTATE")
		line := b.logged(t, "request")
		require.Equal(t, "ERROR", line["level"])
		require.Contains(t, line["error"], "SQLSTATE 42P01")
		require.Equal(t, p.RequestID, line["request_id"])
	})

	t.Run("DatabaseAwayIsProblem", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		b.Pool.Close()
		for _, r := range []request{
			{path: "/v1/me"},
			{method: "POST", path: "/v1/session", body: `{"key":"stw_A"}`, key: "none"},
			{path: "/v1/me", key: "none", header: http.Header{"Cookie": {"steward_session=abc"}}},
			{method: "POST", path: "/wechat/" + b.ComponentAppID + "/events", body: "<xml/>", key: "none"},
		} {
			b.do(t, r).problem(t, http.StatusInternalServerError, "internal")
		}
		require.Equal(t, http.StatusInternalServerError, b.do(t, request{path: "/connect/some-state"}).status)
	})

	t.Run("CallerWhoIsGoneIsNoErrorOfOurs", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		req := b.newRequest(t, request{path: b.tenantPath("/audit"), header: http.Header{"X-Request-Id": {"gone-1"}}})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Equal(t, 499, b.serve(req.WithContext(ctx)).Code)
		require.Equal(t, "INFO", b.logged(t, "request")["level"])
	})
}

// logged returns the last line of the log with this message.
func (b *bundle) logged(t *testing.T, message string) map[string]any {
	t.Helper()
	var last map[string]any
	for line := range strings.Lines(b.Logs.String()) {
		var entry map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &entry))
		if entry["msg"] == message {
			last = entry
		}
	}
	require.NotNil(t, last, "nothing was logged about %q", message)
	return last
}

func TestLog(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	b.do(t, request{path: "/v1/tenants?cursor=" + b.secret("secret-in-query"), header: http.Header{"User-Agent": {b.secret("secret-agent")}}})
	b.do(t, request{path: "/v1/tenants/" + b.secret("secret-in-path") + "?x=" + b.secret("another-secret")})
	b.do(t, request{path: "/connect/" + b.secret("state-in-path") + "/callback?auth_code=" + b.secret("auth-code-in-query")})
	b.do(t, request{path: "/assets/x?token=" + b.secret("console-query")})
	b.do(t, request{method: "POST", path: "/v1/session", key: "none", body: `{"key":"` + b.secret("stw_"+strings.Repeat("Q", 52)) + `"}`})
	b.do(t, request{method: "POST", path: "/v1/components", key: b.platform, body: map[string]any{
		"appid": "wxother", "appsecret": b.secret("secret-appsecret"), "token": b.secret("secret-callback-token"),
		"encoding_aes_key": b.secret(strings.Repeat("k", 43)),
	}})
	line := b.logged(t, "request")
	require.Equal(t, "/v1/components", line["route"])
	require.Equal(t, "POST", line["method"])
	require.EqualValues(t, 200, line["status"])
	require.Equal(t, "127.0.0.1", line["remote_ip"])
	require.NotContains(t, line, "uri")
	require.NotEmpty(t, line["request_id"])
	require.Contains(t, line, "took")
	// The rest is checked when the bundle ends.
}

func TestRemoteAddress(t *testing.T) {
	t.Parallel()
	forged := http.Header{"X-Forwarded-For": {"203.0.113.7"}, "X-Real-Ip": {"203.0.113.8"}}

	t.Run("ForwardedForIsNotBelievedByItself", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		b.do(t, request{path: "/v1/me", header: forged})
		require.Equal(t, "127.0.0.1", b.logged(t, "request")["remote_ip"])
	})

	t.Run("ForwardedForIsBelievedFromTrustedProxy", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true, change: func(c *api.Config) { c.TrustedProxies = prefixes(t, "127.0.0.0/8", "10.0.0.0/8", "::1/128") }})
		b.do(t, request{path: "/v1/me", header: http.Header{"X-Forwarded-For": {"198.51.100.9, 203.0.113.7, 10.1.1.1"}}})
		require.Equal(t, "203.0.113.7", b.logged(t, "request")["remote_ip"])
	})
}
