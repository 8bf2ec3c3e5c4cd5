package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/tenant"
)

func (s *server) GetMe(ctx context.Context, _ GetMeRequestObject) (GetMeResponseObject, error) {
	return GetMe200JSONResponse(meFrom(principalOf(ctx))), nil
}

func (s *server) CreateSession(ctx context.Context, req CreateSessionRequestObject) (CreateSessionResponseObject, error) {
	p, err := s.Tenants.Authenticate(ctx, secret.New(req.Body.Key))
	if err != nil {
		return nil, err
	}
	// A new token on every sign-in: one that somebody planted before is worth nothing.
	if err := s.sessions.RenewToken(ctx); err != nil {
		return nil, err
	}
	s.sessions.Put(ctx, sessionKeyID, p.ID)
	token, _, err := s.sessions.Commit(ctx)
	if err != nil {
		return nil, err
	}
	return CreateSession200JSONResponse{Body: meFrom(p), Headers: CreateSession200ResponseHeaders{SetCookie: new(s.cookie(token))}}, nil
}

func (s *server) DeleteSession(ctx context.Context, _ DeleteSessionRequestObject) (DeleteSessionResponseObject, error) {
	if err := s.sessions.Destroy(ctx); err != nil {
		return nil, err
	}
	return DeleteSession204Response{Headers: DeleteSession204ResponseHeaders{SetCookie: new(s.cookie(""))}}, nil
}

func meFrom(p tenant.Principal) Me {
	me := Me{Kind: MeKind(p.Kind), Name: p.Name, Scopes: scopesFrom(p.Scopes)}
	if p.TenantID != uuid.Nil {
		me.TenantID = new(p.TenantID.String())
	}
	return me
}

func scopesFrom(scopes []tenant.Scope) []Scope {
	out := make([]Scope, len(scopes))
	for i, scope := range scopes {
		out[i] = Scope(scope)
	}
	return out
}
