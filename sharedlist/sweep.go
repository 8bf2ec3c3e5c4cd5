package sharedlist

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Sweep does what the lists say and is not done yet: it finds out where people are of whom something was learned, has them
// blocked there or unblocked, and forgets who was taken off everywhere. Call it every few seconds in every process: with
// nothing to do it costs a few index look-ups, and several sweeps at once do no harm.
//
// Each step is a short transaction in which the work and the mark that asked for it go together, so a sweep may be killed at
// any moment.
func (s *Service) Sweep(ctx context.Context) error {
	return errors.Join(s.spread(ctx), s.lookAgain(ctx), s.settle(ctx), s.forget(ctx))
}

// rounds gives everything that find finds a turn, and those who ask for it another, until nobody does. What fails keeps
// nothing else from its turn.
func rounds[ID comparable](ctx context.Context, s *Service, find string, turn func(context.Context, ID) (more bool, err error)) error {
	var failed error
	broken := map[ID]bool{}
	for more := true; more; {
		rows, err := s.pool.Query(ctx, find)
		if err != nil {
			return errors.Join(failed, err)
		}
		ids, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ID])
		if err != nil {
			return errors.Join(failed, err)
		}
		more = false
		for _, id := range ids {
			if ctx.Err() != nil {
				return errors.Join(failed, ctx.Err())
			}
			if broken[id] {
				continue
			}
			again, err := turn(ctx, id)
			if err != nil {
				broken[id], failed = true, errors.Join(failed, fmt.Errorf("sweep lists of %v: %w", id, err))
			}
			more = more || again
		}
	}
	return failed
}

// lookAgain makes due those places where the block of somebody else may have ended.
func (s *Service) lookAgain(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `
		UPDATE blacklist_list_places p SET due = true FROM (
			SELECT tenant_id, authorizer_id, openid, list_id, person_id FROM blacklist_list_places
			WHERE look_again_at <= $1 AND NOT due ORDER BY tenant_id, authorizer_id, openid, list_id, person_id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
		) n
		WHERE (p.tenant_id, p.authorizer_id, p.openid, p.list_id, p.person_id) = (n.tenant_id, n.authorizer_id, n.openid, n.list_id, n.person_id)`,
		s.now(), s.chunk)
	if err != nil {
		return fmt.Errorf("look at places again: %w", err)
	}
	return nil
}

// forget deletes those who were taken off, once nothing is left of what their list put on.
func (s *Service) forget(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `
		DELETE FROM blacklist_list_persons p WHERE (p.tenant_id, p.list_id, p.id) IN (
			SELECT r.tenant_id, r.list_id, r.id FROM blacklist_list_persons r
			WHERE r.removed_at IS NOT NULL
				AND NOT EXISTS (SELECT FROM blacklist_list_dues d WHERE d.tenant_id = r.tenant_id AND d.list_id = r.list_id AND d.person_id = r.id)
				AND NOT EXISTS (SELECT FROM blacklist_list_places w WHERE w.tenant_id = r.tenant_id AND w.list_id = r.list_id AND w.person_id = r.id)
			ORDER BY r.tenant_id, r.list_id, r.id LIMIT $1 FOR UPDATE SKIP LOCKED)`, s.chunk*10)
	if err != nil {
		return fmt.Errorf("forget those taken off: %w", err)
	}
	return nil
}

// listID names a list.
type listID struct {
	TenantID uuid.UUID
	ListID   uuid.UUID
}
