package localpg_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/wechat-steward/steward/internal/localpg"
)

// childFolder makes this test binary a program that starts a server in that folder and waits to be killed.
const (
	childFolder = "LOCALPG_TEST_CHILD_FOLDER"
	temporary   = "temporary"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		server, err := localpg.Start(context.Background(), localpg.Config{Dir: strings.TrimPrefix(dir, temporary)})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(server.URL)
		bufio.NewScanner(os.Stdin).Scan()
		return
	}
	m.Run()
}

func TestStart(t *testing.T) {
	t.Parallel()

	t.Run("TemporaryServerAnswersAndVanishes", func(t *testing.T) {
		t.Parallel()
		server, err := localpg.Start(t.Context(), localpg.Config{MaxConnections: 33})
		require.NoError(t, err)
		require.Equal(t, "33", query(t, server.URL, "SHOW max_connections"))
		require.Equal(t, "off", query(t, server.URL, "SHOW fsync"))
		data := query(t, server.URL, "SHOW data_directory")

		require.NoError(t, server.Stop())
		require.False(t, answers(t, server.URL))
		require.NoDirExists(t, filepath.Dir(data))
	})

	t.Run("FolderKeepsDataAndPasswordBetweenRuns", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		config := localpg.Config{Dir: dir, Fsync: true}
		server, err := localpg.Start(t.Context(), config)
		require.NoError(t, err)
		require.Equal(t, "on", query(t, server.URL, "SHOW fsync"))
		query(t, server.URL, "SELECT 'x' FROM (SELECT lo_create(4711)) AS made")
		require.NoError(t, server.Stop())

		server, err = localpg.Start(t.Context(), config)
		require.NoError(t, err)
		require.Equal(t, "4711", query(t, server.URL, "SELECT oid::text FROM pg_largeobject_metadata"))
		require.NoError(t, server.Stop())
	})

	t.Run("PasswordIsNeeded", func(t *testing.T) {
		t.Parallel()
		server := start(t, "")
		config, err := pgx.ParseConfig(server.URL)
		require.NoError(t, err)
		config.Password = "guess"
		_, err = pgx.ConnectConfig(t.Context(), config)
		require.ErrorContains(t, err, "28P01")
	})

	t.Run("FolderOfLivingProgramIsRefused", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		server := start(t, dir)
		_, err := localpg.Start(t.Context(), localpg.Config{Dir: dir})
		require.ErrorContains(t, err, "another program")
		require.True(t, answers(t, server.URL))
	})

	t.Run("FolderWithOtherFilesIsRefused", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o600))
		_, err := localpg.Start(t.Context(), localpg.Config{Dir: dir})
		require.ErrorContains(t, err, "empty folder")
	})

	t.Run("DataOfAnotherVersionIsRefused", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		require.NoError(t, start(t, dir).Stop())
		require.NoError(t, os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("9\n"), 0o600))
		_, err := localpg.Start(t.Context(), localpg.Config{Dir: dir})
		require.ErrorContains(t, err, "made by PostgreSQL 9")
	})

	t.Run("BrokenServerIsExplainedByItsLog", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		require.NoError(t, start(t, dir).Stop())
		conf := filepath.Join(dir, "data", "postgresql.conf")
		require.NoError(t, os.WriteFile(conf, []byte("no_such_setting = 1\n"), 0o600))
		_, err := localpg.Start(t.Context(), localpg.Config{Dir: dir})
		require.ErrorContains(t, err, "no_such_setting")
	})

	t.Run("CancelledStartLeavesNoServer", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		require.NoError(t, start(t, dir).Stop())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := localpg.Start(ctx, localpg.Config{Dir: dir})
		require.Error(t, err)
		start(t, dir)
	})
}

func TestFolderIsFreeAtOnceHoweverManyProgramsAreBeingStarted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	done := make(chan struct{})
	var starting errgroup.Group
	for range 4 {
		starting.Go(func() error {
			for {
				select {
				case <-done:
					return nil
				default:
				}
				if err := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$").Run(); err != nil {
					return err
				}
			}
		})
	}
	for range 1000 {
		lock, err := localpg.LockFile(path)
		require.NoError(t, err)
		require.NoError(t, localpg.UnlockFile(lock))
	}
	close(done)
	require.NoError(t, starting.Wait())
}

func TestStartAfterCrash(t *testing.T) {
	t.Parallel()

	t.Run("ServerEndsWithKilledProgramAndFolderIsUsableAgain", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		child, url := startChild(t, dir)
		query(t, url, "SELECT 'x' FROM (SELECT lo_create(4711)) AS made")

		require.NoError(t, child.Process.Kill())
		_ = child.Wait()

		// At once: the old server may still be there.
		server := start(t, dir)
		require.Equal(t, "4711", query(t, server.URL, "SELECT oid::text FROM pg_largeobject_metadata"))
		require.False(t, answers(t, url))
	})

	t.Run("NothingStaysOfTemporaryServerOfKilledProgram", func(t *testing.T) {
		t.Parallel()
		child, url := startChild(t, temporary)
		data := query(t, url, "SHOW data_directory")
		require.NoError(t, child.Process.Kill())
		_ = child.Wait()
		require.Eventually(t, func() bool {
			_, err := os.Stat(filepath.Dir(data))
			return os.IsNotExist(err) && !answers(t, url)
		}, 30*time.Second, 20*time.Millisecond)
	})

	t.Run("ServerWithoutSupervisorIsStopped", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		require.NoError(t, start(t, dir).Stop())
		require.NoError(t, localpg.LeaveRunning(t.Context(), dir))
		start(t, dir)
	})

	t.Run("ProcessIdOfAnotherProgramIsLeftAlone", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		require.NoError(t, start(t, dir).Stop())
		// This test's own process id, as after a restart of the machine: pg_ctl would stop us.
		pid := fmt.Sprintf("%d\n%s\n1700000000\n1\n\n127.0.0.1\n", os.Getpid(), filepath.Join(dir, "data"))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "data", "postmaster.pid"), []byte(pid), 0o600))
		start(t, dir)
	})

	t.Run("InterruptedInitdbIsRepeated", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600))
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "data.unfinished", "base"), 0o700))
		start(t, dir)
	})
}

// folder is empty, and can be reached by the user that the server runs as when the tests run as root.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "localpg-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func start(t *testing.T, dir string) *localpg.Server {
	t.Helper()
	server, err := localpg.Start(t.Context(), localpg.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	return server
}

// startChild starts a server from another program and returns its address.
func startChild(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childFolder+"="+dir)
	_, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(line, "postgres://"), line)
	return cmd, strings.TrimSpace(line)
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	var answer string
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&answer))
	return answer
}

func answers(t *testing.T, url string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return false
	}
	require.NoError(t, conn.Close(ctx))
	return true
}
