package testdb_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/wechat-steward/steward/internal/localpg"
	"github.com/wechat-steward/steward/internal/testdb"
	"github.com/wechat-steward/steward/migrations"
)

// Packages that check for leaked goroutines use testdb, so it must have none of its own.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNew(t *testing.T) {
	t.Parallel()

	t.Run("EachTestHasWholeSchemaForItself", func(t *testing.T) {
		t.Parallel()
		one, other := testdb.New(t), testdb.New(t)
		require.NoError(t, migrations.Check(t.Context(), one))
		_, err := one.Exec(t.Context(), "CREATE TABLE only_here ()")
		require.NoError(t, err)
		_, err = other.Exec(t.Context(), "CREATE TABLE only_here ()")
		require.NoError(t, err)
	})

	t.Run("ManyAtOnceFitIntoServer", func(t *testing.T) {
		t.Parallel()
		for i := range 20 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				require.NoError(t, testdb.New(t).Ping(t.Context()))
			})
		}
	})

	t.Run("DatabaseOfPassedTestIsDropped", func(t *testing.T) {
		t.Parallel()
		watch := testdb.New(t)
		inner := &test{TB: t}
		name := nameOf(testdb.New(inner))
		require.True(t, exists(t, watch, name))
		inner.end()
		require.False(t, exists(t, watch, name))
	})

	t.Run("DatabaseOfFailedTestIsKeptAndNamed", func(t *testing.T) {
		t.Parallel()
		watch := testdb.New(t)
		inner := &test{TB: t, failed: true}
		name := nameOf(testdb.New(inner))
		inner.end()
		require.True(t, exists(t, watch, name))
		require.Contains(t, strings.Join(inner.log, "\n"), name)
		_, err := watch.Exec(t.Context(), "DROP DATABASE "+name)
		require.NoError(t, err)
	})

	t.Run("ConnectionNotReleasedFailsTest", func(t *testing.T) {
		t.Parallel()
		inner := &test{TB: t}
		conn, err := testdb.New(inner).Acquire(t.Context())
		require.NoError(t, err)
		inner.end()
		conn.Release()
		require.True(t, inner.failed)
		require.Contains(t, strings.Join(inner.log, "\n"), "1 connections in use")
	})
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), testdb.Empty(t))
	require.NoError(t, err)
	defer conn.Close(t.Context())
	var tables int
	require.NoError(t, conn.QueryRow(t.Context(),
		"SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables))
	require.Zero(t, tables)
}

func TestChoiceOfServer(t *testing.T) {
	t.Parallel()

	t.Run("TestDatabaseURLIsUsedAndTemplateMadeOnceByParallelPrograms", func(t *testing.T) {
		t.Parallel()
		server, err := localpg.Start(t.Context(), localpg.Config{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, server.Stop()) })

		var programs errgroup.Group
		for range 3 {
			programs.Go(func() error {
				out, err := child(t, "TEST_DATABASE_URL="+server.URL)
				if err != nil || !strings.Contains(out, "the server of TEST_DATABASE_URL") {
					return fmt.Errorf("%w\n%s", err, out)
				}
				return nil
			})
		}
		require.NoError(t, programs.Wait())

		conn, err := pgx.Connect(t.Context(), server.URL)
		require.NoError(t, err)
		defer conn.Close(t.Context())
		rows, err := conn.Query(t.Context(), "SELECT datname::text FROM pg_database WHERE datname LIKE 'steward%'")
		require.NoError(t, err)
		left, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.Equal(t, []string{"steward_template_" + migrations.Hash()[:16]}, left)
	})

	t.Run("AddressThatIsNoneFailsWithoutShowingIt", func(t *testing.T) {
		t.Parallel()
		out, err := child(t, "TEST_DATABASE_URL=host=localhost password=hunter2")
		require.Error(t, err)
		require.Contains(t, out, "postgres://")
		require.NotContains(t, out, "hunter2")
	})

	t.Run("RequiredContainerThatCannotBeFailsTest", func(t *testing.T) {
		t.Parallel()
		out, err := child(t, "TEST_POSTGRES_IMAGE=registry.invalid/no-such-image:1", "TEST_REQUIRE_DOCKER=1")
		require.Error(t, err)
		require.Contains(t, out, "a container is required")
	})
}

// child runs one test of this binary in an environment of its own.
func child(t *testing.T, environment ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^TestNew$/^EachTestHasWholeSchemaForItself$")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "TEST_") })
	cmd.Env = append(cmd.Env, environment...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// test is a test within a test, which may fail.
type test struct {
	testing.TB
	mu       sync.Mutex
	cleanups []func()
	log      []string
	failed   bool
}

func (i *test) Cleanup(f func()) { i.cleanups = append(i.cleanups, f) }
func (i *test) Failed() bool     { return i.failed }
func (i *test) Log(args ...any)  { i.Logf("%s", fmt.Sprint(args...)) }
func (i *test) Logf(s string, args ...any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.log = append(i.log, fmt.Sprintf(s, args...))
}

func (i *test) Errorf(s string, args ...any) {
	i.failed = true
	i.Logf(s, args...)
}

func (i *test) Fatalf(s string, args ...any) {
	i.Errorf(s, args...)
	runtime.Goexit()
}

func (i *test) end() {
	for _, f := range slices.Backward(i.cleanups) {
		f()
	}
}

func nameOf(pool *pgxpool.Pool) string { return pool.Config().ConnConfig.Database }

func exists(t *testing.T, pool *pgxpool.Pool, database string) bool {
	t.Helper()
	var yes bool
	require.NoError(t, pool.QueryRow(t.Context(),
		"SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database).Scan(&yes))
	return yes
}
