package wechat_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat"
)

const (
	mpURL   = "https://mp.weixin.qq.com"
	openURL = "https://open.weixin.qq.com"
)

func TestConsent(t *testing.T) {
	t.Parallel()
	base := wechat.Consent{ComponentAppID: simAppID, PreAuthCode: "preauthcode@@@a+b", RedirectURI: "https://steward.example/connect/s_1?x=1&y=2"}
	const common = "component_appid=wx0000000000000001&pre_auth_code=preauthcode%40%40%40a%2Bb&redirect_uri=https%3A%2F%2Fsteward.example%2Fconnect%2Fs_1%3Fx%3D1%26y%3D2"
	for name, tc := range map[string]struct {
		change func(*wechat.Consent)
		tail   string
	}{
		"Bare":                {func(*wechat.Consent) {}, ""},
		"AuthType":            {func(c *wechat.Consent) { c.AuthType = wechat.AuthTypeOfficialAccount }, "&auth_type=1"},
		"BizAppID":            {func(c *wechat.Consent) { c.BizAppID = merchant }, "&biz_appid=wx00000000000000aa"},
		"BizAppIDWins":        {func(c *wechat.Consent) { c.AuthType, c.BizAppID = 3, merchant }, "&biz_appid=wx00000000000000aa"},
		"OneCategory":         {func(c *wechat.Consent) { c.CategoryIDs = []int{2} }, "&category_id_list=2"},
		"Categories":          {func(c *wechat.Consent) { c.AuthType, c.CategoryIDs = 1, []int{2, 3, 100} }, "&auth_type=1&category_id_list=2%7C3%7C100"},
		"CategoriesOfOneOnly": {func(c *wechat.Consent) { c.BizAppID, c.CategoryIDs = merchant, []int{2, 3} }, "&biz_appid=wx00000000000000aa&category_id_list=2%7C3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := base
			tc.change(&c)
			got, err := c.DesktopURL(mpURL)
			require.NoError(t, err)
			require.Equal(t, mpURL+"/cgi-bin/componentloginpage?"+common+tc.tail, got)
			got, err = c.MobileURL(openURL + "/")
			require.NoError(t, err)
			require.Equal(t, openURL+"/wxaopen/safe/bindcomponent?action=bindcomponent&no_scan=1&"+common+tc.tail+"#wechat_redirect", got)

			u, err := url.Parse(got)
			require.NoError(t, err)
			require.Equal(t, c.RedirectURI, u.Query().Get("redirect_uri"))
			require.Equal(t, c.PreAuthCode, u.Query().Get("pre_auth_code"))
			require.Equal(t, "wechat_redirect", u.Fragment)
		})
	}
}

func TestConsent_Refuses(t *testing.T) {
	t.Parallel()
	good := wechat.Consent{ComponentAppID: simAppID, PreAuthCode: "preauthcode@@@sim-1", RedirectURI: "https://steward.example/connect"}
	for name, tc := range map[string]struct {
		change func(*wechat.Consent)
		base   string
	}{
		"NoAppID":          {func(c *wechat.Consent) { c.ComponentAppID = "" }, mpURL},
		"NoPreAuthCode":    {func(c *wechat.Consent) { c.PreAuthCode = "" }, mpURL},
		"NoRedirectURI":    {func(c *wechat.Consent) { c.RedirectURI = "" }, mpURL},
		"RelativeRedirect": {func(c *wechat.Consent) { c.RedirectURI = "/connect" }, mpURL},
		"ScriptRedirect":   {func(c *wechat.Consent) { c.RedirectURI = "javascript:alert(1)" }, mpURL},
		"BrokenRedirect":   {func(c *wechat.Consent) { c.RedirectURI = "https://ho st/%zz" }, mpURL},
		"NoBase":           {func(*wechat.Consent) {}, ""},
		"BaseWithQuery":    {func(*wechat.Consent) {}, mpURL + "?a=b"},
		"ScriptBase":       {func(*wechat.Consent) {}, "javascript:alert(1)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := good
			tc.change(&c)
			_, err := c.DesktopURL(tc.base)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "@@@")
			_, err = c.MobileURL(tc.base)
			require.Error(t, err)
		})
	}
}
