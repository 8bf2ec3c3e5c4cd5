package wechat_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat"
)

const (
	cat     = "87_simCAT1-of_the+component"
	aat     = "87_simAAT1-of_the/merchant"
	secret  = "0123456789abcdef0123456789abcdef"
	ticket  = "ticket@@@sim-1"
	code    = "queryauthcode@@@sim-1"
	refresh = "refreshtoken@@@sim-1"
)

// request is what the server saw of one call.
type request struct {
	method, path, contentType, body string
	query                           url.Values
}

// fakeWeChat answers every call alike and remembers the calls.
type fakeWeChat struct {
	mu       sync.Mutex
	requests []request
	header   http.Header
	status   int
	body     string
}

func (f *fakeWeChat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, request{
		method: r.Method, path: r.URL.Path, contentType: r.Header.Get("Content-Type"), body: string(body), query: r.URL.Query(),
	})
	for k, v := range f.header {
		w.Header()[k] = v
	}
	if f.status != 0 {
		w.WriteHeader(f.status)
	}
	_, _ = io.WriteString(w, f.body)
}

func (f *fakeWeChat) calls() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]request(nil), f.requests...)
}

// answering returns a client of a server that answers every call with body.
func answering(t *testing.T, body string) (*wechat.Client, *fakeWeChat) {
	t.Helper()
	f := &fakeWeChat{body: body}
	return clientOf(t, f), f
}

func clientOf(t *testing.T, h http.Handler) *wechat.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := wechat.NewClient(wechat.Config{APIURL: srv.URL})
	require.NoError(t, err)
	return c
}

func TestNewClient(t *testing.T) {
	t.Parallel()
	t.Run("ZeroConfigIsValid", func(t *testing.T) {
		t.Parallel()
		_, err := wechat.NewClient(wechat.Config{})
		require.NoError(t, err)
	})
	for _, bad := range []string{"api.weixin.qq.com", "ftp://api.weixin.qq.com", "https://", "https://user:hunter22@host", "https://host?a=b", "https://host#f", "://x", "https://ho st"} {
		t.Run("Refuses/"+bad, func(t *testing.T) {
			t.Parallel()
			_, err := wechat.NewClient(wechat.Config{APIURL: bad})
			require.Error(t, err)
			require.NotContains(t, err.Error(), "hunter22")
		})
	}
	t.Run("APIURLMayHaveAPathAndASlash", func(t *testing.T) {
		t.Parallel()
		f := &fakeWeChat{body: `{"errcode":0}`}
		srv := httptest.NewServer(f)
		t.Cleanup(srv.Close)
		c, err := wechat.NewClient(wechat.Config{APIURL: srv.URL + "/wechat/"})
		require.NoError(t, err)
		require.NoError(t, c.BatchBlacklist(t.Context(), aat, []string{"oSim_A"}))
		require.Equal(t, "/wechat/cgi-bin/tags/members/batchblacklist", f.calls()[0].path)
	})
	t.Run("LeavesTheGivenHTTPClientAlone", func(t *testing.T) {
		t.Parallel()
		hc := &http.Client{}
		_, err := wechat.NewClient(wechat.Config{HTTPClient: hc})
		require.NoError(t, err)
		require.Nil(t, hc.CheckRedirect)
	})
}

func TestClient_Answers(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"Ok":                 `{"errcode":0,"errmsg":"ok"}`,
		"CodeAbsent":         `{}`,
		"CodeNull":           `{"errcode":null,"errmsg":null}`,
		"CodeEmptyString":    `{"errcode":""}`,
		"CodeNumericString":  `{"errcode":"0","errmsg":"ok"}`,
		"CodeFloat":          `{"errcode":0.0}`,
		"MessageIsANumber":   `{"errcode":0,"errmsg":7}`,
		"UnknownFields":      `{"errcode":0,"new":{"deep":[1,{"x":null}]},"more":"fields"}`,
		"ByteOrderMark":      "\xef\xbb\xbf" + `{"errcode":0}`,
		"Blanks":             " \r\n\t{ \"errcode\" : 0 }\n",
		"AlreadyNormalState": `{"errcode":0,"errmsg":"in a normal state"}`,
	} {
		t.Run("Success/"+name, func(t *testing.T) {
			t.Parallel()
			c, _ := answering(t, body)
			require.NoError(t, c.BatchBlacklist(t.Context(), aat, []string{"oSim_A"}))
		})
	}
	for name, body := range map[string]string{
		"Number":        `{"errcode":45009,"errmsg":"reach max api daily quota limit rid: 6553f100-1a2b3c4d-0badcafe"}`,
		"NumericString": `{"errcode":"45009","errmsg":"reach max api daily quota limit rid: 6553f100-1a2b3c4d-0badcafe"}`,
		"BesideData":    `{"total":1,"errcode":45009,"errmsg":"reach max api daily quota limit rid: 6553f100-1a2b3c4d-0badcafe","data":[]}`,
	} {
		t.Run("Refused/"+name, func(t *testing.T) {
			t.Parallel()
			c, _ := answering(t, body)
			_, err := c.Blacklist(t.Context(), aat, "")
			require.Equal(t, &wechat.Error{
				Path: "/cgi-bin/tags/members/getblacklist", Code: 45009, RID: "6553f100-1a2b3c4d-0badcafe",
				Message: "reach max api daily quota limit rid: 6553f100-1a2b3c4d-0badcafe",
			}, err)
		})
	}
	for name, body := range map[string]string{
		"Empty":           ``,
		"Blank":           "  \n",
		"HTML":            `<html><body>502 Bad Gateway</body></html>`,
		"Text":            `ok`,
		"Null":            `null`,
		"Array":           `[{"errcode":0}]`,
		"String":          `"ok"`,
		"Truncated":       `{"errcode":0,"errmsg":"o`,
		"TrailingGarbage": `{"errcode":0}{"errcode":1}`,
		"CodeIsAWord":     `{"errcode":"none"}`,
		"CodeIsAnObject":  `{"errcode":{}}`,
		"CodeIsAFraction": `{"errcode":1.5}`,
		"CodeIsHuge":      `{"errcode":1e300}`,
	} {
		t.Run("Unreadable/"+name, func(t *testing.T) {
			t.Parallel()
			c, _ := answering(t, body)
			err := c.BatchBlacklist(t.Context(), aat, []string{"oSim_A"})
			var broken *wechat.TransportError
			require.ErrorAs(t, err, &broken)
			require.Equal(t, "/cgi-bin/tags/members/batchblacklist", broken.Path)
			require.Zero(t, broken.Status)
			require.Equal(t, wechat.ClassRetry, wechat.ClassOf(err))
		})
	}
	for _, contentType := range []string{"text/plain", "application/json; encoding=utf-8", "text/html; charset=gbk", ""} {
		t.Run("ContentTypeIsIgnored/"+contentType, func(t *testing.T) {
			t.Parallel()
			f := &fakeWeChat{body: `{"total":1,"count":1,"data":{"openid":["oSim_A"]},"next_openid":"oSim_A"}`, header: http.Header{"Content-Type": {contentType}}}
			page, err := clientOf(t, f).Blacklist(t.Context(), aat, "")
			require.NoError(t, err)
			require.Equal(t, []string{"oSim_A"}, page.OpenIDs)
		})
	}
}

func TestClient_HTTPStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []int{201, 204, 302, 400, 404, 500, 502, 503} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			f := &fakeWeChat{status: status}
			if status != http.StatusNoContent {
				f.body = `{"errcode":0,"errmsg":"ok"}`
			}
			err := clientOf(t, f).BatchBlacklist(t.Context(), aat, []string{"oSim_A"})
			var broken *wechat.TransportError
			require.ErrorAs(t, err, &broken)
			require.Equal(t, status, broken.Status)
			require.Len(t, f.calls(), 1)
		})
	}
}

func TestClient_FollowsNoRedirect(t *testing.T) {
	t.Parallel()
	elsewhere := &fakeWeChat{body: `{"errcode":0}`}
	other := httptest.NewServer(elsewhere)
	t.Cleanup(other.Close)
	for name, hc := range map[string]*http.Client{"Default": nil, "Given": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fakeWeChat{status: http.StatusTemporaryRedirect, header: http.Header{"Location": {other.URL + "/?access_token=" + aat}}}
			srv := httptest.NewServer(f)
			t.Cleanup(srv.Close)
			c, err := wechat.NewClient(wechat.Config{APIURL: srv.URL, HTTPClient: hc})
			require.NoError(t, err)
			err = c.BatchBlacklist(t.Context(), aat, []string{"oSim_A"})
			var broken *wechat.TransportError
			require.ErrorAs(t, err, &broken)
			require.Equal(t, http.StatusTemporaryRedirect, broken.Status)
			require.Empty(t, elsewhere.calls())
		})
	}
}

// endless yields blanks for as long as anybody reads.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func (e *endless) Close() error { return nil }

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestClient_RefusesAnEndlessAnswer(t *testing.T) {
	t.Parallel()
	body := &endless{}
	c, err := wechat.NewClient(wechat.Config{HTTPClient: &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: body}, nil
	})}})
	require.NoError(t, err)
	err = c.BatchBlacklist(t.Context(), aat, []string{"oSim_A"})
	require.ErrorContains(t, err, "more than 33554432 bytes")
	require.Equal(t, 32<<20+1, body.read, "32 MiB and the byte that proves it too long")
}

func TestClient_Observe(t *testing.T) {
	t.Parallel()
	var calls []wechat.Call
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f := &fakeWeChat{body: `{"errcode":0}`}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	c, err := wechat.NewClient(wechat.Config{
		APIURL:  srv.URL,
		Observe: func(call wechat.Call) { calls = append(calls, call) },
		Now:     func() time.Time { now = now.Add(time.Second); return now },
	})
	require.NoError(t, err)

	require.NoError(t, c.BatchBlacklist(t.Context(), aat, []string{"oSim_A"}))
	f.body = `{"errcode":40003,"errmsg":"invalid openid"}`
	refused := c.BatchUnblacklist(t.Context(), aat, []string{"oSim_A"})
	f.body = `{}`
	_, incomplete := c.ComponentToken(t.Context(), simAppID, secret, ticket)
	require.ErrorIs(t, c.BatchBlacklist(t.Context(), aat, nil), wechat.ErrListSize)

	for i := range calls {
		require.WithinDuration(t, time.Now(), calls[i].ServerTime, time.Minute)
		calls[i].ServerTime = time.Time{}
	}
	require.Equal(t, []wechat.Call{
		{Path: "/cgi-bin/tags/members/batchblacklist", Duration: time.Second},
		{Path: "/cgi-bin/tags/members/batchunblacklist", Code: 40003, Duration: time.Second, Err: refused},
		{Path: "/cgi-bin/component/api_component_token", Duration: time.Second, Err: incomplete},
	}, calls)
}

func TestClient_TellsTheContextsObserverToo(t *testing.T) {
	t.Parallel()
	c, _ := answering(t, `{"errcode":0}`)
	var seen []wechat.Call
	ctx := wechat.WithObserver(t.Context(), func(call wechat.Call) { seen = append(seen, call) })
	require.NoError(t, c.BatchBlacklist(ctx, aat, []string{"oSim_A"}))
	require.NoError(t, c.BatchBlacklist(t.Context(), aat, []string{"oSim_A"}))
	require.Len(t, seen, 1)
	require.Equal(t, "/cgi-bin/tags/members/batchblacklist", seen[0].Path)
	require.False(t, seen[0].ServerTime.IsZero())
}

func TestClient_Causes(t *testing.T) {
	t.Parallel()
	t.Run("Cancelled", func(t *testing.T) {
		t.Parallel()
		c, f := answering(t, `{}`)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := c.BatchBlacklist(ctx, aat, []string{"oSim_A"})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, wechat.ClassRetry, wechat.ClassOf(err))
		require.Empty(t, f.calls())
	})
	t.Run("DeadlineExceeded", func(t *testing.T) {
		t.Parallel()
		release := make(chan struct{})
		c := clientOf(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
		t.Cleanup(func() { close(release) })
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, c.BatchBlacklist(ctx, aat, []string{"oSim_A"}), context.DeadlineExceeded)
	})
	t.Run("TheConnectionBreaksInTheMiddle", func(t *testing.T) {
		t.Parallel()
		c := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"errcode":0}`)
		}))
		require.ErrorIs(t, c.BatchBlacklist(t.Context(), aat, []string{"oSim_A"}), io.ErrUnexpectedEOF)
	})
	t.Run("OwnTransport", func(t *testing.T) {
		t.Parallel()
		boom := errors.New("boom")
		c, err := wechat.NewClient(wechat.Config{HTTPClient: &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, boom })}})
		require.NoError(t, err)
		err = c.BatchBlacklist(t.Context(), aat, []string{"oSim_A"})
		require.Equal(t, boom, errors.Unwrap(err))
		require.Equal(t, "wechat: /cgi-bin/tags/members/batchblacklist: no usable answer: boom", err.Error())
	})
}

func TestClient_SendsPlainJSON(t *testing.T) {
	t.Parallel()
	c, f := answering(t, `{"errcode":0}`)
	require.NoError(t, c.BatchBlacklist(t.Context(), aat, []string{"o&<>'é"}))
	require.Equal(t, `{"openid_list":["o&<>'é"]}`, f.calls()[0].body)
}

func TestClient_TokensAreEscapedInTheQuery(t *testing.T) {
	t.Parallel()
	c, f := answering(t, `{"errcode":0}`)
	odd := "87_a&b=c+d/e%20?#f"
	require.NoError(t, c.BatchBlacklist(t.Context(), odd, []string{"oSim_A"}))
	require.Equal(t, url.Values{"access_token": {odd}}, f.calls()[0].query)
}

// FuzzDecodeAnswer gives one body to every endpoint: none may panic, fail with another type of error, or print what
// the body says of a token.
func FuzzDecodeAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"errcode":0,"errmsg":"ok"}`,
		`{"errcode":"40001","errmsg":"invalid credential ` + aat + ` hint: [a] rid: 6553f100-1a2b3c4d-0badcafe"}`,
		`{"component_access_token":"87_simCAT1","expires_in":7200}`,
		`{"pre_auth_code":"preauthcode@@@sim-1","expires_in":"600"}`,
		`{"authorization_info":{"authorizer_appid":"wxaa","authorizer_access_token":"x","expires_in":-1,"func_info":[{"funcscope_category":{"id":1}},{},null,3]}}`,
		`{"authorizer_info":{"nick_name":7,"service_type_info":[],"verify_type_info":{"id":null},"MiniProgramInfo":{}},"authorization_info":[]}`,
		`{"total_count":2,"list":[{"authorizer_appid":"wx","auth_time":99999999999999}]}`,
		`{"total":1,"count":"1","data":{"openid":["a",null,7,{}]},"next_openid":null}`,
		`{"data":[]}`, `{"data":null}`, `{"data":{"openid":null}}`, `{"data":{"openid":{}}}`,
		`{"user_info_list":[{"openid":"a","tagid_list":[1,"2"]},null,[]]}`,
		`{"quota":{"daily_limit":1e400}}`, `{"request":{"request_url":"access_token=` + aat + `"}}`,
		``, `[`, `null`, `{"errcode":1e999}`, "\xef\xbb\xbf{}", `{"errcode":-1,"errmsg":"\u0000\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := wechat.NewClient(wechat.Config{HTTPClient: &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(body)))}, nil
		})}})
		require.NoError(t, err)
		for _, e := range endpoints() {
			_, err := e.call(t.Context(), c)
			if err == nil {
				continue
			}
			var refused *wechat.Error
			var broken *wechat.TransportError
			require.True(t, errors.As(err, &refused) || errors.As(err, &broken), "%T", err)
			for _, s := range e.secrets {
				require.NotContains(t, err.Error(), s)
			}
			require.NotEmpty(t, wechat.ClassOf(err).String())
		}
	})
}
