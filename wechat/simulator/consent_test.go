package simulator_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

// visit is a person at a browser who does not follow the way back to the platform.
type visit struct {
	status   int
	page     string
	location *url.URL
}

func (w *world) visit(method, link string, form url.Values, referer string) visit {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, link, nil)
	if method == http.MethodPost {
		req, err = http.NewRequestWithContext(w.t.Context(), method, link, strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	require.NoError(w.t, err)
	if referer != "" {
		req.Header.Set("Referer", referer)
	}
	resp, err := w.server.Client().Transport.RoundTrip(req)
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, resp.Body.Close()) }()
	page, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	v := visit{status: resp.StatusCode, page: string(page)}
	if v.status == http.StatusSeeOther {
		v.location, err = resp.Location()
		require.NoError(w.t, err)
	}
	return v
}

// link makes the address of a consent page with a fresh pre-auth code; extra are further parameters, in pairs.
func (w *world) link(extra ...string) string {
	w.t.Helper()
	pre := w.asComponent(pathPreAuthCode, w.cat(), nil)
	require.EqualValues(w.t, 600, pre["expires_in"])
	query := url.Values{
		"component_appid": {componentAppID}, "pre_auth_code": {pre.text("pre_auth_code")}, "redirect_uri": {"https://steward.example/back?state=s1"},
	}
	for i := 0; i < len(extra); i += 2 {
		query.Set(extra[i], extra[i+1])
	}
	return w.server.URL + "/cgi-bin/componentloginpage?" + query.Encode()
}

var offered = regexp.MustCompile(`name="account" value="([^"]*)"`)

func (v visit) accounts() []string {
	list := []string{}
	for _, m := range offered.FindAllStringSubmatch(v.page, -1) {
		list = append(list, m[1])
	}
	return list
}

var offeredSets = regexp.MustCompile(`name="set" value="(\d+)"( checked)?`)

func (v visit) sets(checked bool) []int {
	list := []int{}
	for _, m := range offeredSets.FindAllStringSubmatch(v.page, -1) {
		if n, err := strconv.Atoi(m[1]); err == nil && (!checked || m[2] != "") {
			list = append(list, n)
		}
	}
	return list
}

func confirm(account string, sets ...string) url.Values {
	return url.Values{"account": {account}, "set": sets, "confirm": {"1"}}
}

func TestConsentPage(t *testing.T) {
	t.Parallel()
	t.Run("ClickThroughPushesThenRedirectsWithTheSameCode", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		link := w.link("auth_type", "1")
		page := w.visit(http.MethodGet, link, nil, "")
		require.Equal(t, http.StatusOK, page.status)
		require.Equal(t, []string{shop}, page.accounts())
		require.Equal(t, []int{1, 2, 3, 4, 7, 11, 15}, page.sets(false))
		require.Equal(t, []int{1, 2, 3}, page.sets(true), "those of the only account")
		for _, text := range []string{"Simulated platform", "Tea shop", "模拟器", "this is not WeChat", "确认授权", "Confirm", "用户管理权限", "User management"} {
			require.Contains(t, page.page, text)
		}
		require.NotContains(t, page.page, "<script")

		back := w.visit(http.MethodPost, link, confirm(shop, "1", "2"), "")
		require.Equal(t, http.StatusSeeOther, back.status, "%s", back.page)
		require.Equal(t, "steward.example", back.location.Host)
		require.Equal(t, "s1", back.location.Query().Get("state"), "the platform's own parameters are kept")
		require.Equal(t, "3600", back.location.Query().Get("expires_in"))
		code := back.location.Query().Get("auth_code")

		pushes := w.receiver.pushes()
		require.Len(t, pushes, 1, "pushed before the redirect")
		u, err := url.Parse(link)
		require.NoError(t, err)
		require.Equal(t, map[string]string{
			"AppId": componentAppID, "CreateTime": "1700000000", "InfoType": "authorized", "AuthorizerAppid": shop,
			"AuthorizationCode": code, "AuthorizationCodeExpiredTime": "1700003600", "PreAuthCode": u.Query().Get("pre_auth_code"),
		}, pushes[0].fields)
		require.NotEmpty(t, w.exchange(w.cat(), code).access)
		granted, _ := w.sim.GrantedSets(shop)
		require.Equal(t, []int{1, 2}, granted)
	})
	t.Run("UpdatePushesUpdateauthorizedAndNoChangePushesNothing", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		for _, sets := range [][]string{{"1", "2"}, {"1", "2"}, {"2"}, nil} {
			require.Equal(t, http.StatusSeeOther, w.visit(http.MethodPost, w.link(), confirm(shop, sets...), "").status)
		}
		require.Equal(t, []string{"authorized", "updateauthorized", "updateauthorized"}, w.receiver.infoTypes())
		require.Contains(t, w.visit(http.MethodGet, w.link(), nil, "").page, "已授权")
		require.NoError(t, w.sim.Revoke(shop))
		require.Equal(t, http.StatusSeeOther, w.visit(http.MethodPost, w.link(), confirm(shop, "2"), "").status)
		require.Equal(t, "authorized", w.receiver.infoTypes()[3])
	})
	t.Run("PushComesAfterTheRedirectWhereSettingsSaySo", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.change(func(s *simulator.Settings) { s.PushOrder = simulator.AfterRedirect })
		redirected := make(chan struct{})
		w.receiver.reply(func(int, push) (int, string) {
			<-redirected // the answer to the person does not wait for the answer to the push
			return http.StatusOK, "success"
		})
		back := w.visit(http.MethodPost, w.link(), confirm(shop, "2"), "")
		require.Equal(t, http.StatusSeeOther, back.status)
		close(redirected)
		require.NoError(t, w.sim.Flush(t.Context()))
		require.Equal(t, back.location.Query().Get("auth_code"), w.receiver.pushes()[0].fields["AuthorizationCode"])
	})
	t.Run("OffersWhoMayAuthorize", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		for appid, status := range map[string]int{"wx1": simulator.StatusCancelled, "wx2": simulator.StatusBanned, "wx3": simulator.StatusFrozen} {
			require.NoError(t, w.sim.AddAccount(simulator.Account{AppID: appid, AccountStatus: status}))
		}
		require.NoError(t, w.sim.AddAccount(simulator.Account{AppID: "wx4", AccountStatus: simulator.StatusWarned, VerifyType: -1}))
		require.NoError(t, w.sim.AddAccount(simulator.Account{AppID: "wx5", MiniProgram: true}))
		offers := func(extra ...string) []string { return w.visit(http.MethodGet, w.link(extra...), nil, "").accounts() }
		require.Equal(t, []string{shop, "wx4", "wx5"}, offers())
		require.Equal(t, []string{shop, "wx4"}, offers("auth_type", "1"))
		require.Equal(t, []string{"wx5"}, offers("auth_type", "2"))
		require.Equal(t, []string{shop, "wx4", "wx5"}, offers("auth_type", "3"))
		require.Equal(t, []string{"wx5"}, offers("auth_type", "1", "biz_appid", "wx5"), "biz_appid wins")
		require.Empty(t, offers("biz_appid", "wx1"))
		require.Equal(t, []int{2, 3}, w.visit(http.MethodGet, w.link("category_id_list", "2|3|99"), nil, "").sets(false))
		require.Equal(t, http.StatusBadRequest, w.visit(http.MethodPost, w.link("biz_appid", shop), confirm("wx4", "2"), "").status)
		require.Equal(t, http.StatusBadRequest, w.visit(http.MethodPost, w.link("category_id_list", "2"), confirm(shop, "3"), "").status)
	})
	t.Run("MobilePage", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		u, err := url.Parse(w.link())
		require.NoError(t, err)
		u.Path = "/wxaopen/safe/bindcomponent"
		require.Equal(t, http.StatusBadRequest, w.visit(http.MethodGet, u.String(), nil, "").status)
		query := u.Query()
		query.Set("action", "bindcomponent")
		query.Set("no_scan", "1")
		u.RawQuery = query.Encode()
		require.Equal(t, []string{shop}, w.visit(http.MethodGet, u.String(), nil, "").accounts())
	})
	t.Run("RefusesWithAReason", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		refused := func(link, reason string) {
			t.Helper()
			v := w.visit(http.MethodGet, link, nil, "")
			require.Equal(t, http.StatusBadRequest, v.status)
			require.Contains(t, v.page, reason)
		}
		refused(w.link("component_appid", "wx9"), "no such third-party platform")
		refused(w.link("component_appid", ""), "no such third-party platform")
		refused(w.link("pre_auth_code", "preauthcode@@@nobody"), "pre-auth code is invalid")
		refused(w.link("redirect_uri", "javascript:alert(1)"), "redirect_uri is not a full")
		refused(w.link("category_id_list", "2,3"), "numbers joined by vertical bars")
		refused(w.link("category_id_list", "99"), "asks for none")
		refused(w.link("biz_appid", "wx9"), "no account that may authorize")
		used := w.link()
		require.Equal(t, http.StatusSeeOther, w.visit(http.MethodPost, used, confirm(shop, "2"), "").status)
		refused(used, "pre-auth code is invalid")
		require.Equal(t, http.StatusBadRequest, w.visit(http.MethodPost, used, confirm(shop, "2"), "").status, "one code, one authorization")
		old := w.link()
		w.sim.AdvanceClock(600 * time.Second)
		refused(old, "pre-auth code is invalid")
		status, _ := w.raw(http.MethodPut, "/cgi-bin/componentloginpage", "")
		require.Equal(t, http.StatusMethodNotAllowed, status)
	})
	t.Run("RefusesOtherLoginDomains", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.change(func(s *simulator.Settings) { s.LoginDomains = []string{"steward.example"} })
		link := w.link()
		require.Equal(t, http.StatusBadRequest, w.visit(http.MethodGet, link, nil, "").status)
		require.Equal(t, http.StatusBadRequest, w.visit(http.MethodGet, link, nil, "https://elsewhere.example/connect").status)
		require.Equal(t, http.StatusOK, w.visit(http.MethodGet, link, nil, "https://steward.example:8443/connect").status)
	})
}

func TestHeldEventsComeInEitherOrder(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.change(func(s *simulator.Settings) { s.HoldPushes = true })
	for _, sets := range [][]string{{"1"}, {"2"}} {
		require.Equal(t, http.StatusSeeOther, w.visit(http.MethodPost, w.link(), confirm(shop, sets...), "").status)
	}
	require.Empty(t, w.receiver.pushes())
	held := w.sim.Held()
	require.Len(t, held, 2)
	require.Equal(t, simulator.Authorized, held[0].InfoType)
	require.NoError(t, w.sim.ReleaseHeld(t.Context(), true))
	require.Equal(t, []string{"updateauthorized", "authorized"}, w.receiver.infoTypes())
	require.Empty(t, w.sim.Held())
	codes := []string{}
	for _, p := range w.receiver.pushes() {
		codes = append(codes, p.fields["AuthorizationCode"])
	}
	slices.Reverse(codes)
	require.Equal(t, []string{held[0].AuthorizationCode, held[1].AuthorizationCode}, codes)
}
