package keyring

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/secret"
)

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// storedKey is a sealing key as it lies in the database.
type storedKey struct {
	id        secret.KeyID
	seq       int64
	wrapped   []byte
	createdAt time.Time
	createdBy string
}

func (s storedKey) place() secret.Place {
	return secret.Place{Table: "sealing_keys", Column: "wrapped", Row: s.id.String()}
}

// readKeys returns all keys, newest first.
func readKeys(ctx context.Context, db querier) ([]storedKey, error) {
	rows, err := db.Query(ctx, `SELECT key_id, seq, wrapped, created_at, created_by FROM sealing_keys ORDER BY seq DESC`)
	if err != nil {
		return nil, fmt.Errorf("read the sealing keys: %w", err)
	}
	keys, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (storedKey, error) {
		var s storedKey
		err := row.Scan(&s.id, &s.seq, &s.wrapped, &s.createdAt, &s.createdBy)
		s.createdAt = s.createdAt.UTC()
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the sealing keys: %w", err)
	}
	return keys, nil
}

func insertKey(ctx context.Context, tx pgx.Tx, s storedKey) (seq int64, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO sealing_keys (key_id, wrapped, created_at, created_by) VALUES ($1, $2, $3, $4) RETURNING seq`,
		s.id, s.wrapped, s.createdAt, s.createdBy).Scan(&seq)
	return seq, err
}

func updateWrapped(ctx context.Context, tx pgx.Tx, id secret.KeyID, wrapped []byte) error {
	_, err := tx.Exec(ctx, `UPDATE sealing_keys SET wrapped = $2 WHERE key_id = $1`, id, wrapped)
	return err
}
