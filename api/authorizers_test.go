package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestAuthorizers(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{NickName: "茶馆 Tea House", Sets: []int{1, 2, 4711}}})

	t.Run("Get/ShowsAccountAndNoToken", func(t *testing.T) {
		t.Parallel()
		res := b.do(t, request{path: b.accountPath("")})
		require.Equal(t, http.StatusOK, res.status)
		next := res.json(t)["health"].(map[string]any)["next_attempt_at"]
		require.Greater(t, next, "2026-03-02T09:00:00Z")
		require.Less(t, next, "2026-03-02T10:30:00Z")
		require.JSONEq(t, fmt.Sprintf(`{"appid":%q,"component_appid":%q,"tenant_id":%q,"nick_name":"茶馆 Tea House","state":"active","state_reason":"",
			"permission_sets":[{"id":1,"name_zh":"消息管理权限","name_en":"message management"},{"id":2,"name_zh":"用户管理权限","name_en":"user management"},
				{"id":4711,"name_zh":"权限集 4711","name_en":"permission set 4711"}],
			"can_blacklist":true,"warnings":[],"service_type":2,"verify_type":0,"account_status":1,"principal_name":%q,"user_name":%q,"alias":%q,
			"head_img":%q,"qrcode_url":%q,"mini_program":false,"authorized_at":%q,"revoked_at":null,
			"token":{"expires_at":"2026-03-02T10:30:00Z","renewed_at":%q,"last_error":null},
			"health":{"status":"ok","failing_since":null,"attempts":0,"next_attempt_at":%q,"last_error":null,"refused_early":0,"refused_early_at":null}}`,
			b.account.AppID, b.ComponentAppID, b.tenantID, b.account.PrincipalName, b.account.UserName, b.account.Alias, b.account.HeadImg, b.account.QRCodeURL,
			began, began, next), res.body)
		require.Equal(t, any(res.json(t)), b.get(t, b.tenantPath("/authorizers"))["data"].([]any)[0])
	})

	t.Run("Get/AccountOfNobodyIsNotFound", func(t *testing.T) {
		t.Parallel()
		unclaimed := factory.Account(t, b.World, factory.AccountOptions{})
		b.do(t, request{path: b.tenantPath("/authorizers/" + unclaimed.AppID)}).problem(t, http.StatusNotFound, "not-found")
	})
}

func TestAuthorizerList(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})
	for i := range 5 {
		factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, AppID: fmt.Sprintf("wx%016d", i), NickName: fmt.Sprintf("Shop %d 100%%_", i)})
	}
	path := b.tenantPath("/authorizers")
	all := []string{"wx0000000000000000", "wx0000000000000001", "wx0000000000000002", "wx0000000000000003", "wx0000000000000004"}

	t.Run("CursorsWalkAllPages", func(t *testing.T) {
		t.Parallel()
		for _, limit := range []int{1, 2, 4, 5, 200} {
			require.Equal(t, all, b.walk(t, "", path, limit, "appid"))
		}
	})

	t.Run("FiltersSelect", func(t *testing.T) {
		t.Parallel()
		for query, want := range map[string][]string{
			"q=shop+3": {all[3]}, "q=0000002": {all[2]}, "q=100%25_": all, "q=100_%25": nil, "q=%25": all, "q=nobody": nil, "q=": all,
			"state=active": all, "state=revoked": nil, "state=active&q=4": {all[4]},
		} {
			require.Equal(t, want, b.walk(t, "", path+"?"+query, 2, "appid"), query)
		}
		require.Equal(t, []any{}, b.get(t, path+"?state=limited")["data"], "an empty list is no null")
	})

	t.Run("CursorOfAnotherListIsRefused", func(t *testing.T) {
		t.Parallel()
		cursor := b.get(t, b.tenantPath("/audit?limit=1"))["next_cursor"].(string)
		b.do(t, request{path: path + "?cursor=" + cursor}).problem(t, http.StatusBadRequest, "invalid-cursor")
	})
}

func TestRevokedAuthorizer(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	b.start(t)
	b.Clock.Advance(time.Second)
	require.NoError(t, b.Sim.Revoke(b.account.AppID))
	require.NoError(t, b.Sim.Push(t.Context(), simulator.Event{ComponentAppID: b.ComponentAppID, InfoType: simulator.Unauthorized, AuthorizerAppID: b.account.AppID}))
	require.Eventually(t, func() bool { return b.get(t, b.accountPath(""))["state"] == "revoked" }, patience, 20*time.Millisecond)

	account := b.get(t, b.accountPath(""))
	require.Equal(t, "2026-03-02T08:30:01Z", account["revoked_at"])
	require.Equal(t, false, account["can_blacklist"])
	require.NotEmpty(t, account["state_reason"])

	for _, path := range []string{"/blacklist/block", "/blacklist/unblock"} {
		p := b.do(t, request{method: "POST", path: b.accountPath(path), body: `{"openids":["o1"]}`}).problem(t, http.StatusConflict, "account-not-active")
		require.EqualValues(t, "revoked", *p.AccountState)
		require.True(t, strings.HasPrefix(*p.ConnectURL, factory.PublicURL+"/connect/"), *p.ConnectURL)
		b.secret(strings.TrimPrefix(*p.ConnectURL, factory.PublicURL+"/connect/"))
	}
	b.do(t, request{method: "POST", path: b.accountPath("/blacklist/pull")}).problem(t, http.StatusConflict, "account-not-active")
	require.EqualValues(t, 0, b.get(t, b.accountPath("/blacklist?actual=any"))["total"], "nothing was stored")
}

func TestAuthorizerWithoutPermission(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{Sets: []int{1, 7}}})
	require.Equal(t, false, b.get(t, b.accountPath(""))["can_blacklist"])
	for _, path := range []string{"/blacklist/block", "/blacklist/unblock", "/blacklist/pull"} {
		var body any
		if path != "/blacklist/pull" {
			body = map[string]any{"openids": []string{"o1"}}
		}
		res := b.do(t, request{method: "POST", path: b.accountPath(path), body: body})
		p := res.problem(t, http.StatusForbidden, "permission-missing")
		require.Len(t, *p.GrantedSets, 2)
		require.Equal(t, "群发与通知权限", (*p.GrantedSets)[1].NameZh)
		require.Len(t, *p.NeededSets, 2)
		require.Equal(t, 2, (*p.NeededSets)[0].ID)
		require.NotEmpty(t, p.ConnectURL)
		b.secret(strings.TrimPrefix(*p.ConnectURL, factory.PublicURL+"/connect/"))
	}
	require.Zero(t, b.Sim.CallCount("/cgi-bin/tags/members/batchblacklist"))
	require.Zero(t, b.Sim.CallCount("/cgi-bin/tags/members/getblacklist"))
}

func TestConnectLinks(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})
	path := b.tenantPath("/connect-links")

	t.Run("Create/DefaultsServe", func(t *testing.T) {
		t.Parallel()
		for _, body := range []any{nil, `{}`} {
			res := b.do(t, request{method: "POST", path: path, body: body})
			require.Equal(t, http.StatusCreated, res.status, res.body)
			link := res.json(t)
			require.JSONEq(t, fmt.Sprintf(`{"id":%q,"url":%q,"expires_at":"2026-03-03T08:30:00Z"}`, link["id"], link["url"]), res.body)
			state, isOurs := strings.CutPrefix(link["url"].(string), factory.PublicURL+"/connect/")
			require.True(t, isOurs, link["url"])
			require.GreaterOrEqual(t, len(b.secret(state)), 43, "256 bits")

			list := b.do(t, request{path: path})
			require.NotContains(t, list.body, state)
			require.Equal(t, map[string]any{
				"id": link["id"], "component_appid": b.ComponentAppID, "appid": nil, "created_by": "shop (tenant_key)", "created_at": began,
				"expires_at": "2026-03-03T08:30:00Z", "used_at": nil, "authorizer_appid": nil,
			}, rowOf(t, list, link["id"].(string)))
		}
	})

	t.Run("Create/EveryFieldCounts", func(t *testing.T) {
		t.Parallel()
		link := b.post(t, http.StatusCreated, path, map[string]any{
			"component_appid": b.ComponentAppID, "appid": "wxexpected", "account_type": "any", "return_url": "https://shop.example.com/done?a=1", "expires_in": 60,
		})
		require.Equal(t, "2026-03-02T08:31:00Z", link["expires_at"])
		require.Equal(t, "wxexpected", rowOf(t, b.do(t, request{path: path}), link["id"].(string))["appid"])
	})

	t.Run("Create/ForTenantThatDoesNotExistIsNotFound", func(t *testing.T) {
		t.Parallel()
		b.do(t, request{method: "POST", path: "/v1/tenants/" + uuid.NewString() + "/connect-links", key: b.platform, body: `{}`}).
			problem(t, http.StatusNotFound, "not-found")
	})

	t.Run("Create/LongestLifeIsThirtyDays", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "2026-04-01T08:30:00Z", b.post(t, http.StatusCreated, path, `{"expires_in":2592000}`)["expires_at"])
		b.do(t, request{method: "POST", path: path, body: `{"expires_in":2592001}`}).problem(t, http.StatusUnprocessableEntity, "invalid-request")
	})
}

func TestConnectLinkList(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})
	var want []string
	for range 5 {
		want = append([]string{b.post(t, http.StatusCreated, b.tenantPath("/connect-links"), nil)["id"].(string)}, want...)
	}
	for _, limit := range []int{1, 2, 5, 6} {
		require.Equal(t, want, b.walk(t, "", b.tenantPath("/connect-links"), limit, "id"), limit)
	}
}

func TestUnclaimedAuthorizers(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})
	var appids []string
	for i := range 3 {
		appids = append(appids, factory.Account(t, b.World, factory.AccountOptions{AppID: fmt.Sprintf("wx%016d", i)}).AppID)
	}
	const path = "/v1/unclaimed-authorizers"
	claim := func(appid string, body any) reply {
		return b.do(t, request{method: "POST", path: path + "/" + appid + "/claim", key: b.platform, body: body})
	}
	for _, limit := range []int{1, 2, 3} {
		require.Equal(t, appids, b.walk(t, b.platform, path, limit, "appid"))
	}
	res := b.do(t, request{path: path, key: b.platform})
	require.Nil(t, res.json(t)["data"].([]any)[0].(map[string]any)["tenant_id"])

	// The only component need not be named.
	res = claim(appids[0], map[string]any{"tenant_id": b.tenantID})
	require.Equal(t, http.StatusOK, res.status, res.body)
	require.Equal(t, b.tenantID.String(), res.json(t)["tenant_id"])
	require.Equal(t, any(res.json(t)), any(b.get(t, b.tenantPath("/authorizers/"+appids[0]))))
	require.Equal(t, http.StatusOK, claim(appids[0], map[string]any{"tenant_id": b.tenantID, "component_appid": b.ComponentAppID}).status, "again is no error")
	require.Equal(t, appids[1:], b.walk(t, b.platform, path, 2, "appid"))

	other := factory.Tenant(t, b.World)
	claim(appids[0], map[string]any{"tenant_id": other.ID}).problem(t, http.StatusConflict, "account-taken")
	claim(appids[1], map[string]any{"tenant_id": uuid.NewString()}).problem(t, http.StatusNotFound, "not-found")
	claim(appids[1], map[string]any{"tenant_id": "no-uuid"}).problem(t, http.StatusNotFound, "not-found")
	claim(appids[1], map[string]any{"tenant_id": b.tenantID, "component_appid": "wxnone"}).problem(t, http.StatusNotFound, "not-found")
	claim(factory.NewAppID(), map[string]any{"tenant_id": b.tenantID}).problem(t, http.StatusNotFound, "not-found")
}

func TestSeveralComponents(t *testing.T) {
	t.Parallel()
	const second = "wx00000000000second"
	b := setup(t, options{noAcount: true, world: factory.WorldOptions{FurtherComponents: []simulator.Component{{AppID: second}}}})
	account := factory.Account(t, b.World, factory.AccountOptions{})

	p := b.do(t, request{method: "POST", path: b.tenantPath("/connect-links"), body: `{}`}).problem(t, http.StatusUnprocessableEntity, "component-choice")
	require.Equal(t, "/component_appid", (*p.Errors)[0].Pointer)
	require.Contains(t, p.Detail, second)
	link := b.post(t, http.StatusCreated, b.tenantPath("/connect-links"), map[string]any{"component_appid": second})
	require.Equal(t, second, rowOf(t, b.do(t, request{path: b.tenantPath("/connect-links")}), link["id"].(string))["component_appid"])

	claim := request{method: "POST", path: "/v1/unclaimed-authorizers/" + account.AppID + "/claim", key: b.platform, body: map[string]any{"tenant_id": b.tenantID}}
	b.do(t, claim).problem(t, http.StatusUnprocessableEntity, "component-choice")
	claim.body = map[string]any{"tenant_id": b.tenantID, "component_appid": b.ComponentAppID}
	require.Equal(t, http.StatusOK, b.do(t, claim).status)
}
