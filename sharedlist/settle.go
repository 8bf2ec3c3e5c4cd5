package sharedlist

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
)

// lookAgainAfter is when to look again whether somebody else's block, which has not been sent yet, came to something.
const lookAgainAfter = time.Minute

// share names the due places of a list on an account: those of people who are on it, or of those who leave.
type share struct {
	TenantID     uuid.UUID
	AuthorizerID uuid.UUID
	ListID       uuid.UUID
	Leaving      bool
}

// settle does what is due at places. Blocking waits until the account can be worked for. Those who come go before those who
// leave, so that somebody who is put on again just now is not unblocked in between.
func (s *Service) settle(ctx context.Context) error {
	return rounds(ctx, s, `
		SELECT DISTINCT p.tenant_id, p.authorizer_id, p.list_id, p.leaving
		FROM blacklist_list_places p JOIN authorizers a ON a.tenant_id = p.tenant_id AND a.id = p.authorizer_id
		WHERE p.due AND (p.leaving OR a.state = 'active' AND a.permission_sets && ARRAY[2, 100])
		ORDER BY p.tenant_id, p.authorizer_id, p.leaving, p.list_id`, func(ctx context.Context, id share) (bool, error) {
		account, err := s.authorizers.FindByID(ctx, id.AuthorizerID)
		if err != nil {
			return false, err
		}
		var looked, left int
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
			looked, left, err = s.settleShare(ctx, tx, id, account)
			return err
		})
		return looked == s.chunk && left < looked, err
	})
}

// settleShare settles the next places of a share. It returns how many it looked at, and how many it left due.
func (s *Service) settleShare(ctx context.Context, tx pgx.Tx, id share, account authorizer.Account) (looked, left int, err error) {
	// Before looking at anything: see there.
	if err := s.blacklist.LockWishes(ctx, tx, id.TenantID, id.AuthorizerID); err != nil {
		return 0, 0, err
	}
	places, err := s.duePlaces(ctx, tx, id)
	if err != nil || len(places) == 0 {
		return 0, 0, err // another process was faster
	}
	openids := make([]string, len(places))
	for i, p := range places {
		openids[i] = p.openid
	}
	standings, err := s.blacklist.Standings(ctx, tx, id.TenantID, id.AuthorizerID, openids)
	if err != nil {
		return 0, 0, err
	}
	wish, err := s.wishOf(ctx, tx, id, account)
	if err != nil {
		return 0, 0, err
	}
	t := settling{Service: s, tx: tx, share: id, wish: wish, standings: standings}
	if id.Leaving {
		left, err = t.takeOff(ctx, places)
	} else {
		err = t.putOn(ctx, places)
	}
	return len(places), left, err
}

// duePlace is a place where something is due, with what its person's row says.
type duePlace struct {
	person     uuid.UUID
	openid     string
	seen       bool
	putBy      *uuid.UUID
	batchID    *uuid.UUID
	again      *time.Time // when it was to be looked at again
	airHolder  string
	airSeq     *int64
	reason     string
	addedBy    string
	removedFor string
}

func (s *Service) duePlaces(ctx context.Context, tx pgx.Tx, id share) ([]duePlace, error) {
	// Whoever makes one of them due just now leaves it so. LATERAL and OFFSET 0, here and elsewhere, have the planner look up
	// one row at a time by its key, however few it believes there to be: a list comes and goes faster than statistics do.
	rows, err := tx.Query(ctx, `
		SELECT w.person_id, w.openid, w.seen_at IS NOT NULL, w.put_by, w.batch_id, w.look_again_at, w.air_holder, w.air_seq, p.reason, p.added_by, p.removed_for
		FROM (
			SELECT * FROM blacklist_list_places
			WHERE tenant_id = $1 AND authorizer_id = $2 AND list_id = $3 AND leaving = $4 AND due
			ORDER BY openid, person_id LIMIT $5 FOR NO KEY UPDATE SKIP LOCKED
		) w CROSS JOIN LATERAL (
			SELECT * FROM blacklist_list_persons WHERE tenant_id = $1 AND list_id = $3 AND id = w.person_id OFFSET 0
		) p
		ORDER BY w.openid, w.person_id`,
		id.TenantID, id.AuthorizerID, id.ListID, id.Leaving, s.chunk)
	if err != nil {
		return nil, fmt.Errorf("read due places: %w", err)
	}
	places, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p duePlace, err error) {
		return p, row.Scan(&p.person, &p.openid, &p.seen, &p.putBy, &p.batchID, &p.again, &p.airHolder, &p.airSeq, &p.reason, &p.addedBy, &p.removedFor)
	})
	if err != nil {
		return nil, fmt.Errorf("read due places: %w", err)
	}
	return places, nil
}

// wishOf is what a list says when it asks for something. A list that was deleted has a name too.
func (s *Service) wishOf(ctx context.Context, tx pgx.Tx, id share, account authorizer.Account) (blacklist.ListWish, error) {
	var name, reason string
	err := tx.QueryRow(ctx, `SELECT name, reason FROM blacklist_lists WHERE tenant_id = $1 AND id = $2`, id.TenantID, id.ListID).Scan(&name, &reason)
	if err != nil {
		return blacklist.ListWish{}, fmt.Errorf("read list: %w", err)
	}
	words := "list " + name
	if id.Leaving {
		words = "taken off " + words
	}
	return blacklist.ListWish{ListID: id.ListID, Account: account, Reason: sentence(words, reason)}, nil
}

// sentence joins what there is, and cuts it to what a reason may be.
func sentence(parts ...string) string {
	var said []string
	for _, part := range parts {
		if part != "" {
			said = append(said, part)
		}
	}
	all := []rune(strings.Join(said, ": "))
	return string(all[:min(len(all), blacklist.MaxReasonLength)])
}

// settling is one call of settleShare.
type settling struct {
	*Service
	tx        pgx.Tx
	share     share
	wish      blacklist.ListWish
	standings map[string]blacklist.Standing
}

// owned tells whether somebody is blocked, or waits to be, because of the wish of the list that put them on.
func owned(putBy *uuid.UUID, st blacklist.Standing) bool {
	return putBy != nil && st.BlockedBy != nil && *putBy == *st.BlockedBy
}

// wanted tells whether the list has to ask for a block at a place: the first time if they are not blocked; later if WeChat
// refused what the list asked for, or if the block of somebody else, for which it had left them as they were, has ended by
// itself or come to nothing. What somebody wished in between counts for more.
func (p duePlace) wanted(st blacklist.Standing, now time.Time) bool {
	switch {
	case st.Blocked:
		return false
	case !p.seen:
		return true
	case owned(p.putBy, st):
		return st.Outcome == blacklist.Failed
	}
	return p.again != nil && !p.again.After(now) && !st.Unwanted
}

// againAt is when to look again at somebody whom others had blocked.
func (t *settling) againAt(p duePlace, st blacklist.Standing) *time.Time {
	switch {
	case owned(p.putBy, st) || !st.Blocked || (p.seen && p.again == nil):
		return nil
	case st.Pending:
		return new(t.now().Add(lookAgainAfter))
	}
	return st.Until
}

// putOn has blocked who is not, and notes what it has seen.
func (t *settling) putOn(ctx context.Context, places []duePlace) error {
	var people []blacklist.Listed
	asked := map[string]bool{}
	wanted := make([]bool, len(places))
	for i, p := range places {
		// Somebody may be on the list by unionid and by openid.
		if wanted[i] = p.wanted(t.standings[p.openid], t.now()) && !asked[p.openid]; wanted[i] {
			asked[p.openid] = true
			people = append(people, blacklist.Listed{OpenID: p.openid, Reason: sentence(t.wish.Reason, p.reason, "added by "+p.addedBy)})
		}
	}
	var batchID uuid.UUID
	if len(people) > 0 {
		var err error
		if batchID, err = t.blacklist.PutOn(ctx, t.tx, t.wish, people); err != nil {
			return err
		}
	}
	var notes pgx.Batch
	for i, p := range places {
		putBy, batch, again := p.putBy, p.batchID, t.againAt(p, t.standings[p.openid])
		if wanted[i] {
			putBy, batch, again = &t.share.ListID, &batchID, nil
		}
		notes.Queue(`
			UPDATE blacklist_list_places SET due = false, seen_at = coalesce(seen_at, $6), put_by = $7, batch_id = $8, look_again_at = $9
			WHERE tenant_id = $1 AND authorizer_id = $2 AND openid = $3 AND list_id = $4 AND person_id = $5`,
			t.share.TenantID, t.share.AuthorizerID, p.openid, t.share.ListID, p.person, t.now(), putBy, batch, again)
	}
	if err := t.tx.SendBatch(ctx, &notes).Close(); err != nil {
		return fmt.Errorf("note places: %w", err)
	}
	return nil
}

// takeOff unblocks whom the list had blocked, unless a list goes on holding them there: then that one has put them on from now
// on. It deletes the places, and returns how many it has to come back to.
func (t *settling) takeOff(ctx context.Context, places []duePlace) (int, error) {
	held, err := t.handOver(ctx, places)
	if err != nil {
		return 0, err
	}
	var people []blacklist.Delisted
	asked := map[string]bool{}
	for _, p := range places {
		if p.putBy == nil || held[p.openid] || asked[p.openid] {
			continue
		}
		asked[p.openid] = true
		one := blacklist.Delisted{OpenID: p.openid, PutBy: *p.putBy, Reason: sentence(t.wish.Reason, p.removedFor)}
		if p.airSeq != nil {
			one.Air = &blacklist.Air{Holder: p.airHolder, Seq: *p.airSeq}
		}
		people = append(people, one)
	}
	flying, err := t.blacklist.TakeOff(ctx, t.tx, t.wish, people)
	if err != nil {
		return 0, err
	}
	var notes pgx.Batch
	for _, p := range places {
		const here = ` WHERE tenant_id = $1 AND authorizer_id = $2 AND openid = $3 AND list_id = $4 AND person_id = $5`
		key := []any{t.share.TenantID, t.share.AuthorizerID, p.openid, t.share.ListID, p.person}
		if air, is := flying[p.openid]; is && !held[p.openid] {
			notes.Queue(`UPDATE blacklist_list_places SET air_holder = $6, air_seq = $7`+here, append(key, air.Holder, air.Seq)...)
		} else {
			notes.Queue(`DELETE FROM blacklist_list_places`+here, key...)
		}
	}
	if err := t.tx.SendBatch(ctx, &notes).Close(); err != nil {
		return 0, fmt.Errorf("note places: %w", err)
	}
	return len(flying), nil
}

// handOver gives what places have put on to other places of the same people, where there are some that stay, and returns whom
// they hold.
func (t *settling) handOver(ctx context.Context, places []duePlace) (map[string]bool, error) {
	held := map[string]bool{}
	var openids []string
	var putBy []uuid.UUID
	var batches []*uuid.UUID
	for _, p := range places {
		if owned(p.putBy, t.standings[p.openid]) {
			openids, putBy, batches = append(openids, p.openid), append(putBy, *p.putBy), append(batches, p.batchID)
		}
	}
	rows, err := t.tx.Query(ctx, `
		SELECT n.openid, w.list_id, w.person_id, n.put_by, n.batch_id FROM unnest($3::text[], $4::uuid[], $5::uuid[]) AS n (openid, put_by, batch_id)
		CROSS JOIN LATERAL (
			SELECT * FROM blacklist_list_places WHERE tenant_id = $1 AND authorizer_id = $2 AND openid = n.openid AND NOT leaving OFFSET 0
		) w`, t.share.TenantID, t.share.AuthorizerID, openids, putBy, batches)
	if err != nil {
		return nil, fmt.Errorf("hand places over: %w", err)
	}
	var notes pgx.Batch
	var openid string
	var listID, person, from uuid.UUID
	var batch *uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&openid, &listID, &person, &from, &batch}, func() error {
		held[openid] = true
		notes.Queue(`
			UPDATE blacklist_list_places SET put_by = $6, batch_id = $7, look_again_at = NULL
			WHERE tenant_id = $1 AND authorizer_id = $2 AND openid = $3 AND list_id = $4 AND person_id = $5`,
			t.share.TenantID, t.share.AuthorizerID, openid, listID, person, from, batch)
		return nil
	})
	if err == nil {
		err = t.tx.SendBatch(ctx, &notes).Close()
	}
	if err != nil {
		return nil, fmt.Errorf("hand places over: %w", err)
	}
	return held, nil
}
