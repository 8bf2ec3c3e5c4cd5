package tenant_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSessions(t *testing.T) {
	t.Parallel()

	t.Run("EndWithTheirTimeAndAreSwept", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		sessions := b.service.Sessions()
		require.NoError(t, sessions.CommitCtx(t.Context(), "token", []byte("data"), b.clock.Now().Add(time.Hour)))
		data, found, err := sessions.FindCtx(t.Context(), "token")
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, []byte("data"), data)

		b.clock.advance(time.Hour + time.Second)
		_, found, err = sessions.FindCtx(t.Context(), "token")
		require.NoError(t, err)
		require.False(t, found)
		require.NoError(t, b.service.Sweep(t.Context()))
		var left int
		require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT count(*) FROM sessions`).Scan(&left))
		require.Zero(t, left)
	})

	t.Run("EndWhenDeleted", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		sessions := b.service.Sessions()
		require.NoError(t, sessions.CommitCtx(t.Context(), "token", []byte("data"), b.clock.Now().Add(time.Hour)))
		require.NoError(t, sessions.DeleteCtx(t.Context(), "token"))
		_, found, err := sessions.FindCtx(t.Context(), "token")
		require.NoError(t, err)
		require.False(t, found)
	})
}
