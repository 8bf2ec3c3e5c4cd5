package wechat_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat"
)

const merchant = "wx00000000000000aa"

// endpoint is one call of the client with what it must send, what WeChat answers by its pages, and what that means.
type endpoint struct {
	name    string
	call    func(context.Context, *wechat.Client) (any, error)
	method  string // POST where empty
	path    string
	query   url.Values
	body    string
	answer  string
	want    any
	secrets []string // none of them may be seen in an error of the call
}

func catQuery() url.Values   { return url.Values{"component_access_token": {cat}} }
func tokenQuery() url.Values { return url.Values{"access_token": {aat}} }

func endpoints() []endpoint {
	business := businessEndpoints()
	for i := range business {
		business[i].secrets = []string{aat}
	}
	return append(componentEndpoints(), business...)
}

func componentEndpoints() []endpoint {
	return []endpoint{
		{
			name: "ComponentToken",
			call: func(ctx context.Context, c *wechat.Client) (any, error) {
				return c.ComponentToken(ctx, simAppID, secret, ticket)
			},
			path:    "/cgi-bin/component/api_component_token",
			body:    `{"component_appid":"wx0000000000000001","component_appsecret":"0123456789abcdef0123456789abcdef","component_verify_ticket":"ticket@@@sim-1"}`,
			answer:  `{"component_access_token":"87_simCAT1","expires_in":7200}`,
			want:    wechat.Token{Value: "87_simCAT1", ExpiresIn: 2 * time.Hour},
			secrets: []string{secret, ticket},
		},
		{
			name: "StartPushTicket",
			call: func(ctx context.Context, c *wechat.Client) (any, error) {
				return nil, c.StartPushTicket(ctx, simAppID, secret)
			},
			path:    "/cgi-bin/component/api_start_push_ticket",
			body:    `{"component_appid":"wx0000000000000001","component_secret":"0123456789abcdef0123456789abcdef"}`,
			answer:  `{"errcode":0,"errmsg":"ok"}`,
			secrets: []string{secret},
		},
		{
			name: "CreatePreAuthCode",
			call: func(ctx context.Context, c *wechat.Client) (any, error) {
				return c.CreatePreAuthCode(ctx, cat, simAppID)
			},
			path:    "/cgi-bin/component/api_create_preauthcode",
			query:   catQuery(),
			body:    `{"component_appid":"wx0000000000000001"}`,
			answer:  `{"pre_auth_code":"preauthcode@@@sim-1","expires_in":600}`,
			want:    wechat.PreAuthCode{Code: "preauthcode@@@sim-1", ExpiresIn: 10 * time.Minute},
			secrets: []string{cat},
		},
		{
			name: "QueryAuth",
			call: func(ctx context.Context, c *wechat.Client) (any, error) {
				return c.QueryAuth(ctx, cat, simAppID, code)
			},
			path:   "/cgi-bin/component/api_query_auth",
			query:  catQuery(),
			body:   `{"component_appid":"wx0000000000000001","authorization_code":"queryauthcode@@@sim-1"}`,
			answer: `{"authorization_info":{"authorizer_appid":"wx00000000000000aa","authorizer_access_token":"87_simAAT1","expires_in":7200,"authorizer_refresh_token":"refreshtoken@@@sim-1","func_info":[{"funcscope_category":{"id":1}},{"funcscope_category":{"id":2,"type":0,"name":"x"}},{"funcscope_category":{"id":3},"confirm_info":{"need_confirm":1,"already_confirm":0,"can_confirm":1}}]}}`,
			want: wechat.Authorization{
				AuthorizerAppID: merchant, AccessToken: "87_simAAT1", RefreshToken: refresh, ExpiresIn: 2 * time.Hour,
				PermissionSets: []wechat.PermissionSet{{ID: 1}, {ID: 2}, {ID: 3, NeedConfirm: true, CanConfirm: true}},
			},
			secrets: []string{cat, code},
		},
		{
			name: "AuthorizerToken",
			call: func(ctx context.Context, c *wechat.Client) (any, error) {
				return c.AuthorizerToken(ctx, cat, simAppID, merchant, refresh)
			},
			path:    "/cgi-bin/component/api_authorizer_token",
			query:   catQuery(),
			body:    `{"component_appid":"wx0000000000000001","authorizer_appid":"wx00000000000000aa","authorizer_refresh_token":"refreshtoken@@@sim-1"}`,
			answer:  `{"authorizer_access_token":"87_simAAT2","expires_in":7200,"authorizer_refresh_token":"refreshtoken@@@sim-2"}`,
			want:    wechat.AuthorizerToken{AccessToken: "87_simAAT2", RefreshToken: "refreshtoken@@@sim-2", ExpiresIn: 2 * time.Hour},
			secrets: []string{cat, refresh},
		},
		{
			name: "AuthorizerInfo",
			call: func(ctx context.Context, c *wechat.Client) (any, error) {
				return c.AuthorizerInfo(ctx, cat, simAppID, merchant)
			},
			path:  "/cgi-bin/component/api_get_authorizer_info",
			query: catQuery(),
			body:  `{"component_appid":"wx0000000000000001","authorizer_appid":"wx00000000000000aa"}`,
			answer: `{"authorizer_info":{"nick_name":"花店","head_img":"http://wx.qlogo.cn/a/0","service_type_info":{"id":2},"verify_type_info":{"id":0},
				"user_name":"gh_0123456789ab","alias":"flowers","qrcode_url":"http://mmbiz.qpic.cn/q/0","principal_name":"花店有限公司","signature":"Flowers & more",
				"business_info":{"open_pay":1,"open_shake":0,"open_scan":0,"open_card":1,"open_store":0},"account_status":1,"register_type":0,
				"basic_config":{"is_phone_configured":true,"is_email_configured":false},"idc":1,"channels_info":{}},
				"authorization_info":{"authorizer_appid":"wx00000000000000aa","authorizer_refresh_token":"refreshtoken@@@sim-1","func_info":[{"funcscope_category":{"id":2}}]}}`,
			want: wechat.AuthorizerInfo{
				AppID: merchant, NickName: "花店", HeadImg: "http://wx.qlogo.cn/a/0", QRCodeURL: "http://mmbiz.qpic.cn/q/0", UserName: "gh_0123456789ab",
				Alias: "flowers", PrincipalName: "花店有限公司", Signature: "Flowers & more", ServiceType: 2, VerifyType: 0, AccountStatus: 1,
				Business: wechat.BusinessInfo{Pay: true, Card: true}, PhoneConfigured: true, RefreshToken: refresh,
				PermissionSets: []wechat.PermissionSet{{ID: 2}},
			},
			secrets: []string{cat},
		},
		{
			name: "AuthorizerList",
			call: func(ctx context.Context, c *wechat.Client) (any, error) {
				return c.AuthorizerList(ctx, cat, simAppID, 100, wechat.MaxAuthorizerList)
			},
			path:   "/cgi-bin/component/api_get_authorizer_list",
			query:  catQuery(),
			body:   `{"component_appid":"wx0000000000000001","offset":100,"count":500}`,
			answer: `{"total_count":2,"list":[{"authorizer_appid":"wx00000000000000aa","refresh_token":"refreshtoken@@@sim-1","auth_time":1700000000},{"authorizer_appid":"wx00000000000000bb","auth_time":1700000100}]}`,
			want: wechat.AuthorizerList{Total: 2, Items: []wechat.AuthorizerListItem{
				{AppID: merchant, RefreshToken: refresh, AuthorizedAt: time.Unix(1700000000, 0).UTC()},
				{AppID: "wx00000000000000bb", AuthorizedAt: time.Unix(1700000100, 0).UTC()},
			}},
			secrets: []string{cat},
		},
		{
			name: "ClearComponentQuota",
			call: func(ctx context.Context, c *wechat.Client) (any, error) {
				return nil, c.ClearComponentQuota(ctx, simAppID, secret, merchant)
			},
			path:    "/cgi-bin/component/clear_quota/v2",
			body:    `{"component_appid":"wx0000000000000001","appsecret":"0123456789abcdef0123456789abcdef","appid":"wx00000000000000aa"}`,
			answer:  `{"errcode":0,"errmsg":"ok"}`,
			secrets: []string{secret},
		},
		{
			name: "ClearComponentQuotaOfTheComponent",
			call: func(ctx context.Context, c *wechat.Client) (any, error) {
				return nil, c.ClearComponentQuota(ctx, simAppID, secret, "")
			},
			path:    "/cgi-bin/component/clear_quota/v2",
			body:    `{"component_appid":"wx0000000000000001","appsecret":"0123456789abcdef0123456789abcdef"}`,
			answer:  `{"errcode":0,"errmsg":"ok"}`,
			secrets: []string{secret},
		},
	}
}

func businessEndpoints() []endpoint {
	openids := []string{"oSim_A", "oSim_B"}
	return []endpoint{
		{
			name:   "BlacklistFromTheStart",
			call:   func(ctx context.Context, c *wechat.Client) (any, error) { return c.Blacklist(ctx, aat, "") },
			path:   "/cgi-bin/tags/members/getblacklist",
			query:  tokenQuery(),
			body:   `{"begin_openid":""}`,
			answer: `{"total":0,"count":0,"next_openid":""}`,
			want:   wechat.OpenIDPage{},
		},
		{
			name:   "Blacklist",
			call:   func(ctx context.Context, c *wechat.Client) (any, error) { return c.Blacklist(ctx, aat, "oSim_B") },
			path:   "/cgi-bin/tags/members/getblacklist",
			query:  tokenQuery(),
			body:   `{"begin_openid":"oSim_B"}`,
			answer: `{"total":5,"count":2,"data":{"openid":["oSim_C","oSim_D"]},"next_openid":"oSim_D"}`,
			want:   wechat.OpenIDPage{Total: 5, Count: 2, OpenIDs: []string{"oSim_C", "oSim_D"}, Next: "oSim_D"},
		},
		{
			name: "BatchBlacklist",
			call: func(ctx context.Context, c *wechat.Client) (any, error) {
				return nil, c.BatchBlacklist(ctx, aat, openids)
			},
			path:   "/cgi-bin/tags/members/batchblacklist",
			query:  tokenQuery(),
			body:   `{"openid_list":["oSim_A","oSim_B"]}`,
			answer: `{"errcode":0,"errmsg":"ok"}`,
		},
		{
			name: "BatchUnblacklist",
			call: func(ctx context.Context, c *wechat.Client) (any, error) {
				return nil, c.BatchUnblacklist(ctx, aat, openids)
			},
			path:   "/cgi-bin/tags/members/batchunblacklist",
			query:  tokenQuery(),
			body:   `{"openid_list":["oSim_A","oSim_B"]}`,
			answer: `{"errcode":0,"errmsg":"ok"}`,
		},
		{
			name:   "FollowersFromTheStart",
			call:   func(ctx context.Context, c *wechat.Client) (any, error) { return c.Followers(ctx, aat, "") },
			method: http.MethodGet,
			path:   "/cgi-bin/user/get",
			query:  tokenQuery(),
			answer: `{"total":3,"count":3,"data":{"openid":["oSim_A","oSim_B","oSim_C"]},"next_openid":"oSim_C"}`,
			want:   wechat.OpenIDPage{Total: 3, Count: 3, OpenIDs: []string{"oSim_A", "oSim_B", "oSim_C"}, Next: "oSim_C"},
		},
		{
			name:   "Followers",
			call:   func(ctx context.Context, c *wechat.Client) (any, error) { return c.Followers(ctx, aat, "oSim_C") },
			method: http.MethodGet,
			path:   "/cgi-bin/user/get",
			query:  url.Values{"access_token": {aat}, "next_openid": {"oSim_C"}},
			answer: `{"total":3,"count":0,"next_openid":""}`,
			want:   wechat.OpenIDPage{Total: 3},
		},
		{
			name:  "UserInfoBatch",
			call:  func(ctx context.Context, c *wechat.Client) (any, error) { return c.UserInfoBatch(ctx, aat, openids) },
			path:  "/cgi-bin/user/info/batchget",
			query: tokenQuery(),
			body:  `{"user_list":[{"openid":"oSim_A","lang":"zh_CN"},{"openid":"oSim_B","lang":"zh_CN"}]}`,
			answer: `{"user_info_list":[{"subscribe":1,"openid":"oSim_A","language":"zh_CN","subscribe_time":1700000000,"unionid":"uSim_A","remark":"VIP","groupid":2,
				"tagid_list":[128,2],"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":98765,"qr_scene_str":"door"},{"subscribe":0,"openid":"oSim_B"}]}`,
			want: []wechat.UserInfo{
				{
					OpenID: "oSim_A", UnionID: "uSim_A", Subscribed: true, SubscribedAt: time.Unix(1700000000, 0).UTC(), Language: "zh_CN", Remark: "VIP",
					GroupID: 2, TagIDs: []int{128, 2}, SubscribeScene: "ADD_SCENE_QR_CODE", QRScene: 98765, QRSceneStr: "door",
				},
				{OpenID: "oSim_B"},
			},
		},
		{
			name: "Quota",
			call: func(ctx context.Context, c *wechat.Client) (any, error) {
				return c.Quota(ctx, aat, "/cgi-bin/tags/members/batchblacklist")
			},
			path:   "/cgi-bin/openapi/quota/get",
			query:  tokenQuery(),
			body:   `{"cgi_path":"/cgi-bin/tags/members/batchblacklist"}`,
			answer: `{"errcode":0,"errmsg":"ok","quota":{"daily_limit":500000,"used":7,"remain":499993},"rate_limit":{"call_count":60,"refresh_second":60},"component_rate_limit":{"call_count":600,"refresh_second":1}}`,
			want: wechat.Quota{
				DailyLimit: 500000, Used: 7, Remain: 499993,
				Rate: wechat.RateLimit{Calls: 60, Per: time.Minute}, ComponentRate: wechat.RateLimit{Calls: 600, Per: time.Second},
			},
		},
		{
			name:   "ClearQuota",
			call:   func(ctx context.Context, c *wechat.Client) (any, error) { return nil, c.ClearQuota(ctx, aat, merchant) },
			path:   "/cgi-bin/clear_quota",
			query:  tokenQuery(),
			body:   `{"appid":"wx00000000000000aa"}`,
			answer: `{"errcode":0,"errmsg":"ok"}`,
		},
		{
			name: "RID",
			call: func(ctx context.Context, c *wechat.Client) (any, error) {
				return c.RID(ctx, aat, "61725984-6126f6f9-040f19c4")
			},
			path:  "/cgi-bin/openapi/rid/get",
			query: tokenQuery(),
			body:  `{"rid":"61725984-6126f6f9-040f19c4"}`,
			answer: `{"errcode":0,"errmsg":"ok","request":{"invoke_time":1700000000,"cost_in_ms":30,"request_url":"access_token=50_Im7xxxx&lang=zh_CN",
				"request_body":"{\"component_appsecret\":\"hunter22\"}","response_body":"{\"errcode\":45009,\"access_token\":\"50_other\"}","client_ip":"203.0.113.9"}}`,
			want: wechat.RIDRecord{
				InvokedAt: time.Unix(1700000000, 0).UTC(), Cost: 30 * time.Millisecond, RequestURL: "access_token=[redacted]&lang=zh_CN",
				RequestBody: `{"component_appsecret":"[redacted]"}`, ResponseBody: `{"errcode":45009,"access_token":"[redacted]"}`, ClientIP: "203.0.113.9",
			},
		},
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, e := range endpoints() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			c, f := answering(t, e.answer)
			got, err := e.call(t.Context(), c)
			require.NoError(t, err)
			require.Equal(t, e.want, got)

			method, contentType := http.MethodPost, "application/json"
			if e.method != "" {
				method, contentType = e.method, ""
			}
			query := e.query
			if query == nil {
				query = url.Values{}
			}
			require.Equal(t, []request{{method: method, path: e.path, query: query, body: e.body, contentType: contentType}}, f.calls())
		})
	}
}

func TestEndpoints_RefusedByWeChat(t *testing.T) {
	t.Parallel()
	for _, e := range endpoints() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			c, _ := answering(t, `{"errcode":45011,"errmsg":"api minute-quota reach limit  must slower  retry next minute rid: 6553f100-1a2b3c4d-0badcaf"}`)
			_, err := e.call(t.Context(), c)
			require.Equal(t, &wechat.Error{
				Path: e.path, Code: 45011, RID: "6553f100-1a2b3c4d-0badcaf",
				Message: "api minute-quota reach limit  must slower  retry next minute rid: 6553f100-1a2b3c4d-0badcaf",
			}, err)
		})
	}
}

func TestBatches_ListSize(t *testing.T) {
	t.Parallel()
	list := func(n int) []string { return strings.Split(strings.Repeat("oSim ", n), " ")[:n] }
	calls := map[string]struct {
		most int
		call func(context.Context, *wechat.Client, []string) error
	}{
		"BatchBlacklist":   {wechat.MaxBatch, func(ctx context.Context, c *wechat.Client, l []string) error { return c.BatchBlacklist(ctx, aat, l) }},
		"BatchUnblacklist": {wechat.MaxBatch, func(ctx context.Context, c *wechat.Client, l []string) error { return c.BatchUnblacklist(ctx, aat, l) }},
		"UserInfoBatch": {wechat.MaxUserInfoBatch, func(ctx context.Context, c *wechat.Client, l []string) error {
			_, err := c.UserInfoBatch(ctx, aat, l)
			return err
		}},
	}
	for name, tc := range calls {
		t.Run(name+"/RefusedAndNotSentWhenEmptyOrTooLong", func(t *testing.T) {
			t.Parallel()
			c, f := answering(t, `{}`)
			for _, l := range [][]string{nil, {}, list(tc.most + 1), list(10 * tc.most)} {
				err := tc.call(t.Context(), c, l)
				require.ErrorIs(t, err, wechat.ErrListSize)
				require.Equal(t, wechat.ClassCaller, wechat.ClassOf(err))
			}
			require.Empty(t, f.calls())
		})
		t.Run(name+"/SentUpToTheLimit", func(t *testing.T) {
			t.Parallel()
			c, f := answering(t, `{}`)
			require.NoError(t, tc.call(t.Context(), c, list(1)))
			require.NoError(t, tc.call(t.Context(), c, list(tc.most)))
			require.Len(t, f.calls(), 2)
		})
	}
}
