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
	sweepTokens   = 200
	sweepEvents   = 200
	sweepProfiles = 50
	// An event that nobody has dealt with for eventPatience gets a (new) job, until it is eventLife old.
	eventPatience = time.Minute
	eventLife     = 7 * 24 * time.Hour
	// Profiles are read anew once a day; those of restricted accounts more often, in case the restriction has ended.
	profileLife        = 24 * time.Hour
	limitedProfileLife = 6 * time.Hour
	// Links and codes are forgotten this long after they could last be used.
	linkKept  = 7 * 24 * time.Hour
	codesKept = 7 * 24 * time.Hour
	// cleanEvery is how often one process looks for what can be forgotten.
	cleanEvery = 10 * time.Minute
)

// Sweep finds what should have happened and has not, and sees to it: tokens that are due, events without a job, profiles
// never read, a component's token about to expire, links and codes to forget. Any number of processes may call it every
// few seconds; one job for one thing is under way at a time. Part of it failing does not stop the rest.
func (s *Service) Sweep(ctx context.Context) error {
	return errors.Join(
		s.components.Warm(ctx),
		s.sweepTokens(ctx),
		s.sweepEvents(ctx),
		s.sweepProfiles(ctx),
		s.clean(ctx),
	)
}

func (s *Service) sweepTokens(ctx context.Context) error {
	err := s.enqueue(ctx, 1, func(id uuid.UUID) river.JobArgs { return renewTokenArgs{AuthorizerID: id} }, `
		SELECT t.authorizer_id FROM authorizer_tokens t JOIN authorizers a ON a.id = t.authorizer_id
		WHERE t.renew_after <= $1 AND a.state IN ('active', 'limited') ORDER BY t.renew_after LIMIT $2`,
		s.now().UTC(), sweepTokens)
	if err != nil {
		return fmt.Errorf("sweep tokens: %w", err)
	}
	return nil
}

func (s *Service) sweepProfiles(ctx context.Context) error {
	now := s.now().UTC()
	err := s.enqueue(ctx, profileAttempts, func(id uuid.UUID) river.JobArgs { return readProfileArgs{AuthorizerID: id} }, `
		SELECT id FROM authorizers
		WHERE state IN ('active', 'limited') AND (profile_read_at IS NULL OR profile_read_at < $1
			OR (state = 'limited' AND profile_read_at < $2 AND state_changed_at < $2))
		ORDER BY profile_read_at NULLS FIRST LIMIT $3`,
		now.Add(-profileLife), now.Add(-limitedProfileLife), sweepProfiles)
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
	err = s.insertJobs(ctx, eventAttempts, func(id uuid.UUID) river.JobArgs { return authorizationEventArgs{EventID: id} }, waiting)
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
	return s.insertJobs(ctx, maxAttempts, job, found)
}

func (s *Service) insertJobs(ctx context.Context, maxAttempts int, job func(uuid.UUID) river.JobArgs, about []uuid.UUID) error {
	if len(about) == 0 {
		return nil
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		for _, id := range about {
			if _, err := s.jobs.InsertTx(ctx, tx, job(id), oncePerArgs(maxAttempts)); err != nil {
				return err
			}
		}
		return nil
	})
}

// clean forgets links that nobody used, and codes that nobody can use any more.
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
	if err := errors.Join(links, preAuth, codes); err != nil {
		return fmt.Errorf("clean up after authorizations: %w", err)
	}
	return nil
}
