package simulator_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestQueryAuth(t *testing.T) {
	t.Parallel()
	t.Run("AnswersTokensAndGrantedSets", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		require.NoError(t, w.sim.UpdateAccount(shop, func(a *simulator.Account) { a.UnconfirmedSets = []int{1} }))
		code, err := w.sim.Authorize(shop, 3, 2, 1, 2)
		require.NoError(t, err)
		require.Contains(t, code, "queryauthcode@@@")
		info := answer(w.asComponent(pathQueryAuth, w.cat(), map[string]any{"authorization_code": code})["authorization_info"].(map[string]any))
		require.Equal(t, shop, info.text("authorizer_appid"))
		require.Contains(t, info.text("authorizer_refresh_token"), "refreshtoken@@@")
		require.EqualValues(t, 7200, info["expires_in"])
		set := func(id int) map[string]any {
			return map[string]any{"funcscope_category": map[string]any{"id": float64(id)}}
		}
		one, three := set(1), set(3)
		one["confirm_info"] = map[string]any{"need_confirm": 1.0, "already_confirm": 0.0, "can_confirm": 1.0}
		three["confirm_info"] = map[string]any{"need_confirm": 0.0, "already_confirm": 0.0, "can_confirm": 0.0}
		require.Equal(t, []any{one, set(2), three}, info["func_info"])
	})
	t.Run("SecondExchangeAnswersTheSameRefreshTokenAndAFreshAccessToken", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		code, err := w.sim.Authorize(shop)
		require.NoError(t, err)
		cat := w.cat()
		first, second := w.exchange(cat, code), w.exchange(cat, code)
		require.Equal(t, first.refresh, second.refresh)
		require.NotEqual(t, first.access, second.access)
		w.change(func(s *simulator.Settings) { s.CodeOnce = true })
		require.Equal(t, 61009, w.asComponent(pathQueryAuth, cat, map[string]any{"authorization_code": code}).code())
	})
	t.Run("RefusesCodes", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		cat := w.cat()
		query := func(code string) int {
			return w.asComponent(pathQueryAuth, cat, map[string]any{"authorization_code": code}).code()
		}
		require.Equal(t, 40097, query(""))
		require.Equal(t, 61009, query("queryauthcode@@@nobody"))
		require.Equal(t, 61009, query(w.asComponent(pathPreAuthCode, cat, nil).text("pre_auth_code")))
		code, err := w.sim.Authorize(shop)
		require.NoError(t, err)
		require.NoError(t, w.sim.Revoke(shop))
		require.Equal(t, 61003, query(code))
		fresh, err := w.sim.Authorize(shop)
		require.NoError(t, err)
		require.Equal(t, 61009, query(code), "a code from before the revocation")
		w.sim.AdvanceClock(time.Hour)
		cat = w.cat()
		require.Equal(t, 61010, query(fresh))
	})
	t.Run("AccountWithoutAPIGetsNoTokens", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		require.NoError(t, w.sim.AddAccount(simulator.Account{AppID: other, NoAPI: true}))
		require.Equal(t, tokens{}, w.authorize(other))
	})
}

func TestAuthorizerToken(t *testing.T) {
	t.Parallel()
	t.Run("RefreshTokenStays", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		cat, first := w.cat(), w.authorize(shop)
		a := w.renew(cat, first.refresh)
		require.Equal(t, first.refresh, a.text("authorizer_refresh_token"))
		require.NotEqual(t, first.access, a.text("authorizer_access_token"))
		require.EqualValues(t, 7200, a["expires_in"])
		w.authorize(shop, 1, 2)
		require.Equal(t, first.refresh, w.renew(cat, first.refresh).text("authorizer_refresh_token"), "a repeated authorization keeps it")
	})
	t.Run("RefreshTokenRotatesAndTheFormerHasItsOverlap", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.change(func(s *simulator.Settings) { s.RotateOnRenew, s.TokenLifetimeSeconds = true, 100_000 })
		cat, first := w.cat(), w.authorize(shop)
		rotated := w.renew(cat, first.refresh).text("authorizer_refresh_token")
		require.NotEqual(t, first.refresh, rotated)
		again := w.renew(cat, first.refresh)
		require.Equal(t, rotated, again.text("authorizer_refresh_token"), "who lost the answer is told again")
		cat = w.cat()
		w.sim.AdvanceClock(300 * time.Second)
		require.Equal(t, 61023, w.renew(cat, first.refresh).code())
		require.Zero(t, w.renew(cat, rotated).code())
	})
	t.Run("RotatesOnReauthorizationWhereSettingsSaySo", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.change(func(s *simulator.Settings) { s.RotateOnReauthorize, s.RefreshTokenOverlapSeconds = true, 0 })
		cat, first := w.cat(), w.authorize(shop)
		code, err := w.sim.Authorize(shop, 2)
		require.NoError(t, err)
		require.Zero(t, w.renew(cat, first.refresh).code(), "until the code is exchanged")
		second := w.exchange(cat, code)
		require.NotEqual(t, first.refresh, second.refresh)
		require.Equal(t, second.refresh, w.exchange(cat, code).refresh)
		require.Equal(t, 61023, w.renew(cat, first.refresh).code())
	})
	t.Run("AccessTokenIsSupersededAfterTheOverlap", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		cat, first := w.cat(), w.authorize(shop)
		second := w.renew(cat, first.refresh).text("authorizer_access_token")
		require.Zero(t, w.business(pathBlacklist, first.access, "{}").code())
		w.sim.AdvanceClock(300 * time.Second)
		require.Equal(t, 40001, w.business(pathBlacklist, first.access, "{}").code())
		require.Zero(t, w.business(pathBlacklist, second, "{}").code())
		w.change(func(s *simulator.Settings) { s.OverlapSeconds = 0 })
		third := w.renew(w.cat(), first.refresh).text("authorizer_access_token")
		require.Equal(t, 40001, w.business(pathBlacklist, second, "{}").code(), "without an overlap")
		w.sim.AdvanceClock(7200 * time.Second)
		require.Equal(t, 42001, w.business(pathBlacklist, third, "{}").code())
	})
	t.Run("RevocationEndsTokensAndReauthorizationMakesNewOnes", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		cat, first := w.cat(), w.authorize(shop)
		require.NoError(t, w.sim.Revoke(shop))
		require.ErrorIs(t, w.sim.Revoke(shop), simulator.ErrNotAuthorized)
		require.Equal(t, 61003, w.renew(cat, first.refresh).code())
		for _, code := range []int{40001, 61003, 61007} {
			w.change(func(s *simulator.Settings) { s.RevokedCode = code })
			require.Equal(t, code, w.business(pathBlacklist, first.access, "{}").code())
		}
		second := w.authorize(shop)
		require.NotEqual(t, first.refresh, second.refresh)
		require.Equal(t, 61023, w.renew(cat, first.refresh).code())
		require.Equal(t, 61007, w.business(pathBlacklist, first.access, "{}").code(), "tokens from before stay dead")
		require.Zero(t, w.business(pathBlacklist, second.access, "{}").code())
	})
	t.Run("ExpireAndSupersedeHitWhomTheyName", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		require.NoError(t, w.sim.AddAccount(simulator.Account{AppID: other}))
		a, b := w.authorize(shop), w.authorize(other)
		w.sim.ExpireTokens(shop)
		require.Equal(t, 42001, w.business(pathBlacklist, a.access, "{}").code())
		require.Zero(t, w.business(pathBlacklist, b.access, "{}").code())
		w.sim.SupersedeTokens(other)
		require.Equal(t, 40001, w.business(pathBlacklist, b.access, "{}").code())
		cat := w.cat()
		w.sim.ExpireTokens()
		require.Equal(t, 42001, w.asComponent(pathPreAuthCode, cat, nil).code())
	})
}

func TestAuthorizerList(t *testing.T) {
	t.Parallel()
	t.Run("PagesAndShowsRefreshTokensOfExchangedCodes", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		cat, exchanged := w.cat(), w.authorize(shop)
		for i := range 4 {
			appid := fmt.Sprintf("wx1%d", i)
			require.NoError(t, w.sim.AddAccount(simulator.Account{AppID: appid}))
			w.sim.AdvanceClock(time.Second)
			_, err := w.sim.Authorize(appid)
			require.NoError(t, err)
		}
		page := func(offset, count int) answer {
			return w.asComponent(pathList, cat, map[string]any{"offset": offset, "count": count})
		}
		a := page(0, 2)
		require.EqualValues(t, 5, a["total_count"])
		first := a["list"].([]any)[0].(map[string]any)
		require.Equal(t, map[string]any{"authorizer_appid": shop, "refresh_token": exchanged.refresh, "auth_time": 1_700_000_000.0}, first)
		second := a["list"].([]any)[1].(map[string]any)
		require.Equal(t, map[string]any{"authorizer_appid": "wx10", "auth_time": 1_700_000_001.0}, second)
		require.Len(t, page(4, 2)["list"], 1)
		require.Empty(t, page(9, 500)["list"])
		require.Equal(t, 40035, page(0, 501).code())
		require.Equal(t, 40035, page(0, 0).code())
		require.Equal(t, 40035, page(-1, 1).code())
		require.Equal(t, 40035, w.asComponent(pathList, cat, nil).code())
		w.change(func(s *simulator.Settings) { s.AuthorizerPageSize = 3 })
		require.Len(t, page(0, 500)["list"], 3, "a page may be shorter than asked for")
		require.EqualValues(t, 5, page(3, 500)["total_count"])
	})
	t.Run("RecoversALostRefreshToken", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		cat, first := w.cat(), w.authorize(shop)
		replaced, err := w.sim.ReplaceRefreshToken(shop)
		require.NoError(t, err)
		require.Equal(t, 61023, w.renew(cat, first.refresh).code())
		inList := func() any {
			return w.asComponent(pathList, cat, map[string]any{"offset": 0, "count": 1})["list"].([]any)[0].(map[string]any)["refresh_token"]
		}
		inInfo := func() any {
			return w.asComponent(pathInfo, cat, map[string]any{"authorizer_appid": shop}).at("authorization_info", "authorizer_refresh_token")
		}
		require.Equal(t, replaced, inList())
		require.Equal(t, replaced, inInfo())
		require.Zero(t, w.renew(cat, replaced).code())
		w.change(func(s *simulator.Settings) { s.ListWithoutRefreshToken, s.InfoWithoutRefreshToken = true, true })
		require.Nil(t, inList())
		require.Nil(t, inInfo())
	})
	t.Run("RevokedAccountsAreGoneUnlessSettingsKeepThem", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		cat := w.cat()
		w.authorize(shop)
		require.NoError(t, w.sim.Revoke(shop))
		require.Empty(t, w.asComponent(pathList, cat, map[string]any{"offset": 0, "count": 9})["list"])
		w.change(func(s *simulator.Settings) { s.ListRevoked = true })
		require.Len(t, w.asComponent(pathList, cat, map[string]any{"offset": 0, "count": 9})["list"], 1)
		require.Equal(t, 61003, w.asComponent(pathInfo, cat, map[string]any{"authorizer_appid": shop}).code())
	})
}

func TestAuthorizerInfo(t *testing.T) {
	t.Parallel()
	t.Run("AnswersTheProfile", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		require.NoError(t, w.sim.UpdateAccount(shop, func(a *simulator.Account) {
			a.PrincipalName, a.Alias, a.ServiceType, a.VerifyType, a.HeadImg = "Tea Ltd.", "tea", 2, -1, "http://wx.qlogo.cn/x/0"
		}))
		w.authorize(shop)
		a := w.asComponent(pathInfo, w.cat(), map[string]any{"authorizer_appid": shop})
		require.Equal(t, "Tea shop", a.text("authorizer_info", "nick_name"))
		require.Equal(t, "Tea Ltd.", a.text("authorizer_info", "principal_name"))
		require.Equal(t, "http://wx.qlogo.cn/x/0", a.text("authorizer_info", "head_img"))
		require.EqualValues(t, 2, a.at("authorizer_info", "service_type_info", "id"))
		require.EqualValues(t, -1, a.at("authorizer_info", "verify_type_info", "id"))
		require.EqualValues(t, 1, a.at("authorizer_info", "account_status"))
		require.Regexp(t, `^gh_[0-9a-f]{12}$`, a.text("authorizer_info", "user_name"))
		require.Nil(t, a.at("authorizer_info", "MiniProgramInfo"))
		require.Equal(t, shop, a.text("authorization_info", "authorizer_appid"))
		require.Len(t, a.at("authorization_info", "func_info"), 3)
		require.Nil(t, a.at("authorization_info", "authorizer_access_token"))
	})
	t.Run("MiniProgramsAreMarked", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		require.NoError(t, w.sim.AddAccount(simulator.Account{AppID: other, MiniProgram: true}))
		w.authorize(other)
		a := w.asComponent(pathInfo, w.cat(), map[string]any{"authorizer_appid": other})
		require.NotNil(t, a.at("authorizer_info", "MiniProgramInfo", "network"))
	})
}

func TestMethodsRefuseWhatIsNotThere(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, err := w.sim.Authorize(other)
	require.ErrorIs(t, err, simulator.ErrUnknownAccount)
	_, err = w.sim.AuthorizeFor(simulator.Grant{ComponentAppID: other, AppID: shop})
	require.ErrorIs(t, err, simulator.ErrUnknownComponent)
	_, err = w.sim.SetPermissionSets(shop, 1)
	require.ErrorIs(t, err, simulator.ErrNotAuthorized)
	_, err = w.sim.AuthorizeFor(simulator.Grant{AppID: shop, PreAuthCode: "preauthcode@@@nobody"})
	require.ErrorContains(t, err, "pre-auth code")
	require.ErrorIs(t, w.sim.Revoke(other), simulator.ErrUnknownAccount)
	require.ErrorIs(t, w.sim.RevokeFor(other, shop), simulator.ErrUnknownComponent)
	require.ErrorIs(t, w.sim.RemoteBlock(other, "oSim_A"), simulator.ErrUnknownAccount)
	require.ErrorIs(t, w.sim.SetQuota(other, pathBlock, simulator.Quota{}), simulator.ErrUnknownAccount)
	require.Error(t, w.sim.AddAccount(simulator.Account{AppID: shop}), "twice")
	require.Error(t, w.sim.AddAccount(simulator.Account{AppID: "gh_1"}))
	require.Error(t, w.sim.AddAccount(simulator.Account{AppID: other, Followers: []string{" o1"}}))
	_, granted := w.sim.GrantedSets(shop)
	require.False(t, granted)
	status, _ := w.raw(http.MethodPost, "/cgi-bin/tags/members/batchblaklist", "{}")
	require.Equal(t, http.StatusNotFound, status, "a typing error in a path is loud")
}
