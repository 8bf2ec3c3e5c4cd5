package migrations

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// State compares a database with the schema of this program. Version 0 is a database without the tables.
type State struct {
	Current uint // the newest migration of Steward's own that the database has
	Wanted  uint // the newest that this program knows
	// Dirty: a migration that could not run in a transaction was interrupted, and somebody has to look.
	Dirty        bool
	RiverCurrent int // the same two for the tables of River, the job queue
	RiverWanted  int
}

// Status compares the database at databaseURL with this program. It changes nothing.
func Status(ctx context.Context, databaseURL string) (State, error) {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return State{}, fmt.Errorf("migrations: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	status, err := read(ctx, conn)
	if err != nil {
		return State{}, fmt.Errorf("migrations: %w", err)
	}
	return status, nil
}

// Check returns nil only when the database has exactly the schema that this program was built with. Otherwise the
// error says what to do about it.
func Check(ctx context.Context, pool *pgxpool.Pool) error {
	status, err := read(ctx, pool)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if err := status.refuse(); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if status.Current == status.Wanted && status.RiverCurrent == status.RiverWanted {
		return nil
	}
	return fmt.Errorf("migrations: the database is at version %d of %d (job queue: %d of %d):"+
		" run `steward migrate up`, or start with `steward serve --migrate`",
		status.Current, status.Wanted, status.RiverCurrent, status.RiverWanted)
}

// refuse returns an error when this program must not touch the schema.
func (s State) refuse() error {
	if s.Dirty {
		return fmt.Errorf("migration %d was interrupted half-way and cannot be undone by itself: compare the database"+
			" with the file of that number, then correct the row in schema_migrations", s.Current)
	}
	if s.Current > s.Wanted || s.RiverCurrent > s.RiverWanted {
		return fmt.Errorf("the database (version %d, job queue %d) is newer than this program"+
			" (version %d, job queue %d): start the newer program",
			s.Current, s.RiverCurrent, s.Wanted, s.RiverWanted)
	}
	return nil
}

// SQLSTATEs for a query of a table, and of a column, that does not exist.
const (
	undefinedTable  = "42P01"
	undefinedColumn = "42703"
)

// querier is a connection or a pool.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func read(ctx context.Context, db querier) (State, error) {
	all := versions()
	s := State{Wanted: all[len(all)-1], RiverWanted: riverWanted()}
	row := db.QueryRow(ctx, "SELECT version, dirty FROM schema_migrations")
	if err := row.Scan(&s.Current, &s.Dirty); err != nil && !isAbsent(err) {
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == undefinedColumn {
			return State{}, errors.New("the table schema_migrations is another program's: give Steward a database of its own")
		}
		return State{}, err
	}
	row = db.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM river_migration")
	if err := row.Scan(&s.RiverCurrent); err != nil && !isAbsent(err) {
		return State{}, err
	}
	return s, nil
}

// isAbsent: no such table yet, or nothing in it.
func isAbsent(err error) bool {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code == undefinedTable
	}
	return errors.Is(err, pgx.ErrNoRows)
}
