package wechat

import (
	"context"
	"time"
)

const (
	pathComponentToken  = "/cgi-bin/component/api_component_token" // a path
	pathStartPushTicket = "/cgi-bin/component/api_start_push_ticket"
	pathPreAuthCode     = "/cgi-bin/component/api_create_preauthcode"
	pathQueryAuth       = "/cgi-bin/component/api_query_auth"
	pathAuthorizerToken = "/cgi-bin/component/api_authorizer_token" // a path
	pathAuthorizerInfo  = "/cgi-bin/component/api_get_authorizer_info"
	pathAuthorizerList  = "/cgi-bin/component/api_get_authorizer_list"
)

// MaxAuthorizerList is the largest count that WeChat takes in [Client.AuthorizerList].
const MaxAuthorizerList = 500

// Token is a component_access_token.
type Token struct {
	Value string `json:"-"`
	// ExpiresIn is from the answer on, usually two hours; 0 where WeChat did not say.
	ExpiresIn time.Duration
}

// PreAuthCode opens the consent page once.
type PreAuthCode struct {
	Code string `json:"-"`
	// ExpiresIn is from the answer on, ten or thirty minutes; 0 where WeChat did not say.
	ExpiresIn time.Duration
}

// Authorization is what an authorization code was exchanged for.
type Authorization struct {
	AuthorizerAppID string
	// AccessToken and RefreshToken are empty where the account has no API capability at all.
	AccessToken  string `json:"-"`
	RefreshToken string `json:"-"`
	// ExpiresIn is the life of AccessToken from the answer on; 0 where WeChat did not say.
	ExpiresIn time.Duration
	// PermissionSets are those that the account ticked, which may be fewer than those asked for.
	PermissionSets []PermissionSet
}

// PermissionSet is one granted permission set (权限集). NeedConfirm and its neighbours are about the few sets that
// want a confirmation apart from the grant.
type PermissionSet struct {
	ID             int
	NeedConfirm    bool
	AlreadyConfirm bool
	CanConfirm     bool
}

// AuthorizerToken is a renewed authorizer_access_token.
type AuthorizerToken struct {
	AccessToken string `json:"-"`
	// RefreshToken is usually the one that was sent. If it is another, the one sent dies within minutes: store it before
	// AccessToken is used. Empty means that WeChat sent none, and the one sent stands.
	RefreshToken string `json:"-"`
	// ExpiresIn is from the answer on, usually two hours; 0 where WeChat did not say.
	ExpiresIn time.Duration
}

// AuthorizerInfo is the profile of an account that authorized the component.
type AuthorizerInfo struct {
	// AppID is the appid that was asked for; WeChat echoes it under a different name in each version.
	AppID    string
	NickName string
	// HeadImg and QRCodeURL are URLs of images, on hosts of WeChat; both may be empty.
	HeadImg   string
	QRCodeURL string
	// UserName is the original id, gh_…, which messages carry as ToUserName.
	UserName string
	// Alias is the WeChat id, often empty.
	Alias string
	// PrincipalName is the legal entity.
	PrincipalName string
	// Signature is how the account describes itself.
	Signature string
	// ServiceType of an official account is 0 for a subscription account, 1 for one upgraded from an older kind, 2 for a
	// service account.
	ServiceType int
	// VerifyType is -1 for not verified, 0 for verified by WeChat, 1 to 5 for older or partial verifications; -1 also
	// where WeChat did not say.
	VerifyType int
	// AccountStatus is 1 for normal, 14 cancelled, 16 banned, 18 warned, 19 frozen; 0 where WeChat did not say.
	AccountStatus int
	// RegisterType tells how a mini program came to be.
	RegisterType int
	// MiniProgram is true for mini programs, false for official accounts.
	MiniProgram     bool
	Business        BusinessInfo
	PhoneConfigured bool
	EmailConfigured bool
	// RefreshToken serves to recover a lost one; it may be empty.
	RefreshToken string `json:"-"`
	// PermissionSets are those granted, whether or not the account has the capability itself.
	PermissionSets []PermissionSet
}

// BusinessInfo says which businesses of WeChat an account opened.
type BusinessInfo struct{ Store, Scan, Pay, Card, Shake bool }

// AuthorizerList is one page of the accounts that authorized the component.
type AuthorizerList struct {
	// Total counts all of them, not this page.
	Total int
	Items []AuthorizerListItem
}

// AuthorizerListItem is one account in an [AuthorizerList].
type AuthorizerListItem struct {
	AppID string
	// RefreshToken is empty where the authorization code was never exchanged, and now and then for no known reason.
	RefreshToken string `json:"-"`
	// AuthorizedAt is in UTC; zero where WeChat did not say.
	AuthorizedAt time.Time
}

// ComponentToken fetches a new component_access_token with the newest component_verify_ticket. The one before must be
// taken for dead from then on, and fetches are limited per day.
//
// WeChat's page: 获取令牌 (api_component_token),
// https://developers.weixin.qq.com/doc/oplatform/openApi/ticket-token/api_getcomponentaccesstoken.html
func (c *Client) ComponentToken(ctx context.Context, appid, appsecret, ticket string) (Token, error) {
	body := struct {
		AppID  string `json:"component_appid"`
		Secret string `json:"component_appsecret"`
		Ticket string `json:"component_verify_ticket"`
	}{appid, appsecret, ticket}
	var out componentTokenAnswer
	if err := c.post(ctx, pathComponentToken, secretsOnly(appsecret, ticket), body, &out); err != nil {
		return Token{}, err
	}
	return Token{Value: out.Token, ExpiresIn: out.ExpiresIn.seconds()}, nil
}

// StartPushTicket asks WeChat to push component_verify_tickets again; the first comes within ten minutes.
//
// WeChat's page: 启动票据推送服务 (api_start_push_ticket),
// https://developers.weixin.qq.com/doc/oplatform/openApi/ticket-token/api_startpushticket.html
func (c *Client) StartPushTicket(ctx context.Context, appid, appsecret string) error {
	body := struct {
		AppID  string `json:"component_appid"`
		Secret string `json:"component_secret"` // here, and only here, not component_appsecret
	}{appid, appsecret}
	return c.post(ctx, pathStartPushTicket, secretsOnly(appsecret), body, nil)
}

// CreatePreAuthCode fetches a pre-auth code for one visit of one person to the consent page.
//
// WeChat's page: 获取预授权码 (api_create_preauthcode),
// https://developers.weixin.qq.com/doc/oplatform/en/openApi/OpenApiDoc/ticket-token/getPreAuthCode.html
func (c *Client) CreatePreAuthCode(ctx context.Context, cat, componentAppID string) (PreAuthCode, error) {
	body := struct {
		AppID string `json:"component_appid"`
	}{componentAppID}
	var out preAuthCodeAnswer
	if err := c.post(ctx, pathPreAuthCode, componentCredential(cat), body, &out); err != nil {
		return PreAuthCode{}, err
	}
	return PreAuthCode{Code: out.Code, ExpiresIn: out.ExpiresIn.seconds()}, nil
}

// QueryAuth exchanges an authorization code for the tokens and permission sets of the account that authorized. An old
// refresh token of that account is dead from then on.
//
// WeChat's page: 获取刷新令牌 (api_query_auth),
// https://developers.weixin.qq.com/doc/oplatform/en/openApi/OpenApiDoc/ticket-token/getAuthorizerRefreshToken.html
func (c *Client) QueryAuth(ctx context.Context, cat, componentAppID, code string) (Authorization, error) {
	body := struct {
		AppID string `json:"component_appid"`
		Code  string `json:"authorization_code"`
	}{componentAppID, code}
	var out queryAuthAnswer
	if err := c.post(ctx, pathQueryAuth, componentCredential(cat, code), body, &out); err != nil {
		return Authorization{}, err
	}
	info := out.Info.value
	return Authorization{
		AuthorizerAppID: info.AppID,
		AccessToken:     info.AccessToken,
		RefreshToken:    info.RefreshToken,
		ExpiresIn:       info.ExpiresIn.seconds(),
		PermissionSets:  info.FuncInfo,
	}, nil
}

// AuthorizerToken renews the authorizer_access_token of one account. 61003 means that the account took its
// authorization back, 61023 that refreshToken is not its refresh token.
//
// WeChat's page: 获取授权账号调用令牌 (api_authorizer_token),
// https://developers.weixin.qq.com/doc/oplatform/en/openApi/OpenApiDoc/ticket-token/getAuthorizerAccessToken.html
func (c *Client) AuthorizerToken(ctx context.Context, cat, componentAppID, appid, refreshToken string) (AuthorizerToken, error) {
	body := struct {
		ComponentAppID string `json:"component_appid"`
		AppID          string `json:"authorizer_appid"`
		RefreshToken   string `json:"authorizer_refresh_token"`
	}{componentAppID, appid, refreshToken}
	var out authorizerTokenAnswer
	if err := c.post(ctx, pathAuthorizerToken, componentCredential(cat, refreshToken), body, &out); err != nil {
		return AuthorizerToken{}, err
	}
	return AuthorizerToken{AccessToken: out.AccessToken, RefreshToken: out.RefreshToken, ExpiresIn: out.ExpiresIn.seconds()}, nil
}

// AuthorizerInfo reads the profile of one account, the permission sets it granted and its refresh token.
//
// WeChat's page: 获取授权账号详情 (api_get_authorizer_info),
// https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/authorization-management/getAuthorizerInfo.html
func (c *Client) AuthorizerInfo(ctx context.Context, cat, componentAppID, appid string) (AuthorizerInfo, error) {
	body := struct {
		ComponentAppID string `json:"component_appid"`
		AppID          string `json:"authorizer_appid"`
	}{componentAppID, appid}
	var out authorizerInfoAnswer
	out.Profile.value.Verify.value.ID = -1
	if err := c.post(ctx, pathAuthorizerInfo, componentCredential(cat), body, &out); err != nil {
		return AuthorizerInfo{}, err
	}
	info := out.Profile.value.info()
	info.AppID = appid
	info.RefreshToken = out.Authorization.value.RefreshToken
	info.PermissionSets = out.Authorization.value.FuncInfo
	return info, nil
}

// AuthorizerList reads count accounts (at most 500) from offset on, in no defined order. Rows shift while it is paged,
// so an absent row proves nothing, and neither does a present one: WeChat lists some accounts that took their
// authorization back.
//
// WeChat's page: 拉取已授权的账号信息 (api_get_authorizer_list),
// https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/authorization-management/getAuthorizerList.html
func (c *Client) AuthorizerList(ctx context.Context, cat, componentAppID string, offset, count int) (AuthorizerList, error) {
	body := struct {
		AppID  string `json:"component_appid"`
		Offset int    `json:"offset"`
		Count  int    `json:"count"`
	}{componentAppID, offset, count}
	var out struct {
		Total lenientInt `json:"total_count"`
		List  []struct {
			AppID        string     `json:"authorizer_appid"`
			RefreshToken string     `json:"refresh_token"`
			AuthTime     lenientInt `json:"auth_time"`
		} `json:"list"`
	}
	if err := c.post(ctx, pathAuthorizerList, componentCredential(cat), body, &out); err != nil {
		return AuthorizerList{}, err
	}
	list := AuthorizerList{Total: int(out.Total)}
	for _, row := range out.List {
		if row.AppID != "" {
			list.Items = append(list.Items, AuthorizerListItem{AppID: row.AppID, RefreshToken: row.RefreshToken, AuthorizedAt: row.AuthTime.time()})
		}
	}
	return list, nil
}
