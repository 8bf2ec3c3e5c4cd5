package wechat

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// AuthType says which kinds of account the consent page offers.
const (
	AuthTypeOfficialAccount = 1
	AuthTypeMiniProgram     = 2
	AuthTypeBoth            = 3
)

// Consent describes one visit to WeChat's consent page, on which the administrator of an account authorizes the
// component. WeChat's page: 授权流程技术说明 (Authorization_Process_Technical_Description).
//
// WeChat looks at the Referer, so the URL must be opened by a plain link on the domain that the console calls
// 登录授权的发起页域名. Both URLs hold the pre-auth code: treat them as secrets until they are used.
type Consent struct {
	// ComponentAppID, PreAuthCode and RedirectURI are required. PreAuthCode is for one visit only.
	ComponentAppID string
	PreAuthCode    string `json:"-"`
	// RedirectURI is where WeChat sends the administrator afterwards, with auth_code and expires_in added to the query.
	// It is an absolute http or https URL.
	RedirectURI string
	// AuthType is one of the constants above; 0 leaves the choice to WeChat.
	AuthType int
	// BizAppID, if given, offers this one account only. It excludes AuthType, which is then left out.
	BizAppID string
	// CategoryIDs, if given, limits the permission sets on offer; WeChat is said to ignore it now and then.
	CategoryIDs []int
}

// DesktopURL returns the consent page with a QR code, for a browser on a desk. mpURL is the base, usually
// https://mp.weixin.qq.com.
func (c Consent) DesktopURL(mpURL string) (string, error) {
	return c.url(mpURL, "/cgi-bin/componentloginpage", "", "")
}

// MobileURL returns the consent page that opens inside WeChat on a phone. openURL is the base, usually
// https://open.weixin.qq.com.
func (c Consent) MobileURL(openURL string) (string, error) {
	return c.url(openURL, "/wxaopen/safe/bindcomponent", "action=bindcomponent&no_scan=1&", "#wechat_redirect")
}

func (c Consent) url(base, path, fixed, fragment string) (string, error) {
	baseURL, err := parseBaseURL(base)
	if err != nil {
		return "", errors.New("wechat: the base of the consent page " + err.Error())
	}
	if c.ComponentAppID == "" || c.PreAuthCode == "" {
		return "", errors.New("wechat: the consent page needs the component's appid and a pre-auth code")
	}
	if u, err := url.Parse(c.RedirectURI); err != nil || !isWeb(u) {
		return "", errors.New("wechat: the redirect URI of the consent page is not an absolute http or https URL")
	}
	// By hand, for the order: WeChat's samples always have it, and people compare.
	q := fixed + "component_appid=" + url.QueryEscape(c.ComponentAppID) +
		"&pre_auth_code=" + url.QueryEscape(c.PreAuthCode) +
		"&redirect_uri=" + url.QueryEscape(c.RedirectURI)
	switch {
	case c.BizAppID != "":
		q += "&biz_appid=" + url.QueryEscape(c.BizAppID)
	case c.AuthType != 0:
		q += "&auth_type=" + strconv.Itoa(c.AuthType)
	}
	if len(c.CategoryIDs) > 0 {
		ids := make([]string, len(c.CategoryIDs))
		for i, id := range c.CategoryIDs {
			ids[i] = strconv.Itoa(id)
		}
		q += "&category_id_list=" + url.QueryEscape(strings.Join(ids, "|"))
	}
	return baseURL + path + "?" + q + fragment, nil
}

// parseBaseURL returns base without a final slash. Its errors leave the URL out, which may hold a password; they
// continue a sentence.
func parseBaseURL(base string) (string, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil || !isWeb(u):
		return "", errors.New("is not an absolute http or https URL")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil:
		return "", errors.New("must have neither user, query nor fragment")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

func isWeb(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
