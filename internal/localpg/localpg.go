// Package localpg runs a private PostgreSQL server on this machine for `steward demo` and for the tests
// (internal/testdb): it finds the programs or downloads them, makes a data folder, starts the server on a free port of
// 127.0.0.1, and sees to it that the server ends with the program that started it. It is no way to run a database that
// matters: there are no backups, no upgrades and no replicas here.
package localpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTimeout is how long a server may take to answer; crash recovery of a demo's data is the slow case.
const startTimeout = 60 * time.Second

// Config says which server is wanted. The zero value is a fast temporary one.
type Config struct {
	// Dir is a folder of its own for the server, made if absent, whose content outlives Stop. It also holds the log
	// (postgres.log) and the password. Empty: a temporary folder that vanishes with the server.
	Dir string

	// Fsync makes commits wait for the disk. Without it a crash of the machine (not of a program) may ruin the data.
	Fsync bool

	// MaxConnections is Postgres's max_connections. Default: 100.
	MaxConnections int

	// Folders are where the programs (initdb, postgres, pg_ctl) are looked for. Default: PATH and the usual places.
	Folders []string

	// Download says what to do where no programs are found.
	Download Download

	// Logger hears about downloads and stale servers. Default: silence.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.MaxConnections == 0 {
		c.MaxConnections = 100
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Download = c.Download.withDefaults()
	return c
}

// Server is a running PostgreSQL server.
type Server struct {
	// URL leads a superuser to the database "postgres". It holds a password: do not log it.
	URL string

	// Version is PostgreSQL's, like "15.18".
	Version string

	folder  *folder
	process *process
}

// Start starts a server and returns when it answers. A server that a killed program left running in the same folder is
// stopped first. A folder that a living program uses is refused, and so is data of another major version of PostgreSQL
// than the programs here. When this program ends without Stop, however that happens, the server ends too; and also when
// the Server returned is no longer referred to.
func Start(ctx context.Context, config Config) (*Server, error) {
	config = config.withDefaults()
	server, err := start(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("localpg: %w", err)
	}
	return server, nil
}

func start(ctx context.Context, config Config) (_ *Server, err error) {
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := openFolder(config.Dir, who)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, dir.close())
		}
	}()
	programs, err := choose(ctx, config, dir.dataMajor())
	if err != nil {
		return nil, err
	}
	if err := dir.prepare(ctx, programs, config.Logger); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("it did not answer in time"))
	defer cancel()
	for attempt := 1; ; attempt++ {
		server, err := launchOnce(ctx, config, dir, programs)
		// Between our asking for a free port and the server taking it, somebody else may.
		if err != nil && attempt < 3 && strings.Contains(err.Error(), "could not bind") {
			continue
		}
		return server, err
	}
}

func launchOnce(ctx context.Context, config Config, dir *folder, programs Programs) (*Server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	process, err := launch(ctx, dir, programs, settings(config, port))
	if err != nil {
		return nil, err
	}
	server := &Server{URL: dir.url(strconv.Itoa(port)), Version: programs.Version, folder: dir, process: process}
	if err := server.awaitAnswer(ctx); err != nil {
		return nil, errors.Join(err, process.stop())
	}
	return server, nil
}

// settings are the arguments of the postgres program apart from its data folder.
func settings(config Config, port int) []string {
	values := []string{
		"listen_addresses=127.0.0.1",
		"port=" + strconv.Itoa(port),
		"unix_socket_directories=", // a socket's path may not be longer than some 100 bytes, and nobody needs it
		"max_connections=" + strconv.Itoa(config.MaxConnections),
		"timezone=UTC",
		"log_timezone=UTC",
	}
	if !config.Fsync {
		values = append(values, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	var args []string
	for _, v := range values {
		args = append(args, "-c", v)
	}
	return args
}

func (s *Server) awaitAnswer(ctx context.Context) error {
	for {
		conn, err := pgx.Connect(ctx, s.URL)
		if err == nil {
			return conn.Close(ctx)
		}
		if s.process.ended() {
			return fmt.Errorf("PostgreSQL %s did not start:\n%s", s.Version, s.folder.logTail())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL %s did not start: %w\n%s", s.Version, context.Cause(ctx), s.folder.logTail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop disconnects everybody, stops the server, waits until it has ended, and removes a temporary folder.
func (s *Server) Stop() error {
	err := errors.Join(s.process.stop(), s.folder.close())
	if err != nil {
		return fmt.Errorf("localpg: stop: %w", err)
	}
	return nil
}

func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (f *folder) url(port string) string {
	address := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, f.password),
		Host:     net.JoinHostPort("127.0.0.1", port),
		Path:     "/postgres",
		RawQuery: "sslmode=disable",
	}
	return address.String()
}

// logTail is the end of the server's log, for an error message.
func (f *folder) logTail() string {
	content, err := os.ReadFile(f.logFile())
	if errors.Is(err, fs.ErrNotExist) {
		return "(it wrote no log)"
	}
	const most = 2000
	if len(content) > most {
		content = content[len(content)-most:]
	}
	return string(bytes.TrimSpace(content))
}

func (f *folder) logFile() string { return filepath.Join(f.dir, "postgres.log") }
