package testdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/migrations"
)

// makeTemplate returns the name of a database that holds the schema and nothing else. It is made once for each version
// of the schema; test binaries that share a server make it once among them.
func (s *server) makeTemplate() (string, error) {
	const timeout = 3 * time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.admin.String())
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	// Held until conn is closed.
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtextextended('steward testdb', 0))"); err != nil {
		return "", err
	}
	const hashLength = 16
	name := "steward_template_" + migrations.Hash()[:hashLength]
	var finished bool
	err = conn.QueryRow(ctx, "SELECT datistemplate FROM pg_database WHERE datname = $1", name).Scan(&finished)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", err
	}
	if finished {
		return name, nil
	}
	// It is called a template only when it is complete; one that is not was interrupted.
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + name, "CREATE DATABASE " + name + " TEMPLATE template0"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return "", err
		}
	}
	if err := migrations.Up(ctx, s.address(name)); err != nil {
		return "", err
	}
	// Nobody can be connected to a database that is copied.
	_, err = conn.Exec(ctx, "ALTER DATABASE "+name+" WITH IS_TEMPLATE true ALLOW_CONNECTIONS false")
	if err != nil {
		return "", fmt.Errorf("finish %s: %w", name, err)
	}
	return name, nil
}
