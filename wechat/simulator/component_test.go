package simulator_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestComponentToken(t *testing.T) {
	t.Parallel()
	t.Run("IssuedForNewestAndFormerTicket", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		former, err := w.sim.IssueTicket("")
		require.NoError(t, err)
		newest, err := w.sim.IssueTicket(componentAppID)
		require.NoError(t, err)
		require.NotEqual(t, former, newest)
		for _, ticket := range []string{former, newest} {
			a := w.componentToken(ticket)
			require.NotEmpty(t, a.text("component_access_token"))
			require.EqualValues(t, 7200, a["expires_in"])
			require.NotContains(t, a, "errcode", "read calls answer no errcode")
		}
	})
	t.Run("RefusedInTheDocumentedOrder", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		ticket, err := w.sim.IssueTicket("")
		require.NoError(t, err)
		for _, c := range []struct {
			name, method, body string
			code               int
		}{
			{"method", http.MethodGet, "", 43002},
			{"empty body", http.MethodPost, "", 44002},
			{"no JSON", http.MethodPost, `{“component_appid”:“x”}`, 47001},
			{"JSON but no object", http.MethodPost, `["x"]`, 47001},
			{"null", http.MethodPost, `null`, 47001},
			{"component_appid missing", http.MethodPost, `{"component_appsecret":"x"}`, 41018},
			{"component_appid of the wrong type", http.MethodPost, `{"component_appid":7}`, 47001},
			{"component_appid malformed", http.MethodPost, `{"component_appid":"gh_1"}`, 40013},
			{"component_appid unknown", http.MethodPost, `{"component_appid":"wx99","component_appsecret":"x"}`, 61011},
			{"secret missing", http.MethodPost, `{"component_appid":"` + componentAppID + `","component_verify_ticket":"no"}`, 41004},
			{"secret wrong", http.MethodPost, `{"component_appid":"` + componentAppID + `","component_appsecret":"x","component_verify_ticket":"no"}`, 40125},
			{"ticket missing", http.MethodPost, `{"component_appid":"` + componentAppID + `","component_appsecret":"` + appSecret + `"}`, 61006},
			{"ticket wrong", http.MethodPost, `{"component_appid":"` + componentAppID + `","component_appsecret":"` + appSecret + `","component_verify_ticket":"no"}`, 61006},
		} {
			require.Equal(t, c.code, w.do(c.method, pathComponentToken, c.body).code(), c.name)
		}
		w.change(func(s *simulator.Settings) { s.IPWhitelist = []string{"203.0.113.9"} })
		require.Equal(t, 61004, w.do(http.MethodPost, pathComponentToken, `{"component_appid":"`+componentAppID+`"}`).code(), "IP before secret")
		w.change(func(s *simulator.Settings) { s.IPWhitelist = nil })
		require.NoError(t, w.sim.SetQuota(componentAppID, pathComponentToken, simulator.Quota{Daily: 1}))
		require.Zero(t, w.componentToken(ticket).code())
		require.Equal(t, 45009, w.componentToken(ticket).code())
	})
	t.Run("TicketExpiresAfterTwelveHours", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		ticket, err := w.sim.IssueTicket("")
		require.NoError(t, err)
		w.sim.AdvanceClock(12*time.Hour - time.Second)
		require.Zero(t, w.componentToken(ticket).code())
		w.sim.AdvanceClock(time.Second)
		require.Equal(t, 61005, w.componentToken(ticket).code())
	})
	t.Run("SupersededAfterTheOverlapAndExpiredAfterItsLife", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		first := w.cat()
		second := w.cat()
		require.NotEqual(t, first, second)
		require.Zero(t, w.asComponent(pathPreAuthCode, first, nil).code())
		w.sim.AdvanceClock(300 * time.Second)
		require.Equal(t, 40001, w.asComponent(pathPreAuthCode, first, nil).code())
		require.Zero(t, w.asComponent(pathPreAuthCode, second, nil).code())
		w.sim.AdvanceClock(6900 * time.Second)
		require.Equal(t, 42001, w.asComponent(pathPreAuthCode, second, nil).code())
		w.change(func(s *simulator.Settings) { s.ExpiredCATCode = 42006 })
		require.Equal(t, 42006, w.asComponent(pathPreAuthCode, second, nil).code())
	})
}

func TestComponentCalls(t *testing.T) {
	t.Parallel()
	t.Run("RefusedInTheDocumentedOrder", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		cat, aat := w.cat(), w.authorize(shop).access
		status := func(a answer) int { return a.code() }
		require.Equal(t, 43002, status(w.do(http.MethodGet, pathRenew, "")))
		require.Equal(t, 41001, status(w.do(http.MethodPost, pathRenew, "{}")))
		w.change(func(s *simulator.Settings) { s.MissingCATCode = 41021 })
		require.Equal(t, 41021, status(w.do(http.MethodPost, pathRenew, "{}")))
		require.Equal(t, 40001, status(w.post(pathRenew, "component_access_token", "nonsense", "{}")))
		require.Equal(t, 61014, status(w.post(pathRenew, "component_access_token", aat, "{}")))
		w.sim.ExpireTokens(componentAppID)
		require.Equal(t, 42001, status(w.post(pathRenew, "component_access_token", cat, "{}")))
		cat = w.cat()
		w.change(func(s *simulator.Settings) { s.IPWhitelist = []string{"203.0.113.0/24"} })
		refused := w.post(pathRenew, "component_access_token", cat, "")
		require.Equal(t, 61004, status(refused))
		require.Contains(t, refused.text("errmsg"), "access clientip is not registered requestIP: 127.0.0.1 rid: ")
		w.change(func(s *simulator.Settings) { s.IPWhitelist = []string{"203.0.113.0/24", "127.0.0.1", "::1"} })
		require.Equal(t, 44002, status(w.post(pathRenew, "component_access_token", cat, "")))
		require.Equal(t, 47001, status(w.post(pathRenew, "component_access_token", cat, "{")))
		require.Equal(t, 41018, status(w.post(pathRenew, "component_access_token", cat, "{}")))
		require.Equal(t, 61011, status(w.asComponent(pathRenew, cat, map[string]any{"component_appid": "wx9"})))
		require.Equal(t, 40013, status(w.asComponent(pathRenew, cat, map[string]any{"component_appid": "9"})))
		require.Equal(t, 61003, status(w.asComponent(pathRenew, cat, map[string]any{"authorizer_appid": other, "authorizer_refresh_token": "x"})))
		require.Equal(t, 61023, status(w.renew(cat, "x")))
		require.Equal(t, 61023, status(w.renew(cat, "")))
		require.NoError(t, w.sim.SetQuota("", pathRenew, simulator.Quota{Daily: 1}))
		require.Equal(t, 45009, status(w.post(pathRenew, "component_access_token", cat, "")), "calls that were refused later count")
	})
	t.Run("TokenUnderEitherNameAndTheOldNameWins", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		cat := w.cat()
		body := `{"component_appid":"` + componentAppID + `"}`
		require.Zero(t, w.post(pathPreAuthCode, "access_token", cat, body).code())
		require.Zero(t, w.do(http.MethodPost, pathPreAuthCode+"?access_token=no&component_access_token="+cat, body).code())
		require.Equal(t, 40001, w.do(http.MethodPost, pathPreAuthCode+"?component_access_token=no&access_token="+cat, body).code())
	})
	t.Run("FurtherComponentsAreApart", func(t *testing.T) {
		t.Parallel()
		second := simulator.Component{AppSecret: "other-secret"}
		w := setup(t, func(c *simulator.Config) { c.Further = []simulator.Component{second} })
		second = w.sim.Components()[1]
		require.Equal(t, "wx0000000000000002", second.AppID)
		first := w.authorize(shop)
		code, err := w.sim.AuthorizeFor(simulator.Grant{ComponentAppID: second.AppID, AppID: shop, PermissionSets: []int{1}})
		require.NoError(t, err)
		a := w.asComponent(pathQueryAuth, w.cat(), map[string]any{"authorization_code": code})
		require.Equal(t, 61009, a.code(), "a code is for one component")
		ticket, err := w.sim.IssueTicket(second.AppID)
		require.NoError(t, err)
		a = w.do(http.MethodPost, pathComponentToken, `{"component_appid":"`+second.AppID+`","component_appsecret":"other-secret","component_verify_ticket":"`+ticket+`"}`)
		cat := a.text("component_access_token")
		a = w.post(pathQueryAuth, "component_access_token", cat, `{"component_appid":"`+second.AppID+`","authorization_code":"`+code+`"}`)
		require.Zero(t, a.code(), "%v", a)
		require.NoError(t, w.sim.RevokeFor(second.AppID, shop))
		require.Zero(t, w.business(pathBlacklist, first.access, "{}").code(), "the first component is untouched")
	})
	t.Run("StartPushTicketEndsAPauseAndPushesAtOnce", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.change(func(s *simulator.Settings) { s.TicketsPaused = true })
		body := `{"component_appid":"` + componentAppID + `","component_secret":"` + appSecret + `"}`
		require.Equal(t, 40125, w.do(http.MethodPost, pathStartTickets, `{"component_appid":"`+componentAppID+`","component_secret":"x"}`).code())
		require.Equal(t, 61011, w.do(http.MethodPost, pathStartTickets, `{"component_appid":"`+shop+`","component_secret":"x"}`).code())
		require.Equal(t, 41004, w.do(http.MethodPost, pathStartTickets, `{"component_appid":"`+componentAppID+`","component_appsecret":"`+appSecret+`"}`).code())
		require.Equal(t, answer{"errcode": 0.0, "errmsg": "ok"}, w.do(http.MethodPost, pathStartTickets, body))
		require.NoError(t, w.sim.Flush(t.Context()))
		require.Len(t, w.receiver.pushes(), 1)
		require.Contains(t, w.do(http.MethodPost, pathStartTickets, body).text("errmsg"), "normal state")
		require.False(t, w.sim.Settings().TicketsPaused)
	})
}
