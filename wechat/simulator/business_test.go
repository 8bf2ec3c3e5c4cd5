package simulator_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

// Each step of the order sets up a refusal and leaves it in place while the earlier one is mended.
func TestBusinessCallsAreRefusedInTheDocumentedOrder(t *testing.T) {
	t.Parallel()
	w := setup(t)
	require.NoError(t, w.sim.AddAccount(simulator.Account{AppID: other, VerifyType: -1, AccountStatus: simulator.StatusFrozen, PermissionSets: []int{1}}))
	cat, aat := w.cat(), w.authorize(other).access
	require.NoError(t, w.sim.SetQuota(other, pathBlock, simulator.Quota{Daily: 1, Minute: 1}))
	w.change(func(s *simulator.Settings) { s.IPWhitelist = []string{"203.0.113.9"} })
	block := func(token, body string) int { return w.post(pathBlock, "access_token", token, body).code() }
	update := func(change func(*simulator.Account)) { require.NoError(t, w.sim.UpdateAccount(other, change)) }

	require.Equal(t, 43002, w.do(http.MethodGet, pathBlock, "").code())
	require.Equal(t, 43001, w.do(http.MethodPost, pathUserGet, "").code())
	require.Equal(t, 41001, w.do(http.MethodPost, pathBlock, "").code())
	require.Equal(t, 41001, w.post(pathBlock, "Access_token", aat, "").code(), "names are case sensitive")
	require.Equal(t, 41001, w.post(pathBlock, "component_access_token", aat, "").code())
	require.Equal(t, 40014, block("nonsense", ""))
	require.Equal(t, 40001, block("87_nobody", ""))
	require.Equal(t, 61015, block(cat, ""))
	w.sim.ExpireTokens(other)
	require.Equal(t, 42001, block(aat, ""))
	code, err := w.sim.Authorize(other)
	require.NoError(t, err)
	w.change(func(s *simulator.Settings) { s.IPWhitelist = nil })
	aat = w.exchange(w.cat(), code).access
	w.change(func(s *simulator.Settings) { s.IPWhitelist = []string{"203.0.113.9"} })
	require.Equal(t, 61004, block(aat, ""))
	w.change(func(s *simulator.Settings) { s.IPWhitelist = []string{"127.0.0.0/8"} })
	require.Equal(t, 50002, block(aat, ""), "frozen")
	update(func(a *simulator.Account) { a.AccountStatus = simulator.StatusCancelled })
	require.Equal(t, 50002, block(aat, ""))
	update(func(a *simulator.Account) { a.AccountStatus = simulator.StatusBanned })
	require.Equal(t, 48004, block(aat, ""))
	update(func(a *simulator.Account) { a.AccountStatus = simulator.StatusWarned })
	require.Equal(t, 61007, block(aat, ""), "a warning does not stop calls")
	_, err = w.sim.SetPermissionSets(other, 1, 100)
	require.NoError(t, err)
	update(func(a *simulator.Account) { a.UnconfirmedSets = []int{100} })
	require.Equal(t, 61016, block(aat, ""))
	_, err = w.sim.SetPermissionSets(other, 2, 100)
	require.NoError(t, err)
	require.Equal(t, 48001, block(aat, ""), "set 2 will do, but the account is not verified")
	update(func(a *simulator.Account) { a.VerifyType = 0 })
	require.Equal(t, 44002, block(aat, ""), "counts, although refused")
	require.Equal(t, 45011, block(aat, ""), "quota before body")
	w.sim.AdvanceClock(time.Minute)
	require.Equal(t, 45009, block(aat, ""))
	require.NoError(t, w.sim.SetQuota(other, pathBlock, simulator.Quota{}))
	require.Equal(t, 47001, block(aat, "{"))
	require.Equal(t, 40032, block(aat, "{}"))
	require.Equal(t, 40003, block(aat, `{"openid_list":["oNobody"]}`))
	require.NoError(t, w.sim.Revoke(other))
	require.Equal(t, 40001, block(aat, ""))
}

func TestUsers(t *testing.T) {
	t.Parallel()
	get := func(w *world, path, aat string, query ...string) answer {
		w.t.Helper()
		values := url.Values{"access_token": {aat}}
		for i := 0; i < len(query); i += 2 {
			values.Set(query[i], query[i+1])
		}
		return w.do(http.MethodGet, path+"?"+values.Encode(), "")
	}
	t.Run("GetPagesThroughFollowers", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		w.change(func(s *simulator.Settings) { s.FollowerPageSize = 3 })
		a := get(w, pathUserGet, aat)
		require.EqualValues(t, 5, a["total"])
		require.EqualValues(t, 3, a["count"])
		require.Equal(t, []string{"oSim_A", "oSim_B", "oSim_C"}, a.openids())
		a = get(w, pathUserGet, aat, "next_openid", a.text("next_openid"))
		require.Equal(t, []string{"oSim_D", "oSim_E"}, a.openids())
		require.Equal(t, answer{"total": 5.0, "count": 0.0, "next_openid": ""}, get(w, pathUserGet, aat, "next_openid", "oSim_E"))
		require.Equal(t, 40003, get(w, pathUserGet, aat, "next_openid", "oNobody").code())
		require.Error(t, w.sim.Change(func(s *simulator.Settings) { s.FollowerPageSize = 10_001 }))
	})
	t.Run("GetHoldsTenThousandAndFiveHundredCallsADay", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		require.NoError(t, w.sim.AddAccount(simulator.Account{AppID: other, FollowerCount: 10_001}))
		aat := w.authorize(other).access
		a := get(w, pathUserGet, aat)
		require.EqualValues(t, 10_000, a["count"])
		require.Len(t, get(w, pathUserGet, aat, "next_openid", a.text("next_openid")).openids(), 1)
		for range 498 {
			require.Zero(t, get(w, pathUserGet, aat, "next_openid", simulator.OpenID(other, 10_000)).code())
		}
		require.Equal(t, 45009, get(w, pathUserGet, aat).code())
		require.Equal(t, 500, w.sim.QuotaUsed(other, pathUserGet))
	})
	t.Run("BlockedFollowersStayUnlessHidden", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		require.NoError(t, w.sim.RemoteBlock(shop, "oSim_A", "oSim_C"))
		require.EqualValues(t, 5, get(w, pathUserGet, aat)["total"])
		w.change(func(s *simulator.Settings) { s.HideBlockedFollowers, s.FollowerPageSize = true, 2 })
		a := get(w, pathUserGet, aat)
		require.EqualValues(t, 3, a["total"])
		require.Equal(t, []string{"oSim_B", "oSim_D"}, a.openids())
	})
	t.Run("InfoTellsFollowersFromThoseWhoLeft", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		require.NoError(t, w.sim.SetUnionID(shop, "oSim_A", "uSim_1"))
		a := get(w, pathUserInfo, aat, "openid", "oSim_A", "lang", "zh_CN")
		require.EqualValues(t, 1, a["subscribe"])
		require.EqualValues(t, 1_700_000_000, a["subscribe_time"])
		require.Equal(t, "uSim_1", a.text("unionid"))
		require.NotContains(t, get(w, pathUserInfo, aat, "openid", "oSim_B"), "unionid")
		require.NoError(t, w.sim.RemoveFollowers(shop, "oSim_B"))
		require.Equal(t, answer{"subscribe": 0.0, "openid": "oSim_B"}, get(w, pathUserInfo, aat, "openid", "oSim_B"))
		require.Equal(t, 40003, get(w, pathUserInfo, aat, "openid", "oNobody").code())
		require.Equal(t, 41009, get(w, pathUserInfo, aat).code())
	})
	t.Run("BatchAnswersUpToAHundredWithUnionIDs", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		require.NoError(t, w.sim.AddAccount(simulator.Account{
			AppID: other, FollowerCount: 101, UnionIDs: map[string]string{simulator.OpenID(other, 1): "uSim_1"},
		}))
		aat := w.authorize(other).access
		users := func(n int) map[string]any {
			items := []map[string]string{}
			for i := range n {
				items = append(items, map[string]string{"openid": simulator.OpenID(other, i), "lang": "zh_CN"})
			}
			return map[string]any{"user_list": items}
		}
		a := w.business(pathUserBatch, aat, users(100))
		require.Len(t, a["user_info_list"], 100)
		require.Equal(t, "uSim_1", a["user_info_list"].([]any)[1].(map[string]any)["unionid"])
		require.Equal(t, 40032, w.business(pathUserBatch, aat, users(101)).code())
		require.Equal(t, 40032, w.business(pathUserBatch, aat, users(0)).code())
		require.Equal(t, 40003, w.business(pathUserBatch, aat, `{"user_list":[{"openid":"oSim_A"}]}`).code())
		require.Equal(t, 47001, w.business(pathUserBatch, aat, `{"user_list":["oSim_A"]}`).code())
	})
	t.Run("TagsAreEmpty", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		require.Equal(t, answer{"tagid_list": []any{}}, w.business("/cgi-bin/tags/getidlist", aat, `{"openid":"oSim_A"}`))
		require.Equal(t, 40003, w.business("/cgi-bin/tags/getidlist", aat, `{"openid":"oNobody"}`).code())
		require.Equal(t, 41009, w.business("/cgi-bin/tags/getidlist", aat, `{}`).code())
	})
	t.Run("CustomMessagesReachFollowersOnly", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		send := func(to string) int {
			return w.business("/cgi-bin/message/custom/send", aat, `{"touser":"`+to+`","msgtype":"text","text":{"content":"x_from_api"}}`).code()
		}
		require.NoError(t, w.sim.RemoteBlock(shop, "oSim_A"))
		require.NoError(t, w.sim.RemoveFollowers(shop, "oSim_B"))
		require.Equal(t, []int{43019, 43004, 0, 40003, 41009}, []int{send("oSim_A"), send("oSim_B"), send("oSim_C"), send("oNobody"), send("")})
		require.Contains(t, string(w.sim.CallsTo("/cgi-bin/message/custom/send")[2].Body), "x_from_api")
	})
}

func TestQuota(t *testing.T) {
	t.Parallel()
	const getQuota = "/cgi-bin/openapi/quota/get"
	t.Run("ComesBackAtMidnightInChina", func(t *testing.T) {
		t.Parallel()
		w := setup(t) // 2023-11-15 06:13:20 in China
		w.change(func(s *simulator.Settings) { s.TokenLifetimeSeconds = 1_000_000 })
		aat := w.authorize(shop).access
		require.NoError(t, w.sim.SetQuota(shop, pathBlacklist, simulator.Quota{Daily: 2}))
		for range 2 {
			require.Zero(t, w.business(pathBlacklist, aat, "{}").code())
		}
		require.Equal(t, 45009, w.business(pathBlacklist, aat, "{}").code())
		quota := w.business(getQuota, aat, `{"cgi_path":"`+pathBlacklist+`"}`)
		require.Equal(t, map[string]any{"daily_limit": 2.0, "used": 2.0, "remain": 0.0}, quota["quota"])
		w.sim.AdvanceClock(17*time.Hour + 46*time.Minute)
		require.Equal(t, 45009, w.business(pathBlacklist, aat, "{}").code())
		w.sim.AdvanceClock(time.Minute)
		require.Zero(t, w.business(pathBlacklist, aat, "{}").code())
	})
	t.Run("GetSaysWhoMayAskForWhat", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		cat, aat := w.cat(), w.authorize(shop).access
		ask := func(name, token, path string) answer {
			return w.post(getQuota, name, token, `{"cgi_path":"`+path+`"}`)
		}
		require.NoError(t, w.sim.SetQuota("", pathBlock, simulator.Quota{Minute: 60}))
		a := ask("access_token", aat, pathBlock)
		require.Equal(t, map[string]any{"call_count": 60.0, "refresh_second": 60.0}, a["rate_limit"])
		require.EqualValues(t, 1_000_000_000, a.at("quota", "remain"), "unlimited")
		require.EqualValues(t, 500, ask("access_token", aat, pathUserGet).at("quota", "daily_limit"))
		require.EqualValues(t, 2, ask("component_access_token", cat, pathComponentToken).at("quota", "used"))
		require.Zero(t, ask("access_token", cat, pathRenew).code())
		require.Equal(t, 76021, ask("access_token", aat, "/cgi-bin/nothing").code())
		require.Equal(t, 76022, ask("access_token", aat, pathRenew).code())
		require.Equal(t, 76022, ask("access_token", cat, pathBlock).code())
	})
	t.Run("ClearWorksTenTimesAMonth", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		cat, aat := w.cat(), w.authorize(shop).access
		require.Zero(t, w.business(pathBlacklist, aat, "{}").code())
		require.Equal(t, 1, w.sim.QuotaUsed(shop, pathBlacklist))
		body := `{"appid":"` + shop + `"}`
		require.Equal(t, 49001, w.business("/cgi-bin/clear_quota", cat, body).code())
		require.Equal(t, 40013, w.business("/cgi-bin/clear_quota", aat, `{}`).code())
		for range 9 {
			require.Zero(t, w.business("/cgi-bin/clear_quota", aat, body).code())
		}
		require.Zero(t, w.sim.QuotaUsed(shop, pathBlacklist))
		v2 := `{"component_appid":"` + componentAppID + `","appsecret":"` + appSecret + `","appid":"` + shop + `"}`
		require.Zero(t, w.do(http.MethodPost, "/cgi-bin/component/clear_quota/v2", v2).code())
		require.Equal(t, 48006, w.do(http.MethodPost, "/cgi-bin/component/clear_quota/v2", v2).code())
		w.sim.AdvanceClock(16 * 24 * time.Hour)
		require.Zero(t, w.do(http.MethodPost, "/cgi-bin/component/clear_quota/v2", v2).code())
		require.Equal(t, 40125, w.do(http.MethodPost, "/cgi-bin/component/clear_quota/v2", strings.Replace(v2, appSecret, "x", 1)).code())
		require.Equal(t, 61003, w.do(http.MethodPost, "/cgi-bin/component/clear_quota/v2", strings.Replace(v2, shop, other, 1)).code())
	})
	t.Run("OtherWaysToClear", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		cat, aat := w.cat(), w.authorize(shop).access
		require.Zero(t, w.asComponent("/cgi-bin/component/clear_quota", cat, nil).code())
		require.Zero(t, w.sim.QuotaUsed(componentAppID, pathComponentToken))
		require.Zero(t, w.do(http.MethodPost, "/cgi-bin/component/clear_quota/v2", `{"component_appid":"`+componentAppID+`","appsecret":"`+appSecret+`"}`).code())
		own := func(appid string) int {
			return w.do(http.MethodPost, "/cgi-bin/clear_quota/v2", `{"appid":"`+appid+`","appsecret":"`+appSecret+`"}`).code()
		}
		require.Equal(t, []int{48001, 40125, 40013}, []int{own(componentAppID), own(shop), own(other)})
		byPath := func(path string) int {
			return w.business("/cgi-bin/openapi/quota/clear", aat, `{"cgi_path":"`+path+`"}`).code()
		}
		require.Equal(t, []int{0, 76022, 76021}, []int{byPath("/channels/ec/x"), byPath(pathBlock), byPath("/x")})
	})
}

func TestRIDGet(t *testing.T) {
	t.Parallel()
	const getRID = "/cgi-bin/openapi/rid/get"
	w := setup(t)
	w.change(func(s *simulator.Settings) { s.TokenLifetimeSeconds = 100 * 24 * 3600 })
	cat, aat := w.cat(), w.authorize(shop).access
	refused := w.business(pathBlock, aat, `{"openid_list":["oNobody"]}`)
	rid := w.sim.Calls()[len(w.sim.Calls())-1].RID
	require.Equal(t, "invalid openid rid: "+rid, refused.text("errmsg"))
	require.Regexp(t, `^6553f100-[0-9a-f]{8}-[0-9a-f]{8}$`, rid, "the first group is the time")
	ask := func(token, rid string) answer { return w.business(getRID, token, `{"rid":"`+rid+`"}`) }
	a := ask(aat, rid)
	require.Equal(t, `{"openid_list":["oNobody"]}`, a.text("request", "request_body"))
	require.Contains(t, a.text("request", "response_body"), "40003")
	require.Contains(t, a.text("request", "request_url"), pathBlock)
	require.NotContains(t, a.text("request", "request_url"), aat, "tokens are not shown")
	require.Equal(t, "127.0.0.1", a.text("request", "client_ip"))
	require.EqualValues(t, 1_700_000_000, a.at("request", "invoke_time"))
	require.Equal(t, 76003, ask(cat, rid).code())
	require.Equal(t, 76002, ask(aat, "x").code())
	require.Equal(t, 76001, ask(aat, "6553f100-00000000-00000000").code())
	w.sim.AdvanceClock(7*24*time.Hour + time.Second)
	require.Equal(t, 76001, ask(aat, rid).code())
}
