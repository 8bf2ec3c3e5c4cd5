package follower

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/wechat"
)

const codeListSize = 40032 // too many openids in one call, or none

// mostUnionIDs is how many followers one call asks about. WeChat's staff once spoke of fewer than its pages.
const mostUnionIDs = wechat.MaxUserInfoBatch

// due is a follower whose unionid is to be asked for. Whoever changes the follower meanwhile changes seq.
type due struct {
	openid string
	seq    int64
}

// fill asks for the unionids of the next followers who lack one.
func (t *tender) fill(ctx context.Context, _ state) error {
	rows, err := t.service.pool.Query(ctx, `
		SELECT openid, seq FROM followers WHERE tenant_id = $1 AND authorizer_id = $2 AND unionid_due ORDER BY openid LIMIT $3`,
		t.TenantID, t.AuthorizerID, t.width)
	if err != nil {
		return fmt.Errorf("find followers without unionid: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d due, err error) {
		err = row.Scan(&d.openid, &d.seq)
		return d, err
	})
	if err != nil {
		return fmt.Errorf("find followers without unionid: %w", err)
	}
	if len(list) == 0 {
		return t.filled(ctx)
	}
	a := answers{told: map[string]wechat.UserInfo{}, refused: map[string]bool{}}
	err = t.ask(ctx, list, &a)
	if refused, ok := errors.AsType[*wechat.Error](err); ok && refused.Code == codeListSize && t.width > 1 {
		t.width = (min(t.width, len(list)) + 1) / 2
		return nil
	}
	if err != nil {
		return err
	}
	return t.recordUnionIDs(ctx, list, a)
}

// filled notes that nobody is left to ask about, unless somebody has come meanwhile.
func (t *tender) filled(ctx context.Context) error {
	return t.fenced(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return t.set(ctx, tx, `fill_failures = 0, fill_due = EXISTS (
			SELECT FROM followers f WHERE f.tenant_id = $1 AND f.authorizer_id = $2 AND f.unionid_due)`)
	})
}

// answers are what WeChat said about followers, by openid.
type answers struct {
	told    map[string]wechat.UserInfo
	refused map[string]bool
	given   int // unionids
}

// ask asks about a list. WeChat refuses all of it for one openid that it does not like, so that the halves are asked about
// then, until the one stands alone.
func (t *tender) ask(ctx context.Context, list []due, a *answers) error {
	openids := make([]string, len(list))
	for i, d := range list {
		openids[i] = d.openid
	}
	var users []wechat.UserInfo
	err := t.call(ctx, func(ctx context.Context, token string) (err error) {
		users, err = t.service.wechat.UserInfoBatch(ctx, token, openids)
		return err
	})
	switch {
	case err == nil:
		for _, user := range users {
			a.told[user.OpenID] = user
			if user.UnionID != "" {
				a.given++
			}
		}
		return nil
	case !wechat.IsBadOpenID(err):
		return err
	case len(list) == 1:
		a.refused[openids[0]] = true
		return nil
	}
	if err := t.ask(ctx, list[:len(list)/2], a); err != nil {
		return err
	}
	return t.ask(ctx, list[len(list)/2:], a)
}

// recordUnionIDs stores what WeChat said, but for those who have changed since they were read: of whom we heard meanwhile
// that they left, nothing is kept. Where nobody has a unionid the account is under no Open Platform account: those who
// follow are asked about again after the next sync, in case that it is by then.
func (t *tender) recordUnionIDs(ctx context.Context, list []due, a answers) error {
	var openids, unionids []string
	var seqs []int64
	var left []bool
	for _, d := range list {
		user, known := a.told[d.openid]
		gone := known && !user.Subscribed
		if a.given == 0 && !gone && !a.refused[d.openid] {
			continue
		}
		openids, seqs, unionids, left = append(openids, d.openid), append(seqs, d.seq), append(unionids, user.UnionID), append(left, gone)
	}
	return t.fenced(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			UPDATE followers f SET unionid_due = false, unionid = CASE WHEN NOT n.gone THEN nullif(n.unionid, '') END, following = NOT n.gone,
				seq = CASE WHEN n.gone THEN nextval('follower_changes') ELSE f.seq END, changed_at = CASE WHEN n.gone THEN $7 ELSE f.changed_at END
			FROM unnest($3::text[], $4::bigint[], $5::text[], $6::boolean[]) AS n (openid, seq, unionid, gone)
			WHERE f.tenant_id = $1 AND f.authorizer_id = $2 AND f.openid = n.openid AND f.seq = n.seq AND f.unionid_due
			RETURNING f.openid, coalesce(f.unionid, '')`,
			t.TenantID, t.AuthorizerID, openids, seqs, unionids, left, t.service.now())
		if err != nil {
			return fmt.Errorf("store unionids: %w", err)
		}
		l := Learned{TenantID: t.TenantID, AuthorizerID: t.AuthorizerID}
		var openid, unionid string
		_, err = pgx.ForEachRow(rows, []any{&openid, &unionid}, func() error {
			if unionid != "" {
				l.OpenIDs, l.UnionIDs = append(l.OpenIDs, openid), append(l.UnionIDs, unionid)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("store unionids: %w", err)
		}
		if err := t.set(ctx, tx, `fill_failures = 0, fill_due = fill_due AND $3`, a.given > 0 || len(openids) == len(list)); err != nil {
			return err
		}
		return t.service.tell(ctx, tx, l)
	})
}
