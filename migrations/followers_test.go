package migrations_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/testdb"
	"github.com/wechat-steward/steward/migrations"
)

func TestFollowers_MayBeSeenByThePlatformKeysThatCouldDoEverything(t *testing.T) {
	t.Parallel()
	url := testdb.URL(t)
	for {
		state, err := migrations.Status(t.Context(), url)
		require.NoError(t, err)
		if state.Current < 8 {
			break
		}
		require.NoError(t, migrations.Down(t.Context(), url, 1))
	}
	pool := connect(t, url)
	everything := []string{
		"authorizers:read", "authorizers:write", "tokens:read", "connect-links:write", "blacklist:read", "blacklist:write", "keys:write", "audit:read",
	}
	for name, scopes := range map[string][]string{"everything": everything, "little": everything[1:]} {
		_, err := pool.Exec(t.Context(), `
			INSERT INTO api_keys (id, name, prefix, secret_hash, scopes, created_by, created_at)
			VALUES (gen_random_uuid(), $1, 'stw_', sha256($1::text::bytea), $2, 'test', now())`, name, scopes)
		require.NoError(t, err)
	}
	require.NoError(t, migrations.Up(t.Context(), url))
	for name, want := range map[string][]string{"everything": append(everything, "followers:read"), "little": everything[1:]} {
		var scopes []string
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT scopes FROM api_keys WHERE name = $1`, name).Scan(&scopes))
		require.Equal(t, want, scopes)
	}
}
