package blacklist

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/tenant"
)

// pausedBatches is true of the batches b that somebody has stopped and that have something pending.
const pausedBatches = `b.paused_at IS NOT NULL AND b.ended_at IS NULL`

// betweenPauses are the ranges of wishes of an account between those of its paused batches, both ends excluded. All entries of a
// batch have its wish, and the index of what is pending goes by wish: who goes from range to range never comes upon a paused
// entry, however many there are.
const betweenPauses = `
	SELECT p.wish AS after, coalesce(lead(p.wish) OVER (ORDER BY p.wish), 9223372036854775807) AS before FROM (
		SELECT 0 AS wish UNION ALL SELECT b.wish FROM blacklist_batches b WHERE b.tenant_id = $1 AND b.authorizer_id = $2 AND ` + pausedBatches + `
	) p`

// maxPausedShown is how many paused batches [Work] names.
const maxPausedShown = 100

// PausedBatch is a batch that somebody has stopped.
type PausedBatch struct {
	ID      uuid.UUID
	At      time.Time
	By      string // "name (kind)"
	Reason  string // as that person said
	Pending int    // openids that wait
}

// PauseBatch stops one batch until [Service.ResumeBatch]: calls that are in the air come to their end, and so do the few
// that a push begins before it has noticed, at most some hundred openids as with [Service.Cancel]; no other is made for it.
// The other batches of the account go on, and their wishes take the place of those that wait, as ever. A paused batch can be
// cancelled; holding and resuming the account's work has nothing to do with it.
//
// What still waits when the end of its block comes is withdrawn, as [Service.Cancel] does: nobody is unblocked for a block
// that was not made.
//
// A batch that is paused already, or has ended, is returned as it is. reason is for people. Audited.
func (s *Service) PauseBatch(ctx context.Context, p tenant.Principal, tenantID, batchID uuid.UUID, reason string) (Batch, error) {
	if err := CheckReason(reason); err != nil {
		return Batch{}, err
	}
	return s.changePause(ctx, p, tenantID, batchID, "blacklist.pause_batch", reason, func(ctx context.Context, tx pgx.Tx, batch Batch, now time.Time) (bool, error) {
		tag, err := tx.Exec(ctx, `
			UPDATE blacklist_batches SET paused_at = $3, paused_by = $4, paused_reason = $5
			WHERE tenant_id = $1 AND id = $2 AND paused_at IS NULL AND ended_at IS NULL`, tenantID, batchID, now, p.Actor(), reason)
		if err != nil || tag.RowsAffected() == 0 {
			return false, err
		}
		return true, tellPush(ctx, tx, tenantID, batch.AuthorizerID)
	})
}

// ResumeBatch lets a paused batch go on. One that is not paused is returned as it is. reason is for people. Audited.
func (s *Service) ResumeBatch(ctx context.Context, p tenant.Principal, tenantID, batchID uuid.UUID, reason string) (Batch, error) {
	if err := CheckReason(reason); err != nil {
		return Batch{}, err
	}
	return s.changePause(ctx, p, tenantID, batchID, "blacklist.resume_batch", reason, func(ctx context.Context, tx pgx.Tx, batch Batch, now time.Time) (bool, error) {
		// A sweep may not have come to what has ended just now.
		if err := s.withdrawEnded(ctx, tx, pausedID{tenantID, batch.AuthorizerID, batchID}); err != nil {
			return false, err
		}
		tag, err := tx.Exec(ctx, `
			UPDATE blacklist_batches SET paused_at = NULL, paused_by = '', paused_reason = ''
			WHERE tenant_id = $1 AND id = $2 AND paused_at IS NOT NULL AND ended_at IS NULL`, tenantID, batchID)
		if err != nil || tag.RowsAffected() == 0 {
			return false, err
		}
		return true, s.enqueuePush(ctx, tx, tenantID, batch.AuthorizerID, now)
	})
}

// changePause changes a batch, and records who did so if that changed anything.
func (s *Service) changePause(ctx context.Context, p tenant.Principal, tenantID, batchID uuid.UUID, action, reason string,
	change func(context.Context, pgx.Tx, Batch, time.Time) (bool, error),
) (Batch, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistWrite); err != nil {
		return Batch{}, err
	}
	var batch Batch
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		now := s.now()
		var err error
		if batch, err = readBatch(ctx, tx, tenantID, batchID, now); err != nil || batch.Ended() {
			return err
		}
		// As whoever writes wishes does: a push that ends just now must not overlook what may go on.
		if err := lockLaneShared(ctx, tx, tenantID, batch.AuthorizerID); err != nil {
			return err
		}
		changed, err := change(ctx, tx, batch, now)
		if err != nil {
			return err
		}
		if batch, err = readBatch(ctx, tx, tenantID, batchID, now); err != nil || !changed {
			return err
		}
		return tenant.Audit(ctx, tx, p, now, tenant.Entry{
			TenantID: tenantID, Action: action, Target: "authorizer:" + batch.AuthorizerAppID, Reason: reason,
			Detail: map[string]any{"batch_id": batchID, "openids": batch.Counts.Pending},
		})
	})
	if err != nil {
		return Batch{}, fmt.Errorf("%s: %w", strings.ReplaceAll(strings.TrimPrefix(action, "blacklist."), "_", " "), err)
	}
	return batch, nil
}

// pausedID names a batch of an account.
type pausedID struct {
	TenantID     uuid.UUID
	AuthorizerID uuid.UUID
	BatchID      uuid.UUID
}

// endPaused withdraws what waits in paused batches for a block whose end has come.
func (s *Service) endPaused(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `
		SELECT DISTINCT e.tenant_id, e.authorizer_id, e.batch_id FROM blacklist_entries e
		WHERE `+hasEnd+` AND e.want_until <= $1 AND e.pending
			AND EXISTS (SELECT FROM blacklist_batches b WHERE b.tenant_id = e.tenant_id AND b.id = e.batch_id AND `+pausedBatches+`)`, s.now())
	if err != nil {
		return fmt.Errorf("find ended blocks of paused batches: %w", err)
	}
	paused, err := pgx.CollectRows(rows, pgx.RowToStructByPos[pausedID])
	if err != nil {
		return fmt.Errorf("find ended blocks of paused batches: %w", err)
	}
	return each(ctx, s, paused, s.withdrawEnded)
}

// withdrawEnded withdraws what waits in a paused batch for a block whose end has come.
func (s *Service) withdrawEnded(ctx context.Context, tx pgx.Tx, id pausedID) error {
	now := s.now()
	if err := lockLaneShared(ctx, tx, id.TenantID, id.AuthorizerID); err != nil {
		return err
	}
	var some bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM blacklist_entries e WHERE `+hasEnd+` AND e.want_until <= $4 AND e.pending AND e.tenant_id = $1 AND e.authorizer_id = $2 AND e.batch_id = $3)
			AND EXISTS (SELECT FROM blacklist_batches b WHERE b.tenant_id = $1 AND b.id = $3 AND `+pausedBatches+`)`,
		id.TenantID, id.AuthorizerID, id.BatchID, now).Scan(&some)
	if err != nil || !some {
		return err
	}
	batch, err := readBatch(ctx, tx, id.TenantID, id.BatchID, now)
	if err != nil {
		return err
	}
	withdrawn, err := withdraw(ctx, tx, id.TenantID, batch, now, true)
	if err != nil || withdrawn == 0 {
		return err
	}
	return auditWithdrawal(ctx, tx, tenant.System("blacklist"), now, batch, id.TenantID, withdrawn, endedReason)
}

// pausedOf returns the paused batches of an account, those first that have been paused longest, and how many there are.
func pausedOf(ctx context.Context, q Querier, id laneID) ([]PausedBatch, int, error) {
	rows, err := q.Query(ctx, `
		SELECT b.id, b.paused_at, b.paused_by, b.paused_reason, b.total - b.skipped - b.done - b.already - b.failed - b.superseded - b.cancelled, count(*) OVER ()
		FROM blacklist_batches b WHERE b.tenant_id = $1 AND b.authorizer_id = $2 AND `+pausedBatches+` ORDER BY b.paused_at, b.id LIMIT $3`,
		id.TenantID, id.AuthorizerID, maxPausedShown)
	if err != nil {
		return nil, 0, fmt.Errorf("read paused batches: %w", err)
	}
	var all int
	batches, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (b PausedBatch, err error) {
		err = row.Scan(&b.ID, &b.At, &b.By, &b.Reason, &b.Pending, &all)
		b.At = b.At.UTC()
		return b, err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read paused batches: %w", err)
	}
	return batches, all, nil
}
