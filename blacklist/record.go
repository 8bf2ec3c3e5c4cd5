package blacklist

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/wechat"
)

// sent is a pending entry as it was when its wish went to WeChat.
type sent struct {
	openid  string
	want    string
	wish    int64
	batchID uuid.UUID
}

// next reads the oldest pending entries, up to n of them, that want the same.
func (l *lane) next(ctx context.Context, n int) ([]sent, error) {
	rows, err := l.service.pool.Query(ctx, `
		WITH oldest AS (
			SELECT want FROM blacklist_entries WHERE tenant_id = $1 AND authorizer_id = $2 AND pending ORDER BY wish, openid LIMIT 1
		)
		SELECT e.openid, e.want, e.wish, e.batch_id FROM blacklist_entries e
		WHERE e.tenant_id = $1 AND e.authorizer_id = $2 AND e.pending AND e.want = (SELECT want FROM oldest)
		ORDER BY e.wish, e.openid LIMIT $3`, l.tenantID, l.authorizerID, n)
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

// verdict is what came of an entry that was tried, beside what the entry was like just before that is recorded.
type verdict struct {
	sent

	accepted bool
	errcode  *int
	rid      string
	message  string

	lastWish int64
	pending  bool
	actual   *string
}

// current tells whether the wish that was sent is still the last one, and not recorded yet.
func (v verdict) current() bool { return v.pending && v.lastWish == v.wish }

func (v verdict) outcome() Outcome {
	switch {
	case !v.accepted:
		return Failed
	case v.actual != nil && *v.actual == v.want:
		return Already
	}
	return Done
}

// verdicts returns what came of the entries of list that were tried, in the order in which entries are locked.
func verdicts(list []sent, t tried) []verdict {
	refusal := failureWords(t.refusal)
	var all []verdict
	for _, e := range list {
		switch {
		case slices.Contains(t.accepted, e.openid):
			all = append(all, verdict{sent: e, accepted: true})
		case slices.Contains(t.refused, e.openid):
			all = append(all, verdict{sent: e, errcode: refusal.errcode, rid: refusal.rid, message: refusal.text})
		}
	}
	slices.SortFunc(all, func(a, b verdict) int { return strings.Compare(a.openid, b.openid) })
	return all
}

// failureWords is WeChat's refusal as it is stored with an item: in WeChat's own words.
func failureWords(err error) failure {
	var refused *wechat.Error
	switch {
	case err == nil:
		return failure{}
	case errors.As(err, &refused):
		return failure{text: refused.Message, errcode: &refused.Code, rid: refused.RID}
	}
	return failure{text: err.Error()}
}

// record stores what came of a list: in the entries what is the case at WeChat now, in the items the outcome. It records
// nothing if the lease is lost, for then somebody else does the same work and records it.
//
// Entries whose wish is no longer the one that was sent stay pending: only what is the case is learned for them, and their
// items were superseded when the newer wish was written.
func (l *lane) record(ctx context.Context, list []sent, t tried, began time.Time) error {
	err := pgx.BeginFunc(ctx, l.service.pool, func(tx pgx.Tx) error {
		now := l.service.now()
		all := verdicts(list, t)
		if err := l.lockEntries(ctx, tx, all); err != nil {
			return err
		}
		ended, err := l.recordVerdicts(ctx, tx, all, now)
		if err != nil {
			return err
		}
		if err := addCounts(ctx, tx, l.tenantID, ended, &began, now); err != nil {
			return err
		}
		return l.fence(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("record outcomes: %w", err)
	}
	return nil
}

// lockEntries locks the entries in order and reads what they are like.
//
// Here and below one statement for each openid, all of them in one round trip, instead of one for all: given several
// openids, the planner reads every entry of the account as soon as it believes that an account has few, and there is
// always an account that has a hundred thousand.
func (l *lane) lockEntries(ctx context.Context, tx pgx.Tx, all []verdict) error {
	var locks pgx.Batch
	for i := range all {
		v := &all[i]
		locks.Queue(`
			SELECT wish, pending, actual FROM blacklist_entries
			WHERE tenant_id = $1 AND authorizer_id = $2 AND openid = $3 FOR NO KEY UPDATE`, l.tenantID, l.authorizerID, v.openid).
			QueryRow(func(row pgx.Row) error { return row.Scan(&v.lastWish, &v.pending, &v.actual) })
	}
	if err := tx.SendBatch(ctx, &locks).Close(); err != nil {
		return fmt.Errorf("lock entries: %w", err)
	}
	return nil
}

// recordVerdicts writes entries and items, and returns how many items of which batch got which outcome.
func (l *lane) recordVerdicts(ctx context.Context, tx pgx.Tx, all []verdict, now time.Time) (map[uuid.UUID]counts, error) {
	ended := map[uuid.UUID]counts{}
	var updates pgx.Batch
	for _, v := range all {
		if v.accepted {
			updates.Queue(`
				UPDATE blacklist_entries SET actual = $4, actual_at = $5, actual_seq = nextval('blacklist_wishes'),
					pending = pending AND NOT $6, errcode = CASE WHEN NOT $6 THEN errcode END, rid = CASE WHEN $6 THEN '' ELSE rid END
				WHERE tenant_id = $1 AND authorizer_id = $2 AND openid = $3`, l.tenantID, l.authorizerID, v.openid, v.want, now, v.current())
		} else if v.current() {
			updates.Queue(`
				UPDATE blacklist_entries SET pending = false, errcode = $4, rid = $5
				WHERE tenant_id = $1 AND authorizer_id = $2 AND openid = $3`, l.tenantID, l.authorizerID, v.openid, v.errcode, v.rid)
		}
		if !v.current() {
			continue // the item has its outcome already: superseded, or recorded by somebody else
		}
		updates.Queue(`
			UPDATE blacklist_items SET outcome = $4, errcode = $5, rid = $6, error = $7, ended_at = $8
			WHERE tenant_id = $1 AND batch_id = $2 AND openid = $3 AND outcome = 'pending'`,
			l.tenantID, v.batchID, v.openid, v.outcome(), v.errcode, v.rid, v.message, now)
		if ended[v.batchID] == nil {
			ended[v.batchID] = counts{}
		}
		ended[v.batchID][v.outcome()]++
	}
	if err := tx.SendBatch(ctx, &updates).Close(); err != nil {
		return nil, fmt.Errorf("record outcomes: %w", err)
	}
	return ended, nil
}

// fence makes tx fail if the lease is lost, and renews it. WeChat has answered, so it also ends the row of failures.
func (l *lane) fence(ctx context.Context, tx pgx.Tx) error {
	tag, err := tx.Exec(ctx, `
		UPDATE blacklist_lanes SET lease_until = now() + $4::interval, failures = 0,
			paused_until = NULL, pause_reason = '', pause_errcode = NULL, pause_rid = ''
		WHERE tenant_id = $1 AND authorizer_id = $2 AND lease_holder = $3`, l.tenantID, l.authorizerID, l.holder, leaseFor)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return errLeaseLost
	}
	return nil
}
