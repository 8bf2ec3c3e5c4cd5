// Package migrations holds the database schema and brings a database to it: Steward's own tables first, then those
// of River, the job queue. It never changes a schema by itself: Up and Down are called by `steward migrate`,
// `steward serve --migrate`, the demo and the tests.
//
// A migration is a pair of files, 000005_name.up.sql and 000005_name.down.sql. A file runs as one transaction together
// with the new version number, so an interrupted migration leaves nothing behind. Statements that refuse to run in a
// transaction (CREATE INDEX CONCURRENTLY) need a file of their own.
package migrations

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
)

//go:embed *.sql
var files embed.FS

// lockName is hashed into the key of the advisory lock that makes migrating programs take turns.
const lockName = "steward migrations"

// lockPoll is how often a program that waits for its turn looks again. Waiting inside pg_advisory_lock would hold a
// snapshot, which CREATE INDEX CONCURRENTLY in the program before us waits for: a deadlock.
const lockPoll = 100 * time.Millisecond

// Up brings the database to exactly the schema of this program and returns nil when it already is there. Any number
// of programs may call it at once: one works, the others wait for it. databaseURL must lead to Postgres itself, since
// session locks do not survive a pooler in transaction mode. A database newer than this program is refused.
// When ctx ends, the statement under way is cancelled, its file rolled back, and the cause of ctx returned.
func Up(ctx context.Context, databaseURL string) error {
	return locked(ctx, databaseURL, func(conn *pgx.Conn) error {
		have, err := read(ctx, conn)
		if err != nil {
			return err
		}
		if err := have.refuse(); err != nil {
			return err
		}
		err = run(ctx, conn.Config(), (*migrate.Migrate).Up)
		if err != nil {
			return err
		}
		return riverUp(ctx, databaseURL)
	})
}

// Down undoes the last steps migrations of Steward's own, and all when there are not so many. When none is left,
// River's tables are removed too, so that the database is as empty as it was. It deletes data.
func Down(ctx context.Context, databaseURL string, steps int) error {
	if steps < 1 {
		return fmt.Errorf("migrations: cannot go down by %d steps", steps)
	}
	return locked(ctx, databaseURL, func(conn *pgx.Conn) error {
		have, err := read(ctx, conn)
		if err != nil {
			return err
		}
		if err := have.refuse(); err != nil {
			return err
		}
		applied := 0
		for _, v := range versions() {
			if v <= have.Current {
				applied++
			}
		}
		if steps < applied {
			return run(ctx, conn.Config(), func(m *migrate.Migrate) error { return m.Steps(-steps) })
		}
		if err := riverDown(ctx, databaseURL); err != nil {
			return err
		}
		return run(ctx, conn.Config(), (*migrate.Migrate).Down)
	})
}

// Hash names the schema that Up would make: it changes when any file here or River's version does. Tests name their
// template database by it.
func Hash() string {
	sum := sha256.New()
	for _, name := range names() {
		content, err := files.ReadFile(name)
		if err != nil {
			panic("migrations: an embedded file cannot be read: " + err.Error())
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(content), content)
	}
	fmt.Fprintf(sum, "river %d", riverWanted())
	return hex.EncodeToString(sum.Sum(nil))
}

// locked calls do while it alone, among all programs that use this package on that database, holds the lock.
func locked(ctx context.Context, databaseURL string, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	// Closing the session releases the lock; ctx may have ended by then, and the lock must go all the same.
	defer conn.Close(context.WithoutCancel(ctx))
	for {
		var mine bool
		err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", lockName).Scan(&mine)
		if err != nil {
			return fmt.Errorf("migrations: lock: %w", err)
		}
		if mine {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("migrations: waiting for another program that is migrating: %w", context.Cause(ctx))
		case <-time.After(lockPoll):
		}
	}
	if err := do(conn); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("migrations: interrupted: %w", context.Cause(ctx))
		}
		return fmt.Errorf("migrations: %w", err)
	}
	return nil
}

// run lets golang-migrate work on a connection of its own.
func run(ctx context.Context, config *pgx.ConnConfig, do func(*migrate.Migrate) error) error {
	source, err := iofs.New(files, ".")
	if err != nil {
		return err
	}
	driver, err := newDriver(config)
	if err != nil {
		return err
	}
	m, err := migrate.NewWithInstance("iofs", source, "pgx5", driver)
	if err != nil {
		return errors.Join(err, driver.Close())
	}
	stop := context.AfterFunc(ctx, func() {
		m.GracefulStop <- true
		driver.cancel()
	})
	defer stop()
	err = do(m)
	if errors.Is(err, migrate.ErrNoChange) {
		err = nil
	}
	if err == nil {
		err = ctx.Err() // golang-migrate stops between two files without an error
	}
	sourceErr, closeErr := m.Close()
	return errors.Join(err, sourceErr, closeErr)
}

func names() []string {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		panic("migrations: " + err.Error())
	}
	return names
}

// versions returns the numbers of the embedded migrations, lowest first.
func versions() []uint {
	var all []uint
	for _, name := range names() {
		number, rest, _ := strings.Cut(name, "_")
		if !strings.HasSuffix(rest, ".up.sql") {
			continue
		}
		v, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			panic("migrations: file name without a number: " + name)
		}
		all = append(all, uint(v))
	}
	return all
}
