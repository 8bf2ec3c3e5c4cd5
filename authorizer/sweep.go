package authorizer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

const (
	// How many jobs one sweep makes of a kind. The next one comes within seconds.
	sweepEvents   = 200
	sweepProfiles = 200
	// An event that nobody has dealt with for eventPatience gets a (new) job, until it is eventLife old.
	eventPatience = time.Minute
	eventLife     = 7 * 24 * time.Hour
	// Links and codes are forgotten this long after they could last be used.
	linkKept  = 7 * 24 * time.Hour
	codesKept = 7 * 24 * time.Hour
	// reconciliationKept is how long a reconciliation that has ended can be looked up.
	reconciliationKept = 90 * 24 * time.Hour
	// cleanEvery is how often one process looks for what can be forgotten.
	cleanEvery = 10 * time.Minute
)

// Sweep finds what should have happened and has not, and sees to it: tokens that are due, events without a job, profiles
// never read, reconciliations to begin or to go on with, links and codes to forget. Components are swept by themselves. Any
// number of processes may call it every few seconds; one job for one thing is under way at a time. Part of it failing does
// not stop the rest.
func (s *Service) Sweep(ctx context.Context) error {
	return errors.Join(
		s.sweepTokens(ctx),
		s.sweepEvents(ctx),
		s.sweepProfiles(ctx),
		s.sweepReconciliations(ctx),
		s.settleContested(ctx),
		s.clean(ctx),
	)
}

func (s *Service) sweepProfiles(ctx context.Context) error {
	err := s.enqueue(ctx, profileAttempts, func(id uuid.UUID) river.JobArgs { return readProfileArgs{AuthorizerID: id} }, `
		SELECT id FROM authorizers WHERE state IN ('active', 'limited') AND profile_due_at <= $1 ORDER BY profile_due_at LIMIT $2`,
		s.now().UTC(), sweepProfiles)
	if err != nil {
		return fmt.Errorf("sweep profiles: %w", err)
	}
	return nil
}

func (s *Service) sweepEvents(ctx context.Context) error {
	now := s.now().UTC()
	waiting, err := s.components.UnprocessedEvents(ctx, now.Add(-eventLife), now.Add(-eventPatience), sweepEvents)
	if err != nil {
		return fmt.Errorf("sweep events: %w", err)
	}
	err = insertJobs(ctx, s, eventAttempts, func(id uuid.UUID) river.JobArgs { return authorizationEventArgs{EventID: id} }, waiting)
	if err != nil {
		return fmt.Errorf("sweep events: %w", err)
	}
	return nil
}

// enqueue makes a job for each id that a query returns.
func (s *Service) enqueue(ctx context.Context, maxAttempts int, job func(uuid.UUID) river.JobArgs, sql string, args ...any) error {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	return insertJobs(ctx, s, maxAttempts, job, found)
}

// insertJobs makes a job for each. Each has a transaction of its own: the queue locks jobs that are there already, and
// whoever locks several may wait in a circle with the queue itself.
func insertJobs[T any](ctx context.Context, s *Service, maxAttempts int, job func(T) river.JobArgs, about []T) error {
	for _, each := range about {
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			_, err := s.jobs.InsertTx(ctx, tx, job(each), oncePerArgs(maxAttempts))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// clean forgets links that nobody used, codes that nobody can use any more, and old reconciliations.
func (s *Service) clean(ctx context.Context) error {
	now := s.now().UTC()
	s.mu.Lock()
	due := now.Sub(s.cleanedAt) >= cleanEvery
	if due {
		s.cleanedAt = now
	}
	s.mu.Unlock()
	if !due {
		return nil
	}
	_, links := s.pool.Exec(ctx, `DELETE FROM connect_links WHERE used_at IS NULL AND expires_at < $1`, now.Add(-linkKept))
	_, preAuth := s.pool.Exec(ctx, `DELETE FROM connect_link_codes WHERE created_at < $1`, now.Add(-codesKept))
	_, codes := s.pool.Exec(ctx, `DELETE FROM authorization_codes WHERE created_at < $1`, now.Add(-codesKept))
	_, reconciliations := s.pool.Exec(ctx, `DELETE FROM reconciliations WHERE ended_at < $1`, now.Add(-reconciliationKept))
	if err := errors.Join(links, preAuth, codes, reconciliations); err != nil {
		return fmt.Errorf("clean up after authorizations: %w", err)
	}
	return nil
}
