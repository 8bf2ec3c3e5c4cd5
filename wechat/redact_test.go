package wechat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat"
)

// everySecret holds all secrets of the tests in the forms in which a server, a proxy or Go itself might print them.
func everySecret() []string {
	var all []string
	for _, s := range []string{cat, aat, secret, ticket, code, refresh} {
		all = append(all, s, url.QueryEscape(s), strings.ToLower(url.QueryEscape(s)), url.PathEscape(s), html.EscapeString(s), strings.ReplaceAll(s, "/", `\/`))
	}
	return all
}

// texts are all the ways in which an error may reach a log: its own text, those of its causes, and every print verb.
func texts(err error) []string {
	var all []string
	for e := err; e != nil; e = errors.Unwrap(e) {
		all = append(all, e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%q", e), fmt.Sprintf("%s", e))
	}
	var refused *wechat.Error
	if errors.As(err, &refused) {
		all = append(all, refused.Message, refused.RID, refused.Advice(), fmt.Sprintf("%#v", refused))
	}
	var u *url.Error
	if errors.As(err, &u) {
		all = append(all, u.URL, u.Error())
	}
	var buf bytes.Buffer
	slog.New(slog.NewTextHandler(&buf, nil)).Error("text", "err", err)
	slog.New(slog.NewJSONHandler(&buf, nil)).Error("json", "err", err)
	return append(all, buf.String())
}

func requireNoSecret(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	for _, text := range texts(err) {
		for _, s := range everySecret() {
			require.NotContains(t, text, s)
		}
	}
}

// echo repeats, in its answer, all that a client sent.
func echo(t *testing.T, write func(w http.ResponseWriter, everything string)) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		decoded, _ := url.QueryUnescape(r.URL.RawQuery)
		write(w, strings.Join([]string{r.URL.String(), decoded, html.EscapeString(r.URL.String()), strings.ToLower(r.URL.String()), string(body)}, " "))
	})
}

func serverErrors(t *testing.T) map[string]http.Handler {
	t.Helper()
	refusedWith := func(code int) http.Handler {
		return echo(t, func(w http.ResponseWriter, everything string) {
			answer, _ := json.Marshal(map[string]any{"errcode": code, "errmsg": "invalid: " + everything + " rid: 6553f100-1a2b3c4d-0badcafe"})
			_, _ = w.Write(answer)
		})
	}
	return map[string]http.Handler{
		"Refused40001": refusedWith(40001),
		"Refused61023": refusedWith(61023),
		"BadGateway": echo(t, func(w http.ResponseWriter, everything string) {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = fmt.Fprintf(w, "<html>%s</html>", everything)
		}),
		"HTMLWithStatusOK": echo(t, func(w http.ResponseWriter, everything string) { _, _ = fmt.Fprintf(w, "<html>%s</html>", everything) }),
		"NoJSON":           echo(t, func(w http.ResponseWriter, everything string) { _, _ = fmt.Fprintf(w, "{%s", everything) }),
		"ErrcodeIsAWord": echo(t, func(w http.ResponseWriter, everything string) {
			answer, _ := json.Marshal(everything)
			_, _ = fmt.Fprintf(w, `{"errcode":%s}`, answer)
		}),
		"Redirect": echo(t, func(w http.ResponseWriter, everything string) {
			w.Header().Set("Location", "https://proxy.example/?"+url.QueryEscape(everything))
			w.WriteHeader(http.StatusFound)
		}),
		"UnreadableRedirect": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://proxy.example:port/?"+r.URL.RawQuery+"&code="+code)
			w.WriteHeader(http.StatusFound)
		}),
		"BrokenConnection": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 "+r.URL.RawQuery+"\r\n\r\n")
				_ = conn.Close()
			}
		}),
	}
}

func TestErrors_HoldNoSecret(t *testing.T) {
	t.Parallel()
	for name, handler := range serverErrors(t) {
		for _, e := range endpoints() {
			t.Run(name+"/"+e.name, func(t *testing.T) {
				t.Parallel()
				var observed error
				srv := httptest.NewServer(handler)
				t.Cleanup(srv.Close)
				c, err := wechat.NewClient(wechat.Config{APIURL: srv.URL, Observe: func(call wechat.Call) { observed = call.Err }})
				require.NoError(t, err)
				_, err = e.call(t.Context(), c)
				requireNoSecret(t, err)
				requireNoSecret(t, observed)
			})
		}
	}
}

func TestErrors_HoldNoSecretWithoutAServer(t *testing.T) {
	t.Parallel()
	leaky := func(err error) *http.Client {
		return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("proxy refused %s: %w", r.URL, err)
		})}
	}
	clients := map[string]*http.Client{
		"LeakyTransport": leaky(io.EOF),
		"NestedURLError": leaky(&url.Error{Op: "Post", URL: "https://api.weixin.qq.com/?access_token=" + aat + "&component_access_token=" + cat, Err: io.EOF}),
		"JoinedErrors":   leaky(errors.Join(io.EOF, errors.New(aat), errors.New(cat+secret+ticket+code+refresh))),
		"WrappedOutOfSight": {Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			return nil, &quiet{fmt.Errorf("%s %s %s: %w", r.URL, ticket, secret, io.EOF)}
		})},
		"JoinedOutOfSight": {Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			return nil, &quiet{errors.Join(errors.New("harmless"), io.EOF, fmt.Errorf("%s %s %s %s", r.URL, ticket, secret, code+refresh))}
		})},
		"URLErrorOutOfSight": {Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return nil, &quiet{&url.Error{Op: "Post", URL: "https://proxy.example/", Err: &url.Error{Op: "Get", URL: "https://proxy.example/", Err: io.EOF}}}
		})},
		"BodyBreaksWithATale": {Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(&broken{fmt.Errorf("reading %s %s %s %s: %w", r.URL, secret, ticket, code+refresh, io.EOF)})}, nil
		})},
	}
	for name, hc := range clients {
		for _, e := range endpoints() {
			t.Run(name+"/"+e.name, func(t *testing.T) {
				t.Parallel()
				c, err := wechat.NewClient(wechat.Config{HTTPClient: hc})
				require.NoError(t, err)
				_, err = e.call(t.Context(), c)
				for _, text := range texts(err) {
					for _, s := range e.secrets {
						require.NotContains(t, text, s)
					}
				}
				require.ErrorIs(t, err, io.EOF, "hidden, but still to be recognised")
			})
		}
	}
}

// quiet hides its cause from its own text, as some libraries do.
type quiet struct{ cause error }

func (*quiet) Error() string   { return "quiet" }
func (q *quiet) Unwrap() error { return q.cause }

type broken struct{ err error }

func (b *broken) Read([]byte) (int, error) { return 0, b.err }

func TestErrors_WrongShape(t *testing.T) {
	t.Parallel()
	c, _ := answering(t, `{"component_access_token":["`+secret+`"],"pre_auth_code":{"a":"`+cat+`"}}`)
	_, err := c.ComponentToken(t.Context(), simAppID, secret, ticket)
	require.ErrorContains(t, err, "not shaped as expected")
	requireNoSecret(t, err)
	_, err = c.CreatePreAuthCode(t.Context(), cat, simAppID)
	require.ErrorContains(t, err, "not shaped as expected")
	requireNoSecret(t, err)
}

func TestErrors_Timeout(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(release) })
	c, err := wechat.NewClient(wechat.Config{APIURL: srv.URL, HTTPClient: &http.Client{Timeout: 20 * time.Millisecond}})
	require.NoError(t, err)
	for _, e := range endpoints() {
		_, err := e.call(t.Context(), c)
		requireNoSecret(t, err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout())
	}
}

func TestErrors_ConnectionRefused(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.NotFoundHandler())
	address := srv.URL
	srv.Close()
	c, err := wechat.NewClient(wechat.Config{APIURL: address})
	require.NoError(t, err)
	for _, e := range endpoints() {
		_, err := e.call(t.Context(), c)
		requireNoSecret(t, err)
		var op *net.OpError
		require.ErrorAs(t, err, &op, "a harmless cause can be unwrapped")
		require.NotContains(t, err.Error(), "?")
	}
}

func TestErrors_HiddenTimeoutIsStillATimeout(t *testing.T) {
	t.Parallel()
	c, err := wechat.NewClient(wechat.Config{HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("%s: %w", r.URL, context.DeadlineExceeded)
	})}})
	require.NoError(t, err)
	err = c.BatchBlacklist(t.Context(), aat, []string{"oSim_A"})
	requireNoSecret(t, err)
	var timeout interface{ Timeout() bool }
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
}

func TestMessages(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("错", 400)
	for name, tc := range map[string]struct{ errmsg, message, rid string }{
		"WithRID":           {"invalid openid rid: 6553f100-1a2b3c4d-0badcafe", "invalid openid rid: 6553f100-1a2b3c4d-0badcafe", "6553f100-1a2b3c4d-0badcafe"},
		"ShortLastGroup":    {"invalid openid rid: 6553f100-1a2b3c4d-badcafe", "invalid openid rid: 6553f100-1a2b3c4d-badcafe", "6553f100-1a2b3c4d-badcafe"},
		"Comma":             {"api unauthorized, rid: 6553f100-1a2b3c4d-0badcafe", "api unauthorized, rid: 6553f100-1a2b3c4d-0badcafe", "6553f100-1a2b3c4d-0badcafe"},
		"HintAndRID":        {"invalid openid hint: [a1b2c3d4] rid: 6553f100-1a2b3c4d-0badcafe", "invalid openid hint: [a1b2c3d4] rid: 6553f100-1a2b3c4d-0badcafe", "6553f100-1a2b3c4d-0badcafe"},
		"HintOnly":          {"invalid openid hint: [a1b2c3d4]", "invalid openid hint: [a1b2c3d4]", ""},
		"IPAndRID":          {"access clientip is not registered requestIP: 203.0.113.9 rid: 6553f100-1a2b3c4d-0badcafe", "access clientip is not registered requestIP: 203.0.113.9 rid: 6553f100-1a2b3c4d-0badcafe", "6553f100-1a2b3c4d-0badcafe"},
		"NoBlankBefore":     {"invalid openid rid:6553f100-1a2b3c4d-0badcafe", "invalid openid rid:6553f100-1a2b3c4d-0badcafe", "6553f100-1a2b3c4d-0badcafe"},
		"Empty":             {"", "", ""},
		"OwnToken":          {"bad token " + aat + " rid: 6553f100-1a2b3c4d-0badcafe", "bad token [redacted] rid: 6553f100-1a2b3c4d-0badcafe", "6553f100-1a2b3c4d-0badcafe"},
		"ForeignParameters": {"see https://x.example/a?access_token=50_x&openid=o for more", "see https://x.example/a?[redacted] for more", ""},
		"BareParameters":    {"got component_verify_ticket=abc&openid=o code=x", "got component_verify_ticket=[redacted]&openid=o code=[redacted]", ""},
		"ErrcodeIsNoCode":   {"errcode=40001 stands", "errcode=40001 stands", ""},
		"JSONInside":        {`{"authorizer_refresh_token":"abc","openid":"o"}`, `{"authorizer_refresh_token":"[redacted]","openid":"o"}`, ""},
		"CodesOfAnyKind":    {"bad preauthcode@@@xyz-1 and ticket@@@q and refreshtoken%40%40%40z", "bad [redacted] and [redacted] and [redacted]", ""},
		"LongToken":         {"bad 87_abcdefghijklmnopqrstuvwxyz0123456789-_ABC", "bad [redacted]", ""},
		"ProxyPassword":     {"via http://user:hunter22@proxy:3128/ failed", "via http://[redacted]@proxy:3128/ failed", ""},
		"WordsStay":         {"invalid credential, access_token is invalid or not latest", "invalid credential, access_token is invalid or not latest", ""},
		"ControlCharacters": {"a\x00b\nc\td", "a b c d", ""},
		"CutToSize":         {long, strings.Repeat("错", 166), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, err := json.Marshal(map[string]any{"errcode": 40003, "errmsg": tc.errmsg})
			require.NoError(t, err)
			c, _ := answering(t, string(answer))
			var refused *wechat.Error
			require.ErrorAs(t, c.BatchBlacklist(t.Context(), aat, []string{"oSim_A"}), &refused)
			require.Equal(t, tc.message, refused.Message)
			require.Equal(t, tc.rid, refused.RID)
		})
	}
	t.Run("ASecretIsNoRID", func(t *testing.T) {
		t.Parallel()
		c, _ := answering(t, `{"errcode":40125,"errmsg":"invalid appsecret rid: `+secret+`"}`)
		err := c.StartPushTicket(t.Context(), simAppID, secret)
		requireNoSecret(t, err)
		var refused *wechat.Error
		require.ErrorAs(t, err, &refused)
		require.Empty(t, refused.RID)
	})
	t.Run("RIDAfterTheCut", func(t *testing.T) {
		t.Parallel()
		c, _ := answering(t, `{"errcode":40003,"errmsg":"`+long+` rid: 6553f100-1a2b3c4d-0badcafe"}`)
		var refused *wechat.Error
		require.ErrorAs(t, c.BatchBlacklist(t.Context(), aat, []string{"oSim_A"}), &refused)
		require.Equal(t, "6553f100-1a2b3c4d-0badcafe", refused.RID)
	})
}

// Whatever holds a secret says so instead of showing it, however it is printed.
func TestValues_PrintNoSecret(t *testing.T) {
	t.Parallel()
	const hush = "hush-hush-hush"
	for name, v := range map[string]any{
		"CallbackKey":        wechat.CallbackKey{Token: hush, EncodingAESKey: hush},
		"Token":              wechat.Token{Value: hush},
		"PreAuthCode":        wechat.PreAuthCode{Code: hush},
		"Authorization":      wechat.Authorization{AuthorizerAppID: merchant, AccessToken: hush, RefreshToken: hush},
		"AuthorizerToken":    wechat.AuthorizerToken{AccessToken: hush, RefreshToken: hush},
		"AuthorizerInfo":     wechat.AuthorizerInfo{AppID: merchant, RefreshToken: hush},
		"AuthorizerListItem": wechat.AuthorizerListItem{AppID: merchant, RefreshToken: hush},
		"AuthorizerList":     wechat.AuthorizerList{Items: []wechat.AuthorizerListItem{{RefreshToken: hush}}},
		"Consent":            wechat.Consent{PreAuthCode: hush},
		"TicketEvent":        wechat.TicketEvent{Ticket: hush},
		"AuthorizedEvent":    wechat.AuthorizedEvent{AuthorizerAppID: merchant, AuthorizationCode: hush, PreAuthCode: hush},
		"UnknownEvent":       wechat.UnknownEvent{Raw: []byte(hush)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				_, _ = fmt.Fprintf(&out, verb+"\n", v)
				_, _ = fmt.Fprintf(&out, verb+"\n", []any{v, &v})
			}
			slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v, slog.Group("g", "v", []any{v}))
			encoded, err := json.Marshal(v)
			require.NoError(t, err)
			out.Write(encoded)
			require.NotContains(t, out.String(), hush)
			require.NotContains(t, out.String(), fmt.Sprintf("%x", hush))
			require.NotContains(t, out.String(), fmt.Sprint([]byte(hush)))
			require.Contains(t, out.String(), "[redacted]")
		})
	}
}
