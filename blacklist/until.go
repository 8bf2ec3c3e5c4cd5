package blacklist

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/tenant"
)

// endedReason is the reason of the batches that end blocks.
const endedReason = "the block's end was reached"

// hasEnd is true of the entries e that are to be blocked until some time, as the index of these has it.
const hasEnd = `e.want = 'blocked' AND e.want_until IS NOT NULL`

// endBlocks unblocks, as a wish of Steward's own, whoever was to be blocked only until now.
func (s *Service) endBlocks(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `
		SELECT DISTINCT e.tenant_id, e.authorizer_id FROM blacklist_entries e WHERE `+hasEnd+` AND e.want_until <= $1`, s.now())
	if err != nil {
		return fmt.Errorf("find ended blocks: %w", err)
	}
	due, err := pgx.CollectRows(rows, pgx.RowToStructByPos[laneID])
	if err != nil {
		return fmt.Errorf("find ended blocks: %w", err)
	}
	if len(due) == 0 {
		return nil
	}
	// First, so that nobody is unblocked for a block that was not made.
	return errors.Join(s.endPaused(ctx), each(ctx, s, due, s.endBlocksOf))
}

func (s *Service) endBlocksOf(ctx context.Context, tx pgx.Tx, id laneID) error {
	// Exclusively: a wish that is being written has its number already, and one of ours with a larger number would
	// overtake it, although somebody has just asked for a longer block.
	if err := lockLane(ctx, tx, id.TenantID, id.AuthorizerID); err != nil {
		return err
	}
	batchID, err := uuid.NewV7()
	if err != nil {
		return err
	}
	w := wishes{
		batchID: batchID, tenantID: id.TenantID, authorizerID: id.AuthorizerID, action: ActionUnblock,
		reason: endedReason, by: tenant.System("blacklist"), now: s.now(),
	}
	rows, err := tx.Query(ctx, `
		SELECT e.openid FROM blacklist_entries e
		WHERE e.tenant_id = $1 AND e.authorizer_id = $2 AND `+hasEnd+` AND e.want_until <= $3
			AND NOT (e.pending AND e.wish IN (SELECT b.wish FROM blacklist_batches b WHERE b.tenant_id = $1 AND b.authorizer_id = $2 AND `+pausedBatches+`))
		ORDER BY e.openid LIMIT $4`, w.tenantID, w.authorizerID, w.now, MaxOpenIDs)
	if err != nil {
		return err
	}
	openids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(openids) == 0 {
		return err // another process was faster
	}
	w.list, err = list(openids)
	if err != nil {
		return err
	}
	if err := tx.QueryRow(ctx, `SELECT appid FROM authorizers WHERE tenant_id = $1 AND id = $2`, w.tenantID, w.authorizerID).Scan(&w.appid); err != nil {
		return err
	}
	// Whether the account may blacklist just now is not asked: the end was wished for when it could, and waits if it cannot.
	if err := s.write(ctx, tx, w); err != nil {
		return err
	}
	return s.enqueuePush(ctx, tx, w.tenantID, w.authorizerID, w.now)
}
