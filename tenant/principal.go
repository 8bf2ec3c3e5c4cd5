// Package tenant knows who may act: tenants (the merchants' companies), the keys their systems and our staff use,
// what each may do, and the audit trail of what they did.
//
// It knows nothing of WeChat.
package tenant

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// Kind tells what sort of somebody a [Principal] is.
type Kind string

// The kinds of principal.
const (
	PlatformKey Kind = "platform_key" // a key of the service provider: acts on every tenant
	TenantKey   Kind = "tenant_key"   // a key of one tenant
	SystemKind  Kind = "system"       // Steward itself: sweeps and jobs
	Merchant    Kind = "merchant"     // somebody who opened a connect link
)

// Scope is one thing that a tenant's key may be allowed to do.
type Scope string

// The scopes.
const (
	AuthorizersRead   Scope = "authorizers:read"
	AuthorizersWrite  Scope = "authorizers:write"
	TokensRead        Scope = "tokens:read" // only where the tenant may be handed tokens at all
	ConnectLinksWrite Scope = "connect-links:write"
	FollowersRead     Scope = "followers:read"
	BlacklistRead     Scope = "blacklist:read"
	BlacklistWrite    Scope = "blacklist:write"
	KeysWrite         Scope = "keys:write"
	AuditRead         Scope = "audit:read"
)

// AllScopes returns every scope: what a key may do when nobody said less.
func AllScopes() []Scope {
	return []Scope{AuthorizersRead, AuthorizersWrite, TokensRead, ConnectLinksWrite, FollowersRead, BlacklistRead, BlacklistWrite, KeysWrite, AuditRead}
}

// ErrNotFound is the answer for a row that does not exist and for a row of another tenant alike:
// nobody learns from us which ids others have.
var ErrNotFound = errors.New("not found")

// ErrTokenHandoutOff is returned where a tenant's systems ask for access tokens, and the service provider has not allowed it.
var ErrTokenHandoutOff = errors.New("access tokens are not handed out to this tenant's systems")

// ErrPlatformOnly is returned where only the service provider's own keys may act.
var ErrPlatformOnly = errors.New("only a platform key may do this")

// ScopeMissingError says which scope the caller's key lacks.
type ScopeMissingError struct {
	Scope Scope
}

func (e *ScopeMissingError) Error() string {
	return fmt.Sprintf("this key lacks the scope %q", e.Scope)
}

// Principal is whoever acts. It is the first argument after ctx of everything that acts.
type Principal struct {
	Kind      Kind
	ID        string    // the key's id, or the name of the part of Steward that acts
	Name      string    // for people to read
	TenantID  uuid.UUID // uuid.Nil: every tenant
	Scopes    []Scope
	RequestID string // ends up in the audit entry
}

// System is Steward itself, acting by itself; name says which part of it.
func System(name string) Principal {
	return Principal{Kind: SystemKind, ID: name, Name: "Steward", Scopes: AllScopes()}
}

// AsMerchant is somebody who came through a connect link and acts for that link's tenant.
func AsMerchant(tenantID uuid.UUID, linkID uuid.UUID) Principal {
	return Principal{Kind: Merchant, ID: linkID.String(), Name: "connect link", TenantID: tenantID}
}

// Actor is how entries and batches name the principal: "name (kind)".
func (p Principal) Actor() string {
	return fmt.Sprintf("%s (%s)", p.Name, p.Kind)
}

// IsPlatform tells whether p acts for the service provider.
func (p Principal) IsPlatform() bool {
	return p.Kind == PlatformKey || p.Kind == SystemKind
}

// Authorize returns nil if p may use scope on that tenant, [ErrNotFound] if the tenant is not p's,
// and a [*ScopeMissingError] if it is p's but p's key may not do that.
func (p Principal) Authorize(tenantID uuid.UUID, scope Scope) error {
	if tenantID == uuid.Nil || (!p.IsPlatform() && p.TenantID != tenantID) {
		return ErrNotFound
	}
	if !slices.Contains(p.Scopes, scope) {
		return &ScopeMissingError{Scope: scope}
	}
	return nil
}

// AuthorizePlatform returns nil if p acts for the service provider, else [ErrPlatformOnly].
func (p Principal) AuthorizePlatform() error {
	if !p.IsPlatform() {
		return ErrPlatformOnly
	}
	return nil
}
