package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/wechat-steward/steward/tenant"
)

// parseID turns an id of the path into a UUID. What is no UUID is no id of ours, so it is not found rather than malformed.
func parseID(id string) (uuid.UUID, error) {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return uuid.Nil, tenant.ErrNotFound
	}
	return parsed, nil
}

// nextCursor is null on the last page.
func nextCursor(next string) *string {
	if next == "" {
		return nil
	}
	return &next
}

// orZero is the value of an optional field.
func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// mapSlice never returns nil, so that an empty list is [] in JSON.
func mapSlice[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = f(a)
	}
	return out
}

// stamp gives times the one form that the contract promises: UTC, and no finer than the database keeps them, so that a thing
// shows the same time when it is made and when it is read.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func stampOrNil(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(stamp(*t))
}

func (s *server) ListTenants(ctx context.Context, req ListTenantsRequestObject) (ListTenantsResponseObject, error) {
	page, err := s.Tenants.List(ctx, principalOf(ctx), limitOf(req.Params.Limit), orZero(req.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return ListTenants200JSONResponse{Data: mapSlice(page.Tenants, tenantFrom), NextCursor: nextCursor(page.Next)}, nil
}

func (s *server) CreateTenant(ctx context.Context, req CreateTenantRequestObject) (CreateTenantResponseObject, error) {
	t, err := s.Tenants.Create(ctx, principalOf(ctx), req.Body.Name)
	if err != nil {
		return nil, err
	}
	return CreateTenant201JSONResponse(tenantFrom(t)), nil
}

func (s *server) GetTenant(ctx context.Context, req GetTenantRequestObject) (GetTenantResponseObject, error) {
	id, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	t, err := s.Tenants.Get(ctx, principalOf(ctx), id)
	if err != nil {
		return nil, err
	}
	return GetTenant200JSONResponse(tenantFrom(t)), nil
}

func (s *server) UpdateTenant(ctx context.Context, req UpdateTenantRequestObject) (UpdateTenantResponseObject, error) {
	id, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	t, err := s.Tenants.Update(ctx, principalOf(ctx), id, tenant.UpdateParams{Name: req.Body.Name, TokenHandout: req.Body.TokenHandout})
	if err != nil {
		return nil, err
	}
	return UpdateTenant200JSONResponse(tenantFrom(t)), nil
}

func (s *server) ListAPIKeys(ctx context.Context, req ListAPIKeysRequestObject) (ListAPIKeysResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	keys, err := s.Tenants.ListKeys(ctx, principalOf(ctx), tenantID)
	if err != nil {
		return nil, err
	}
	return ListAPIKeys200JSONResponse{Data: mapSlice(keys, keyFrom)}, nil
}

func (s *server) CreateAPIKey(ctx context.Context, req CreateAPIKeyRequestObject) (CreateAPIKeyResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	scopes := mapSlice(orZero(req.Body.Scopes), func(scope Scope) tenant.Scope { return tenant.Scope(scope) })
	k, plain, err := s.Tenants.CreateKey(ctx, principalOf(ctx), tenantID, tenant.KeyParams{
		Name: req.Body.Name, Scopes: scopes, ExpiresAt: req.Body.ExpiresAt,
	})
	if err != nil {
		return nil, err
	}
	return CreateAPIKey201JSONResponse{
		ID: k.ID.String(), Name: k.Name, Prefix: k.Prefix, Scopes: scopesFrom(k.Scopes), Key: plain.Reveal(),
		CreatedAt: stamp(k.CreatedAt), ExpiresAt: stampOrNil(k.ExpiresAt),
	}, nil
}

func (s *server) RevokeAPIKey(ctx context.Context, req RevokeAPIKeyRequestObject) (RevokeAPIKeyResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	keyID, err := parseID(req.KeyID)
	if err != nil {
		return nil, err
	}
	if err := s.Tenants.RevokeKey(ctx, principalOf(ctx), tenantID, keyID); err != nil {
		return nil, err
	}
	return RevokeAPIKey204Response{}, nil
}

func (s *server) ListAudit(ctx context.Context, req ListAuditRequestObject) (ListAuditResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	page, err := s.Tenants.ListAudit(ctx, principalOf(ctx), tenantID, limitOf(req.Params.Limit), orZero(req.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return ListAudit200JSONResponse{Data: mapSlice(page.Entries, auditFrom), NextCursor: nextCursor(page.Next)}, nil
}

// limitOf is the page size; the default stands in openapi.yaml too, but the generated code does not fill defaults in.
func limitOf(limit *Limit) int {
	if limit == nil {
		return 50
	}
	return *limit
}

func tenantFrom(t tenant.Tenant) Tenant {
	return Tenant{ID: t.ID.String(), Name: t.Name, Status: TenantStatus(t.Status), TokenHandout: t.TokenHandout, CreatedAt: stamp(t.CreatedAt)}
}

func keyFrom(k tenant.Key) APIKey {
	return APIKey{
		ID: k.ID.String(), Name: k.Name, Prefix: k.Prefix, Scopes: scopesFrom(k.Scopes), CreatedBy: k.CreatedBy, CreatedAt: stamp(k.CreatedAt),
		ExpiresAt: stampOrNil(k.ExpiresAt), LastUsedAt: stampOrNil(k.LastUsedAt), RevokedAt: stampOrNil(k.RevokedAt),
	}
}

func auditFrom(e tenant.AuditEntry) AuditEntry {
	return AuditEntry{
		ID: e.ID.String(), At: stamp(e.At), ActorKind: AuditEntryActorKind(e.ActorKind), ActorID: e.ActorID, ActorName: e.ActorName,
		Action: e.Action, Target: e.Target, Reason: e.Reason, RequestID: e.RequestID, Detail: e.Detail,
	}
}
