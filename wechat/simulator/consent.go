package simulator

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The two addresses of the consent page: mp.weixin.qq.com for a browser, open.weixin.qq.com inside WeChat.
const (
	desktopConsentPath = "/cgi-bin/componentloginpage"
	mobileConsentPath  = "/wxaopen/safe/bindcomponent"
)

//go:embed consent.html
var consentHTML string

func parsePages() *template.Template {
	return template.Must(template.New("consent").Parse(consentHTML))
}

// consentQuery is what the link to the consent page says.
type consentQuery struct {
	component *component
	preAuth   string
	redirect  *url.URL
	sets      []int // that the page offers
	accounts  []*account
}

// consentPage is what the template shows. Problem replaces the form.
type consentPage struct {
	Platform, ComponentAppID string
	Problem                  problem
	Accounts                 []consentAccount
	Sets                     []consentSet
	RedirectHost             string
}

// problem is why the page offers nothing, in both languages.
type problem struct {
	ZH, EN string
}

func (p problem) Error() string {
	return p.EN
}

type consentAccount struct {
	AppID, NickName, UserName, Initial string
	Authorized, Unverified, Mini       bool
	Checked                            bool
}

type consentSet struct {
	ID      int
	ZH, EN  string
	Checked bool
}

// serveConsent shows the consent page and takes its confirmation.
func (s *Server) serveConsent(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		page, status := s.consentPage(r)
		s.writePage(w, status, page)
	case http.MethodPost:
		s.confirmConsent(w, r)
	default:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "GET shows the page, POST confirms it.", http.StatusMethodNotAllowed)
	}
}

func (s *Server) writePage(w http.ResponseWriter, status int, page consentPage) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	// No form-action: browsers apply it to the redirect after the form as well, and that leads to the platform.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	if err := s.pages.Execute(w, page); err != nil {
		s.cfg.Logger.Warn("simulator: the consent page could not be written", "error", err)
	}
}

func (s *Server) consentPage(r *http.Request) (consentPage, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.readConsent(r)
	if err == nil && !s.settings.admitsReferer(r.Referer()) {
		err = problem{"授权页必须从平台登记的登录授权发起页域名打开。", "This page must be opened from the platform's registered login domain."}
	}
	var trouble problem
	if errors.As(err, &trouble) {
		return consentPage{Problem: trouble}, http.StatusBadRequest
	}
	page := consentPage{Platform: q.component.Name, ComponentAppID: q.component.AppID, RedirectHost: q.redirect.Host}
	ticked := q.sets
	if len(q.accounts) == 1 {
		ticked = q.accounts[0].defaultSets(q.component)
	}
	for _, set := range q.sets {
		zh, en := setName(set)
		page.Sets = append(page.Sets, consentSet{ID: set, ZH: zh, EN: en, Checked: slices.Contains(ticked, set)})
	}
	for i, a := range q.accounts {
		g := a.grantTo(q.component)
		page.Accounts = append(page.Accounts, consentAccount{
			AppID: a.AppID, NickName: a.NickName, UserName: a.UserName, Initial: string([]rune(a.NickName)[:1]),
			Authorized: g != nil && !g.revoked, Unverified: a.VerifyType < 0, Mini: a.MiniProgram, Checked: i == 0,
		})
	}
	return page, http.StatusOK
}

// readConsent checks the link of a consent page. s.mu is held.
func (s *Server) readConsent(r *http.Request) (consentQuery, error) {
	query := r.URL.Query()
	c, err := s.findComponent(query.Get("component_appid"))
	if err != nil || query.Get("component_appid") == "" {
		return consentQuery{}, problem{"第三方平台不存在。", "There is no such third-party platform (component_appid)."}
	}
	q := consentQuery{component: c, preAuth: query.Get("pre_auth_code")}
	if _, err := s.checkPreAuthCode(c, q.preAuth); err != nil {
		return q, problem{"预授权码无效、已使用或已过期，请回到平台重新打开授权页。", "The pre-auth code is invalid, used or expired. Go back to the platform and open this page again."}
	}
	q.redirect, err = url.Parse(query.Get("redirect_uri"))
	if err != nil || q.redirect.Host == "" || q.redirect.Scheme != "http" && q.redirect.Scheme != "https" {
		return q, problem{"回调地址 redirect_uri 不是完整的网址。", "redirect_uri is not a full http or https URL."}
	}
	if r.URL.Path == mobileConsentPath && (query.Get("action") != "bindcomponent" || query.Get("no_scan") != "1") {
		return q, problem{"移动端授权链接缺少 action=bindcomponent 或 no_scan=1。", "The mobile link needs action=bindcomponent and no_scan=1."}
	}
	if q.sets, err = offeredSets(c, query.Get("category_id_list")); err != nil {
		return q, err
	}
	q.accounts = s.offeredAccounts(query.Get("auth_type"), query.Get("biz_appid"))
	if len(q.accounts) == 0 {
		return q, problem{"模拟器中没有可以授权的帐号。", "The simulator has no account that may authorize here."}
	}
	return q, nil
}

// offeredSets are those that the platform asks for, limited by category_id_list: numbers joined by vertical bars.
func offeredSets(c *component, categories string) ([]int, error) {
	if categories == "" {
		return c.PermissionSets, nil
	}
	var wanted []int
	for _, id := range strings.Split(categories, "|") {
		n, err := strconv.Atoi(id)
		if err != nil {
			return nil, problem{"权限集列表 category_id_list 格式错误。", "category_id_list must be numbers joined by vertical bars."}
		}
		wanted = append(wanted, n)
	}
	sets := slices.DeleteFunc(slices.Clone(c.PermissionSets), func(set int) bool { return !slices.Contains(wanted, set) })
	if len(sets) == 0 {
		return nil, problem{"平台没有申请这些权限集。", "The platform asks for none of the permission sets in category_id_list."}
	}
	return sets, nil
}

// offeredAccounts: biz_appid wins over auth_type, which is 1 for official accounts, 2 for mini programs, else both.
func (s *Server) offeredAccounts(authType, bizAppID string) []*account {
	var offered []*account
	for _, a := range s.accounts {
		fits := true
		switch {
		case bizAppID != "":
			fits = a.AppID == bizAppID
		case authType == "1":
			fits = !a.MiniProgram
		case authType == "2":
			fits = a.MiniProgram
		}
		if fits && !a.suspended() {
			offered = append(offered, a)
		}
	}
	return offered
}

// admitsReferer reports whether the consent page may be opened from the page with this URL.
func (c Settings) admitsReferer(referer string) bool {
	if len(c.LoginDomains) == 0 {
		return true
	}
	u, err := url.Parse(referer)
	return err == nil && slices.Contains(c.LoginDomains, u.Hostname())
}

// confirmConsent authorizes, pushes and redirects, in the order of Settings.PushOrder.
func (s *Server) confirmConsent(w http.ResponseWriter, r *http.Request) {
	code, target, before, err := s.takeConsent(r)
	if err != nil {
		var trouble problem
		if !errors.As(err, &trouble) {
			trouble = problem{"提交的内容有误。", err.Error()}
		}
		s.writePage(w, http.StatusBadRequest, consentPage{Problem: trouble})
		return
	}
	push := func(ctx context.Context) {
		if err := s.pushByItself(ctx, Event{AuthorizationCode: code.value}); err != nil {
			s.cfg.Logger.Warn("simulator: the event of a consent was not taken", "error", err)
		}
	}
	// Scanning again without any change pushes nothing.
	silent := code.infoType == "" || code.grant.component.EventURL == ""
	if before && !silent {
		push(context.WithoutCancel(r.Context())) // a person who closes the page does not stop WeChat
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
	if !before && !silent {
		_ = http.NewResponseController(w).Flush() // where the writer cannot flush, the push may overtake the redirect
		s.mu.Lock()
		defer s.mu.Unlock()
		s.inBackground(push)
	}
}

// takeConsent authorizes what the form says and returns where to go then.
func (s *Server) takeConsent(r *http.Request) (code *authCode, target string, before bool, err error) {
	if err := r.ParseForm(); err != nil {
		return nil, "", false, errors.New("the form cannot be read")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.readConsent(r)
	if err != nil {
		return nil, "", false, err
	}
	i := slices.IndexFunc(q.accounts, func(a *account) bool { return a.AppID == r.PostForm.Get("account") })
	if i < 0 {
		return nil, "", false, problem{"请选择一个帐号。", "Choose one of the accounts."}
	}
	sets := []int{}
	for _, value := range r.PostForm["set"] {
		set, err := strconv.Atoi(value)
		if err != nil || !slices.Contains(q.sets, set) {
			return nil, "", false, problem{"所选权限集不在申请范围内。", fmt.Sprintf("The permission set %q is not offered.", value)}
		}
		sets = append(sets, set)
	}
	if err := s.usePreAuthCode(q.component, q.preAuth); err != nil {
		return nil, "", false, err
	}
	code = s.authorize(q.accounts[i], q.component, sets, q.preAuth)
	answer := "auth_code=" + url.QueryEscape(code.value) + "&expires_in=" + strconv.Itoa(s.settings.CodeLifetimeSeconds)
	if q.redirect.RawQuery != "" {
		answer = q.redirect.RawQuery + "&" + answer
	}
	q.redirect.RawQuery = answer
	return code, q.redirect.String(), s.settings.PushOrder == BeforeRedirect, nil
}

// setName names a permission set of official accounts (公众号权限集).
func setName(set int) (zh, en string) {
	names := map[int][2]string{
		1: {"消息管理权限", "Message management"}, 2: {"用户管理权限", "User management"}, 3: {"帐号服务权限", "Account service"},
		4: {"网页服务权限", "Web service"}, 5: {"微信小店权限", "WeChat shop"}, 6: {"微信多客服权限", "Customer service"},
		7: {"群发与通知权限", "Broadcast and notification"}, 8: {"微信卡券权限", "Cards and vouchers"}, 9: {"微信扫一扫权限", "Scan"},
		10: {"微信连WIFI权限", "WiFi"}, 11: {"素材管理权限", "Material management"}, 12: {"微信摇周边权限", "Shake nearby"},
		13: {"微信门店权限", "Stores"}, 15: {"自定义菜单权限", "Custom menu"}, 22: {"城市服务接口权限", "City services"},
		23: {"广告管理权限", "Advertising"}, 24: {"开放平台帐号管理权限", "Open-platform account management"},
		26: {"微信电子发票权限", "e-invoice"}, 27: {"快速注册小程序权限", "Quick registration of mini programs"},
		33: {"小程序管理权限", "Linked mini programs"}, 34: {"微信商品库权限", "Product library"}, 46: {"一物一码权限", "One item one code"},
		54: {"服务号对话权限", "Service-account dialogue"}, 66: {"服务市场权限", "Service market"}, 89: {"订阅通知权限", "Subscription notification"},
	}
	if name, ok := names[set]; ok {
		return name[0], name[1]
	}
	return "权限集", "Permission set"
}
