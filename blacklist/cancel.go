package blacklist

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/tenant"
)

// Cancel withdraws what is still pending of a batch and returns the batch, which has ended then. One that had ended before
// is returned as it is.
//
// The entries of withdrawn wishes want again what they wanted before: what the newest earlier batch asked for that WeChat has
// answered, with its reason, its note, its end, and its refusal if it was one. A wish that waited when this batch took its place has
// ended as superseded and is not taken up again. Where there was no earlier batch nobody here wants anything of the entry. Of
// what was adopted in between, see [Service.Adopt], no batch knows: it has to be adopted again.
//
// Calls to WeChat that are under way may still be carried out, and so may the few that a push begins before it has noticed: at
// most some hundred openids. Then their entries' actual says so, and their items are cancelled all the same: nobody was told
// that they were done.
//
// The account need not be one that can be worked for: a batch that waits for its merchant can be cancelled too.
func (s *Service) Cancel(ctx context.Context, p tenant.Principal, tenantID, batchID uuid.UUID) (Batch, error) {
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
		withdrawn, err := withdraw(ctx, tx, tenantID, batch, now, false)
		if err != nil {
			return err
		}
		if withdrawn > 0 {
			if err := auditWithdrawal(ctx, tx, p, now, batch, tenantID, withdrawn, ""); err != nil {
				return err
			}
		}
		batch, err = readBatch(ctx, tx, tenantID, batchID, now)
		return err
	})
	if err != nil {
		return Batch{}, fmt.Errorf("cancel: %w", err)
	}
	return batch, nil
}

func auditWithdrawal(ctx context.Context, tx pgx.Tx, p tenant.Principal, now time.Time, batch Batch, tenantID uuid.UUID, withdrawn int, reason string) error {
	return tenant.Audit(ctx, tx, p, now, tenant.Entry{
		TenantID: tenantID, Action: "blacklist.cancel", Target: "authorizer:" + batch.AuthorizerAppID, Reason: reason,
		Detail: map[string]any{"batch_id": batch.ID, "openids": withdrawn},
	})
}

// withdraw ends everything that is pending of a batch, or with ended only the blocks whose end has come, and returns how much
// that was. It takes as many statements for 100,000 openids as for one.
func withdraw(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID, batch Batch, now time.Time, ended bool) (int, error) {
	if err := lockLaneShared(ctx, tx, tenantID, batch.AuthorizerID); err != nil {
		return 0, err
	}
	var wish int64
	if err := tx.QueryRow(ctx, `SELECT wish FROM blacklist_batches WHERE tenant_id = $1 AND id = $2`, tenantID, batch.ID).Scan(&wish); err != nil {
		return 0, fmt.Errorf("read wish: %w", err)
	}
	args := pgx.NamedArgs{"tenant_id": tenantID, "authorizer_id": batch.AuthorizerID, "batch_id": batch.ID, "wish": wish, "now": now, "ended": ended}
	// In the order in which everybody locks entries. Whoever has one of them records an outcome for it, or a later wish, before
	// we get it; so every item that is pending after this is ours to end.
	if _, err := tx.Exec(ctx, `SELECT count(*) FROM (SELECT FROM blacklist_entries e WHERE `+withdrawable+` ORDER BY e.openid FOR NO KEY UPDATE) locked`, args); err != nil {
		return 0, fmt.Errorf("lock entries: %w", err)
	}
	items := `
		UPDATE blacklist_items i SET outcome = 'cancelled', ended_at = @now WHERE i.tenant_id = @tenant_id AND i.batch_id = @batch_id AND i.outcome = 'pending'`
	if ended {
		// A scalar subquery, because for that the planner must look up one entry at a time.
		items += ` AND (SELECT e.pending FROM blacklist_entries e WHERE e.openid = i.openid AND ` + withdrawable + `)`
	}
	tag, err := tx.Exec(ctx, items, args)
	if err != nil {
		return 0, fmt.Errorf("cancel items: %w", err)
	}
	if err := restoreWishes(ctx, tx, withdrawable, args); err != nil {
		return 0, err
	}
	withdrawn := int(tag.RowsAffected())
	if err := addCounts(ctx, tx, tenantID, map[uuid.UUID]counts{batch.ID: {Cancelled: withdrawn}}, nil, now); err != nil {
		return 0, err
	}
	return withdrawn, tellPush(ctx, tx, tenantID, batch.AuthorizerID)
}

// withdrawable is true of the entries e that withdraw takes the wish from.
const withdrawable = `
	e.tenant_id = @tenant_id AND e.authorizer_id = @authorizer_id AND e.pending AND e.wish = @wish AND (NOT @ended::boolean OR e.want_until <= @now)`

// tellPush has a push that has read ahead read anew: some of it may have been withdrawn or paused.
func tellPush(ctx context.Context, tx pgx.Tx, tenantID, authorizerID uuid.UUID) error {
	if _, err := tx.Exec(ctx, `UPDATE blacklist_lanes SET withdrawals = withdrawals + 1 WHERE tenant_id = $1 AND authorizer_id = $2`,
		tenantID, authorizerID); err != nil {
		return fmt.Errorf("tell the push: %w", err)
	}
	return nil
}

// formerWish finds the wish for entry e before one with the number beforeWish: the newest one that WeChat has answered.
//
// OFFSET 0 keeps the planner from beginning with the account's batches, of which there may be a million.
func formerWish(beforeWish string) string {
	return `
		SELECT b.wish, b.id, b.action, coalesce(i.reason, b.reason) AS reason, coalesce(i.note, b.note) AS note, coalesce(i.until, b.until) AS until,
			b.actor_name || ' (' || b.actor_kind || ')' AS actor, b.created_at, i.errcode, i.rid
		FROM (
			SELECT batch_id, reason, note, until, errcode, rid FROM blacklist_items
			WHERE tenant_id = e.tenant_id AND openid = e.openid AND outcome IN ('done', 'already', 'failed') OFFSET 0
		) i
		JOIN blacklist_batches b ON b.tenant_id = e.tenant_id AND b.id = i.batch_id
		WHERE b.authorizer_id = e.authorizer_id AND b.wish < ` + beforeWish + `
		ORDER BY b.wish DESC LIMIT 1`
}

// restoreWishes gives the entries that wait for a wish back the one before it, see [Service.Cancel]. An entry without one
// gets the number that comes before all wishes: one that is being written just now must not take the withdrawn one for
// the later of the two.
//
// which chooses among the entries e of the account that wait, by args, which hold the tenant and the account.
func restoreWishes(ctx context.Context, tx pgx.Tx, which string, args pgx.NamedArgs) error {
	_, err := tx.Exec(ctx, `
		UPDATE blacklist_entries e SET pending = false, replaced_batch_id = NULL,
			(wish, batch_id, want, want_until, reason, note, wanted_by, wanted_at, errcode, rid) = (
				SELECT coalesce(f.wish, 0), f.id, CASE f.action WHEN 'block' THEN 'blocked' WHEN 'unblock' THEN 'unblocked' END, f.until,
					coalesce(f.reason, ''), coalesce(f.note, ''), coalesce(f.actor, ''), f.created_at, f.errcode, coalesce(f.rid, '')
				FROM (SELECT) one LEFT JOIN LATERAL (`+formerWish("e.wish")+`) f ON true
			)
		WHERE e.tenant_id = @tenant_id AND e.authorizer_id = @authorizer_id AND e.pending AND `+which, args)
	if err != nil {
		return fmt.Errorf("restore wishes: %w", err)
	}
	return nil
}
