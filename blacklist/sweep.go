package blacklist

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// Sweep finds work that no job does and gives it one: what was pending when a process was killed, pauses that are over,
// accounts that can work again, blocks whose end has come, pulls that are due or that nobody reads. Call it every few seconds in every
// process: with nothing to do it costs a few index look-ups, and several sweeps at once do no harm.
func (s *Service) Sweep(ctx context.Context) error {
	return errors.Join(s.endBlocks(ctx), s.resumeLanes(ctx), s.requeueLanes(ctx), s.startPulls(ctx), s.requeuePulls(ctx))
}

// each does something to each of ids in a transaction of its own. One that fails keeps no other from its turn.
func each[ID any](ctx context.Context, s *Service, ids []ID, do func(context.Context, pgx.Tx, ID) error) error {
	var failed error
	for _, id := range ids {
		if ctx.Err() != nil {
			return errors.Join(failed, ctx.Err())
		}
		if err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return do(ctx, tx, id) }); err != nil {
			failed = errors.Join(failed, fmt.Errorf("sweep blacklist of %v: %w", id, err))
		}
	}
	return failed
}

// laneID names a lane.
type laneID struct {
	TenantID     uuid.UUID
	AuthorizerID uuid.UUID
}

// resumeLanes ends the pauses of lanes whose account can blacklist again. An account of which our copy had said all the
// while that it can is tried again only once something about it has changed, or WeChat would refuse every few seconds.
func (s *Service) resumeLanes(ctx context.Context) error {
	const able = `a.state = 'active' AND a.permission_sets && ARRAY[2, 100]`
	// That it could not is a change too, even if it will look the same as before once it can again.
	if _, err := s.pool.Exec(ctx, `
		UPDATE blacklist_lanes l SET account_seen = '' FROM authorizers a
		WHERE l.awaits_account AND l.account_seen <> '' AND a.tenant_id = l.tenant_id AND a.id = l.authorizer_id AND NOT (`+able+`)`); err != nil {
		return fmt.Errorf("look at paused accounts: %w", err)
	}
	if _, err := s.pool.Exec(ctx, `
		UPDATE blacklist_lanes l SET awaits_account = false, account_seen = '', failures = 0, pause_reason = '', pause_errcode = NULL, pause_rid = ''
		FROM authorizers a
		WHERE l.awaits_account AND a.tenant_id = l.tenant_id AND a.id = l.authorizer_id AND `+able+` AND l.account_seen <> `+accountSeen); err != nil {
		return fmt.Errorf("resume paused accounts: %w", err)
	}
	return nil
}

// requeueLanes gives a job to each lane that may have something pending, does not rest, and is worked on by nobody.
func (s *Service) requeueLanes(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `
		SELECT tenant_id, authorizer_id FROM blacklist_lanes
		WHERE busy AND (lease_holder = '' OR lease_until < now()) AND NOT awaits_account AND held_at IS NULL AND coalesce(paused_until <= $1, true)`, s.now())
	if err != nil {
		return fmt.Errorf("find idle lanes: %w", err)
	}
	idle, err := pgx.CollectRows(rows, pgx.RowToStructByPos[laneID])
	if err != nil {
		return fmt.Errorf("find idle lanes: %w", err)
	}
	return each(ctx, s, idle, s.requeueLane)
}

func (s *Service) requeueLane(ctx context.Context, tx pgx.Tx, id laneID) error {
	var generation int64
	var free, died bool
	err := tx.QueryRow(ctx, `
		SELECT generation, lease_holder = '', lease_holder <> '' AND lease_until < now() FROM blacklist_lanes
		WHERE tenant_id = $1 AND authorizer_id = $2 FOR NO KEY UPDATE SKIP LOCKED`, id.TenantID, id.AuthorizerID).Scan(&generation, &free, &died)
	if errors.Is(err, pgx.ErrNoRows) || (err == nil && !free && !died) {
		return nil // somebody is at it
	}
	if err != nil {
		return err
	}
	bump := func() (int64, error) {
		var next int64
		err := tx.QueryRow(ctx, `
			UPDATE blacklist_lanes SET generation = generation + 1, lease_holder = '', lease_until = NULL
			WHERE tenant_id = $1 AND authorizer_id = $2 RETURNING generation`, id.TenantID, id.AuthorizerID).Scan(&next)
		return next, err
	}
	if died {
		s.logger.WarnContext(ctx, "a process that was pushing an account's blacklist has gone silent; another takes over", "authorizer_id", id.AuthorizerID)
		if generation, err = bump(); err != nil {
			return err
		}
		// If it was only frozen, a call of its may still reach WeChat, after those of its successor.
		if _, err := tx.Exec(ctx, `UPDATE blacklist_lanes SET pull_due_at = `+pullSooner("$3")+` WHERE tenant_id = $1 AND authorizer_id = $2`,
			id.TenantID, id.AuthorizerID, s.now()); err != nil {
			return err
		}
	}
	return s.requeue(ctx, tx, generation, func(generation int64) river.JobArgs {
		return pushArgs{TenantID: id.TenantID, AuthorizerID: id.AuthorizerID, Generation: generation}
	}, bump)
}

// requeuePulls gives a job to each open pull that nobody reads.
func (s *Service) requeuePulls(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `
		SELECT tenant_id, id FROM blacklist_pulls
		WHERE status IN ('queued', 'running') AND (lease_holder = '' OR lease_until < now())`)
	if err != nil {
		return fmt.Errorf("find idle pulls: %w", err)
	}
	idle, err := pgx.CollectRows(rows, pgx.RowToStructByPos[pullID])
	if err != nil {
		return fmt.Errorf("find idle pulls: %w", err)
	}
	return each(ctx, s, idle, s.requeuePull)
}

func (s *Service) requeuePull(ctx context.Context, tx pgx.Tx, id pullID) error {
	var generation int64
	var free, died bool
	err := tx.QueryRow(ctx, `
		SELECT generation, lease_holder = '', lease_holder <> '' AND lease_until < now() FROM blacklist_pulls
		WHERE tenant_id = $1 AND id = $2 AND status IN ('queued', 'running') FOR NO KEY UPDATE SKIP LOCKED`, id.TenantID, id.ID).Scan(&generation, &free, &died)
	if errors.Is(err, pgx.ErrNoRows) || (err == nil && !free && !died) {
		return nil
	}
	if err != nil {
		return err
	}
	bump := func() (int64, error) {
		var next int64
		err := tx.QueryRow(ctx, `
			UPDATE blacklist_pulls SET generation = generation + 1, lease_holder = '', lease_until = NULL
			WHERE tenant_id = $1 AND id = $2 RETURNING generation`, id.TenantID, id.ID).Scan(&next)
		return next, err
	}
	if died {
		if generation, err = bump(); err != nil {
			return err
		}
	}
	return s.requeue(ctx, tx, generation, func(generation int64) river.JobArgs {
		return pullArgs{TenantID: id.TenantID, PullID: id.ID, Generation: generation}
	}, bump)
}
