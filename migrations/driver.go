package migrations

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/golang-migrate/migrate/v4/database"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// cancelTimeout bounds the extra connection by which a running statement is cancelled.
const cancelTimeout = 5 * time.Second

// driver is golang-migrate's Postgres driver with one difference. The original notes "dirty" before a file and "clean"
// after it, in transactions of their own; a program that dies between them leaves a database that no program will
// start on until somebody has repaired it by hand. Here the new version is part of the file's own transaction.
type driver struct {
	database.Driver
	session atomic.Pointer[pgconn.PgConn] // runs the files
	next    int
}

func newDriver(config *pgx.ConnConfig) (*driver, error) {
	d := &driver{}
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(_ context.Context, conn *pgx.Conn) error {
		d.session.Store(conn.PgConn())
		return nil
	}))
	db.SetMaxOpenConns(1) // or session would not be sure to be the one that runs the files
	inner, err := migratepgx.WithInstance(db, &migratepgx.Config{})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	d.Driver = inner // its Close closes db
	return d, nil
}

// SetVersion is called with dirty before a file runs, and without after it.
func (d *driver) SetVersion(version int, dirty bool) error {
	d.next = version
	if dirty {
		return nil
	}
	return d.Driver.SetVersion(version, false)
}

// Run runs one file.
func (d *driver) Run(migration io.Reader) error {
	file, err := io.ReadAll(migration)
	if err != nil {
		return err
	}
	if bytes.Contains(bytes.ToUpper(file), []byte("CONCURRENTLY")) {
		if err := d.Driver.SetVersion(d.next, true); err != nil {
			return err
		}
		return d.Driver.Run(bytes.NewReader(file))
	}
	// Postgres runs several statements that come in one message as one transaction.
	var whole bytes.Buffer
	whole.Write(file)
	whole.WriteString("\n;\nDELETE FROM schema_migrations;\n")
	if d.next != database.NilVersion {
		fmt.Fprintf(&whole, "INSERT INTO schema_migrations (version, dirty) VALUES (%d, false);\n", d.next)
	}
	return d.Driver.Run(&whole)
}

// cancel ends the statement that runs now, if any. It may be called from another goroutine.
func (d *driver) cancel() {
	ctx, done := context.WithTimeout(context.Background(), cancelTimeout)
	defer done()
	// Where it fails, the statement runs to its end: slower, not wrong.
	_ = d.session.Load().CancelRequest(ctx)
}
