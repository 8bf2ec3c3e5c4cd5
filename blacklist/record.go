package blacklist

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/lease"
	"github.com/wechat-steward/steward/wechat"
)

// sent is a pending entry as it was when its wish went to WeChat.
type sent struct {
	openid  string
	want    string
	wish    int64
	batchID uuid.UUID
}

// next reads up to n pending entries, the oldest wishes first, beginning after last, without those of paused batches.
func (l *lane) next(ctx context.Context, last sent, n int) ([]sent, error) {
	rows, err := l.service.pool.Query(ctx, `
		SELECT e.* FROM (`+betweenPauses+`) r CROSS JOIN LATERAL (
			SELECT openid, want, wish, batch_id FROM blacklist_entries
			WHERE tenant_id = $1 AND authorizer_id = $2 AND pending AND wish < r.before
				AND (wish, openid) > (greatest($3::bigint, r.after + 1), CASE WHEN r.after < $3 THEN $4 ELSE '' END)
			ORDER BY wish, openid LIMIT $5
		) e
		ORDER BY e.wish, e.openid LIMIT $5`, l.tenantID, l.authorizerID, last.wish, last.openid, n)
	if err != nil {
		return nil, fmt.Errorf("read pending entries: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (sent, error) {
		var e sent
		return e, row.Scan(&e.openid, &e.want, &e.wish, &e.batchID)
	})
	if err != nil {
		return nil, fmt.Errorf("read pending entries: %w", err)
	}
	return list, nil
}

// verdict is what WeChat said about an entry.
type verdict struct {
	sent
	accepted bool
	failure  failure // of one that was not accepted
}

// verdicts returns what WeChat said about the entries of lists, in the order in which entries are locked.
func verdicts(lists []landed) []verdict {
	var all []verdict
	for _, back := range lists {
		refusal := failureWords(back.tried.refusal)
		for _, e := range back.list {
			v := verdict{sent: e, accepted: slices.Contains(back.tried.accepted, e.openid)}
			if !v.accepted {
				v.failure = refusal
			}
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b verdict) int { return strings.Compare(a.openid, b.openid) })
	return all
}

// failureWords is WeChat's refusal as it is stored with an item: in WeChat's own words, and never empty.
func failureWords(err error) failure {
	var refused *wechat.Error
	switch {
	case err == nil:
		return failure{}
	case errors.As(err, &refused) && refused.Message == "":
		return failure{text: fmt.Sprintf("WeChat refused with %d", refused.Code), errcode: &refused.Code, rid: refused.RID}
	case errors.As(err, &refused):
		return failure{text: refused.Message, errcode: &refused.Code, rid: refused.RID}
	}
	return failure{text: err.Error()}
}

// recordOutcomes stores what WeChat said about any number of openids of one account in one statement: in the entries what
// is the case now, in the items the outcome, in the batches the counts. An entry whose wish is no longer the one that
// was sent stays pending: only what is the case is learned for it, and its item was superseded when the newer wish was written.
//
// Entries and items are upserted, though all of them are there, because an upsert looks up one row after the other by its
// key, in the order given. For an update with a join the planner may read all entries of the account, as soon as it believes
// that an account has few; and there is always an account that has a hundred thousand. The order of the locks is everybody's,
// see [Service.write]: each part waits for the one before.
//
// The last part is the fence: it renews the lease, and finds no row if the lease is lost. WeChat has answered, so it also
// ends the row of failures; and it keeps the count of those who are blocked. Where WeChat does not know an openid of which it
// had told us something, our copy is doubtful, and WeChat's list is read.
var recordOutcomes = `
	WITH told AS (
		SELECT * FROM unnest(@openids::text[], @wants::text[], @wishes::bigint[], @batches::uuid[], @accepted::boolean[], @errcodes::integer[], @rids::text[], @errors::text[])
			AS t (openid, want, wish, batch_id, accepted, errcode, rid, error)
	), learned AS (
		INSERT INTO blacklist_entries AS e (tenant_id, authorizer_id, openid, want, wish, batch_id, actual, errcode, rid)
		SELECT @tenant_id, @authorizer_id, openid, want, wish, batch_id, CASE WHEN accepted THEN want END, errcode, rid FROM told ORDER BY openid
		ON CONFLICT (tenant_id, authorizer_id, openid) DO UPDATE SET
			former = e.actual,
			actual = coalesce(excluded.actual, e.actual),
			actual_at = CASE WHEN excluded.actual IS NULL THEN e.actual_at ELSE @now END,
			actual_seq = CASE WHEN excluded.actual IS NULL THEN e.actual_seq ELSE nextval('blacklist_wishes') END,
			pending = e.pending AND e.wish <> excluded.wish,
			errcode = CASE WHEN e.pending AND e.wish = excluded.wish THEN excluded.errcode ELSE e.errcode END,
			rid = CASE WHEN e.pending AND e.wish = excluded.wish THEN excluded.rid ELSE e.rid END
		RETURNING e.openid, e.wish, e.pending, e.former, e.actual
	), ended AS (
		INSERT INTO blacklist_items AS i (tenant_id, batch_id, seq, openid, outcome, errcode, rid, error, ended_at)
		SELECT @tenant_id, t.batch_id, 0, t.openid,
			CASE WHEN NOT t.accepted THEN 'failed' WHEN l.former = t.want THEN 'already' ELSE 'done' END, t.errcode, t.rid, t.error, @now
		FROM told t JOIN learned l ON l.openid = t.openid AND l.wish = t.wish AND NOT l.pending ORDER BY t.openid
		ON CONFLICT (tenant_id, batch_id, openid) DO UPDATE SET
			outcome = excluded.outcome, errcode = excluded.errcode, rid = excluded.rid, error = excluded.error, ended_at = excluded.ended_at
		WHERE i.outcome = 'pending'
		RETURNING i.batch_id, i.outcome
	), totals AS (
		SELECT batch_id, count(*) FILTER (WHERE outcome = 'done') AS done, count(*) FILTER (WHERE outcome = 'already') AS already,
			count(*) FILTER (WHERE outcome = 'failed') AS failed, count(*) AS n
		FROM ended GROUP BY batch_id
	), locked AS (
		SELECT b.id FROM blacklist_batches b WHERE b.tenant_id = @tenant_id AND b.id IN (SELECT batch_id FROM totals) ORDER BY b.id FOR NO KEY UPDATE
	), counted AS (
		UPDATE blacklist_batches b SET done = b.done + t.done, already = b.already + t.already, failed = b.failed + t.failed,
			started_at = coalesce(b.started_at, @began),
			ended_at = CASE WHEN b.skipped + b.done + b.already + b.failed + b.superseded + b.cancelled + t.n = b.total THEN @now::timestamptz END
		FROM totals t WHERE b.tenant_id = @tenant_id AND b.id = t.batch_id AND EXISTS (SELECT FROM locked)
		RETURNING b.id
	)
	UPDATE blacklist_lanes SET lease_until = now() + @lease::interval, failures = 0,
		paused_until = NULL, pause_reason = '', pause_errcode = NULL, pause_rid = '',
		pull_due_at = CASE WHEN (SELECT count(*) FROM told t JOIN learned l ON l.openid = t.openid WHERE NOT t.accepted AND l.former IS NOT NULL) > 0
			THEN ` + pullSooner("@now") + ` ELSE pull_due_at END,
		blocked = blocked + (SELECT count(*) FILTER (WHERE actual = 'blocked') - count(*) FILTER (WHERE former = 'blocked') FROM learned)
	WHERE tenant_id = @tenant_id AND authorizer_id = @authorizer_id AND lease_holder = @holder AND (SELECT count(*) FROM counted) >= 0
	RETURNING held_at IS NOT NULL, withdrawals <> @withdrawals`

// record stores what came of lists. It tells whether somebody has stopped the account's work by hand, and whether a batch was
// cancelled since lookAtAccount. It records nothing if the lease is lost, for then somebody else does the same work and records it.
func (l *lane) record(ctx context.Context, lists []landed) (held, withdrawn bool, err error) {
	args := l.recordArgs(lists)
	err = pgx.BeginFunc(ctx, l.service.pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, recordOutcomes, args).Scan(&held, &withdrawn)
		if errors.Is(err, pgx.ErrNoRows) {
			return lease.ErrLost
		}
		return err
	})
	if err != nil {
		return false, false, fmt.Errorf("record outcomes: %w", err)
	}
	return held, withdrawn, nil
}

func (l *lane) recordArgs(lists []landed) pgx.NamedArgs {
	all := verdicts(lists)
	n := len(all)
	openids, wants, wishes, batches := make([]string, n), make([]string, n), make([]int64, n), make([]uuid.UUID, n)
	accepted, errcodes, rids, texts := make([]bool, n), make([]*int, n), make([]string, n), make([]string, n)
	for i, v := range all {
		openids[i], wants[i], wishes[i], batches[i] = v.openid, v.want, v.wish, v.batchID
		accepted[i], errcodes[i], rids[i], texts[i] = v.accepted, v.failure.errcode, v.failure.rid, v.failure.text
	}
	began := lists[0].began
	for _, back := range lists {
		if back.began.Before(began) {
			began = back.began
		}
	}
	return pgx.NamedArgs{
		"tenant_id": l.tenantID, "authorizer_id": l.authorizerID, "holder": l.holder, "lease": lease.For, "now": l.service.now(), "began": began, "withdrawals": l.withdrawals,
		"openids": openids, "wants": wants, "wishes": wishes, "batches": batches,
		"accepted": accepted, "errcodes": errcodes, "rids": rids, "errors": texts,
	}
}
