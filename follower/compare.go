package follower

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// spanSize is how many openids one transaction goes through: few enough that an event never waits long for it.
const spanSize = 5000

// span goes through an account's rows of table by openid. It returns the last openid of the span that begins after after,
// and whether that is the last span.
func (t *tender) span(ctx context.Context, tx pgx.Tx, table, after string) (last string, isLast bool, err error) {
	var n int
	err = tx.QueryRow(ctx, `
		SELECT coalesce(max(openid), ''), count(*) FROM (
			SELECT openid FROM `+table+` WHERE tenant_id = $1 AND authorizer_id = $2 AND openid > $3 ORDER BY openid LIMIT $4) s`,
		t.TenantID, t.AuthorizerID, after, spanSize).Scan(&last, &n)
	if err != nil {
		return "", false, fmt.Errorf("read span: %w", err)
	}
	return last, n < spanSize, nil
}

// inSpan is the rows of a span. Statements that use it have the tenant as $1, the account as $2, after as $3 and last as $4.
const inSpan = `tenant_id = $1 AND authorizer_id = $2 AND openid > $3 AND openid <= $4`

// add makes followers of those of the next span of WeChat's list whom the directory does not know as such. Of whom an event
// told since reading began, the event knows better.
//
// Scalar subqueries instead of joins, because for those the planner must look up one openid at a time, whatever it believes
// about how many there are.
func (t *tender) add(ctx context.Context, st state) error {
	return t.fenced(ctx, func(ctx context.Context, tx pgx.Tx) error {
		last, isLast, err := t.span(ctx, tx, "follower_sync_openids", st.cursor)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			INSERT INTO followers AS f (tenant_id, authorizer_id, openid, following, unionid_due, seq, changed_at)
			SELECT $1, $2, o.openid, true, $5, $6, $7 FROM follower_sync_openids o
			WHERE `+inSpan+` AND (
				SELECT k.following FROM followers k WHERE k.tenant_id = $1 AND k.authorizer_id = $2 AND k.openid = o.openid) IS NOT TRUE
			ORDER BY o.openid
			ON CONFLICT (tenant_id, authorizer_id, openid) DO UPDATE SET
				following = true, unionid_due = excluded.unionid_due, seq = excluded.seq, changed_at = excluded.changed_at
			WHERE NOT f.following AND f.seq < excluded.seq
			RETURNING f.openid`,
			t.TenantID, t.AuthorizerID, st.cursor, last, st.unionids, st.seq, t.service.now())
		if err != nil {
			return fmt.Errorf("add followers: %w", err)
		}
		added, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return fmt.Errorf("add followers: %w", err)
		}
		phase := st.syncPhase
		if isLast {
			phase, last = "removing", ""
		}
		if err := t.set(ctx, tx, `sync_phase = $3, sync_cursor = $4, sync_added = sync_added + $5`, phase, last, len(added)); err != nil {
			return err
		}
		return t.service.tell(ctx, tx, Learned{TenantID: t.TenantID, AuthorizerID: t.AuthorizerID, OpenIDs: added, UnionIDs: make([]string, len(added))})
	})
}

// remove notes of those of the next span of the directory who are not in WeChat's list that they have left, and with the
// last span ends the sync.
func (t *tender) remove(ctx context.Context, st state) error {
	return t.fenced(ctx, func(ctx context.Context, tx pgx.Tx) error {
		last, isLast, err := t.span(ctx, tx, "followers", st.cursor)
		if err != nil {
			return err
		}
		now := t.service.now()
		tag, err := tx.Exec(ctx, `
			UPDATE followers f SET following = false, unionid = NULL, unionid_due = false, seq = $5, changed_at = $6
			WHERE `+inSpan+` AND f.following AND f.seq < $5 AND (
				SELECT o.openid FROM follower_sync_openids o WHERE o.tenant_id = $1 AND o.authorizer_id = $2 AND o.openid = f.openid) IS NULL`,
			t.TenantID, t.AuthorizerID, st.cursor, last, st.seq, now)
		if err != nil {
			return fmt.Errorf("remove followers: %w", err)
		}
		err = t.set(ctx, tx, `sync_cursor = $3, sync_removed = sync_removed + $4`, last, tag.RowsAffected())
		if err != nil || !isLast {
			return err
		}
		return t.set(ctx, tx, `sync_status = 'done', sync_phase = '', sync_cursor = '', sync_ended_at = $3, synced_at = $3, followers = sync_read,
			next_sync_at = $4, sync_failures = 0, sync_errcode = NULL, sync_rid = '', sync_error = '',
			fill_due = unionids, fill_failures = 0, fill_next_try_at = '-infinity'`, now, t.service.nextSync())
	})
}

// tidy deletes the next span of what a reading that is over has left.
func (t *tender) tidy(ctx context.Context, _ state) error {
	return t.fenced(ctx, func(ctx context.Context, tx pgx.Tx) error {
		last, isLast, err := t.span(ctx, tx, "follower_sync_openids", "")
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM follower_sync_openids WHERE `+inSpan, t.TenantID, t.AuthorizerID, "", last); err != nil {
			return fmt.Errorf("delete openids read: %w", err)
		}
		return t.set(ctx, tx, `staged = $3`, !isLast)
	})
}

// chores are what is done to all of an account's followers.
var chores = map[string]string{
	"erase":           `DELETE FROM followers WHERE ` + inSpan,
	"forget_unionids": `UPDATE followers SET unionid = NULL, unionid_due = false WHERE ` + inSpan + ` AND (unionid IS NOT NULL OR unionid_due)`,
	"want_unionids":   `UPDATE followers SET unionid_due = true WHERE ` + inSpan + ` AND following AND unionid IS NULL AND NOT unionid_due`,
}

// doChore does the directory's chore to the next span. A turn that takes it up again begins anew, where little is left to do.
func (t *tender) doChore(ctx context.Context, st state) error {
	return t.fenced(ctx, func(ctx context.Context, tx pgx.Tx) error {
		last, isLast, err := t.span(ctx, tx, "followers", t.choreAfter)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, chores[st.chore], t.TenantID, t.AuthorizerID, t.choreAfter, last); err != nil {
			return fmt.Errorf("%s: %w", st.chore, err)
		}
		t.choreAfter = last
		if !isLast {
			return nil
		}
		t.choreAfter = ""
		return t.set(ctx, tx, `chore = '', fill_due = fill_due OR (unionids AND $3 = 'want_unionids'), fill_failures = 0, fill_next_try_at = '-infinity'`, st.chore)
	})
}
