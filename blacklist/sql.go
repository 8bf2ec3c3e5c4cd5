package blacklist

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// insertBatch stores a batch and returns the number of its wish. A batch without openids has ended when it begins.
func insertBatch(ctx context.Context, tx pgx.Tx, w wishes) (int64, error) {
	by := makerOf(w.by)
	var endedAt *time.Time
	if w.list.usable() == 0 {
		endedAt = &w.now
	}
	var wish int64
	err := tx.QueryRow(ctx, `
		INSERT INTO blacklist_batches (tenant_id, id, authorizer_id, wish, action, reason, note, until, actor_kind, actor_id, actor_name,
			total, skipped, created_at, ended_at, retry_of, undo_of, list_id, route_id)
		VALUES (@tenant_id, @id, @authorizer_id, nextval('blacklist_wishes'), @action, @reason, @note, @until, @actor_kind, @actor_id, @actor_name,
			@total, @skipped, @now, @ended_at, @retry_of, @undo_of, @list_id, @route_id)
		RETURNING wish`,
		pgx.NamedArgs{
			"tenant_id": w.tenantID, "id": w.batchID, "authorizer_id": w.authorizerID, "action": w.action, "reason": w.reason, "note": w.note, "until": w.until,
			"actor_kind": by.Kind, "actor_id": by.ID, "actor_name": by.Name,
			"total": w.list.given, "skipped": w.list.skipped(), "now": w.now, "ended_at": endedAt, "retry_of": w.retryOf, "undo_of": w.undoOf, "list_id": w.listID, "route_id": w.routeID,
		}).Scan(&wish)
	if err != nil {
		return 0, fmt.Errorf("insert batch: %w", err)
	}
	return wish, nil
}

// insertItems stores the items and returns the list, of which it knows now how many are duplicates.
func insertItems(ctx context.Context, tx pgx.Tx, w wishes) (listed, error) {
	if w.list.staged > 0 {
		return insertStagedItems(ctx, tx, w)
	}
	// By COPY, which takes 100,000 of them in about a second.
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"blacklist_items"}, []string{"tenant_id", "batch_id", "seq", "openid"},
		pgx.CopyFromSlice(len(w.list.openids), func(i int) ([]any, error) {
			return []any{w.tenantID, w.batchID, w.list.seqs[i], w.list.openids[i]}, nil
		}))
	if err != nil {
		return listed{}, fmt.Errorf("insert items: %w", err)
	}
	return w.list, nil
}

// upsertEntries writes the wish of each item to its entry, unless a later wish is there already. It ends the items that
// this overtook, the older ones whose wishes it replaced and its own where a later wish was faster, and returns how many
// of which batch they are. The openids never leave the database.
func upsertEntries(ctx context.Context, tx pgx.Tx, w wishes, wish int64) (map[uuid.UUID]counts, error) {
	args := pgx.NamedArgs{
		"tenant_id": w.tenantID, "authorizer_id": w.authorizerID, "want": w.action.want(), "until": w.until, "reason": w.reason, "note": w.note,
		"by": w.by.Actor(), "now": w.now, "wish": wish, "batch_id": w.batchID,
	}
	source := `SELECT openid, @reason::text AS reason, @note::text AS note, @until::timestamptz AS until FROM blacklist_items WHERE tenant_id = @tenant_id AND batch_id = @batch_id`
	if w.list.staged > 0 {
		source = stagedWishes
	}
	var written, replaced int
	// In the order in which everybody locks entries, see the migration.
	err := tx.QueryRow(ctx, `
		WITH written AS (
			INSERT INTO blacklist_entries AS e (tenant_id, authorizer_id, openid, want, want_until, reason, note, wanted_by, wanted_at, wish, batch_id, pending)
			SELECT @tenant_id, @authorizer_id, o.openid, @want, o.until, o.reason, o.note, @by, @now, @wish, @batch_id, true
			FROM (`+source+`) o ORDER BY o.openid
			ON CONFLICT (tenant_id, authorizer_id, openid) DO UPDATE SET
				want = excluded.want, want_until = excluded.want_until, reason = excluded.reason, note = excluded.note,
				wanted_by = excluded.wanted_by, wanted_at = excluded.wanted_at, wish = excluded.wish, batch_id = excluded.batch_id, pending = true,
				replaced_batch_id = CASE WHEN e.pending THEN e.batch_id END, errcode = NULL, rid = ''
			WHERE e.wish IS NULL OR e.wish < excluded.wish
			RETURNING replaced_batch_id
		)
		SELECT count(*), count(replaced_batch_id) FROM written`, args).Scan(&written, &replaced)
	if err != nil {
		return nil, fmt.Errorf("write wishes: %w", err)
	}
	ended := map[uuid.UUID]counts{}
	if replaced > 0 {
		if err := supersede(ctx, tx, ended, supersedeOlder, args); err != nil {
			return nil, err
		}
	}
	if written < w.list.usable() {
		if err := supersede(ctx, tx, ended, supersedeOwn, args); err != nil {
			return nil, err
		}
	}
	return ended, nil
}

// Statements of their own, not parts of the one that writes the wishes: that one waits for locks, and would not see the items
// of a batch that was stored while it did.
const (
	supersedeOlder = `
		UPDATE blacklist_items i SET outcome = 'superseded', ended_at = @now FROM blacklist_entries e
		WHERE e.tenant_id = @tenant_id AND e.authorizer_id = @authorizer_id AND e.pending AND e.wish = @wish AND e.replaced_batch_id IS NOT NULL
		  AND i.tenant_id = e.tenant_id AND i.batch_id = e.replaced_batch_id AND i.openid = e.openid AND i.outcome = 'pending'
		RETURNING i.batch_id`
	supersedeOwn = `
		UPDATE blacklist_items i SET outcome = 'superseded', ended_at = @now FROM blacklist_entries e
		WHERE i.tenant_id = @tenant_id AND i.batch_id = @batch_id AND i.outcome = 'pending'
		  AND e.tenant_id = i.tenant_id AND e.authorizer_id = @authorizer_id AND e.openid = i.openid AND e.wish > @wish
		RETURNING i.batch_id`
)

// counts is how many items got each outcome.
type counts map[Outcome]int

// supersede ends pending items whose wishes others have overtaken, and adds to ended how many of which batch they are. Whoever
// calls it holds the locks of their entries, and with them the right to change the items.
func supersede(ctx context.Context, tx pgx.Tx, ended map[uuid.UUID]counts, update string, args pgx.NamedArgs) error {
	rows, err := tx.Query(ctx, `WITH ended AS (`+update+`) SELECT batch_id, count(*) FROM ended GROUP BY batch_id`, args)
	if err != nil {
		return fmt.Errorf("supersede: %w", err)
	}
	var batchID uuid.UUID
	var n int
	_, err = pgx.ForEachRow(rows, []any{&batchID, &n}, func() error {
		ended[batchID] = counts{Superseded: n}
		return nil
	})
	if err != nil {
		return fmt.Errorf("supersede: %w", err)
	}
	return nil
}

// addCounts adds outcomes to their batches and ends those that have nothing pending any more. startedAt, where given, is
// when the first call was made for batches that had not started.
func addCounts(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID, ended map[uuid.UUID]counts, startedAt *time.Time, now time.Time) error {
	// Batches are locked in the order of their ids, whoever adds to them.
	ids := slices.SortedFunc(maps.Keys(ended), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	var updates pgx.Batch
	for _, id := range ids {
		n := ended[id]
		updates.Queue(`
			UPDATE blacklist_batches SET
				done = done + $3, already = already + $4, failed = failed + $5, superseded = superseded + $6, cancelled = cancelled + $7,
				started_at = coalesce(started_at, $8),
				ended_at = CASE WHEN skipped + done + already + failed + superseded + cancelled + $3 + $4 + $5 + $6 + $7 = total THEN $9::timestamptz END
			WHERE tenant_id = $1 AND id = $2`,
			tenantID, id, n[Done], n[Already], n[Failed], n[Superseded], n[Cancelled], startedAt, now)
	}
	if err := tx.SendBatch(ctx, &updates).Close(); err != nil {
		return fmt.Errorf("count outcomes: %w", err)
	}
	return nil
}
