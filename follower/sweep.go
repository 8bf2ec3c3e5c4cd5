package follower

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// sweepDirectories is how many directories one sweep begins to sync, or gives a job. The next one comes within seconds.
const sweepDirectories = 200

// Sweep begins the syncs that are due, and gives a job to each directory for which there is something to do and on which
// nobody works. Call it every few seconds in every process: with nothing to do it costs two index look-ups, and several
// sweeps at once do no harm.
func (s *Service) Sweep(ctx context.Context) error {
	if err := errors.Join(s.beginDue(ctx), s.giveTurns(ctx)); err != nil {
		return fmt.Errorf("sweep followers: %w", err)
	}
	return nil
}

// beginDue begins the syncs that nobody asked for. An account that cannot be acted for now has its sync when it can again.
func (s *Service) beginDue(ctx context.Context) error {
	due, err := s.directories(ctx, `
		SELECT d.tenant_id, d.authorizer_id FROM follower_directories d JOIN authorizers a ON a.tenant_id = d.tenant_id AND a.id = d.authorizer_id
		WHERE d.enabled AND d.next_sync_at <= $1 AND d.sync_status NOT IN ('queued', 'running') AND d.chore <> 'erase'
			AND a.state = 'active' AND a.permission_sets && ARRAY[2, 100]
		ORDER BY d.next_sync_at LIMIT $2`)
	for _, id := range due {
		err = errors.Join(err, pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.beginSync(ctx, tx, id) }))
	}
	return err
}

func (s *Service) beginSync(ctx context.Context, tx pgx.Tx, id directoryID) error {
	tag, err := tx.Exec(ctx, `
		UPDATE follower_directories SET next_sync_at = $4
		WHERE tenant_id = $1 AND authorizer_id = $2 AND enabled AND next_sync_at <= $3 AND sync_status NOT IN ('queued', 'running')`,
		id.TenantID, id.AuthorizerID, s.now(), s.nextSync())
	if err != nil || tag.RowsAffected() == 0 { // another sweep was faster
		return err
	}
	return s.openSync(ctx, tx, id, tending().Actor())
}

func (s *Service) giveTurns(ctx context.Context) error {
	idle, err := s.directories(ctx, `
		SELECT tenant_id, authorizer_id FROM follower_directories
		WHERE lease_until < now() AND (chore <> '' OR staged OR fill_due OR sync_status IN ('queued', 'running')) AND `+hasWork(`$1`)+`
		ORDER BY lease_until LIMIT $2`)
	for _, id := range idle {
		err = errors.Join(err, pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.giveTurn(ctx, tx, id) }))
	}
	return err
}

// directories returns the ids that a query selects, which has now as $1 and a limit as $2.
func (s *Service) directories(ctx context.Context, query string) ([]directoryID, error) {
	rows, err := s.pool.Query(ctx, query, s.now(), sweepDirectories)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[directoryID])
}
