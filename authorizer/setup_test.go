package authorizer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

const (
	pathComponentToken = "/cgi-bin/component/api_component_token"
	pathPreAuthCode    = "/cgi-bin/component/api_create_preauthcode"
	pathQueryAuth      = "/cgi-bin/component/api_query_auth"
	pathRenew          = "/cgi-bin/component/api_authorizer_token"
	pathInfo           = "/cgi-bin/component/api_get_authorizer_info"
	pathList           = "/cgi-bin/component/api_get_authorizer_list"
	pathBlacklist      = "/cgi-bin/tags/members/getblacklist"
)

// patience is for things that take milliseconds, on a machine that may be busy.
const patience = 60 * time.Second

func setup(t *testing.T, opts ...factory.WorldOptions) *factory.World {
	t.Helper()
	t.Parallel()
	return factory.NewWorld(t, opts...)
}

// settings are the simulator's, changed.
func settings(change func(*simulator.Settings)) factory.WorldOptions {
	s := simulator.DefaultSettings()
	change(&s)
	return factory.WorldOptions{Settings: &s}
}

// active makes a tenant with one account that authorized us a minute ago.
func active(t *testing.T, w *factory.World, o ...factory.AccountOptions) authorizer.Account {
	t.Helper()
	var opts factory.AccountOptions
	if len(o) > 0 {
		opts = o[0]
	}
	opts.TenantID = factory.Tenant(t, w).ID
	account := factory.Account(t, w, opts)
	w.Clock.Advance(time.Minute)
	w.Sim.ResetCalls()
	return account
}

func inject(t *testing.T, w *factory.World, f simulator.Fault) {
	t.Helper()
	_, err := w.Sim.Inject(f)
	require.NoError(t, err)
}

// preAuthCode opens a connect link and returns the pre-auth code in it.
func preAuthCode(t *testing.T, w *factory.World, state string) string {
	t.Helper()
	page, err := w.Authorizers.OpenConnectLink(t.Context(), state)
	require.NoError(t, err)
	u, err := url.Parse(page.DesktopURL)
	require.NoError(t, err)
	return u.Query().Get("pre_auth_code")
}

// authorize lets an account authorize us at WeChat, and returns the code.
func authorize(t *testing.T, w *factory.World, appid, preAuth string, sets ...int) string {
	t.Helper()
	code, err := w.Sim.AuthorizeFor(simulator.Grant{AppID: appid, PreAuthCode: preAuth, PermissionSets: sets})
	require.NoError(t, err)
	return code
}

// push has WeChat push events, encrypted, to us.
func push(t *testing.T, w *factory.World, events ...simulator.Event) {
	t.Helper()
	require.NoError(t, w.Sim.Push(t.Context(), events...))
}

func authorized(appid, code, preAuth string) simulator.Event {
	return simulator.Event{InfoType: simulator.Authorized, AuthorizerAppID: appid, AuthorizationCode: code, PreAuthCode: preAuth}
}

func unauthorized(appid string) simulator.Event {
	return simulator.Event{InfoType: simulator.Unauthorized, AuthorizerAppID: appid}
}

// processed waits until n events have come and all are dealt with, and returns the remarks, oldest first.
func processed(t *testing.T, w *factory.World, n int) []string {
	t.Helper()
	require.Eventually(t, func() bool {
		return count(t, w, `SELECT count(*) FROM component_events WHERE processed_at IS NOT NULL`) == n
	}, patience, 10*time.Millisecond, "events were not processed")
	require.Equal(t, n, count(t, w, `SELECT count(*) FROM component_events`))
	var remarks []string
	require.NoError(t, w.Pool.QueryRow(t.Context(), `SELECT array_agg(last_error ORDER BY id) FROM component_events`).Scan(&remarks))
	return remarks
}

// byAppID returns the account, whosever it is.
func byAppID(t *testing.T, w *factory.World, appid string) authorizer.Account {
	t.Helper()
	var id uuid.UUID
	require.NoError(t, w.Pool.QueryRow(t.Context(), `SELECT id FROM authorizers WHERE appid = $1`, appid).Scan(&id))
	account, err := w.Authorizers.FindByID(t.Context(), id)
	require.NoError(t, err)
	return account
}

func again(t *testing.T, w *factory.World, account authorizer.Account) authorizer.Account {
	t.Helper()
	fresh, err := w.Authorizers.FindByID(t.Context(), account.ID)
	require.NoError(t, err)
	return fresh
}

func tokenOf(t *testing.T, w *factory.World, account authorizer.Account) string {
	t.Helper()
	token, err := w.Authorizers.Token(t.Context(), account.ID)
	require.NoError(t, err)
	return token
}

func count(t *testing.T, w *factory.World, sql string, args ...any) int {
	t.Helper()
	var n int
	require.NoError(t, w.Pool.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

// audited returns the details of the audit entries of an action, oldest first.
func audited(t *testing.T, w *factory.World, action string) []map[string]any {
	t.Helper()
	var entries []byte
	require.NoError(t, w.Pool.QueryRow(t.Context(),
		`SELECT coalesce(jsonb_agg(detail || jsonb_build_object('tenant_id', tenant_id, 'actor', actor_kind) ORDER BY id), '[]') FROM audit_entries WHERE action = $1`, action).Scan(&entries))
	var details []map[string]any
	require.NoError(t, json.Unmarshal(entries, &details))
	return details
}

// readBlacklist is a call on behalf of an account; tokens collects those that it was made with.
func readBlacklist(w *factory.World, tokens *[]string) func(ctx context.Context, token string) error {
	return func(ctx context.Context, token string) error {
		*tokens = append(*tokens, token)
		_, err := w.WeChat.Blacklist(ctx, token, "")
		return err
	}
}

// rewriting is a WeChat whose answers to one path are changed before they arrive.
type rewriting struct {
	path   string
	change func(fields map[string]any)
}

func (w rewriting) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || r.URL.Path != w.path {
		return answer, err
	}
	defer answer.Body.Close()
	var fields map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&fields); err != nil {
		return nil, err
	}
	w.change(fields)
	body, err := json.Marshal(fields)
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return answer, err
}

// rewrite returns the world with accounts that see such a WeChat.
func rewrite(t *testing.T, w *factory.World, path string, change func(fields map[string]any)) *factory.World {
	t.Helper()
	client, err := wechat.NewClient(wechat.Config{APIURL: w.SimURL, HTTPClient: &http.Client{Transport: rewriting{path, change}}})
	require.NoError(t, err)
	other := *w
	other.Authorizers, err = authorizer.NewService(authorizer.Config{
		Pool: w.Pool, WeChat: client, Components: w.Components, Box: w.Box, Jobs: w.Jobs, PublicURL: factory.PublicURL,
		Now: w.Clock.Now, Logger: w.Logger,
	})
	require.NoError(t, err)
	return &other
}
