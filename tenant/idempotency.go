package tenant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// IdempotencyWindow is how long an Idempotency-Key is remembered.
const IdempotencyWindow = 24 * time.Hour

// ErrIdempotencyKeyReused is returned when a key comes again with another request.
var ErrIdempotencyKeyReused = errors.New("this Idempotency-Key was used within the last 24 hours for another request")

// ClaimIdempotencyKey ties key to resultID in the transaction that makes the result. If an equal request (same
// fingerprint) has claimed the key before, it returns the id of what came of that one and true, and the caller makes nothing.
// A request that holds the same key at this moment is waited for.
func ClaimIdempotencyKey(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID, key string, fingerprint []byte, resultID uuid.UUID, now time.Time) (uuid.UUID, bool, error) {
	if _, err := tx.Exec(ctx, `DELETE FROM idempotency_keys WHERE tenant_id = $1 AND key = $2 AND created_at < $3`,
		tenantID, key, now.Add(-IdempotencyWindow)); err != nil {
		return uuid.Nil, false, fmt.Errorf("claim idempotency key: %w", err)
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO idempotency_keys (tenant_id, key, fingerprint, result_id, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant_id, key) DO NOTHING`, tenantID, key, fingerprint, resultID, now)
	if err != nil {
		return uuid.Nil, false, fmt.Errorf("claim idempotency key: %w", err)
	}
	if tag.RowsAffected() == 1 {
		return resultID, false, nil
	}
	var former uuid.UUID
	var same bool
	if err := tx.QueryRow(ctx, `SELECT result_id, fingerprint = $3 FROM idempotency_keys WHERE tenant_id = $1 AND key = $2`,
		tenantID, key, fingerprint).Scan(&former, &same); err != nil {
		return uuid.Nil, false, fmt.Errorf("claim idempotency key: %w", err)
	}
	if !same {
		return uuid.Nil, false, ErrIdempotencyKeyReused
	}
	return former, true, nil
}

// Sweep forgets expired sessions and Idempotency-Keys.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.now().UTC()
	_, sessions := s.pool.Exec(ctx, `DELETE FROM sessions WHERE expires_at < $1`, now)
	_, keys := s.pool.Exec(ctx, `DELETE FROM idempotency_keys WHERE created_at < $1`, now.Add(-IdempotencyWindow))
	if err := errors.Join(sessions, keys); err != nil {
		return fmt.Errorf("sweep tenants: %w", err)
	}
	return nil
}
