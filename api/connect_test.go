package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/wechat-steward/steward/api"
	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// page is one of the pages that a merchant sees.
type page struct {
	reply

	text  string // what a reader reads
	links []*url.URL
	tags  map[string]int
}

func (b *bundle) page(t *testing.T, path string, header ...string) page {
	t.Helper()
	r := request{path: path, key: "none", header: http.Header{}}
	for i := 0; i < len(header); i += 2 {
		r.header.Set(header[i], header[i+1])
	}
	p := page{reply: b.do(t, r), tags: map[string]int{}}
	require.Equal(t, "text/html; charset=UTF-8", p.header.Get("Content-Type"), p.body)
	require.Equal(t, "no-store", p.header.Get("Cache-Control"))
	require.Equal(t, "strict-origin", p.header.Get("Referrer-Policy"), "WeChat wants the origin; the path is a secret")
	csp := p.header.Get("Content-Security-Policy")
	require.Contains(t, csp, "default-src 'none'")
	require.NotContains(t, csp, "script-src")
	root, err := html.Parse(strings.NewReader(p.body))
	require.NoError(t, err)
	var text strings.Builder
	for node := range root.Descendants() {
		switch node.Type { // the two that matter
		case html.TextNode:
			if node.Parent.Data != "style" {
				text.WriteString(node.Data + " ")
			}
		case html.ElementNode:
			p.tags[node.Data]++
			for _, attr := range node.Attr {
				if attr.Key == "href" {
					link, err := url.Parse(attr.Val)
					require.NoError(t, err)
					p.links = append(p.links, link)
				}
			}
		}
	}
	p.text = strings.Join(strings.Fields(text.String()), " ")
	require.Zero(t, p.tags["script"]+p.tags["form"]+p.tags["iframe"]+p.tags["img"])
	return p
}

// newLink makes a connect link and returns the path of its page.
func (b *bundle) newLink(t *testing.T, body any) string {
	t.Helper()
	link := b.post(t, http.StatusCreated, b.tenantPath("/connect-links"), body)["url"].(string)
	path := strings.TrimPrefix(link, factory.PublicURL)
	b.secret(strings.TrimPrefix(path, "/connect/"))
	return path
}

// authorize is what the merchant does at WeChat: it returns the path to which WeChat sends the browser.
func (b *bundle) authorize(t *testing.T, path, appid string) string {
	t.Helper()
	opened := b.page(t, path)
	require.Equal(t, http.StatusOK, opened.status, opened.text)
	code, err := b.Sim.AuthorizeFor(simulator.Grant{ComponentAppID: b.ComponentAppID, AppID: appid, PreAuthCode: opened.links[0].Query().Get("pre_auth_code")})
	require.NoError(t, err)
	back, err := url.Parse(opened.links[0].Query().Get("redirect_uri"))
	require.NoError(t, err)
	return back.Path + "?auth_code=" + url.QueryEscape(b.secret(code)) + "&expires_in=3600"
}

func TestConnectPage(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})

	t.Run("Open/HoldsTwoPlainLinksToWeChat", func(t *testing.T) {
		t.Parallel()
		// With WeChat's own hosts, as in production.
		authorizers, err := authorizer.NewService(authorizer.Config{
			Pool: b.Pool, WeChat: b.WeChat, Components: b.Components, Box: b.Box, Jobs: b.Jobs, PublicURL: factory.PublicURL, Now: b.Clock.Now, Logger: b.Logger,
		})
		require.NoError(t, err)
		other := setup(t, options{noAcount: true, change: func(c *api.Config) { c.Authorizers, c.Components, c.Tenants = authorizers, b.Components, b.Tenants }})
		path := b.newLink(t, nil)
		p := other.page(t, path)
		require.Equal(t, http.StatusOK, p.status)
		tenant := b.get(t, b.tenantPath(""))["name"].(string)
		require.Contains(t, p.text, tenant+" 授权公众号")
		require.Contains(t, p.text, "Authorize an official account for "+tenant)
		require.Contains(t, p.text, "用户管理")
		require.Len(t, p.links, 2)
		for i, want := range []string{"https://mp.weixin.qq.com/cgi-bin/componentloginpage", "https://open.weixin.qq.com/wxaopen/safe/bindcomponent"} {
			link := p.links[i]
			require.Equal(t, want, link.Scheme+"://"+link.Host+link.Path)
			query := link.Query()
			require.Equal(t, b.ComponentAppID, query.Get("component_appid"))
			require.Equal(t, factory.PublicURL+path+"/callback", query.Get("redirect_uri"))
			require.Equal(t, "1", query.Get("auth_type"))
			require.NotEmpty(t, b.secret(query.Get("pre_auth_code")))
		}
		require.Equal(t, p.links[0].Query().Get("pre_auth_code"), p.links[1].Query().Get("pre_auth_code"))
		require.Equal(t, "wechat_redirect", p.links[1].Fragment)
		require.NotContains(t, p.body, "&auth_type", "an ampersand in HTML is &amp;")
	})

	t.Run("Open/CodeIsFreshEachTime", func(t *testing.T) {
		t.Parallel()
		path := b.newLink(t, nil)
		first, second := b.page(t, path), b.page(t, path)
		require.NotEqual(t, first.links[0].Query().Get("pre_auth_code"), second.links[0].Query().Get("pre_auth_code"))
	})

	t.Run("Open/MobileLinkComesFirstInsideWeChat", func(t *testing.T) {
		t.Parallel()
		p := b.page(t, b.newLink(t, nil), "User-Agent", "Mozilla/5.0 (iPhone) MicroMessenger/8.0.50 Language/zh_CN")
		require.Len(t, p.links, 2)
		require.Equal(t, "/wxaopen/safe/bindcomponent", p.links[0].Path)
		require.Equal(t, "/cgi-bin/componentloginpage", p.links[1].Path)
	})

	t.Run("Open/SaysWhichAccountAndKinds", func(t *testing.T) {
		t.Parallel()
		p := b.page(t, b.newLink(t, `{"appid":"wxexpected"}`))
		require.Contains(t, p.text, "此链接仅限公众号 wxexpected")
		require.Equal(t, "wxexpected", p.links[0].Query().Get("biz_appid"))
		require.Empty(t, p.links[0].Query().Get("auth_type"))
		for kind, number := range map[string]string{"official_account": "1", "mini_program": "2", "any": "3"} {
			p := b.page(t, b.newLink(t, map[string]any{"account_type": kind}))
			require.Equal(t, number, p.links[0].Query().Get("auth_type"))
		}
	})

	t.Run("Open/NameWithMarkupIsText", func(t *testing.T) {
		t.Parallel()
		const name = `<script>alert(1)</script>"'&amp; 茶`
		made := b.do(t, request{method: "POST", path: "/v1/tenants", key: b.platform, body: map[string]any{"name": name}}).json(t)
		link := b.do(t, request{method: "POST", path: "/v1/tenants/" + made["id"].(string) + "/connect-links", key: b.platform}).json(t)["url"].(string)
		p := b.page(t, strings.TrimPrefix(link, factory.PublicURL))
		require.Equal(t, http.StatusOK, p.status)
		require.Contains(t, p.text, name)
		require.Len(t, p.links, 2)
	})

	t.Run("Finish/NamesAccountAndTellsWhereToGo", func(t *testing.T) {
		t.Parallel()
		appid := factory.AddToWeChat(t, b.World, factory.AccountOptions{NickName: `<b>茶馆</b> & Co`})
		link := b.newLink(t, `{"return_url":"https://shop.example.com/done?a=1&b=2"}`)
		back := b.authorize(t, link, appid)
		for range 2 { // a browser's reload
			p := b.page(t, back)
			require.Equal(t, http.StatusOK, p.status)
			require.Contains(t, p.text, "授权成功：<b>茶馆</b> & Co")
			require.Contains(t, p.text, "is connected")
			require.Len(t, p.links, 1)
			require.Equal(t, "https://shop.example.com/done?a=1&b=2", p.links[0].String())
		}
		require.Equal(t, "active", b.get(t, b.tenantPath("/authorizers/"+appid))["state"])
		require.Equal(t, appid, b.get(t, b.tenantPath("/connect-links?limit=200"))["data"].([]any)[b.place(t, appid)].(map[string]any)["authorizer_appid"])
	})

	t.Run("Finish/WithoutReturnURLPageMayBeClosed", func(t *testing.T) {
		t.Parallel()
		p := b.page(t, b.authorize(t, b.newLink(t, nil), factory.AddToWeChat(t, b.World, factory.AccountOptions{})))
		require.Equal(t, http.StatusOK, p.status)
		require.Contains(t, p.text, "可以关闭此页面了")
		require.Empty(t, p.links)
	})
}

// place is where in the list of links the one stands by which the account came.
func (b *bundle) place(t *testing.T, appid string) int {
	t.Helper()
	for i, link := range b.get(t, b.tenantPath("/connect-links?limit=200"))["data"].([]any) {
		if link.(map[string]any)["authorizer_appid"] == appid {
			return i
		}
	}
	require.Fail(t, "no link is used by "+appid)
	return 0
}

func TestConnectPageOfAccountWithoutName(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})
	appid := factory.AddToWeChat(t, b.World, factory.AccountOptions{})
	back := b.authorize(t, b.newLink(t, nil), appid)
	_, err := b.Sim.Inject(simulator.Fault{Path: "/cgi-bin/component/api_get_authorizer_info", Code: -1, Text: "system error"})
	require.NoError(t, err)
	p := b.page(t, back)
	require.Equal(t, http.StatusOK, p.status, p.text)
	require.Contains(t, p.text, "授权成功："+appid)
}

func TestConnectPages(t *testing.T) {
	t.Parallel()

	// failed expects a page that says the same in both languages and how to ask for help.
	failed := func(t *testing.T, p page, status int, zh, en string) {
		t.Helper()
		require.Equal(t, status, p.status, p.text)
		require.Contains(t, p.text, zh)
		require.Contains(t, p.text, en)
		require.Contains(t, p.text, "请求编号 · Request id: "+p.header.Get("X-Request-Id"))
		require.Empty(t, p.links)
	}

	t.Run("UnknownLink", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		for _, state := range []string{"x", strings.Repeat("A", 43), "%3Cscript%3E", strings.Repeat("a", 5000), "%00", "%ff", "..%2f"} {
			failed(t, b.page(t, "/connect/"+state), http.StatusNotFound, "链接无效", "This link does not exist")
			failed(t, b.page(t, "/connect/"+state+"/callback?auth_code=x"), http.StatusNotFound, "链接无效", "This link does not exist")
		}
	})

	t.Run("ExpiredLink", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		path := b.newLink(t, `{"expires_in":60}`)
		b.Clock.Advance(time.Minute)
		failed(t, b.page(t, path), http.StatusGone, "链接已过期", "This link has expired")
		b.Clock.Advance(2 * time.Hour) // those who took their time at WeChat have some grace
		failed(t, b.page(t, path+"/callback?auth_code=x"), http.StatusGone, "链接已过期", "This link has expired")
	})

	t.Run("UsedLink", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		path := b.newLink(t, nil)
		require.Equal(t, http.StatusOK, b.page(t, b.authorize(t, path, factory.AddToWeChat(t, b.World, factory.AccountOptions{}))).status)
		failed(t, b.page(t, path), http.StatusGone, "链接已使用", "This link has been used")
		failed(t, b.page(t, path+"/callback?auth_code=another"), http.StatusGone, "链接已使用", "This link has been used")
	})

	t.Run("AccountOfSomebodyElse", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		theirs := factory.Account(t, b.World, factory.AccountOptions{TenantID: factory.Tenant(t, b.World).ID})
		p := b.page(t, b.authorize(t, b.newLink(t, nil), theirs.AppID))
		failed(t, p, http.StatusConflict, "该公众号已归属其他商户", "This account belongs to somebody else already")
		require.NotContains(t, p.text, theirs.TenantID.String())
	})

	t.Run("OtherAccountThanExpected", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		expected, got := factory.AddToWeChat(t, b.World, factory.AccountOptions{}), factory.AddToWeChat(t, b.World, factory.AccountOptions{})
		path := b.newLink(t, map[string]any{"appid": expected})
		p := b.page(t, b.authorize(t, path, got))
		failed(t, p, http.StatusConflict, "授权的公众号不符", "Another account than expected was authorized")
		require.Contains(t, p.text, expected)
		require.Contains(t, p.text, got)
		require.Equal(t, http.StatusOK, b.page(t, b.authorize(t, path, expected)).status, "the link is still good")
	})

	t.Run("WithoutCode", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		failed(t, b.page(t, b.newLink(t, nil)+"/callback"), http.StatusBadRequest, "授权未完成", "The authorization was not completed")
	})

	t.Run("NoTicketYet", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true, world: factory.WorldOptions{NoTicket: true}})
		failed(t, b.page(t, b.newLink(t, nil)), http.StatusServiceUnavailable, "平台尚未就绪", "The platform is not ready yet")
	})

	t.Run("WeChatRefuses", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		path := b.newLink(t, nil)
		p := b.page(t, path+"/callback?auth_code="+b.secret("made-up-code"))
		failed(t, p, http.StatusBadGateway, "微信未接受此次授权", "WeChat did not accept the authorization")
		line := b.logged(t, "a merchant could not authorize")
		require.Contains(t, line["error"], "61009")
		require.Equal(t, p.header.Get("X-Request-Id"), line["request_id"])
		require.Equal(t, http.StatusOK, b.page(t, path).status, "the link is still good")
	})

	t.Run("WeChatAllowsNoMore", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		_, err := b.Sim.Inject(simulator.Fault{Path: "/cgi-bin/component/api_create_preauthcode", Code: 45009, Text: "reach max api daily quota limit"})
		require.NoError(t, err)
		failed(t, b.page(t, b.newLink(t, nil)), http.StatusServiceUnavailable, "微信接口调用次数已达上限", "WeChat allows no more calls for now")
	})

	t.Run("WeChatIsAway", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		for _, fault := range []simulator.Fault{{Drop: true}, {Status: http.StatusBadGateway}, {Garbage: true}} {
			fault.Path = "/cgi-bin/component/api_create_preauthcode"
			id, err := b.Sim.Inject(fault)
			require.NoError(t, err)
			p := b.page(t, b.newLink(t, nil))
			failed(t, p, http.StatusBadGateway, "暂时无法连接微信", "WeChat cannot be reached")
			require.NotContains(t, p.text, "127.0.0.1")
			b.Sim.ClearFaults(id)
		}
	})

	t.Run("OurOwnFault", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		path := b.newLink(t, nil)
		_, err := b.Pool.Exec(t.Context(), `ALTER TABLE connect_links RENAME TO hidden_from_everybody`)
		require.NoError(t, err)
		p := b.page(t, path)
		failed(t, p, http.StatusInternalServerError, "暂时无法完成", "It did not work this time")
		require.NotContains(t, p.body, "connect_links")
		require.Contains(t, b.logged(t, "a merchant could not authorize")["error"], "42P01")
	})
}

// The whole of what a merchant does, on the simulator's own pages, while WeChat pushes as well.
func TestMerchantAuthorizesInBrowser(t *testing.T) {
	t.Parallel()
	settings := simulator.DefaultSettings()
	settings.LoginDomains = []string{"steward.test"}
	b := setup(t, options{noAcount: true, world: factory.WorldOptions{Settings: &settings}})
	b.start(t)
	require.NoError(t, b.Sim.SetCallbackURLs(b.ComponentAppID, b.url+"/wechat/"+b.ComponentAppID+"/events", ""))
	appid := factory.AddToWeChat(t, b.World, factory.AccountOptions{NickName: "Tea House"})
	path := b.newLink(t, map[string]any{"appid": appid})
	p := b.page(t, path)

	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	visit := func(method string, form url.Values) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), method, p.links[0].String(), strings.NewReader(form.Encode()))
		require.NoError(t, err)
		req.Header.Set("Referer", factory.PublicURL+"/") // all that strict-origin lets a browser send
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := browser.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res
	}
	require.Equal(t, http.StatusOK, visit(http.MethodGet, nil).StatusCode)
	res := visit(http.MethodPost, url.Values{"account": {appid}, "set": {"1", "2"}, "confirm": {"1"}})
	back, err := res.Location()
	require.NoError(t, err)
	require.Equal(t, path+"/callback", back.Path)
	b.secret(back.Query().Get("auth_code"))

	done := b.page(t, back.RequestURI())
	require.Equal(t, http.StatusOK, done.status, done.text)
	require.Contains(t, done.text, "授权成功：Tea House")
	require.NoError(t, b.Sim.Flush(t.Context()))
	require.Equal(t, true, b.get(t, b.tenantPath("/authorizers/"+appid))["can_blacklist"])
	for _, delivery := range b.Sim.Deliveries() {
		require.True(t, delivery.OK, "%+v", delivery)
	}
}
