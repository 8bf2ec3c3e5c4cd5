package tenant

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/secret"
)

const (
	// keyPrefix marks our keys for secret scanners; what follows it is base32, 256 bits of it.
	keyPrefix = "stw_"
	// prefixLength is how much of a key we show in lists: enough to recognise it, far too little to use it.
	prefixLength = len(keyPrefix) + 6
	// lastUsedEvery bounds the writes that merely reading the API causes.
	lastUsedEvery = time.Minute
)

// The errors of keys.
var (
	// ErrUnauthenticated is the one answer to a key that is unknown, revoked or expired.
	ErrUnauthenticated = errors.New("the key is missing, unknown, revoked or expired")
	// ErrKeyExpiryPast is returned for a key that would be born expired.
	ErrKeyExpiryPast = errors.New("expires_at lies in the past")
)

// UnknownScopeError names a scope that does not exist.
type UnknownScopeError struct {
	Scope Scope
}

func (e *UnknownScopeError) Error() string {
	return fmt.Sprintf("there is no scope %q; the scopes are %q", e.Scope, AllScopes())
}

// Key is an API key without its secret. TenantID uuid.Nil: a platform key.
type Key struct {
	ID         uuid.UUID
	TenantID   uuid.UUID
	Name       string
	Prefix     string
	Scopes     []Scope
	CreatedBy  string
	CreatedAt  time.Time
	ExpiresAt  *time.Time
	LastUsedAt *time.Time
	RevokedAt  *time.Time
}

// KeyParams says what key to make. No Scopes: all that the maker may do.
type KeyParams struct {
	Name      string
	Scopes    []Scope
	ExpiresAt *time.Time
}

// CreatePlatformKey makes a key that acts on every tenant. The secret is returned this once and stored only as a hash.
func (s *Service) CreatePlatformKey(ctx context.Context, p Principal, params KeyParams) (Key, secret.String, error) {
	if err := p.AuthorizePlatform(); err != nil {
		return Key{}, secret.String{}, err
	}
	return s.createKey(ctx, p, uuid.Nil, params)
}

// CreateKey makes a key of one tenant; it never allows more than its maker may do.
// The secret is returned this once and stored only as a hash.
func (s *Service) CreateKey(ctx context.Context, p Principal, tenantID uuid.UUID, params KeyParams) (Key, secret.String, error) {
	if err := p.Authorize(tenantID, KeysWrite); err != nil {
		return Key{}, secret.String{}, err
	}
	if _, err := s.Get(ctx, p, tenantID); err != nil {
		return Key{}, secret.String{}, err
	}
	return s.createKey(ctx, p, tenantID, params)
}

func (s *Service) createKey(ctx context.Context, p Principal, tenantID uuid.UUID, params KeyParams) (Key, secret.String, error) {
	none := secret.String{}
	name, err := CleanName(params.Name)
	if err != nil {
		return Key{}, none, err
	}
	scopes, err := grantable(p, params.Scopes)
	if err != nil {
		return Key{}, none, err
	}
	now := s.now().UTC()
	if params.ExpiresAt != nil && !params.ExpiresAt.After(now) {
		return Key{}, none, ErrKeyExpiryPast
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Key{}, none, fmt.Errorf("create key: %w", err)
	}
	plain := secret.New(keyPrefix + rand.Text() + rand.Text())
	k := Key{
		ID: id, TenantID: tenantID, Name: name, Prefix: plain.Reveal()[:prefixLength], Scopes: scopes,
		CreatedBy: p.Actor(), CreatedAt: now, ExpiresAt: params.ExpiresAt,
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := insertKey(ctx, tx, k, hashKey(plain)); err != nil {
			return err
		}
		return Audit(ctx, tx, p, now, Entry{
			TenantID: tenantID, Action: "api_key.create", Target: "api_key:" + id.String(),
			Detail: map[string]any{"name": name, "prefix": k.Prefix, "scopes": scopes},
		})
	})
	if err != nil {
		return Key{}, none, fmt.Errorf("create key: %w", err)
	}
	return k, plain, nil
}

// grantable returns the scopes of a new key: the ones asked for if the maker holds them all.
func grantable(p Principal, asked []Scope) ([]Scope, error) {
	if len(asked) == 0 {
		return slices.Clone(p.Scopes), nil
	}
	for _, scope := range asked {
		if !slices.Contains(AllScopes(), scope) {
			return nil, &UnknownScopeError{Scope: scope}
		}
		if !slices.Contains(p.Scopes, scope) {
			return nil, &ScopeMissingError{Scope: scope}
		}
	}
	scopes := slices.Clone(asked)
	slices.Sort(scopes)
	return slices.Compact(scopes), nil
}

// ListKeys returns a tenant's keys, revoked ones included, oldest first. There are few of them, so they come whole.
func (s *Service) ListKeys(ctx context.Context, p Principal, tenantID uuid.UUID) ([]Key, error) {
	if err := p.Authorize(tenantID, KeysWrite); err != nil {
		return nil, err
	}
	if _, err := s.Get(ctx, p, tenantID); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE tenant_id = $1 ORDER BY id`, tenantID)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	keys, err := pgx.CollectRows(rows, scanKey)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return keys, nil
}

// RevokeKey ends a tenant's key at once; console sessions that it opened end with it. Revoking twice is not an error.
func (s *Service) RevokeKey(ctx context.Context, p Principal, tenantID, keyID uuid.UUID) error {
	if err := p.Authorize(tenantID, KeysWrite); err != nil {
		return err
	}
	now := s.now().UTC()
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE api_keys SET revoked_at = coalesce(revoked_at, $3) WHERE tenant_id = $1 AND id = $2`, tenantID, keyID, now)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrNotFound
		}
		return Audit(ctx, tx, p, now, Entry{TenantID: tenantID, Action: "api_key.revoke", Target: "api_key:" + keyID.String()})
	})
	if err != nil {
		return fmt.Errorf("revoke key: %w", err)
	}
	return nil
}

// Authenticate returns whom a key stands for, or [ErrUnauthenticated].
func (s *Service) Authenticate(ctx context.Context, plain secret.String) (Principal, error) {
	if !strings.HasPrefix(plain.Reveal(), keyPrefix) {
		return Principal{}, ErrUnauthenticated
	}
	return s.authenticateRow(ctx, `secret_hash = $1`, hashKey(plain))
}

// AuthenticateID returns whom a key stands for whose holder has shown it before: a console session keeps the id.
func (s *Service) AuthenticateID(ctx context.Context, keyID uuid.UUID) (Principal, error) {
	return s.authenticateRow(ctx, `id = $1`, keyID)
}

func (s *Service) authenticateRow(ctx context.Context, where string, arg any) (Principal, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE `+where, arg)
	if err != nil {
		return Principal{}, fmt.Errorf("authenticate: %w", err)
	}
	k, err := pgx.CollectExactlyOneRow(rows, scanKey)
	if errors.Is(err, pgx.ErrNoRows) {
		return Principal{}, ErrUnauthenticated
	}
	if err != nil {
		return Principal{}, fmt.Errorf("authenticate: %w", err)
	}
	now := s.now().UTC()
	if k.RevokedAt != nil || (k.ExpiresAt != nil && !k.ExpiresAt.After(now)) {
		return Principal{}, ErrUnauthenticated
	}
	if k.LastUsedAt == nil || now.Sub(*k.LastUsedAt) > lastUsedEvery {
		// Worth knowing, not worth failing a request for.
		if _, err := s.pool.Exec(ctx, `UPDATE api_keys SET last_used_at = $2 WHERE id = $1`, k.ID, now); err != nil {
			s.logger.WarnContext(ctx, "cannot record the use of a key", "key_id", k.ID, "error", err)
		}
	}
	kind := TenantKey
	if k.TenantID == uuid.Nil {
		kind = PlatformKey
	}
	return Principal{Kind: kind, ID: k.ID.String(), Name: k.Name, TenantID: k.TenantID, Scopes: k.Scopes}, nil
}

const keyColumns = `id, tenant_id, name, prefix, scopes, created_by, created_at, expires_at, last_used_at, revoked_at`

func scanKey(row pgx.CollectableRow) (Key, error) {
	var k Key
	var tenantID *uuid.UUID
	err := row.Scan(&k.ID, &tenantID, &k.Name, &k.Prefix, &k.Scopes, &k.CreatedBy, &k.CreatedAt, &k.ExpiresAt, &k.LastUsedAt, &k.RevokedAt)
	if tenantID != nil {
		k.TenantID = *tenantID
	}
	return k, err
}

func insertKey(ctx context.Context, tx pgx.Tx, k Key, hash []byte) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO api_keys (id, tenant_id, name, prefix, secret_hash, scopes, created_by, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		k.ID, nullable(k.TenantID), k.Name, k.Prefix, hash, k.Scopes, k.CreatedBy, k.CreatedAt, k.ExpiresAt)
	return err
}

// hashKey is plain SHA-256: a key is 256 random bits, which no dictionary holds, so a slow hash would only slow us.
func hashKey(plain secret.String) []byte {
	sum := sha256.Sum256([]byte(plain.Reveal()))
	return sum[:]
}
