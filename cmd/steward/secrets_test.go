package main_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/testdb"
)

// Whatever WeChat, proxies and networks do, no secret is in what Steward writes, answers or stores in the clear. Each case
// is the whole flow at the debug level, and then everything again while WeChat's answers echo what they were asked.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path   string // empty: every call
		status int
		code   int  // errcode of an echo; 0: the echo is no JSON
		nobody bool // WeChat's address answers no more
		odd    bool // secrets look like nothing that one could know by its look
	}{
		"WhenNothingFails":              {path: "none"},
		"WhenEveryErrmsgEchoes":         {status: 200, code: -1},
		"WhenAnOpenIDIsRefused":         {path: pathBlock, status: 200, code: 40003},
		"WhenThePermissionIsMissing":    {path: pathBlock, status: 200, code: 61007},
		"WhenTheAccountIsSuspended":     {path: pathBlock, status: 200, code: 48004},
		"WhenTheRefreshTokenIsRefused":  {path: pathAuthorizerToken, status: 200, code: 61023},
		"WhenTheTicketIsRefused":        {path: pathComponentToken, status: 200, code: 61006},
		"WhenTheAppSecretIsRefused":     {path: pathComponentToken, status: 200, code: 40125},
		"WhenTheCodeIsRefused":          {path: pathQueryAuth, status: 200, code: 61009},
		"WhenAProxyAnswersWithTheURL":   {status: 502},
		"WhenItIsRedirectedWithToken":   {status: 302},
		"WhenAnAnswerIsNoJSON":          {status: 200},
		"WhenNobodyIsAtWeChatsAddress":  {nobody: true},
		"WhenOnlyAuthorizerTokensBreak": {path: pathAuthorizerToken, status: 502},
		"OddOnesWhenEveryErrmsgEchoes":  {status: 200, code: -1, odd: true},
		"OddOnesWhenRefreshIsRefused":   {path: pathAuthorizerToken, status: 200, code: 61023, odd: true},
		"OddOnesWhenItIsRedirected":     {status: 302, odd: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newOtherWeChat(t, variant{oddTokens: c.odd})
			b := newBundle(t, testdb.Empty(t), w.url, w.us)
			b.env["STEWARD_LOG_LEVEL"] = "debug"
			b.serve("--migrate")
			b.begin()
			secrets := &secrets{b: b, w: w, kinds: map[string]string{b.key: "API key", b.env["STEWARD_MASTER_KEY"]: "master key"}}
			require.Equal(t, "success", w.pushTicket(b.eventURL()))
			secrets.signIn()
			require.Equal(t, http.StatusOK, secrets.authorize(""))
			b.active(w.account)
			blockAndUnblock(t, b, w)

			if c.nobody {
				b.steward.stop()
				b.env["STEWARD_WECHAT_API_URL"] = "http://127.0.0.1:1"
				b.serve()
			}
			w.spoil(c.path, c.status, c.code)
			w.expire()
			_, err := b.db.Exec(t.Context(), `UPDATE component_tokens SET expires_at = now(), renew_after = now()`)
			require.NoError(t, err)
			secrets.everythingAgain()
			if c.path != "none" && !c.nobody {
				require.NotZero(t, w.spoiltCalls(), "nothing was echoed")
			}
			b.run("doctor")
			b.run("migrate", "status")
			b.steward.stop()
			secrets.lookFor()
		})
	}
}

// spoil has calls answered with an echo of what was asked: in the errmsg of a refusal, or in a proxy's page.
func (w *otherWeChat) spoil(path string, status, code int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sabotage = func(called, query, body string) (int, string) {
		if path != "" && path != called {
			return 0, ""
		}
		decoded, _ := url.QueryUnescape(query)
		echo := fmt.Sprintf("asked %s?%s (%s) with %s rid: 6553f100-1a2b3c4d-0badcafe", called, query, decoded, body)
		if code == 0 {
			return status, "<html><body>Bad gateway: POST http://api" + echo + "</body></html>"
		}
		answer, _ := json.Marshal(map[string]any{"errcode": code, "errmsg": echo}) // a map of these always marshals
		return status, string(answer)
	}
}

// secrets knows what has to stay inside.
type secrets struct {
	b     *bundle
	w     *otherWeChat
	kinds map[string]string // beside those that WeChat issued
}

// signIn opens a session of the console and makes a key of the tenant.
func (s *secrets) signIn() {
	b := s.b
	b.t.Helper()
	in := b.send(request{method: http.MethodPost, url: "/v1/session", body: toJSON(b.t, map[string]string{"key": b.key})}).is(200)
	cookie := (&http.Response{Header: in.header}).Cookies()[0]
	s.kinds[cookie.Value] = "session"
	b.send(request{method: http.MethodGet, url: "/v1/me", header: map[string]string{"Cookie": cookie.String()}}).is(200)
	b.send(request{method: http.MethodPost, url: "/v1/session", body: `{"key":"` + b.key[:20] + `"}`}).is(401)
	var made struct{ Key string }
	b.post("/v1/tenants/"+b.tenant+"/api-keys", map[string]string{"name": "till"}).is(201).into(&made)
	s.kinds[made.Key] = "API key"
	b.send(request{method: http.MethodGet, url: "/v1/tenants", key: made.Key}).is(200)
}

// authorize is a merchant's whole way, WeChat's push included; it returns the status of our last page. link is a connect
// link, or empty for a new one.
func (s *secrets) authorize(link string) int {
	b, w := s.b, s.w
	b.t.Helper()
	if link == "" {
		link = b.connectLink()
	}
	state := path.Base(link)
	s.kinds[state] = "link state"
	page := b.visit(link)
	preAuthCode := ""
	if page.status == http.StatusOK {
		preAuthCode = queryOf(b.t, b.consentLink(link)).Get("pre_auth_code")
	}
	code := w.agree()
	require.Equal(b.t, "success", w.push(b.eventURL(), w.authorizedXML(code, preAuthCode)))
	return b.visit(link + "/callback?expires_in=600&auth_code=" + url.QueryEscape(code)).status
}

// everythingAgain does what was done before, and does not mind if it fails.
func (s *secrets) everythingAgain() {
	b, w := s.b, s.w
	b.t.Helper()
	made := b.post(b.account(w.account)+"/blacklist/block", map[string]any{"openids": []string{w.follower(3000), w.follower(3001)}})
	read := b.post(b.account(w.account)+"/blacklist/pull", struct{}{})
	if made.status == http.StatusAccepted {
		var got batch
		made.into(&got)
		eventually(b.t, "the batch is over or rests", func() bool {
			b.get("/v1/tenants/" + b.tenant + "/batches/" + got.ID).is(200).into(&got)
			return got.Status == "done" || got.Status == "paused"
		})
		b.items(got.ID)
	}
	if read.status == http.StatusAccepted {
		var got pull
		read.into(&got)
		eventually(b.t, "the pull is over", func() bool {
			b.get(b.account(w.account) + "/blacklist/pulls/" + got.ID).is(200).into(&got)
			return got.Status == "done" || got.Status == "failed"
		})
	}
	s.authorize("") // only now: it brings new tokens, and the calls above should have had to renew theirs
	var refused problem
	if again := b.post(b.account(w.account)+"/blacklist/block", map[string]any{"openids": []string{w.follower(1)}}); again.status >= 400 {
		again.into(&refused)
		if refused.ConnectURL != "" {
			s.authorize(refused.ConnectURL)
		}
	}
	tenant := "/v1/tenants/" + b.tenant
	for _, path := range []string{
		"/v1/components", "/v1/components/" + b.component + "/diagnosis", "/v1/alerts", tenant + "/alerts",
		"/v1/tenants", "/v1/unclaimed-authorizers", tenant + "/api-keys", tenant + "/audit?limit=200", tenant + "/connect-links",
		tenant + "/authorizers", b.account(w.account), b.account(w.account) + "/blacklist?actual=any", tenant + "/batches", "/metrics", "/readyz", "/docs", "/",
	} {
		b.get(path)
	}
	forged := w.us
	forged.token = "anothertoken"
	target, body := seal(forged, w.us.appid, b.eventURL(), w.authorizedXML(w.agree(), ""))
	b.send(request{method: http.MethodPost, url: target, body: body, contentType: "text/xml"})
	for _, bad := range []string{`{"appid":"wx1","appsecret":"` + w.us.secret + `","token":7,"encoding_aes_key":"` + w.us.aesKey[:42] + `"}`, w.us.secret} {
		b.send(request{method: http.MethodPost, url: "/v1/components", key: b.key, body: bad})
	}
}

// lookFor fails the test for each secret in each place where it should not be.
func (s *secrets) lookFor() {
	b := s.b
	b.t.Helper()
	s.w.mu.Lock()
	for secret, kind := range s.w.issued {
		s.kinds[secret] = kind
	}
	s.w.mu.Unlock()
	for _, kind := range []string{"ticket", "auth code", "pre-auth code", "access_token", "component_access_token", "refresh token", "link state", "API key"} {
		found := false
		for _, k := range s.kinds {
			found = found || k == kind
		}
		require.True(b.t, found, "no %s occurred, so not finding it proves nothing", kind)
	}
	for _, p := range b.started {
		command := strings.Join(p.cmd.Args[1:], " ")
		s.in("stderr of "+command, p.stderr.String())
		if !strings.HasPrefix(command, "admin key create") {
			s.in("stdout of "+command, p.stdout.String())
		}
	}
	for _, a := range b.answers {
		s.in("the answer to "+a.to.method+" "+a.to.url, a.text(), mayHold(a)...)
	}
	for table, rows := range s.b.dump() {
		s.in("table "+table, rows)
	}
}

// mayHold are the kinds of secret that an answer is there to hand out.
func mayHold(a answer) []string {
	u, err := url.Parse(a.to.url)
	if err != nil || a.status >= 500 {
		return nil
	}
	switch {
	case a.status == 201 && strings.HasSuffix(u.Path, "/api-keys"):
		return []string{"API key"}
	case a.status == 201 && strings.HasSuffix(u.Path, "/connect-links"):
		return []string{"link state"}
	case a.status == 200 && strings.HasPrefix(u.Path, "/connect/") && !strings.HasSuffix(u.Path, "/callback"):
		return []string{"pre-auth code", "link state"} // in the links to WeChat
	case a.status == 200 && u.Path == "/v1/session":
		return []string{"session"}
	case strings.Contains(string(a.body), `"connect_url"`):
		return []string{"link state"}
	}
	return nil
}

// in looks for every secret, and for what would be left of one that was cut out badly.
func (s *secrets) in(place, text string, allowed ...string) {
	s.b.t.Helper()
	for secret, kind := range s.kinds {
		if slices.Contains(allowed, kind) {
			continue
		}
		for _, form := range forms(secret) {
			if at := strings.Index(text, form); at >= 0 {
				s.b.t.Errorf("%s holds the %s: …%s", place, kind, text[max(0, at-200):min(len(text), at+len(form)+20)])
			}
		}
	}
}

// forms are what a log or a database might make of a secret: itself, encoded, or a long part of it.
func forms(secret string) []string {
	list := []string{secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret))}
	for _, part := range strings.FieldsFunc(secret, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if len(part) >= 16 {
			list = append(list, part)
		}
	}
	return list
}

// dump is every table as text.
func (b *bundle) dump() map[string]string {
	b.t.Helper()
	rows, err := b.db.Query(b.t.Context(), `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)
	require.NoError(b.t, err)
	var tables []string
	for rows.Next() {
		var table string
		require.NoError(b.t, rows.Scan(&table))
		tables = append(tables, table)
	}
	require.NoError(b.t, rows.Err())
	require.Greater(b.t, len(tables), 15)
	dump := map[string]string{}
	for _, table := range tables {
		var content string
		require.NoError(b.t, b.db.QueryRow(b.t.Context(), `SELECT coalesce(string_agg(t::text, E'\n'), '') FROM `+table+` t`).Scan(&content))
		dump[table] = content
	}
	return dump
}
