package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// leftoverTimeout is how long a server found in the folder may take to become ready to be stopped.
const leftoverTimeout = 30 * time.Second

// cannotConnectNow is the SQLSTATE of a server that is starting up or shutting down.
const cannotConnectNow = "57P03"

// stopLeftover stops the server that runs on our data, if there is one. Since we hold the lock, whoever started it is
// dead. The process id in postmaster.pid is not to be trusted: after a restart of the machine it may be that of any
// program, and both pg_ctl and postgres would take that for the server. So the server has to prove itself by answering
// to our password with our folder.
func (f *folder) stopLeftover(ctx context.Context, programs Programs, logger *slog.Logger) error {
	pidFile := filepath.Join(f.data(), "postmaster.pid")
	content, err := os.ReadFile(pidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	alive, err := f.answersAt(ctx, portOf(string(content)))
	if err != nil {
		return err
	}
	if !alive {
		return removeStale(pidFile)
	}
	logger.InfoContext(ctx, "stopping a PostgreSQL server whose program has ended", "folder", f.dir)
	out, err := f.command(ctx, programs.path("pg_ctl"), "stop", "-D", f.data(), "-m", "fast", "-w").CombinedOutput()
	if err != nil {
		return fmt.Errorf("stop the server that a former run left in %s: %w\n%s", f.dir, err, out)
	}
	return nil
}

// removeStale waits for a server in the last moment of its life, which has closed its port but not yet removed the file:
// were it to remove the next server's file instead, that one would shut itself down. Should a server be alive all the
// same, it holds shared memory by which postgres finds that out.
func removeStale(pidFile string) error {
	time.Sleep(200 * time.Millisecond)
	err := os.Remove(pidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// portOf reads the fourth line of postmaster.pid; empty where it is cut short.
func portOf(pidFile string) string {
	lines := strings.Split(pidFile, "\n")
	const portLine = 3
	if len(lines) <= portLine {
		return ""
	}
	return strings.TrimSpace(lines[portLine])
}

func (f *folder) answersAt(ctx context.Context, port string) (bool, error) {
	if port == "" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, leftoverTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, f.url(port))
		if err == nil {
			defer conn.Close(ctx)
			var data string
			err = conn.QueryRow(ctx, "SHOW data_directory").Scan(&data)
			return err == nil && data == f.data(), err
		}
		pgErr, ok := errors.AsType[*pgconn.PgError](err)
		if !ok || pgErr.Code != cannotConnectNow {
			return false, ctx.Err()
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
