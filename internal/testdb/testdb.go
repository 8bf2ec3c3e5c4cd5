// Package testdb gives each test a PostgreSQL database of its own, with Steward's schema in it. It is for tests only.
//
// The server is the first of these that there is: the one that TEST_DATABASE_URL names (a user who may create
// databases, PostgreSQL 15 or later); a container, when a Docker engine answers (image TEST_POSTGRES_IMAGE, default
// postgres:17-alpine); the PostgreSQL programs of this machine; the same programs downloaded. With none of them the test
// fails and says what to install; it is never skipped. TEST_REQUIRE_DOCKER=1 or TEST_POSTGRES_IMAGE makes the container
// the only choice. Without them, an engine that lacks the image is passed over when the machine has the programs, so
// that tests need no network.
//
// Servers other than that of TEST_DATABASE_URL belong to one test binary and end with it, even when it is killed.
package testdb

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// maxConns keeps many parallel tests within maxConnections.
	maxConns       = 8
	maxConnections = 300

	// serverTimeout includes a download or a pull.
	serverTimeout = 8 * time.Minute

	// releaseTimeout is how long a test may go on using its connections after its end.
	releaseTimeout = 5 * time.Second

	// databaseTimeout is for making and dropping one database on a busy machine.
	databaseTimeout = time.Minute
)

// New returns a pool on a new database. It is closed, and the database dropped, when the test ends; the database of a
// test that failed stays, and the log names it. pool.Config().ConnString() is its address.
func New(t testing.TB) *pgxpool.Pool {
	t.Helper()
	address := URL(t)
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		t.Fatalf("testdb: %v", err)
	}
	config.MaxConns = maxConns
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatalf("testdb: %v", err)
	}
	t.Cleanup(func() { closePool(t, pool) })
	return pool
}

// URL is like New for a test that opens connections itself.
func URL(t testing.TB) string {
	t.Helper()
	server := running(t)
	template, err := server.template()
	if err != nil {
		t.Fatalf("testdb: the schema cannot be made: %v", err)
	}
	return create(t, server, "TEMPLATE "+template+" STRATEGY wal_log")
}

// Empty is like URL, for a database without any table.
func Empty(t testing.TB) string {
	t.Helper()
	return create(t, running(t), "TEMPLATE template0")
}

// running returns this test binary's server, and starts it for the first test.
func running(t testing.TB) *server {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatalf("testdb: no PostgreSQL server for the tests: %v", err)
	}
	t.Log("testdb: " + s.origin)
	return s
}

// shared is the one global: a server costs a second, a database some milliseconds.
var shared = sync.OnceValues(func() (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), serverTimeout)
	defer cancel()
	return open(ctx, settingsFromEnvironment())
})

// create makes a database for t and sees to its end.
func create(t testing.TB, s *server, how string) string {
	t.Helper()
	name := databaseName(t.Name())
	if err := s.exec("CREATE DATABASE " + name + " " + how); err != nil {
		t.Fatalf("testdb: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("testdb: %s", s.kept(name))
			return
		}
		if err := s.exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("testdb: %v", err)
		}
	})
	return s.address(name)
}

// databaseName says whose the database is. Postgres cuts names after 63 bytes.
func databaseName(test string) string {
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(test))
	const most = 36
	return "steward_test_" + plain[:min(len(plain), most)] + "_" + strings.ToLower(rand.Text()[:10])
}

// closePool fails the test when somebody still holds a connection, which would make Close wait forever.
func closePool(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	closed := make(chan struct{})
	go func() {
		pool.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(releaseTimeout):
		t.Errorf("testdb: the test ended with %d connections in use: rows not closed, or a transaction left open",
			pool.Stat().AcquiredConns())
	}
}

// server is where the databases are.
type server struct {
	admin  *url.URL // of a superuser, or of a user who may create databases
	origin string   // which server it is, and why
	// process ends the server when it is closed or collected as garbage; nil for a server that outlives us.
	process any

	template func() (string, error)
}

func newServer(admin string, process any, origin string) (*server, error) {
	parsed, err := url.Parse(admin)
	if err != nil || parsed.Scheme != "postgres" && parsed.Scheme != "postgresql" {
		// The text of err would hold the password.
		return nil, fmt.Errorf("the address of the server does not begin with postgres://")
	}
	s := &server{admin: parsed, process: process, origin: origin}
	s.template = sync.OnceValues(s.makeTemplate)
	return s, nil
}

func (s *server) address(database string) string {
	other := *s.admin
	other.Path = "/" + database
	return other.String()
}

func (s *server) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.admin.String())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

func (s *server) kept(name string) string {
	if s.process == nil {
		return "the test failed; its database is kept: " + name
	}
	return "the test failed; its database " + name + " goes with the server of this test run." +
		" To look into it, run the test again with TEST_DATABASE_URL set to a server of yours"
}
