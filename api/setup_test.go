package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/api"
	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/sharedlist"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// patience is how long tests wait for what should come at once; machines that test are busy.
const patience = 60 * time.Second

// bundle is a world with a tenant, one account of it, and the HTTP interface under test.
type bundle struct {
	*factory.World

	followers *follower.Service
	blacklist *blacklist.Service
	lists     *sharedlist.Service
	alerts    *alert.Service
	handler   http.Handler
	url       string
	client    *http.Client // holds every answer against openapi.yaml
	stop      context.CancelFunc

	tenantID uuid.UUID
	account  authorizer.Account
	platform string // a platform key
	key      string // a key of the tenant

	mu      sync.Mutex
	secrets []string // none of them may stand in the log
}

type options struct {
	world    factory.WorldOptions
	account  factory.AccountOptions // TenantID is filled in
	noAcount bool
	change   func(*api.Config)
}

// setup makes a bundle. Its jobs do not run before start.
func setup(t *testing.T, o options) *bundle {
	t.Helper()
	b := &bundle{World: factory.NewWorld(t, o.world)}
	b.tenantID = factory.Tenant(t, b.World).ID
	if !o.noAcount {
		o.account.TenantID = b.tenantID
		b.account = factory.Account(t, b.World, o.account)
	}
	var err error
	b.followers, err = follower.NewService(follower.Config{
		Pool: b.Pool, WeChat: b.WeChat, Authorizers: b.Authorizers, Jobs: b.Jobs, Now: b.Clock.Now, Logger: b.Logger, Learned: sharedlist.Learned,
	})
	require.NoError(t, err)
	b.blacklist, err = blacklist.NewService(blacklist.Config{
		Pool: b.Pool, WeChat: b.WeChat, Authorizers: b.Authorizers, Followers: b.followers, Jobs: b.Jobs, Now: b.Clock.Now, Logger: b.Logger, RetryDelay: time.Millisecond,
	})
	require.NoError(t, err)
	b.lists, err = sharedlist.NewService(sharedlist.Config{
		Pool: b.Pool, Authorizers: b.Authorizers, Followers: b.followers, Blacklist: b.blacklist, Now: b.Clock.Now, Logger: b.Logger,
	})
	require.NoError(t, err)
	b.alerts, err = alert.NewService(b.Pool)
	require.NoError(t, err)
	stopping, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	b.stop = stop
	cfg := api.Config{
		Tenants: b.Tenants, Components: b.Components, Authorizers: b.Authorizers, Followers: b.followers, Blacklist: b.blacklist, Lists: b.lists, Alerts: b.alerts,
		Console:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the console") }),
		PublicURL: factory.PublicURL, Metrics: prometheus.NewRegistry(), Stopping: stopping, Logger: b.Logger,
	}
	if o.change != nil {
		o.change(&cfg)
	}
	b.handler, err = api.New(cfg)
	require.NoError(t, err)
	server := httptest.NewServer(b.handler)
	t.Cleanup(server.Close)
	b.url = server.URL
	b.client = &http.Client{
		Transport:     &contract{t: t, spec: loadSpec(t), next: server.Client().Transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	b.platform = b.newPlatformKey(t)
	b.key = b.newKey(t, tenant.KeyParams{})
	t.Cleanup(func() { b.logsKeepSecrets(t) })
	return b
}

// start has jobs worked until the test ends.
func (b *bundle) start(t *testing.T) *river.Client[pgx.Tx] {
	t.Helper()
	client := b.StartJobs(t, b.followers.AddWorkers, b.blacklist.AddWorkers)
	require.NoError(t, client.Queues().Add(follower.Queue, river.QueueConfig{MaxWorkers: 4}))
	require.NoError(t, client.Queues().Add(blacklist.Queue, river.QueueConfig{MaxWorkers: 4}))
	return client
}

func (b *bundle) newPlatformKey(t *testing.T) string {
	t.Helper()
	_, plain, err := b.Tenants.CreatePlatformKey(t.Context(), b.Platform, tenant.KeyParams{Name: "staff"})
	require.NoError(t, err)
	return b.secret(plain.Reveal())
}

// newKey makes a key of the bundle's tenant.
func (b *bundle) newKey(t *testing.T, params tenant.KeyParams) string {
	t.Helper()
	_, key := b.newKeyOf(t, b.tenantID, params)
	return key
}

func (b *bundle) newKeyOf(t *testing.T, tenantID uuid.UUID, params tenant.KeyParams) (tenant.Key, string) {
	t.Helper()
	if params.Name == "" {
		params.Name = "shop"
	}
	k, plain, err := b.Tenants.CreateKey(t.Context(), b.Platform, tenantID, params)
	require.NoError(t, err)
	return k, b.secret(plain.Reveal())
}

// secret remembers what must not stand in the log.
func (b *bundle) secret(s string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.secrets = append(b.secrets, s)
	return s
}

// queries are parts of URLs that no log line may have.
var queries = regexp.MustCompile(`[?&](signature|msg_signature|nonce|auth_code|echostr|cursor|limit|access_token|component_access_token)=`)

func (b *bundle) logsKeepSecrets(t *testing.T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	logs := b.Logs.String()
	for _, s := range b.secrets {
		if strings.Contains(logs, s) {
			t.Errorf("the log holds the secret %q", s)
		}
	}
	if found := queries.FindString(logs); found != "" {
		t.Errorf("the log holds a query string: %s", found)
	}
}

// request is one call. The zero value of each field is what most calls have.
type request struct {
	method string // GET
	path   string
	key    string // "": the tenant's; "none": no Authorization header
	body   any    // nil: none; string and []byte as they are; else as JSON
	header http.Header
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

func (b *bundle) do(t *testing.T, r request) reply {
	t.Helper()
	res, err := b.client.Do(b.newRequest(t, r))
	require.NoError(t, err)
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return reply{res.StatusCode, res.Header, string(content)}
}

func (b *bundle) newRequest(t *testing.T, r request) *http.Request {
	t.Helper()
	var body io.Reader
	contentType := ""
	if r.body != nil {
		body, contentType = bytes.NewReader(asBytes(t, r.body)), "application/json"
	}
	if r.method == "" {
		r.method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, b.url+r.path, body)
	require.NoError(t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	switch r.key {
	case "none":
	case "":
		req.Header.Set("Authorization", "Bearer "+b.key)
	default:
		req.Header.Set("Authorization", "Bearer "+r.key)
	}
	return req
}

func asBytes(t *testing.T, body any) []byte {
	t.Helper()
	switch body := body.(type) {
	case string:
		return []byte(body)
	case []byte:
		return body
	}
	packed, err := json.Marshal(body)
	require.NoError(t, err)
	return packed
}

// get is a GET that is expected to succeed; it returns the decoded body.
func (b *bundle) get(t *testing.T, path string) map[string]any {
	t.Helper()
	res := b.do(t, request{path: path})
	require.Equal(t, http.StatusOK, res.status, res.body)
	return res.json(t)
}

// post is a POST that is expected to be answered with status.
func (b *bundle) post(t *testing.T, status int, path string, body any) map[string]any {
	t.Helper()
	res := b.do(t, request{method: http.MethodPost, path: path, body: body})
	require.Equal(t, status, res.status, res.body)
	return res.json(t)
}

func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var decoded map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &decoded), r.body)
	return decoded
}

// problem expects a problem with this status and code.
func (r reply) problem(t *testing.T, status int, code string) api.Problem {
	t.Helper()
	require.Equal(t, status, r.status, r.body)
	var p api.Problem
	require.NoError(t, json.Unmarshal([]byte(r.body), &p), r.body)
	require.Equal(t, code, p.Code, r.body)
	return p
}

// tenantPath is a path under the bundle's tenant.
func (b *bundle) tenantPath(rest string) string { return "/v1/tenants/" + b.tenantID.String() + rest }

// accountPath is a path under the bundle's account.
func (b *bundle) accountPath(rest string) string {
	return b.tenantPath("/authorizers/" + b.account.AppID + rest)
}

// openids are those of the account's first followers.
func (b *bundle) openids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = simulator.OpenID(b.account.AppID, i)
	}
	return list
}

func loadSpec(t *testing.T) *openapi3.T {
	t.Helper()
	source, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	spec, err := openapi3.NewLoader().LoadFromData(source)
	require.NoError(t, err)
	spec.Servers = nil // whatever host the test listens on
	return spec
}
