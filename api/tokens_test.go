package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

const renewalPath = "/cgi-bin/component/api_authorizer_token"

// handOutTokens says whether the bundle's tenant is handed access tokens.
func (b *bundle) handOutTokens(t *testing.T, on bool) {
	t.Helper()
	res := b.do(t, request{method: "PATCH", path: b.tenantPath(""), key: b.platform, body: map[string]any{"token_handout": on}})
	require.Equal(t, http.StatusOK, res.status, res.body)
	require.Equal(t, on, res.json(t)["token_handout"])
}

// audited returns the tenant's audit entries with this action, newest first.
func (b *bundle) audited(t *testing.T, action string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for _, row := range b.get(t, b.tenantPath("/audit?limit=200"))["data"].([]any) {
		if entry := row.(map[string]any); entry["action"] == action {
			found = append(found, entry)
		}
	}
	return found
}

func TestAccessToken(t *testing.T) {
	t.Parallel()
	path := func(b *bundle) string { return b.accountPath("/access-token") }

	t.Run("IsOffUntilTheServiceProviderTurnsItOn", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		for _, key := range []string{b.key, b.platform} {
			b.do(t, request{path: path(b), key: key}).problem(t, http.StatusForbidden, "token-handout-off")
		}
		require.Empty(t, b.audited(t, "authorizer.hand_out_token"))
		b.handOutTokens(t, true)
		b.secret(b.get(t, path(b))["access_token"].(string))
		b.handOutTokens(t, false)
		b.do(t, request{path: path(b)}).problem(t, http.StatusForbidden, "token-handout-off")
	})

	t.Run("IsOneThatWeChatTakes", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{account: factory.AccountOptions{FollowerCount: 1}})
		b.handOutTokens(t, true)
		b.Clock.Advance(1500 * time.Millisecond)
		res := b.do(t, request{path: path(b)})
		require.Equal(t, http.StatusOK, res.status, res.body)
		require.Equal(t, "no-store", res.header.Get("Cache-Control"))
		require.Equal(t, "no-cache", res.header.Get("Pragma"))
		handed := res.json(t)
		accessToken := b.secret(handed["access_token"].(string))
		require.Equal(t, map[string]any{"access_token": accessToken, "expires_in": 7198.0, "expires_at": "2026-03-02T10:30:00Z"}, handed)
		_, err := b.WeChat.Blacklist(t.Context(), accessToken, "")
		require.NoError(t, err)
	})

	t.Run("IsRenewedBeforeItEnds", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		b.handOutTokens(t, true)
		first := b.get(t, path(b))
		b.Clock.Advance(100 * time.Minute)
		second := b.get(t, path(b))
		require.NotEqual(t, b.secret(first["access_token"].(string)), b.secret(second["access_token"].(string)))
		require.EqualValues(t, 7200, second["expires_in"])
	})

	t.Run("EachAnswerIsAuditedWithoutTheToken", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		b.handOutTokens(t, true)
		res := b.do(t, request{path: path(b), header: http.Header{"X-Request-Id": {"wants-a-token"}}})
		accessToken := b.secret(res.json(t)["access_token"].(string))
		b.get(t, path(b))
		entries := b.audited(t, "authorizer.hand_out_token")
		require.Len(t, entries, 2)
		require.Equal(t, "authorizer:"+b.account.AppID, entries[1]["target"])
		require.Equal(t, "tenant_key", entries[1]["actor_kind"])
		require.Equal(t, "wants-a-token", entries[1]["request_id"])
		require.NotContains(t, b.do(t, request{path: b.tenantPath("/audit")}).body, accessToken)
	})

	t.Run("OfRevokedAccountThereIsNone", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		b.handOutTokens(t, true)
		b.revoke(t)
		b.do(t, request{path: path(b)}).problem(t, http.StatusConflict, "account-not-active")
		require.Empty(t, b.audited(t, "authorizer.hand_out_token"))
	})

	t.Run("NeedsAScopeOfItsOwn", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		b.handOutTokens(t, true)
		reader := b.newKey(t, tenant.KeyParams{Scopes: []tenant.Scope{tenant.AuthorizersRead, tenant.AuthorizersWrite}})
		b.do(t, request{path: path(b), key: reader}).problem(t, http.StatusForbidden, "scope-missing")
	})
}

// revoke has the merchant take the account's authorization back, and us learn of it.
func (b *bundle) revoke(t *testing.T) {
	t.Helper()
	b.Clock.Advance(time.Second)
	require.NoError(t, b.Sim.Revoke(b.account.AppID))
	b.do(t, request{method: "POST", path: b.accountPath("/renew")}).problem(t, http.StatusConflict, "account-not-active")
	require.Equal(t, "revoked", b.get(t, b.accountPath(""))["state"])
}

func TestRenew(t *testing.T) {
	t.Parallel()

	t.Run("RenewsATokenThatWouldHaveLivedOn", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		b.Clock.Advance(time.Minute)
		res := b.do(t, request{method: "POST", path: b.accountPath("/renew"), body: `{}`})
		require.Equal(t, http.StatusOK, res.status, res.body)
		require.Equal(t, "2026-03-02T08:31:00Z", res.json(t)["token"].(map[string]any)["renewed_at"])
		require.Equal(t, "2026-03-02T10:31:00Z", res.json(t)["token"].(map[string]any)["expires_at"])
		require.Equal(t, 1, b.Sim.CallCount(renewalPath))
		require.Equal(t, any(res.json(t)), any(b.get(t, b.accountPath(""))))
		entries := b.audited(t, "authorizer.renew")
		require.Len(t, entries, 1)
		require.Equal(t, "authorizer:"+b.account.AppID, entries[0]["target"])
	})

	t.Run("SaysWhyWeChatRefuses", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		_, err := b.Sim.Inject(simulator.Fault{Path: renewalPath, Code: 48001, Text: "api unauthorized"})
		require.NoError(t, err)
		p := b.do(t, request{method: "POST", path: b.accountPath("/renew")}).problem(t, http.StatusBadGateway, "wechat-refused")
		require.Equal(t, 48001, *p.Errcode)
		require.NotEmpty(t, *p.Rid)
		require.NotEmpty(t, *p.Advice)
		require.Contains(t, b.audited(t, "authorizer.renew")[0]["detail"], "error")

		account := b.get(t, b.accountPath(""))
		health := account["health"].(map[string]any)
		require.Equal(t, "failing", health["status"])
		require.Equal(t, began, health["failing_since"])
		require.EqualValues(t, 1, health["attempts"])
		require.Greater(t, health["next_attempt_at"], began)
		require.EqualValues(t, 48001, health["last_error"].(map[string]any)["errcode"])
		require.Equal(t, *p.Advice, health["last_error"].(map[string]any)["advice"])
		require.Equal(t, health["last_error"], account["token"].(map[string]any)["last_error"])

		b.Sim.ClearFaults()
		res := b.do(t, request{method: "POST", path: b.accountPath("/renew")})
		require.Equal(t, http.StatusOK, res.status, "no pause keeps people from trying: %s", res.body)
		health = res.json(t)["health"].(map[string]any)
		require.Equal(t, "ok", health["status"])
		require.Nil(t, health["last_error"])
	})

	t.Run("RevokedAccountGetsALinkInstead", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		b.revoke(t)
		p := b.do(t, request{method: "POST", path: b.accountPath("/renew")}).problem(t, http.StatusConflict, "account-not-active")
		require.EqualValues(t, "revoked", *p.AccountState)
		require.True(t, strings.HasPrefix(*p.ConnectURL, factory.PublicURL+"/connect/"), *p.ConnectURL)
		b.secret(strings.TrimPrefix(*p.ConnectURL, factory.PublicURL+"/connect/"))
	})

	t.Run("BodyWithFieldsIsRefused", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		p := b.do(t, request{method: "POST", path: b.accountPath("/renew"), body: `{"force":true}`}).problem(t, http.StatusUnprocessableEntity, "invalid-request")
		require.Equal(t, []string{"/force: is no field of this request"}, pointers(p))
	})
}

func TestHealthFilter(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})
	appids := map[string]string{"ok": "wx000000000000000a", "failing": "wx000000000000000b", "exhausted": "wx000000000000000c", "broken": "wx000000000000000d"}
	for _, appid := range appids {
		factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, AppID: appid})
	}
	renew := func(appid string) {
		b.do(t, request{method: "POST", path: b.tenantPath("/authorizers/" + appid + "/renew")})
	}
	_, err := b.Sim.Inject(simulator.Fault{Path: renewalPath, Code: 48001})
	require.NoError(t, err)
	renew(appids["failing"])
	for range 14 {
		renew(appids["exhausted"])
	}
	b.Sim.ClearFaults()
	b.Clock.Advance(time.Second)
	require.NoError(t, b.Sim.Revoke(appids["broken"]))
	renew(appids["broken"])

	path := b.tenantPath("/authorizers")
	for health, appid := range appids {
		require.Equal(t, []string{appid}, b.walk(t, "", path+"?health="+health, 1, "appid"), health)
		shown := b.get(t, path+"/"+appid)["health"].(map[string]any)
		require.Equal(t, health, shown["status"])
	}
	require.Len(t, b.walk(t, "", path, 2, "appid"), 4)
	require.Empty(t, b.walk(t, "", path+"?health=broken&state=active", 2, "appid"))
	for _, query := range []string{"health=sick", "health=", "health=ok&health=ok"} {
		p := b.do(t, request{path: path + "?" + query}).problem(t, http.StatusUnprocessableEntity, "invalid-request")
		require.Equal(t, "query:health", (*p.Errors)[0].Pointer)
	}
}

// Whatever is asked for, no answer but one holds a secret.
func TestOnlyOneAnswerHoldsAToken(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	b.handOutTokens(t, true)
	ids := b.target(t)
	accessToken := b.get(t, b.accountPath("/access-token"))["access_token"].(string)
	componentToken, err := b.Components.AccessToken(t.Context(), b.ComponentAppID)
	require.NoError(t, err)
	info, err := b.WeChat.AuthorizerInfo(t.Context(), componentToken, b.ComponentAppID, b.account.AppID)
	require.NoError(t, err)
	require.NotEmpty(t, info.RefreshToken)
	ours := b.Sim.Component()
	secrets := map[string]string{
		"access token": accessToken, "refresh token": info.RefreshToken, "component's access token": componentToken, "AppSecret": ours.AppSecret, "callback token": ours.Token,
		"EncodingAESKey": ours.EncodingAESKey, "key": b.key, "platform's key": b.platform,
	}
	for _, s := range secrets {
		b.secret(s)
	}

	for _, o := range operations(t) {
		if o.method != http.MethodGet {
			continue
		}
		t.Run(o.id, func(t *testing.T) {
			t.Parallel()
			res := b.do(t, o.request(t, ids, b.platform))
			require.Equal(t, http.StatusOK, res.status, res.body)
			for name, s := range secrets {
				if o.id == "getAccessToken" && name == "access token" {
					require.Contains(t, res.body, s)
					continue
				}
				require.NotContains(t, res.body, s, name)
			}
		})
	}
}
