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

// item names one openid of one batch.
type item struct {
	batchID uuid.UUID
	openid  string
}

// insertBatch stores a batch and returns the number of its wish. A batch without openids has ended when it begins.
func insertBatch(ctx context.Context, tx pgx.Tx, w wishes) (int64, error) {
	by := makerOf(w.by)
	var endedAt *time.Time
	if len(w.list.openids) == 0 {
		endedAt = &w.now
	}
	var wish int64
	err := tx.QueryRow(ctx, `
		INSERT INTO blacklist_batches (tenant_id, id, authorizer_id, wish, action, reason, until, actor_kind, actor_id, actor_name,
			total, skipped, created_at, ended_at)
		VALUES (@tenant_id, @id, @authorizer_id, nextval('blacklist_wishes'), @action, @reason, @until, @actor_kind, @actor_id, @actor_name,
			@total, @skipped, @now, @ended_at)
		RETURNING wish`,
		pgx.NamedArgs{
			"tenant_id": w.tenantID, "id": w.batchID, "authorizer_id": w.authorizerID, "action": w.action, "reason": w.reason, "until": w.until,
			"actor_kind": by.Kind, "actor_id": by.ID, "actor_name": by.Name,
			"total": w.list.given, "skipped": w.list.skipped(), "now": w.now, "ended_at": endedAt,
		}).Scan(&wish)
	if err != nil {
		return 0, fmt.Errorf("insert batch: %w", err)
	}
	return wish, nil
}

// insertItems stores the items by COPY, which takes 100,000 of them in about a second.
func insertItems(ctx context.Context, tx pgx.Tx, w wishes) error {
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"blacklist_items"}, []string{"tenant_id", "batch_id", "seq", "openid"},
		pgx.CopyFromSlice(len(w.list.openids), func(i int) ([]any, error) {
			return []any{w.tenantID, w.batchID, w.list.seqs[i], w.list.openids[i]}, nil
		}))
	if err != nil {
		return fmt.Errorf("insert items: %w", err)
	}
	return nil
}

// upsertEntries writes the wish to the entries, each only if no later wish is there already. It returns the items that
// this overtook: the older ones whose wishes it replaced, and its own where a later wish was faster.
func upsertEntries(ctx context.Context, tx pgx.Tx, w wishes, wish int64) ([]item, error) {
	// In the order in which everybody locks entries, see the migration.
	sorted := slices.Sorted(slices.Values(w.list.openids))
	rows, err := tx.Query(ctx, `
		INSERT INTO blacklist_entries AS e (tenant_id, authorizer_id, openid, want, want_until, reason, wanted_by, wanted_at, wish, batch_id, pending)
		SELECT @tenant_id, @authorizer_id, o.openid, @want, @until, @reason, @by, @now, @wish, @batch_id, true
		FROM unnest(@openids::text[]) WITH ORDINALITY AS o (openid, place) ORDER BY o.place
		ON CONFLICT (tenant_id, authorizer_id, openid) DO UPDATE SET
			want = excluded.want, want_until = excluded.want_until, reason = excluded.reason, wanted_by = excluded.wanted_by,
			wanted_at = excluded.wanted_at, wish = excluded.wish, batch_id = excluded.batch_id, pending = true,
			replaced_batch_id = CASE WHEN e.pending THEN e.batch_id END, errcode = NULL, rid = ''
		WHERE e.wish IS NULL OR e.wish < excluded.wish
		RETURNING openid, replaced_batch_id`,
		pgx.NamedArgs{
			"tenant_id": w.tenantID, "authorizer_id": w.authorizerID, "want": w.action.want(), "until": w.until, "reason": w.reason,
			"by": w.by.Actor(), "now": w.now, "wish": wish, "batch_id": w.batchID, "openids": sorted,
		})
	if err != nil {
		return nil, fmt.Errorf("write wishes: %w", err)
	}
	var overtaken []item
	written := make(map[string]bool, len(sorted))
	var openid string
	var replaced *uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&openid, &replaced}, func() error {
		written[openid] = true
		if replaced != nil {
			overtaken = append(overtaken, item{batchID: *replaced, openid: openid})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("write wishes: %w", err)
	}
	if len(written) < len(sorted) {
		for _, openid := range sorted {
			if !written[openid] {
				overtaken = append(overtaken, item{batchID: w.batchID, openid: openid})
			}
		}
	}
	return overtaken, nil
}

// counts is how many items got each outcome.
type counts map[Outcome]int

// supersede ends pending items whose wishes others have overtaken. Whoever calls it holds the locks of their entries, and
// with them the right to change the items.
func supersede(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID, overtaken []item, now time.Time) (map[uuid.UUID]counts, error) {
	if len(overtaken) == 0 {
		return nil, nil
	}
	batchIDs, openids := make([]uuid.UUID, len(overtaken)), make([]string, len(overtaken))
	for i, o := range overtaken {
		batchIDs[i], openids[i] = o.batchID, o.openid
	}
	rows, err := tx.Query(ctx, `
		WITH ended AS (
			UPDATE blacklist_items i SET outcome = 'superseded', ended_at = $4
			FROM unnest($2::uuid[], $3::text[]) AS o (batch_id, openid)
			WHERE i.tenant_id = $1 AND i.batch_id = o.batch_id AND i.openid = o.openid AND i.outcome = 'pending'
			RETURNING i.batch_id
		)
		SELECT batch_id, count(*) FROM ended GROUP BY batch_id`, tenantID, batchIDs, openids, now)
	if err != nil {
		return nil, fmt.Errorf("supersede: %w", err)
	}
	ended := map[uuid.UUID]counts{}
	var batchID uuid.UUID
	var n int
	_, err = pgx.ForEachRow(rows, []any{&batchID, &n}, func() error {
		ended[batchID] = counts{Superseded: n}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("supersede: %w", err)
	}
	return ended, nil
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
				done = done + $3, already = already + $4, failed = failed + $5, superseded = superseded + $6, started_at = coalesce(started_at, $7),
				ended_at = CASE WHEN skipped + done + already + failed + superseded + cancelled + $3 + $4 + $5 + $6 = total THEN $8::timestamptz END
			WHERE tenant_id = $1 AND id = $2`,
			tenantID, id, n[Done], n[Already], n[Failed], n[Superseded], startedAt, now)
	}
	if err := tx.SendBatch(ctx, &updates).Close(); err != nil {
		return fmt.Errorf("count outcomes: %w", err)
	}
	return nil
}
