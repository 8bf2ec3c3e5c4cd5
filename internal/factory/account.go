package factory

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// TenantOptions say what is different about a tenant.
type TenantOptions struct {
	Name string // empty: one of its own
}

// Tenant makes a tenant.
func Tenant(t testing.TB, w *World, opts ...TenantOptions) tenant.Tenant {
	t.Helper()
	name := "Tenant " + rand.Text()[:6]
	if len(opts) > 0 && opts[0].Name != "" {
		name = opts[0].Name
	}
	made, err := w.Tenants.Create(t.Context(), w.Platform, name)
	require.NoError(t, err)
	return made
}

// KeyOptions say whose a principal is.
type KeyOptions struct {
	TenantID uuid.UUID      // uuid.Nil: the platform's
	Scopes   []tenant.Scope // nil: all
}

// Key returns somebody who acts with an API key.
func Key(_ testing.TB, _ *World, o KeyOptions) tenant.Principal {
	p := tenant.Principal{Kind: tenant.TenantKey, ID: uuid.NewString(), Name: "tenant key", TenantID: o.TenantID, Scopes: o.Scopes}
	if o.TenantID == uuid.Nil {
		p.Kind, p.Name = tenant.PlatformKey, "platform key"
	}
	if o.Scopes == nil {
		p.Scopes = tenant.AllScopes()
	}
	return p
}

// AccountOptions say what is different about an account.
type AccountOptions struct {
	TenantID      uuid.UUID // uuid.Nil: unclaimed
	AppID         string    // empty: a new one
	NickName      string
	Sets          []int // granted; nil: 1, 2, 3
	Followers     []string
	FollowerCount int // generated: simulator.OpenID(appid, 0…)
	Blacklist     []string
	Unverified    bool                     // verify_type -1
	NoTokens      bool                     // our row has no tokens
	Sim           func(*simulator.Account) // the last word on what the simulator has
}

// NewAppID returns an appid that nobody has.
func NewAppID() string {
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails
	return "wx" + hex.EncodeToString(random)
}

// AddToWeChat makes an account at the simulator that has not authorized anybody, and returns its appid.
func AddToWeChat(t testing.TB, w *World, o AccountOptions) string {
	t.Helper()
	if o.AppID == "" {
		o.AppID = NewAppID()
	}
	if o.Sets == nil {
		o.Sets = []int{1, 2, 3}
	}
	if o.NickName == "" {
		o.NickName = "Account " + o.AppID[len(o.AppID)-4:]
	}
	a := simulator.Account{
		AppID: o.AppID, UserName: "gh_" + o.AppID[len(o.AppID)-12:], NickName: o.NickName, PrincipalName: "Principal of " + o.NickName,
		ServiceType: 2, PermissionSets: o.Sets, Followers: o.Followers, FollowerCount: o.FollowerCount, Blacklist: o.Blacklist,
	}
	if o.Unverified {
		a.VerifyType = -1
	}
	if o.Sim != nil {
		o.Sim(&a)
	}
	require.NoError(t, w.Sim.AddAccount(a))
	return o.AppID
}

// Account makes an account that has authorized us: at the simulator and, by exchanging the code, here.
func Account(t testing.TB, w *World, o AccountOptions) authorizer.Account {
	t.Helper()
	o.AppID = AddToWeChat(t, w, o)
	code, err := w.Sim.AuthorizeFor(simulator.Grant{ComponentAppID: w.ComponentAppID, AppID: o.AppID, PermissionSets: o.Sets})
	require.NoError(t, err)
	var account authorizer.Account
	if o.TenantID == uuid.Nil {
		account = pushed(t, w, o.AppID, code)
	} else {
		account, _, err = w.Authorizers.FinishConnectLink(t.Context(), LinkState(t, w, o.TenantID, authorizer.ConnectLinkParams{}), code)
		require.NoError(t, err)
	}
	if o.NoTokens {
		_, err := w.Pool.Exec(t.Context(), `DELETE FROM authorizer_tokens WHERE authorizer_id = $1`, account.ID)
		require.NoError(t, err)
	}
	account, err = w.Authorizers.FindByID(t.Context(), account.ID)
	require.NoError(t, err)
	return account
}

// LinkState makes a connect link and returns the secret part of its URL.
func LinkState(t testing.TB, w *World, tenantID uuid.UUID, params authorizer.ConnectLinkParams) string {
	t.Helper()
	if params.ComponentAppID == "" {
		params.ComponentAppID = w.ComponentAppID
	}
	link, err := w.Authorizers.CreateConnectLink(t.Context(), w.Platform, tenantID, params)
	require.NoError(t, err)
	return strings.TrimPrefix(link.URL, PublicURL+"/connect/")
}

// pushed lets WeChat push an authorization that came through no link, works the job, and returns the account.
func pushed(t testing.TB, w *World, appid, code string) authorizer.Account {
	t.Helper()
	_, stop := w.startJobs(t)
	defer stop()
	require.NoError(t, w.Sim.Push(t.Context(), simulator.Event{
		ComponentAppID: w.ComponentAppID, InfoType: simulator.Authorized, AuthorizerAppID: appid, AuthorizationCode: code,
	}))
	var id uuid.UUID
	require.Eventually(t, func() bool {
		return w.Pool.QueryRow(t.Context(), `SELECT id FROM authorizers WHERE appid = $1 AND profile_read_at IS NOT NULL`, appid).Scan(&id) == nil
	}, 20*time.Second, 10*time.Millisecond, "the pushed authorization was not processed")
	account, err := w.Authorizers.FindByID(t.Context(), id)
	require.NoError(t, err)
	return account
}
