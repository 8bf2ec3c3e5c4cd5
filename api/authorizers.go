package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/token"
	"github.com/wechat-steward/steward/wechat"
)

func (s *server) ListAuthorizers(ctx context.Context, req ListAuthorizersRequestObject) (ListAuthorizersResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	page, err := s.Authorizers.List(ctx, principalOf(ctx), tenantID, authorizer.ListParams{
		State: authorizer.State(orZero(req.Params.State)), Health: token.HealthStatus(orZero(req.Params.Health)), Query: orZero(req.Params.Q),
		Limit: limitOf(req.Params.Limit), Cursor: orZero(req.Params.Cursor),
	})
	if err != nil {
		return nil, err
	}
	return ListAuthorizers200JSONResponse{Data: mapSlice(page.Accounts, accountFrom), NextCursor: nextCursor(page.Next)}, nil
}

func (s *server) GetAuthorizer(ctx context.Context, req GetAuthorizerRequestObject) (GetAuthorizerResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	account, err := s.Authorizers.Get(ctx, principalOf(ctx), tenantID, req.Appid)
	if err != nil {
		return nil, err
	}
	return GetAuthorizer200JSONResponse(accountFrom(account)), nil
}

func (s *server) RenewAuthorizer(ctx context.Context, req RenewAuthorizerRequestObject) (RenewAuthorizerResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	account, err := s.Authorizers.RenewNow(ctx, principalOf(ctx), tenantID, req.Appid)
	if err != nil {
		return nil, err
	}
	return RenewAuthorizer200JSONResponse(accountFrom(account)), nil
}

func (s *server) GetAccessToken(ctx context.Context, req GetAccessTokenRequestObject) (GetAccessTokenResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	handed, err := s.Authorizers.HandOutToken(ctx, principalOf(ctx), tenantID, req.Appid)
	if err != nil {
		return nil, err
	}
	return GetAccessToken200JSONResponse{
		// For caches older than Cache-Control, as RFC 6749 wants it of whoever hands out tokens.
		Headers: GetAccessToken200ResponseHeaders{Pragma: "no-cache"},
		Body: AccessToken{
			AccessToken: handed.Value.Reveal(), ExpiresIn: int(handed.ExpiresIn / time.Second), ExpiresAt: stamp(handed.ExpiresAt),
		},
	}, nil
}

func (s *server) ListUnclaimedAuthorizers(ctx context.Context, req ListUnclaimedAuthorizersRequestObject) (ListUnclaimedAuthorizersResponseObject, error) {
	page, err := s.Authorizers.Unclaimed(ctx, principalOf(ctx), authorizer.PageParams{
		Limit: limitOf(req.Params.Limit), Cursor: orZero(req.Params.Cursor),
	})
	if err != nil {
		return nil, err
	}
	return ListUnclaimedAuthorizers200JSONResponse{Data: mapSlice(page.Accounts, accountFrom), NextCursor: nextCursor(page.Next)}, nil
}

func (s *server) ClaimAuthorizer(ctx context.Context, req ClaimAuthorizerRequestObject) (ClaimAuthorizerResponseObject, error) {
	tenantID, err := parseID(req.Body.TenantID)
	if err != nil {
		return nil, err
	}
	componentAppID := orZero(req.Body.ComponentAppid)
	if componentAppID == "" {
		if componentAppID, err = s.onlyComponent(ctx); err != nil {
			return nil, err
		}
	}
	account, err := s.Authorizers.Claim(ctx, principalOf(ctx), componentAppID, req.Appid, tenantID)
	if err != nil {
		return nil, err
	}
	return ClaimAuthorizer200JSONResponse(accountFrom(account)), nil
}

// onlyComponent is the one that a caller need not name.
func (s *server) onlyComponent(ctx context.Context) (string, error) {
	components, err := s.Components.List(ctx, principalOf(ctx))
	if err != nil {
		return "", err
	}
	switch len(components) {
	case 0:
		return "", authorizer.ErrNoComponent
	case 1:
		return components[0].AppID, nil
	}
	return "", &authorizer.ComponentChoiceError{
		AppIDs: mapSlice(components, func(c component.Component) string { return c.AppID }),
	}
}

func (s *server) ListConnectLinks(ctx context.Context, req ListConnectLinksRequestObject) (ListConnectLinksResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	page, err := s.Authorizers.ListConnectLinks(ctx, principalOf(ctx), tenantID, authorizer.PageParams{
		Limit: limitOf(req.Params.Limit), Cursor: orZero(req.Params.Cursor),
	})
	if err != nil {
		return nil, err
	}
	return ListConnectLinks200JSONResponse{Data: mapSlice(page.Links, linkFrom), NextCursor: nextCursor(page.Next)}, nil
}

func (s *server) CreateConnectLink(ctx context.Context, req CreateConnectLinkRequestObject) (CreateConnectLinkResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	body := orZero(req.Body)
	link, err := s.Authorizers.CreateConnectLink(ctx, principalOf(ctx), tenantID, authorizer.ConnectLinkParams{
		ComponentAppID: orZero(body.ComponentAppid), AppID: orZero(body.Appid), AuthType: authType(body.AccountType),
		ReturnURL: orZero(body.ReturnURL), ExpiresIn: time.Duration(orZero(body.ExpiresIn)) * time.Second,
	})
	if err != nil {
		return nil, err
	}
	return CreateConnectLink201JSONResponse{ID: link.ID.String(), URL: link.URL, ExpiresAt: stamp(link.ExpiresAt)}, nil
}

// authType is WeChat's number for the kinds of account that its consent page offers.
func authType(kind *ConnectLinkRequestAccountType) int {
	switch orZero(kind) {
	case ConnectLinkRequestAccountTypeMiniProgram:
		return wechat.AuthTypeMiniProgram
	case ConnectLinkRequestAccountTypeAny:
		return wechat.AuthTypeBoth
	default:
		return wechat.AuthTypeOfficialAccount
	}
}

func accountFrom(a authorizer.Account) Authorizer {
	out := Authorizer{
		Appid: a.AppID, ComponentAppid: a.ComponentAppID, NickName: a.NickName, State: AuthorizerState(a.State), StateReason: a.StateReason,
		PermissionSets: setsFrom(authorizer.DescribePermissionSets(a.PermissionSets)), CanBlacklist: a.May(authorizer.OpBlacklist),
		Warnings:    mapSlice(a.Warnings, func(w string) string { return w }),
		ServiceType: a.ServiceType, VerifyType: a.VerifyType, AccountStatus: a.AccountStatus, PrincipalName: a.PrincipalName,
		UserName: a.UserName, Alias: a.Alias, HeadImg: a.HeadImg, QrcodeURL: a.QRCodeURL, MiniProgram: a.MiniProgram,
		AuthorizedAt: stamp(a.AuthorizedAt), RevokedAt: stampOrNil(a.RevokedAt),
		Token:  TokenStatus{ExpiresAt: stampOrNil(a.Token.ExpiresAt), RenewedAt: stampOrNil(a.Token.RenewedAt), LastError: tokenErrorFrom(a.Health.LastError)},
		Health: healthFrom(a.Health),
	}
	if a.TenantID != uuid.Nil {
		out.TenantID = new(a.TenantID.String())
	}
	return out
}

func healthFrom(h token.Health) TokenHealth {
	return TokenHealth{
		Status: HealthStatus(h.Status), FailingSince: stampOrNil(h.FailingSince), Attempts: h.Attempts, NextAttemptAt: stampOrNil(h.NextAttemptAt),
		LastError: tokenErrorFrom(h.LastError), RefusedEarly: h.RefusedEarly, RefusedEarlyAt: stampOrNil(h.RefusedEarlyAt),
	}
}

func tokenErrorFrom(e *token.Failure) *TokenError {
	if e == nil {
		return nil
	}
	return &TokenError{Errcode: e.Code, Message: e.Message, Rid: e.RID, At: stamp(e.At), Advice: e.Advice}
}

func setsFrom(sets []authorizer.PermissionSetName) []PermissionSet {
	return mapSlice(sets, func(set authorizer.PermissionSetName) PermissionSet {
		return PermissionSet{ID: set.ID, NameZh: set.NameZH, NameEn: set.NameEN}
	})
}

func linkFrom(l authorizer.ConnectLink) ConnectLink {
	link := ConnectLink{
		ID: l.ID.String(), ComponentAppid: l.ComponentAppID, CreatedBy: l.CreatedBy, CreatedAt: stamp(l.CreatedAt), ExpiresAt: stamp(l.ExpiresAt), UsedAt: stampOrNil(l.UsedAt),
	}
	if l.AppID != "" {
		link.Appid = &l.AppID
	}
	if l.AuthorizerAppID != "" {
		link.AuthorizerAppid = &l.AuthorizerAppID
	}
	return link
}
