package factory

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/secret"
)

// Bulk says what [ManyAccounts] makes.
type Bulk struct {
	Pool           *pgxpool.Pool
	Box            *secret.Box
	ComponentAppID string
	TenantID       uuid.UUID
	Now            time.Time // when their tokens were renewed
	Count          int
}

// ManyAccounts puts accounts straight into the database, with tokens that were just renewed. WeChat's simulator knows
// nothing of them; it is for tests of size. It returns their ids.
func ManyAccounts(t testing.TB, b Bulk) []uuid.UUID {
	t.Helper()
	accounts, tokens, ids := make([][]any, b.Count), make([][]any, b.Count), make([]uuid.UUID, b.Count)
	now := b.Now
	for i := range b.Count {
		id := uuid.New() // random in all bytes, unlike version 7: accounts differ in shard and spread
		appid := BulkAppID(i)
		ids[i] = id
		accounts[i] = []any{id, b.TenantID, b.ComponentAppID, appid, "active", now, "Bulk " + appid, []int{1, 2}, now, now, now, now, now.Add(24 * time.Hour)}
		tokens[i] = []any{
			id, b.ComponentAppID, sealed(t, b.Box, "refresh_token", id, "refreshtoken@@@"+rand.Text()), sealed(t, b.Box, "access_token", id, "87_"+rand.Text()),
			now.Add(2 * time.Hour), now, now.Add(65 * time.Minute), 1,
		}
	}
	copyRows(t, b.Pool, "authorizers", []string{
		"id", "tenant_id", "component_appid", "appid", "state", "state_changed_at", "nick_name", "permission_sets",
		"authorized_at", "created_at", "updated_at", "profile_read_at", "profile_due_at",
	}, accounts)
	copyRows(t, b.Pool, "authorizer_tokens", []string{
		"authorizer_id", "component_appid", "refresh_token_sealed", "access_token_sealed", "access_token_expires_at", "renewed_at", "renew_after", "version",
	}, tokens)
	_, err := b.Pool.Exec(t.Context(), `VACUUM ANALYZE authorizers, authorizer_tokens`)
	require.NoError(t, err)
	return ids
}

// BulkAppID is the appid of the i-th account of [ManyAccounts].
func BulkAppID(i int) string { return fmt.Sprintf("wxbulk%012d", i) }

// SealAgain gives accounts of [ManyAccounts] tokens that can be opened, after something has overwritten them.
func SealAgain(t testing.TB, pool *pgxpool.Pool, box *secret.Box, ids []uuid.UUID) {
	t.Helper()
	tokens := make([][]byte, len(ids))
	for i, id := range ids {
		tokens[i] = sealed(t, box, "access_token", id, "87_"+rand.Text())
	}
	_, err := pool.Exec(t.Context(), `
		UPDATE authorizer_tokens t SET access_token_sealed = n.sealed FROM unnest($1::uuid[], $2::bytea[]) AS n (id, sealed) WHERE t.authorizer_id = n.id`, ids, tokens)
	require.NoError(t, err)
}

func sealed(t testing.TB, box *secret.Box, column string, id uuid.UUID, value string) []byte {
	t.Helper()
	ciphertext, err := box.Seal(secret.New(value), secret.Place{Table: "authorizer_tokens", Column: column, Row: id.String()})
	require.NoError(t, err)
	return ciphertext
}

func copyRows(t testing.TB, pool *pgxpool.Pool, table string, columns []string, rows [][]any) {
	t.Helper()
	_, err := pool.CopyFrom(context.WithoutCancel(t.Context()), pgx.Identifier{table}, columns, pgx.CopyFromRows(rows))
	require.NoError(t, err)
}
