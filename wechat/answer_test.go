package wechat_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat"
)

func TestOpenIDPage_Lenient(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer string
		want   wechat.OpenIDPage
	}{
		"DataAbsent":        {`{"total":0,"count":0,"next_openid":""}`, wechat.OpenIDPage{}},
		"DataNull":          {`{"total":0,"count":0,"data":null,"next_openid":""}`, wechat.OpenIDPage{}},
		"DataEmptyObject":   {`{"total":0,"count":0,"data":{},"next_openid":""}`, wechat.OpenIDPage{}},
		"DataEmptyList":     {`{"total":0,"count":0,"data":[],"next_openid":""}`, wechat.OpenIDPage{}},
		"DataEmptyString":   {`{"total":0,"count":0,"data":"","next_openid":""}`, wechat.OpenIDPage{}},
		"OpenIDNull":        {`{"total":0,"count":0,"data":{"openid":null},"next_openid":""}`, wechat.OpenIDPage{}},
		"OpenIDEmptyList":   {`{"total":0,"count":0,"data":{"openid":[]},"next_openid":""}`, wechat.OpenIDPage{}},
		"OpenIDEmptyObject": {`{"total":0,"count":0,"data":{"openid":{}},"next_openid":""}`, wechat.OpenIDPage{}},
		"NextNull":          {`{"total":0,"count":0,"next_openid":null}`, wechat.OpenIDPage{}},
		"NextAbsent":        {`{"total":0,"count":0}`, wechat.OpenIDPage{}},
		"NothingAtAll":      {`{}`, wechat.OpenIDPage{}},
		"ErrcodeZero":       {`{"errcode":0,"errmsg":"ok","total":1,"count":1,"data":{"openid":["a"]}}`, wechat.OpenIDPage{Total: 1, Count: 1, OpenIDs: []string{"a"}}},
		"BlanksLeftOut":     {`{"total":3,"count":3,"data":{"openid":["","oSim_A"," oSim_B\r",null]}}`, wechat.OpenIDPage{Total: 3, Count: 3, OpenIDs: []string{"oSim_A", "oSim_B"}}},
		"NumbersAsStrings":  {`{"total":"23000","count":"1","data":{"openid":["a"]},"next_openid":"a"}`, wechat.OpenIDPage{Total: 23000, Count: 1, OpenIDs: []string{"a"}, Next: "a"}},
		"NumbersAsFloats":   {`{"total":2.3e4,"count":1.0,"data":{"openid":["a"]}}`, wechat.OpenIDPage{Total: 23000, Count: 1, OpenIDs: []string{"a"}}},
		"UnreadableNumbers": {`{"total":{},"count":"many","data":{"openid":["a"]}}`, wechat.OpenIDPage{OpenIDs: []string{"a"}}},
		"UnknownFields":     {`{"total":1,"count":1,"data":{"openid":["a"],"unionid":["u"]},"more":true}`, wechat.OpenIDPage{Total: 1, Count: 1, OpenIDs: []string{"a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := answering(t, tc.answer)
			got, err := c.Blacklist(t.Context(), aat, "")
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			got, err = c.Followers(t.Context(), aat, "")
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestAuthorizerInfo_Lenient(t *testing.T) {
	t.Parallel()
	none := wechat.AuthorizerInfo{AppID: merchant, VerifyType: -1}
	with := func(set func(*wechat.AuthorizerInfo)) wechat.AuthorizerInfo {
		info := none
		set(&info)
		return info
	}
	for name, tc := range map[string]struct {
		answer string
		want   wechat.AuthorizerInfo
	}{
		"Empty":           {`{"authorizer_info":{}}`, none},
		"NullEverywhere":  {`{"authorizer_info":{"nick_name":null,"service_type_info":null,"verify_type_info":null,"business_info":null,"MiniProgramInfo":null},"authorization_info":null}`, none},
		"VerifyEmpty":     {`{"authorizer_info":{"verify_type_info":{}}}`, none},
		"VerifyNull":      {`{"authorizer_info":{"verify_type_info":{"id":null}}}`, none},
		"VerifyNegative":  {`{"authorizer_info":{"verify_type_info":{"id":-1}}}`, none},
		"VerifyZero":      {`{"authorizer_info":{"verify_type_info":{"id":0}}}`, with(func(i *wechat.AuthorizerInfo) { i.VerifyType = 0 })},
		"VerifyString":    {`{"authorizer_info":{"verify_type_info":{"id":"3"}}}`, with(func(i *wechat.AuthorizerInfo) { i.VerifyType = 3 })},
		"ListsForObjects": {`{"authorizer_info":{"business_info":[],"basic_config":[],"service_type_info":[]},"authorization_info":[]}`, none},
		"FlagsAsStrings":  {`{"authorizer_info":{"business_info":{"open_pay":"1","open_scan":"0"}}}`, with(func(i *wechat.AuthorizerInfo) { i.Business.Pay = true })},
		"FlagsAsBooleans": {`{"authorizer_info":{"business_info":{"open_pay":true},"basic_config":{"is_email_configured":1}}}`, with(func(i *wechat.AuthorizerInfo) { i.Business.Pay, i.EmailConfigured = true, true })},
		"MiniProgram":     {`{"authorizer_info":{"MiniProgramInfo":{"network":{"RequestDomain":["x"]},"visit_status":0}}}`, with(func(i *wechat.AuthorizerInfo) { i.MiniProgram = true })},
		"EchoedAppID":     {`{"authorizer_info":{},"authorization_info":{"authorization_appid":"wxother","appid":"wxother"}}`, none},
		"FuncInfoNull":    {`{"authorizer_info":{},"authorization_info":{"func_info":null}}`, none},
		"FuncInfoObject":  {`{"authorizer_info":{},"authorization_info":{"func_info":{}}}`, none},
		"FuncInfoOddRows": {`{"authorizer_info":{},"authorization_info":{"func_info":[null,{},7,{"funcscope_category":null},{"funcscope_category":{"id":0}},{"funcscope_category":{"id":"2"},"confirm_info":[]}]}}`, with(func(i *wechat.AuthorizerInfo) { i.PermissionSets = []wechat.PermissionSet{{ID: 2}} })},
		"ConfirmAsStrings": {`{"authorizer_info":{},"authorization_info":{"func_info":[{"funcscope_category":{"id":3},"confirm_info":{"need_confirm":"1","already_confirm":true,"can_confirm":0}}]}}`, with(func(i *wechat.AuthorizerInfo) {
			i.PermissionSets = []wechat.PermissionSet{{ID: 3, NeedConfirm: true, AlreadyConfirm: true}}
		})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := answering(t, tc.answer)
			got, err := c.AuthorizerInfo(t.Context(), cat, simAppID, merchant)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestExpiresIn(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]time.Duration{
		`7200`: 2 * time.Hour, `"7200"`: 2 * time.Hour, `7200.0`: 2 * time.Hour, `600`: 10 * time.Minute,
		`0`: 0, `-5`: 0, `null`: 0, `"soon"`: 0, `{}`: 0,
		`9223372036854775807`: (1<<31 - 1) * time.Second, // no overflow into the past
	} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			c, _ := answering(t, `{"component_access_token":"87_a","expires_in":`+raw+`}`)
			got, err := c.ComponentToken(t.Context(), simAppID, secret, ticket)
			require.NoError(t, err)
			require.Equal(t, want, got.ExpiresIn)
		})
	}
	t.Run("Absent", func(t *testing.T) {
		t.Parallel()
		c, _ := answering(t, `{"component_access_token":"87_a"}`)
		got, err := c.ComponentToken(t.Context(), simAppID, secret, ticket)
		require.NoError(t, err)
		require.Zero(t, got.ExpiresIn)
	})
}

func TestQueryAuth_AccountWithoutAPICapability(t *testing.T) {
	t.Parallel()
	c, _ := answering(t, `{"authorization_info":{"authorizer_appid":"wx00000000000000aa","func_info":[]}}`)
	got, err := c.QueryAuth(t.Context(), cat, simAppID, code)
	require.NoError(t, err)
	require.Equal(t, wechat.Authorization{AuthorizerAppID: merchant}, got)
}

func TestAuthorizerToken_WithoutRefreshToken(t *testing.T) {
	t.Parallel()
	c, _ := answering(t, `{"authorizer_access_token":"87_b","expires_in":7200,"authorizer_refresh_token":null}`)
	got, err := c.AuthorizerToken(t.Context(), cat, simAppID, merchant, refresh)
	require.NoError(t, err)
	require.Equal(t, wechat.AuthorizerToken{AccessToken: "87_b", ExpiresIn: 2 * time.Hour}, got)
}

func TestAuthorizerList_Lenient(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer string
		want   wechat.AuthorizerList
	}{
		"Empty":       {`{"total_count":0,"list":[]}`, wechat.AuthorizerList{}},
		"Null":        {`{"total_count":0,"list":null}`, wechat.AuthorizerList{}},
		"Absent":      {`{}`, wechat.AuthorizerList{}},
		"RowNoAppID":  {`{"total_count":1,"list":[{"refresh_token":"x"}]}`, wechat.AuthorizerList{Total: 1}},
		"NoTime":      {`{"total_count":"1","list":[{"authorizer_appid":"wxaa","refresh_token":null}]}`, wechat.AuthorizerList{Total: 1, Items: []wechat.AuthorizerListItem{{AppID: "wxaa"}}}},
		"AbsurdTime":  {`{"total_count":1,"list":[{"authorizer_appid":"wxaa","auth_time":99999999999999}]}`, wechat.AuthorizerList{Total: 1, Items: []wechat.AuthorizerListItem{{AppID: "wxaa"}}}},
		"TimeAString": {`{"total_count":1,"list":[{"authorizer_appid":"wxaa","auth_time":"1700000000"}]}`, wechat.AuthorizerList{Total: 1, Items: []wechat.AuthorizerListItem{{AppID: "wxaa", AuthorizedAt: time.Unix(1700000000, 0).UTC()}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := answering(t, tc.answer)
			got, err := c.AuthorizerList(t.Context(), cat, simAppID, 0, 100)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestUserInfoBatch_Lenient(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer string
		want   []wechat.UserInfo
	}{
		"Null":     {`{"user_info_list":null}`, []wechat.UserInfo{}},
		"Absent":   {`{}`, []wechat.UserInfo{}},
		"OddRows":  {`{"user_info_list":[null,[],{},{"openid":""},{"openid":"a"}]}`, []wechat.UserInfo{{OpenID: "a"}}},
		"Strings":  {`{"user_info_list":[{"openid":"a","subscribe":"1","subscribe_time":"1700000000","groupid":"0","tagid_list":["1",2],"qr_scene":""}]}`, []wechat.UserInfo{{OpenID: "a", Subscribed: true, SubscribedAt: time.Unix(1700000000, 0).UTC(), TagIDs: []int{1, 2}}}},
		"TagsNull": {`{"user_info_list":[{"openid":"a","tagid_list":null,"unionid":null}]}`, []wechat.UserInfo{{OpenID: "a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := answering(t, tc.answer)
			got, err := c.UserInfoBatch(t.Context(), aat, []string{"a"})
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestQuotaAndRID_Lenient(t *testing.T) {
	t.Parallel()
	c, _ := answering(t, `{"errcode":0,"quota":null,"rate_limit":[],"request":null}`)
	quota, err := c.Quota(t.Context(), aat, "/cgi-bin/user/get")
	require.NoError(t, err)
	require.Zero(t, quota)
	record, err := c.RID(t.Context(), aat, "a-b-c")
	require.NoError(t, err)
	require.Zero(t, record)
}

// An answer that claims success and lacks what was asked for must not become an empty token in somebody's database.
func TestAnswers_WithoutTheFieldThatMatters(t *testing.T) {
	t.Parallel()
	for name, missing := range map[string]string{
		"ComponentToken":    "component_access_token",
		"CreatePreAuthCode": "pre_auth_code",
		"QueryAuth":         "authorizer_appid",
		"AuthorizerToken":   "authorizer_access_token",
		"AuthorizerInfo":    "authorizer_info",
	} {
		for _, e := range endpoints() {
			if e.name != name {
				continue
			}
			for _, answer := range []string{`{}`, `{"errcode":0,"errmsg":"ok"}`, `{"` + missing + `":null}`, `{"authorization_info":null}`, `{"expires_in":7200}`} {
				t.Run(name+"/"+answer, func(t *testing.T) {
					t.Parallel()
					c, _ := answering(t, answer)
					_, err := e.call(t.Context(), c)
					var broken *wechat.TransportError
					require.True(t, errors.As(err, &broken), "%v", err)
					require.ErrorContains(t, err, "the answer has no "+missing)
				})
			}
		}
	}
}
