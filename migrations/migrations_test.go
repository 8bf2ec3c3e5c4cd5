package migrations_test

import (
	"context"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/wechat-steward/steward/internal/testdb"
	"github.com/wechat-steward/steward/migrations"
)

func TestUp(t *testing.T) {
	t.Parallel()

	t.Run("EmptyDatabaseGetsWholeSchema", func(t *testing.T) {
		t.Parallel()
		url := testdb.Empty(t)
		before, err := migrations.Status(t.Context(), url)
		require.NoError(t, err)
		require.Zero(t, before.Current)
		require.Zero(t, before.RiverCurrent)

		require.NoError(t, migrations.Up(t.Context(), url))

		after, err := migrations.Status(t.Context(), url)
		require.NoError(t, err)
		require.Equal(t, before.Wanted, after.Current)
		require.Equal(t, before.RiverWanted, after.RiverCurrent)
		require.False(t, after.Dirty)
		require.NoError(t, migrations.Check(t.Context(), connect(t, url)))
	})

	t.Run("SecondTimeChangesNothing", func(t *testing.T) {
		t.Parallel()
		url := testdb.Empty(t)
		require.NoError(t, migrations.Up(t.Context(), url))
		require.NoError(t, migrations.Up(t.Context(), url))
		require.NoError(t, migrations.Check(t.Context(), connect(t, url)))
	})

	t.Run("FiveProgramsAtOnceAllSucceed", func(t *testing.T) {
		t.Parallel()
		url := testdb.Empty(t)
		var programs errgroup.Group
		for range 5 {
			programs.Go(func() error { return migrations.Up(t.Context(), url) })
		}
		require.NoError(t, programs.Wait())
		require.NoError(t, migrations.Check(t.Context(), connect(t, url)))
	})

	t.Run("CancelledWhileWaitingOrWorkingLeavesNothingHalfDone", func(t *testing.T) {
		t.Parallel()
		url := testdb.URL(t)
		pool := connect(t, url)
		whole, err := migrations.Status(t.Context(), url)
		require.NoError(t, err)
		require.NoError(t, migrations.Down(t.Context(), url, 1))
		release := holdVersion(t, pool)

		workingCtx, cancelWorking := context.WithCancel(t.Context())
		working := make(chan error, 1)
		go func() { working <- migrations.Up(workingCtx, url) }()
		require.Eventually(t, func() bool { return blocked(t, pool) }, 60*time.Second, 10*time.Millisecond)

		waitingCtx, cancelWaiting := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancelWaiting()
		err = migrations.Up(waitingCtx, url)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		cancelWorking()
		require.ErrorIs(t, <-working, context.Canceled)
		state, err := migrations.Status(t.Context(), url)
		require.NoError(t, err)
		require.Equal(t, whole.Wanted-1, state.Current)
		require.False(t, state.Dirty)

		release()
		require.NoError(t, migrations.Up(t.Context(), url))
		require.NoError(t, migrations.Check(t.Context(), pool))
	})

	t.Run("UnreachableDatabaseIsAnErrorWithoutThePassword", func(t *testing.T) {
		t.Parallel()
		err := migrations.Up(t.Context(), "postgres://u:hunter2@127.0.0.1:1/none?connect_timeout=1")
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	})
}

func TestDown(t *testing.T) {
	t.Parallel()

	t.Run("ToZeroLeavesNothingAndUpWorksAgain", func(t *testing.T) {
		t.Parallel()
		url := testdb.URL(t)
		pool := connect(t, url)
		require.NotEmpty(t, objects(t, pool))
		require.NoError(t, migrations.Down(t.Context(), url, 1000))
		require.Empty(t, objects(t, pool))
		require.NoError(t, migrations.Up(t.Context(), url))
		require.NoError(t, migrations.Check(t.Context(), pool))
	})

	t.Run("OneStepAtATimeReachesZero", func(t *testing.T) {
		t.Parallel()
		url := testdb.URL(t)
		state, err := migrations.Status(t.Context(), url)
		require.NoError(t, err)
		for current := state.Current; current > 0; current-- {
			require.NoError(t, migrations.Down(t.Context(), url, 1))
			state, err = migrations.Status(t.Context(), url)
			require.NoError(t, err)
			require.Equal(t, current-1, state.Current)
		}
		require.Zero(t, state.RiverCurrent)
	})

	t.Run("NoStepsAreRefused", func(t *testing.T) {
		t.Parallel()
		require.Error(t, migrations.Down(t.Context(), testdb.URL(t), 0))
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()

	t.Run("EmptyDatabaseNamesTheCommands", func(t *testing.T) {
		t.Parallel()
		err := migrations.Check(t.Context(), connect(t, testdb.Empty(t)))
		require.ErrorContains(t, err, "`steward migrate up`")
		require.ErrorContains(t, err, "`steward serve --migrate`")
	})

	for name, change := range map[string]string{
		"NewerSchemaIsRefusedByAll":    "UPDATE schema_migrations SET version = version + 1",
		"NewerJobQueueIsRefusedByAll":  "INSERT INTO river_migration (line, version) VALUES ('main', 999)",
		"HalfDoneSchemaIsRefusedByAll": "UPDATE schema_migrations SET dirty = true",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := testdb.URL(t)
			pool := connect(t, url)
			_, err := pool.Exec(t.Context(), change)
			require.NoError(t, err)
			wanted := "newer than this program"
			if strings.Contains(change, "dirty") {
				wanted = "interrupted half-way"
			}
			require.ErrorContains(t, migrations.Check(t.Context(), pool), wanted)
			require.ErrorContains(t, migrations.Up(t.Context(), url), wanted)
			require.ErrorContains(t, migrations.Down(t.Context(), url, 1), wanted)
		})
	}

	t.Run("OldJobQueueIsRefused", func(t *testing.T) {
		t.Parallel()
		pool := connect(t, testdb.URL(t))
		_, err := pool.Exec(t.Context(), "DELETE FROM river_migration WHERE version = (SELECT max(version) FROM river_migration)")
		require.NoError(t, err)
		require.ErrorContains(t, migrations.Check(t.Context(), pool), "steward migrate up")
	})
}

func TestFiles(t *testing.T) {
	t.Parallel()

	t.Run("EachUpHasItsDown", func(t *testing.T) {
		t.Parallel()
		ups, err := fs.Glob(os.DirFS("."), "*.up.sql")
		require.NoError(t, err)
		require.NotEmpty(t, ups)
		for _, up := range ups {
			require.FileExists(t, strings.TrimSuffix(up, ".up.sql")+".down.sql")
		}
	})

	t.Run("HashIsStable", func(t *testing.T) {
		t.Parallel()
		require.Len(t, migrations.Hash(), 64)
		require.Equal(t, migrations.Hash(), migrations.Hash())
	})
}

func connect(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// holdVersion makes whoever wants to write a new version, which each file does last, wait until release is called.
func holdVersion(t *testing.T, pool *pgxpool.Pool) (release func()) {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	_, err = tx.Exec(t.Context(), "LOCK TABLE schema_migrations IN SHARE MODE")
	require.NoError(t, err)
	return func() { require.NoError(t, tx.Rollback(t.Context())) }
}

// blocked: somebody in this database waits for a lock.
func blocked(t *testing.T, pool *pgxpool.Pool) bool {
	t.Helper()
	var yes bool
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_activity"+
		" WHERE datname = current_database() AND wait_event_type = 'Lock')").Scan(&yes))
	return yes
}

// objects are the tables, sequences, types and functions of the schema, but for golang-migrate's own table.
func objects(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), `
		SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relname NOT LIKE 'schema_migrations%'
		UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
		UNION ALL SELECT typname::text FROM pg_type WHERE typnamespace = current_schema()::regnamespace AND typname NOT LIKE '%schema_migrations'`)
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return names
}
