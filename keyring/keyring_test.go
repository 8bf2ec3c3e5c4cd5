package keyring_test

import (
	"bytes"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/wechat-steward/steward/internal/testdb"
	"github.com/wechat-steward/steward/keyring"
	"github.com/wechat-steward/steward/secret"
)

// patience is for things that take milliseconds, on a machine that may be busy.
const patience = 60 * time.Second

var place = secret.Place{Table: "components", Column: "appsecret", Row: "wx1"}

// master is a master key; the world of package factory seals with the seventh.
func master(b byte) []byte { return bytes.Repeat([]byte{b}, secret.KeySize) }

// open is a process that begins on the database.
func open(t *testing.T, pool *pgxpool.Pool, current []byte, previous ...[]byte) *keyring.Ring {
	t.Helper()
	ring, err := keyring.Open(t.Context(), config(pool, current, previous...))
	require.NoError(t, err)
	return ring
}

func config(pool *pgxpool.Pool, current []byte, previous ...[]byte) keyring.Config {
	return keyring.Config{Pool: pool, Master: current, PreviousMasters: previous, Logger: slog.New(slog.DiscardHandler)}
}

func rotate(t *testing.T, ring *keyring.Ring) secret.KeyID {
	t.Helper()
	id, err := ring.Rotate(t.Context(), "test")
	require.NoError(t, err)
	return id
}

func seal(t *testing.T, ring *keyring.Ring, value string) []byte {
	t.Helper()
	sealed, err := ring.Box().Seal(secret.New(value), place)
	require.NoError(t, err)
	return sealed
}

func requireOpens(t *testing.T, ring *keyring.Ring, sealed []byte, value string) {
	t.Helper()
	opened, err := ring.Box().Open(sealed, place)
	require.NoError(t, err)
	require.Equal(t, value, opened.Reveal())
}

func TestOpen(t *testing.T) {
	t.Parallel()

	t.Run("WithoutASealingKeyTheMasterKeySeals", func(t *testing.T) {
		t.Parallel()
		ring := open(t, testdb.New(t), master(1), master(2))
		require.Equal(t, secret.IDOf(master(1)), ring.Box().KeyID())
		before, err := secret.NewBox(master(2))
		require.NoError(t, err)
		sealed, err := before.Seal(secret.New("ticket"), place)
		require.NoError(t, err)
		requireOpens(t, ring, sealed, "ticket")
	})

	t.Run("AfterARotationTheNewestKeySealsAndAllOpen", func(t *testing.T) {
		t.Parallel()
		pool := testdb.New(t)
		ring := open(t, pool, master(1))
		byMaster := seal(t, ring, "one")
		first := rotate(t, ring)
		byFirst := seal(t, ring, "two")
		second := rotate(t, ring)
		require.NotEqual(t, first, second)

		for _, process := range []*keyring.Ring{ring, open(t, pool, master(1))} {
			require.Equal(t, second, process.Box().KeyID())
			requireOpens(t, process, byMaster, "one")
			requireOpens(t, process, byFirst, "two")
		}
	})

	t.Run("AnotherMasterKeyIsRefusedByName", func(t *testing.T) {
		t.Parallel()
		pool := testdb.New(t)
		rotate(t, open(t, pool, master(1)))
		_, err := keyring.Open(t.Context(), config(pool, master(2)))
		require.ErrorIs(t, err, secret.ErrOpen)
		require.ErrorContains(t, err, "STEWARD_MASTER_KEY")
		require.ErrorContains(t, err, "STEWARD_PREVIOUS_MASTER_KEY")
	})

	t.Run("AKeyMovedToAnotherRowIsRefused", func(t *testing.T) {
		t.Parallel()
		pool := testdb.New(t)
		ring := open(t, pool, master(1))
		rotate(t, ring)
		rotate(t, ring)
		_, err := pool.Exec(t.Context(), `UPDATE sealing_keys SET wrapped = (SELECT wrapped FROM sealing_keys ORDER BY seq LIMIT 1)`)
		require.NoError(t, err)
		_, err = keyring.Open(t.Context(), config(pool, master(1)))
		require.ErrorIs(t, err, secret.ErrOpen)
	})
}

func TestMasterKeyChanges(t *testing.T) {
	t.Parallel()

	t.Run("KeysLieUnderTheNewOneAfterTheNextRotation", func(t *testing.T) {
		t.Parallel()
		pool := testdb.New(t)
		old := open(t, pool, master(1))
		rotate(t, old)
		sealed := seal(t, old, "ticket")

		changed := open(t, pool, master(2), master(1))
		requireOpens(t, changed, sealed, "ticket")
		_, err := keyring.Open(t.Context(), config(pool, master(2)))
		require.Error(t, err, "the former one is still needed")

		rotate(t, changed)
		requireOpens(t, open(t, pool, master(2)), sealed, "ticket")
		requireOpens(t, old, sealed, "ticket")
	})

	t.Run("AProcessWithoutTheNewOneGoesOnWithWhatItHas", func(t *testing.T) {
		t.Parallel()
		pool := testdb.New(t)
		old := open(t, pool, master(1))
		first := rotate(t, old)
		second := rotate(t, open(t, pool, master(2), master(1)))

		err := old.Refresh(t.Context())
		require.ErrorContains(t, err, second.String())
		require.ErrorContains(t, err, "STEWARD_MASTER_KEY")
		require.Equal(t, first, old.Box().KeyID())
		requireOpens(t, old, seal(t, old, "ticket"), "ticket")
	})
}

func TestAProcessThatHasNotNoticed(t *testing.T) {
	t.Parallel()

	t.Run("OpensWhatTheNewKeySealed", func(t *testing.T) {
		t.Parallel()
		pool := testdb.New(t)
		late, ring := open(t, pool, master(1)), open(t, pool, master(1))
		id := rotate(t, ring)
		require.NotEqual(t, id, late.Box().KeyID())
		requireOpens(t, late, seal(t, ring, "ticket"), "ticket")
		require.Equal(t, id, late.Box().KeyID(), "and seals with it then")
	})

	t.Run("OpensItThoughItsPoolIsEmpty", func(t *testing.T) {
		t.Parallel()
		pool := testdb.New(t)
		late, ring := open(t, pool, master(1)), open(t, pool, master(1))
		rotate(t, ring)
		sealed := seal(t, ring, "ticket")
		for range pool.Config().MaxConns {
			conn, err := pool.Acquire(t.Context())
			require.NoError(t, err)
			defer conn.Release()
		}
		var callers errgroup.Group
		for range 10 {
			callers.Go(func() error {
				_, err := late.Box().Open(sealed, place)
				return err
			})
		}
		require.NoError(t, callers.Wait())
	})

	t.Run("SealsWithItAfterARefresh", func(t *testing.T) {
		t.Parallel()
		pool := testdb.New(t)
		late := open(t, pool, master(1))
		id := rotate(t, open(t, pool, master(1)))
		require.NoError(t, late.Refresh(t.Context()))
		require.Equal(t, id, late.Box().KeyID())
	})

	t.Run("DoesNotTakeAnUnreadableTableForAWrongKey", func(t *testing.T) {
		t.Parallel()
		pool := testdb.New(t)
		late, ring := open(t, pool, master(1)), open(t, pool, master(1))
		rotate(t, ring)
		sealed := seal(t, ring, "ticket")
		_, err := pool.Exec(t.Context(), `ALTER TABLE sealing_keys RENAME TO elsewhere`)
		require.NoError(t, err)
		_, err = late.Box().Open(sealed, place)
		require.Error(t, err)
		require.NotErrorIs(t, err, secret.ErrOpen)
	})
}

func TestRotate(t *testing.T) {
	t.Parallel()

	t.Run("SeveralAtOnceAgreeOnTheNewest", func(t *testing.T) {
		t.Parallel()
		pool := testdb.New(t)
		rings := []*keyring.Ring{open(t, pool, master(1)), open(t, pool, master(1))}
		var rotations errgroup.Group
		for n := range 6 {
			rotations.Go(func() error {
				_, err := rings[n%2].Rotate(t.Context(), "test")
				return err
			})
		}
		require.NoError(t, rotations.Wait())
		for _, ring := range rings {
			require.NoError(t, ring.Refresh(t.Context()))
			keys, err := ring.Status(t.Context())
			require.NoError(t, err)
			require.Len(t, keys, 7)
			require.True(t, keys[0].Current)
			require.Equal(t, keys[0].ID, ring.Box().KeyID().String())
		}
		require.Equal(t, rings[0].Box().KeyID(), rings[1].Box().KeyID())
	})

	t.Run("FailedLeavesTheKeysAsTheyWere", func(t *testing.T) {
		t.Parallel()
		pool := testdb.New(t)
		ring := open(t, pool, master(1))
		_, err := pool.Exec(t.Context(), `ALTER TABLE sealing_keys ADD CONSTRAINT no_more CHECK (false)`)
		require.NoError(t, err)
		_, err = ring.Rotate(t.Context(), "test")
		require.Error(t, err)
		require.Equal(t, secret.IDOf(master(1)), ring.Box().KeyID())
	})

	t.Run("StoresNoKeyInTheClear", func(t *testing.T) {
		t.Parallel()
		pool := testdb.New(t)
		ring := open(t, pool, master(1))
		id := rotate(t, ring)
		var stored secret.KeyID
		var wrapped []byte
		var by string
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT key_id, wrapped, created_by FROM sealing_keys`).Scan(&stored, &wrapped, &by))
		require.Equal(t, id, stored)
		require.Equal(t, "test", by)
		require.Len(t, wrapped, secret.KeySize+secret.Overhead)
		box, err := secret.NewBox(master(1))
		require.NoError(t, err)
		key, err := box.Open(wrapped, secret.Place{Table: "sealing_keys", Column: "wrapped", Row: id.String()})
		require.NoError(t, err)
		require.Equal(t, id, secret.IDOf([]byte(key.Reveal())))
		require.NotContains(t, string(wrapped), key.Reveal())
	})
}

func TestTheSchemaIsNotTakenBackWhileThereAreKeys(t *testing.T) {
	t.Parallel()
	pool := testdb.New(t)
	rotate(t, open(t, pool, master(1)))
	down, err := os.ReadFile("../migrations/000006_sealing_keys.down.sql")
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), string(down), pgx.QueryExecModeSimpleProtocol)
	require.ErrorContains(t, err, "sealing_keys holds keys")
}
