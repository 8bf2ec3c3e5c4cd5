package main_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/testdb"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// Paths of WeChat's API that tests count calls to.
const (
	pathBlock           = "/cgi-bin/tags/members/batchblacklist"
	pathUnblock         = "/cgi-bin/tags/members/batchunblacklist"
	pathGetBlacklist    = "/cgi-bin/tags/members/getblacklist"
	pathComponentToken  = "/cgi-bin/component/api_component_token"
	pathAuthorizerToken = "/cgi-bin/component/api_authorizer_token"
	pathQueryAuth       = "/cgi-bin/component/api_query_auth"
)

// bundle is one test's own world: a database, a WeChat, and the processes of Steward between them.
type bundle struct {
	t       testing.TB
	env     map[string]string // of every process
	db      *pgxpool.Pool     // to look into the database; Steward has connections of its own
	sim     *simulator.Server // nil: the WeChat is another one
	front   *front
	steward *process   // the one that the client talks to
	started []*process // all of them

	component string // our own appid at WeChat
	key       string // a platform key
	tenant    string // id of a tenant

	mu      sync.Mutex
	answers []answer // every answer that the client got
}

// ours is what the platform's console at WeChat shows of us.
type ours struct{ appid, secret, token, aesKey string }

// newBundle prepares a world in which nothing runs yet.
func newBundle(t testing.TB, databaseURL, wechatURL string, us ours) *bundle {
	t.Helper()
	b := &bundle{t: t, front: newFront(t), component: us.appid}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	b.env = map[string]string{
		"DATABASE_URL": databaseURL, "STEWARD_ADDR": "127.0.0.1:0", "STEWARD_PUBLIC_URL": b.front.url,
		"STEWARD_MASTER_KEY":     base64.StdEncoding.EncodeToString(key),
		"STEWARD_WECHAT_API_URL": wechatURL, "STEWARD_WECHAT_MP_URL": wechatURL, "STEWARD_WECHAT_OPEN_URL": wechatURL,
		"STEWARD_COMPONENT_APPID": us.appid, "STEWARD_COMPONENT_APPSECRET": us.secret,
		"STEWARD_COMPONENT_TOKEN": us.token, "STEWARD_COMPONENT_AES_KEY": us.aesKey,
	}
	var err error
	b.db, err = pgxpool.New(t.Context(), databaseURL)
	require.NoError(t, err)
	t.Cleanup(b.db.Close)
	return b
}

// setup makes a world with the simulator in which Steward serves, has a ticket, a platform key and a tenant.
func setup(t testing.TB) *bundle {
	t.Helper()
	return setupOn(t, testdb.URL(t))
}

func setupOn(t testing.TB, databaseURL string) *bundle {
	t.Helper()
	sim := simulator.New(simulator.Config{Component: simulator.Component{PermissionSets: []int{1, 2, 3, 100}}})
	t.Cleanup(sim.Close)
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	t.Cleanup(sim.Release) // or Close of the server would wait for calls that hang
	c := sim.Component()
	b := newBundle(t, databaseURL, server.URL, ours{c.AppID, c.AppSecret, c.Token, c.EncodingAESKey})
	b.sim = sim
	require.NoError(t, sim.SetCallbackURLs("", b.eventURL(), ""))
	b.serve("--migrate")
	b.begin()
	require.NoError(t, sim.PushTicket(t.Context()))
	return b
}

// serve starts the process that the client talks to from now on.
func (b *bundle) serve(args ...string) {
	b.t.Helper()
	b.steward = serve(b.t, b.env, args...)
	b.started = append(b.started, b.steward)
	b.front.to(b.steward)
}

// run runs another command to its end, in the same environment.
func (b *bundle) run(args ...string) *process {
	b.t.Helper()
	p := run(b.t, b.env, args...)
	b.started = append(b.started, p)
	return p
}

// begin makes the platform key, as the operator does, and a tenant.
func (b *bundle) begin() {
	b.t.Helper()
	made := b.run("admin", "key", "create", "--name", "test")
	require.Zero(b.t, made.code, made.stderr)
	require.Regexp(b.t, `^stw_[A-Z2-7]{40,}\n$`, made.stdout.String(), "a key and nothing else")
	b.key = strings.TrimSpace(made.stdout.String())
	var tenant struct{ ID, Name, Status string }
	b.post("/v1/tenants", map[string]string{"name": "Lotus Tea 莲香茶饮"}).is(201).into(&tenant)
	require.Equal(b.t, "active", tenant.Status)
	b.tenant = tenant.ID
}

func (b *bundle) eventURL() string { return b.front.url + "/wechat/" + b.component + "/events" }

// account is the path of one account of the tenant.
func (b *bundle) account(appid string) string {
	return "/v1/tenants/" + b.tenant + "/authorizers/" + appid
}

// envWith is the environment of the processes with some changes.
func (b *bundle) envWith(changes map[string]string) map[string]string {
	env := maps.Clone(b.env)
	maps.Copy(env, changes)
	return env
}

// count asks the database for one number.
func (b *bundle) count(sql string, args ...any) int {
	b.t.Helper()
	var n int
	require.NoError(b.t, b.db.QueryRow(context.WithoutCancel(b.t.Context()), sql, args...).Scan(&n))
	return n
}

// addAccount adds an account to the simulator that nobody may act for yet.
func (b *bundle) addAccount(followers int) (appid string) {
	b.t.Helper()
	appid = "wx" + hexText(8)
	require.NoError(b.t, b.sim.AddAccount(simulator.Account{
		AppID: appid, UserName: "gh_" + appid[6:], NickName: "Account " + appid, ServiceType: 2, FollowerCount: followers,
	}))
	return appid
}

// connect adds an account and has its merchant authorize us through a connect link, in a browser.
func (b *bundle) connect(followers int, sets ...string) (appid string, openids []string) {
	b.t.Helper()
	appid = b.addAccount(followers)
	b.agree(b.consentLink(b.connectLink()), appid, sets...)
	b.active(appid)
	return appid, b.sim.FollowersOf(appid)
}

// consent is the merchant on the simulator's consent page; it returns where WeChat sends the browser then.
func (b *bundle) consent(page, appid string, sets ...string) string {
	b.t.Helper()
	resp, err := noRedirects().PostForm(page, url.Values{"account": {appid}, "set": sets})
	require.NoError(b.t, err)
	defer resp.Body.Close()
	require.Equal(b.t, http.StatusSeeOther, resp.StatusCode)
	return resp.Header.Get("Location")
}

// agree is consent and the way back to us.
func (b *bundle) agree(page, appid string, sets ...string) {
	b.t.Helper()
	b.visit(b.consent(page, appid, sets...)).is(200)
}

// afterCalls does something when WeChat has taken that many calls of a path, and before it takes the next.
func (b *bundle) afterCalls(path string, calls int, do func()) {
	var seen atomic.Int64
	b.sim.BeforeAnswer(func(call simulator.Call) {
		if call.Path == path && seen.Add(1) == int64(calls) {
			do()
		}
	})
}

func (b *bundle) connectLink() string {
	b.t.Helper()
	var link struct{ ID, URL, ExpiresAt string }
	b.post("/v1/tenants/"+b.tenant+"/connect-links", struct{}{}).is(201).into(&link)
	return link.URL
}

var (
	hrefs = regexp.MustCompile(`href="([^"]+)"`)
	// desktopConsent is where WeChat's consent page for a browser lies.
	desktopConsent = "/cgi-bin/componentloginpage?"
)

// consentLink opens a connect link and returns the link to WeChat's consent page on it.
func (b *bundle) consentLink(link string) string {
	b.t.Helper()
	page := b.visit(link).is(200)
	require.NotContains(b.t, string(page.body), "<script")
	for _, match := range hrefs.FindAllStringSubmatch(string(page.body), -1) {
		if href := html.UnescapeString(match[1]); strings.Contains(href, desktopConsent) {
			return href
		}
	}
	require.FailNow(b.t, "no link to WeChat's consent page", "%s", page.body)
	return ""
}

// active waits until an account is of the tenant and active, and returns it.
func (b *bundle) active(appid string) authorizer {
	b.t.Helper()
	var a authorizer
	eventually(b.t, appid+" is active", func() bool {
		got := b.get(b.account(appid))
		if got.status == http.StatusNotFound {
			return false
		}
		got.is(200).into(&a)
		return a.State == "active"
	})
	return a
}

// ended waits for the end of a batch and returns it.
func (b *bundle) ended(id string) batch {
	b.t.Helper()
	var got batch
	eventually(b.t, "batch "+id+" is done", func() bool {
		b.get("/v1/tenants/" + b.tenant + "/batches/" + id).is(200).into(&got)
		return got.Status == "done"
	})
	return got
}

// items lists what came of each openid of a batch.
func (b *bundle) items(id string) []item {
	b.t.Helper()
	var all []item
	path := "/v1/tenants/" + b.tenant + "/batches/" + id + "/items?limit=200"
	for cursor := ""; ; {
		var page struct {
			Data       []item
			NextCursor *string `json:"next_cursor"`
		}
		b.get(path + cursor).is(200).into(&page)
		all = append(all, page.Data...)
		if page.NextCursor == nil {
			return all
		}
		cursor = "&cursor=" + url.QueryEscape(*page.NextCursor)
	}
}

// front is the address that browsers and WeChat know, whichever process answers there just now.
type front struct {
	url     string
	process atomic.Pointer[url.URL]
}

func newFront(t testing.TB) *front {
	t.Helper()
	f := &front{}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(f.process.Load()) },
		ErrorLog: log.New(io.Discard, "", 0),
	})
	t.Cleanup(server.Close)
	f.url = server.URL
	nowhere, err := url.Parse("http://127.0.0.1:1")
	require.NoError(t, err)
	f.process.Store(nowhere)
	return f
}

func (f *front) to(p *process) {
	target, err := url.Parse(p.url)
	require.NoError(p.t, err)
	f.process.Store(target)
}

func noRedirects() *http.Client {
	return &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func queryOf(t testing.TB, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Query()
}

func toJSON(t testing.TB, v any) string {
	t.Helper()
	encoded, err := json.Marshal(v)
	require.NoError(t, err)
	return string(encoded)
}
