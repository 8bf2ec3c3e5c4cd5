package authorizer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wechat-steward/steward/tenant"
)

// linkKey is the primary key of connect_links.
type linkKey struct {
	tenantID, id uuid.UUID
}

// linkRow is a connect link with what only we need to know of it.
type linkRow struct {
	ConnectLink
	tenantName   string
	usedCodeHash []byte
}

func (l linkRow) usedBy(code string) bool { return bytes.Equal(l.usedCodeHash, hash(code)) }

const selectLinks = `
	SELECT l.id, l.tenant_id, l.component_appid, l.appid, l.auth_type, l.return_url, l.created_by, l.created_at, l.expires_at,
		l.used_at, l.authorizer_id, coalesce(a.appid, ''), l.used_code_hash, t.name
	FROM connect_links l JOIN tenants t ON t.id = l.tenant_id LEFT JOIN authorizers a ON a.id = l.authorizer_id`

func scanLink(row pgx.CollectableRow) (linkRow, error) {
	var l linkRow
	var authorizerID *uuid.UUID
	err := row.Scan(&l.ID, &l.TenantID, &l.ComponentAppID, &l.AppID, &l.AuthType, &l.ReturnURL, &l.CreatedBy, &l.CreatedAt, &l.ExpiresAt,
		&l.UsedAt, &authorizerID, &l.AuthorizerAppID, &l.usedCodeHash, &l.tenantName)
	if authorizerID != nil {
		l.AuthorizerID = *authorizerID
	}
	l.CreatedAt, l.ExpiresAt, l.UsedAt = l.CreatedAt.UTC(), l.ExpiresAt.UTC(), utc(l.UsedAt)
	return l, err
}

func insertLink(ctx context.Context, tx pgx.Tx, l ConnectLink, stateHash []byte) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO connect_links (id, tenant_id, component_appid, state_hash, appid, auth_type, return_url, created_by, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		l.ID, l.TenantID, l.ComponentAppID, stateHash, l.AppID, l.AuthType, l.ReturnURL, l.CreatedBy, l.CreatedAt, l.ExpiresAt)
	if violated, ok := errors.AsType[*pgconn.PgError](err); ok && violated.ConstraintName == "connect_links_tenant_id_fkey" {
		return tenant.ErrNotFound
	}
	return err
}

func (s *Service) linkByState(ctx context.Context, state string) (linkRow, error) {
	link, err := readLink(ctx, s.pool, `WHERE l.state_hash = $1`, hash(state))
	if errors.Is(err, pgx.ErrNoRows) {
		return linkRow{}, ErrLinkUnknown
	}
	if err != nil {
		return linkRow{}, fmt.Errorf("find connect link: %w", err)
	}
	return link, nil
}

func readLink(ctx context.Context, db querier, where string, args ...any) (linkRow, error) {
	rows, err := db.Query(ctx, selectLinks+` `+where, args...)
	if err != nil {
		return linkRow{}, err
	}
	return pgx.CollectExactlyOneRow(rows, scanLink)
}

// lockLink reads a link and keeps others from using it until the transaction ends.
func lockLink(ctx context.Context, tx pgx.Tx, key linkKey) (linkRow, error) {
	link, err := readLink(ctx, tx, `WHERE l.tenant_id = $1 AND l.id = $2 FOR NO KEY UPDATE OF l`, key.tenantID, key.id)
	if errors.Is(err, pgx.ErrNoRows) {
		return linkRow{}, ErrLinkUnknown
	}
	return link, err
}

func useLink(ctx context.Context, tx pgx.Tx, link linkRow, authorizerID uuid.UUID, codeHash []byte, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE connect_links SET used_at = $3, authorizer_id = $4, used_code_hash = $5 WHERE tenant_id = $1 AND id = $2`,
		link.TenantID, link.ID, now, authorizerID, codeHash)
	return err
}

// unused tells whether a link of ours still waits for its merchant.
func (s *Service) unused(ctx context.Context, tenantID, id uuid.UUID) bool {
	var unused bool
	err := s.pool.QueryRow(ctx, `SELECT used_at IS NULL FROM connect_links WHERE tenant_id = $1 AND id = $2`, tenantID, id).Scan(&unused)
	return err == nil && unused
}

func (s *Service) rememberPreAuthCode(ctx context.Context, link linkRow, code string, now time.Time) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO connect_link_codes (component_appid, pre_auth_code_hash, tenant_id, link_id, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (component_appid, pre_auth_code_hash) DO UPDATE SET tenant_id = excluded.tenant_id, link_id = excluded.link_id`,
		link.ComponentAppID, hash(code), link.TenantID, link.ID, now)
	return err
}

// linkByPreAuthCode returns the link that a pre-auth code was fetched for; nil if it was none of ours.
func (s *Service) linkByPreAuthCode(ctx context.Context, componentAppID, code string) (*linkKey, error) {
	var key linkKey
	err := s.pool.QueryRow(ctx, `SELECT tenant_id, link_id FROM connect_link_codes WHERE component_appid = $1 AND pre_auth_code_hash = $2`,
		componentAppID, hash(code)).Scan(&key.tenantID, &key.id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the link of a pre-auth code: %w", err)
	}
	return &key, nil
}
