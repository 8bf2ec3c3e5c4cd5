package simulator_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// Client and simulator were written from the same pages and share no code: here they meet, in every form of answer.
func TestClientAndSimulatorUnderstandEachOther(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]simulator.Form{
		"Plain":   {},
		"Strange": {ContentType: "text/plain", ErrMsg: simulator.FormHintRID, CodeAsString: true, ExtraFields: true},
		"Comma":   {ErrMsg: simulator.FormComma},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.change(func(s *simulator.Settings) { s.Answer, s.TicketsPaused = form, true })
			ctx := t.Context()
			c, err := wechat.NewClient(wechat.Config{APIURL: w.server.URL, HTTPClient: w.server.Client()})
			require.NoError(t, err)

			require.NoError(t, c.StartPushTicket(ctx, componentAppID, appSecret))
			require.NoError(t, w.sim.Flush(ctx))
			cat, err := c.ComponentToken(ctx, componentAppID, appSecret, w.receiver.pushes()[0].fields["ComponentVerifyTicket"])
			require.NoError(t, err)
			pre, err := c.CreatePreAuthCode(ctx, cat.Value, componentAppID)
			require.NoError(t, err)
			link, err := wechat.Consent{
				ComponentAppID: componentAppID, PreAuthCode: pre.Code, RedirectURI: "https://steward.example/back", AuthType: 1, CategoryIDs: []int{1, 2},
			}.DesktopURL(w.server.URL)
			require.NoError(t, err)
			mobile, err := wechat.Consent{ComponentAppID: componentAppID, PreAuthCode: pre.Code, RedirectURI: "https://steward.example/back"}.MobileURL(w.server.URL)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, w.visit(http.MethodGet, withoutFragment(t, mobile), nil, "").status)
			back := w.visit(http.MethodPost, link, confirm(shop, "1", "2"), "")
			require.Equal(t, http.StatusSeeOther, back.status, "%s", back.page)
			a, err := c.QueryAuth(ctx, cat.Value, componentAppID, back.location.Query().Get("auth_code"))
			require.NoError(t, err)
			require.Equal(t, []wechat.PermissionSet{{ID: 1}, {ID: 2}}, a.PermissionSets)
			renewed, err := c.AuthorizerToken(ctx, cat.Value, componentAppID, shop, a.RefreshToken)
			require.NoError(t, err)
			info, err := c.AuthorizerInfo(ctx, cat.Value, componentAppID, shop)
			require.NoError(t, err)
			require.Equal(t, "Tea shop", info.NickName)
			accounts, err := c.AuthorizerList(ctx, cat.Value, componentAppID, 0, 100)
			require.NoError(t, err)
			require.Equal(t, a.RefreshToken, accounts.Items[0].RefreshToken)

			token := renewed.AccessToken
			require.NoError(t, c.BatchBlacklist(ctx, token, []string{"oSim_A", "oSim_B"}))
			require.NoError(t, c.BatchUnblacklist(ctx, token, []string{"oSim_A"}))
			page, err := c.Blacklist(ctx, token, "")
			require.NoError(t, err)
			require.Equal(t, wechat.OpenIDPage{Total: 1, Count: 1, OpenIDs: []string{"oSim_B"}, Next: "oSim_B"}, page)
			page, err = c.Followers(ctx, token, "oSim_C")
			require.NoError(t, err)
			require.Equal(t, []string{"oSim_D", "oSim_E"}, page.OpenIDs)
			users, err := c.UserInfoBatch(ctx, token, []string{"oSim_A"})
			require.NoError(t, err)
			require.True(t, users[0].Subscribed)

			var refused *wechat.Error
			require.ErrorAs(t, c.BatchBlacklist(ctx, token, []string{"oNobody"}), &refused)
			require.Equal(t, 40003, refused.Code)
			calls := w.sim.CallsTo(pathBlock)
			require.Equal(t, calls[len(calls)-1].RID, refused.RID)
			_, err = c.RID(ctx, token, refused.RID)
			require.NoError(t, err)
			quota, err := c.Quota(ctx, token, pathBlock)
			require.NoError(t, err)
			require.Equal(t, 2, quota.Used)
			require.NoError(t, c.ClearQuota(ctx, token, shop))
			require.NoError(t, c.ClearComponentQuota(ctx, componentAppID, appSecret, shop))
		})
	}
}

func TestAnswersCarryTheSimulatorsTime(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.sim.AdvanceClock(90 * time.Minute)
	var seen wechat.Call
	c, err := wechat.NewClient(wechat.Config{APIURL: w.server.URL, Observe: func(call wechat.Call) { seen = call }})
	require.NoError(t, err)
	require.NoError(t, c.StartPushTicket(t.Context(), componentAppID, appSecret))
	require.Equal(t, w.sim.Now().UTC(), seen.ServerTime.UTC())
}

// withoutFragment does what a browser does before it asks.
func withoutFragment(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	require.NoError(t, err)
	u.Fragment = ""
	return u.String()
}
