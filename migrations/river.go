package migrations

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// River's tables live beside ours, in the first schema of the search path, so that no client has to be told where.

func riverUp(ctx context.Context, databaseURL string) error {
	return river(ctx, databaseURL, rivermigrate.DirectionUp, nil)
}

func riverDown(ctx context.Context, databaseURL string) error {
	return river(ctx, databaseURL, rivermigrate.DirectionDown, &rivermigrate.MigrateOpts{TargetVersion: -1})
}

func river(ctx context.Context, databaseURL string, way rivermigrate.Direction, opts *rivermigrate.MigrateOpts) error {
	config, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return err
	}
	config.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := riverMigrator(pool).Migrate(ctx, way, opts); err != nil {
		return fmt.Errorf("job queue: %w", err)
	}
	return nil
}

// riverWanted is the newest version of River's tables that this program knows.
func riverWanted() int {
	all := riverMigrator(nil).AllVersions()
	return all[len(all)-1].Version
}

func riverMigrator(pool *pgxpool.Pool) *rivermigrate.Migrator[pgx.Tx] {
	// It fails only for a line of migrations that does not exist, and we name none.
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic("migrations: " + err.Error())
	}
	return migrator
}
