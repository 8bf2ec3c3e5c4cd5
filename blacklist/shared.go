package blacklist

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/tenant"
)

// What this file exports serves package sharedlist, in transactions of its own: there a tenant's lists of people are kept who
// are to be blocked on all its accounts. It asks for no scope, and writes wishes as wishes of Steward's own.

// Standing is how it stands with an openid on an account.
type Standing struct {
	Blocked bool // it is at WeChat, as far as we know, or waits to be
	Pending bool // what was last wished for has not been sent yet
	// Until is when it ends by itself, if it is wished to be blocked until then.
	Until *time.Time
	// Unwanted: somebody's last wish is that it is not blocked. That a block has ended by itself, or was taken off by a list, is
	// nobody's wish.
	Unwanted bool
	// BlockedBy is the shared list whose wish to have it blocked is the last one; nil: it was another wish, or none. Outcome,
	// ErrCode and RID are what came of that.
	BlockedBy *uuid.UUID
	Outcome   Outcome
	ErrCode   *int
	RID       string
}

// LockWishes keeps all others from wishing for anything on an account until tx ends. Whoever wishes because of how it stands
// takes this lock before looking: a wish that is being written has its number already, and a later one would overtake it.
func (s *Service) LockWishes(ctx context.Context, tx pgx.Tx, tenantID, authorizerID uuid.UUID) error {
	return lockLane(ctx, tx, tenantID, authorizerID)
}

// Standings tells how it stands with openids on an account. Those of which nothing is known are not in the answer.
func (s *Service) Standings(ctx context.Context, db Querier, tenantID, authorizerID uuid.UUID, openids []string) (map[string]Standing, error) {
	rows, err := db.Query(ctx, `
		SELECT e.openid, coalesce(CASE WHEN e.pending THEN e.want ELSE e.actual END = 'blocked', false), e.pending, CASE WHEN e.want = 'blocked' THEN e.want_until END,
			coalesce(e.want = 'unblocked', false) AND NOT coalesce(b.actor_kind = $4 OR b.list_id IS NOT NULL, false),
			CASE WHEN b.action = 'block' THEN b.list_id END, coalesce(i.outcome, ''), e.errcode, e.rid
		FROM unnest($3::text[]) AS o (openid)
		CROSS JOIN LATERAL (SELECT * FROM blacklist_entries WHERE tenant_id = $1 AND authorizer_id = $2 AND openid = o.openid OFFSET 0) e
		LEFT JOIN blacklist_batches b ON b.tenant_id = $1 AND b.id = e.batch_id AND b.wish = e.wish
		LEFT JOIN blacklist_items i ON i.tenant_id = $1 AND i.batch_id = b.id AND i.openid = e.openid`,
		tenantID, authorizerID, openids, tenant.SystemKind)
	if err != nil {
		return nil, fmt.Errorf("read standings: %w", err)
	}
	standings := make(map[string]Standing, len(openids))
	var openid string
	var st Standing
	_, err = pgx.ForEachRow(rows, []any{&openid, &st.Blocked, &st.Pending, &st.Until, &st.Unwanted, &st.BlockedBy, &st.Outcome, &st.ErrCode, &st.RID}, func() error {
		standings[openid] = st
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read standings: %w", err)
	}
	return standings, nil
}

// ListWish is what a shared list asks of an account.
type ListWish struct {
	ListID  uuid.UUID
	Account authorizer.Account
	Reason  string // of the batch
}

// Listed is somebody whom a list wants blocked.
type Listed struct {
	OpenID string
	Reason string // of the entry
}

// PutOn has people blocked because they are on a list, and returns the batch. The caller holds [Service.LockWishes], and has
// found that the account can be worked for.
func (s *Service) PutOn(ctx context.Context, tx pgx.Tx, wish ListWish, people []Listed) (uuid.UUID, error) {
	openids, reasons := make([]string, len(people)), make([]string, len(people))
	for i, one := range people {
		openids[i], reasons[i] = one.OpenID, one.Reason
	}
	w, err := s.listWishes(wish, ActionBlock)
	if err != nil {
		return uuid.Nil, fmt.Errorf("put on: %w", err)
	}
	if w.list, err = stageListed(ctx, tx, `SELECT openid, ordinality, reason FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS n (openid, reason)`, openids, reasons); err != nil {
		return uuid.Nil, fmt.Errorf("put on: %w", err)
	}
	if _, err := s.accept(ctx, tx, w); err != nil {
		return uuid.Nil, fmt.Errorf("put on: %w", err)
	}
	return w.batchID, nil
}

func (s *Service) listWishes(wish ListWish, action Action) (wishes, error) {
	id, err := uuid.NewV7()
	return wishes{
		batchID: id, tenantID: wish.Account.TenantID, authorizerID: wish.Account.ID, appid: wish.Account.AppID, action: action,
		reason: wish.Reason, by: tenant.System("lists"), now: s.now(), listID: &wish.ListID,
	}, err
}

// stageListed stages what a query selects: openids, their places, and their reasons.
func stageListed(ctx context.Context, tx pgx.Tx, query string, args ...any) (listed, error) {
	if _, err := tx.Exec(ctx, createStage); err != nil {
		return listed{}, fmt.Errorf("stage: %w", err)
	}
	tag, err := tx.Exec(ctx, `INSERT INTO blacklist_upload (openid, seq, reason) `+query, args...)
	if err != nil {
		return listed{}, fmt.Errorf("stage: %w", err)
	}
	n := int(tag.RowsAffected())
	return listed{given: n, staged: n}, nil
}

// Delisted is somebody whom no list wants blocked any more.
type Delisted struct {
	OpenID string
	Reason string    // of the entry
	PutBy  uuid.UUID // the list whose wish it was
	// Air is what TakeOff returned when it was called for this openid before; nil: it was not, or returned nothing.
	Air *Air
}

// Air says that a wish was withdrawn while a push, which held the lease, may have had it in a call.
type Air struct {
	Holder string
	Seq    int64
}

// TakeOff takes back what a list's wishes have changed on an account, as [Service.Undo] does for a batch, which is too narrow
// here: what a list wished for lies in any number of batches, and of each perhaps one openid. Who waits is withdrawn, as
// [Service.Cancel] does; whom the wish blocked (done, not already) is unblocked, if the wish is still the last one and nobody
// has done otherwise at WeChat as far as our copy knows. Everybody else is left alone.
//
// It returns those about whom nothing certain can be said yet, because they were withdrawn while calls were in the air: for
// them it is to be called again. The caller holds [Service.LockWishes]. Whether the account can be worked for just now does
// not matter: the unblocking waits.
func (s *Service) TakeOff(ctx context.Context, tx pgx.Tx, wish ListWish, people []Delisted) (map[string]Air, error) {
	if len(people) == 0 {
		return nil, nil
	}
	d := delisting{service: s, tx: tx, tenantID: wish.Account.TenantID, authorizerID: wish.Account.ID, args: argsOf(people)}
	airborne, err := d.withdraw(ctx)
	if err != nil {
		return nil, fmt.Errorf("take off: %w", err)
	}
	holder, seq, err := d.lease(ctx)
	if err != nil {
		return nil, fmt.Errorf("take off: %w", err)
	}
	flying := map[string]Air{}
	for _, openid := range airborne {
		if holder != "" {
			flying[openid] = Air{Holder: holder, Seq: seq}
		}
	}
	for _, one := range people {
		if one.Air != nil && one.Air.Holder == holder {
			flying[one.OpenID] = *one.Air
		}
	}
	if err := d.unblock(ctx, wish, flying); err != nil {
		return nil, fmt.Errorf("take off: %w", err)
	}
	return flying, nil
}

// delisting is one call of TakeOff.
type delisting struct {
	service      *Service
	tx           pgx.Tx
	tenantID     uuid.UUID
	authorizerID uuid.UUID
	args         pgx.NamedArgs
}

func argsOf(people []Delisted) pgx.NamedArgs {
	n := len(people)
	openids, reasons, lists, seqs := make([]string, n), make([]string, n), make([]uuid.UUID, n), make([]*int64, n)
	for i, one := range people {
		openids[i], reasons[i], lists[i] = one.OpenID, one.Reason, one.PutBy
		if one.Air != nil {
			seqs[i] = &one.Air.Seq
		}
	}
	return pgx.NamedArgs{"openids": openids, "reasons": reasons, "lists": lists, "seqs": seqs}
}

// delisted joins people (n) with their entries (e), as they must be given by delisting.args.
const delisted = `
	unnest(@openids::text[], @reasons::text[], @lists::uuid[], @seqs::bigint[]) AS n (openid, reason, list_id, seq)
	CROSS JOIN LATERAL (SELECT * FROM blacklist_entries WHERE tenant_id = @tenant_id AND authorizer_id = @authorizer_id AND openid = n.openid OFFSET 0) e
	LEFT JOIN blacklist_batches b ON b.tenant_id = @tenant_id AND b.id = e.batch_id AND b.wish = e.wish AND b.action = 'block' AND b.list_id = n.list_id`

// withdraw ends those wishes of the lists that wait, and returns whose they were. It locks all the entries first, in
// everybody's order, see [Service.write]; what is written to entries after that waits for nobody.
func (d *delisting) withdraw(ctx context.Context) ([]string, error) {
	d.args["tenant_id"], d.args["authorizer_id"], d.args["now"] = d.tenantID, d.authorizerID, d.service.now()
	if _, err := d.tx.Exec(ctx, `
		SELECT count(*) FROM (
			SELECT FROM blacklist_entries WHERE tenant_id = @tenant_id AND authorizer_id = @authorizer_id AND openid = ANY (@openids) ORDER BY openid FOR NO KEY UPDATE
		) locked`, d.args); err != nil {
		return nil, fmt.Errorf("lock entries: %w", err)
	}
	rows, err := d.tx.Query(ctx, `SELECT e.openid, b.id FROM `+delisted+` WHERE e.pending AND b.id IS NOT NULL`, d.args)
	if err != nil {
		return nil, fmt.Errorf("find pending wishes: %w", err)
	}
	var openids []string
	var batches []uuid.UUID
	ended := map[uuid.UUID]counts{}
	var openid string
	var batchID uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&openid, &batchID}, func() error {
		openids, batches = append(openids, openid), append(batches, batchID)
		if ended[batchID] == nil {
			ended[batchID] = counts{}
		}
		ended[batchID][Cancelled]++
		return nil
	})
	if err != nil || len(openids) == 0 {
		return nil, err
	}
	d.args["waiting"] = openids
	if err := restoreWishes(ctx, d.tx, `e.openid = ANY (@waiting)`, d.args); err != nil {
		return nil, err
	}
	if _, err := d.tx.Exec(ctx, `
		UPDATE blacklist_items i SET outcome = 'cancelled', ended_at = $4 FROM unnest($2::uuid[], $3::text[]) AS n (batch_id, openid)
		WHERE i.tenant_id = $1 AND i.batch_id = n.batch_id AND i.openid = n.openid AND i.outcome = 'pending'`,
		d.tenantID, batches, openids, d.service.now()); err != nil {
		return nil, fmt.Errorf("cancel items: %w", err)
	}
	if err := addCounts(ctx, d.tx, d.tenantID, ended, nil, d.service.now()); err != nil {
		return nil, err
	}
	return openids, tellPush(ctx, d.tx, d.tenantID, d.authorizerID)
}

// lease returns who pushes the account, "" if nobody, and the number that comes after all that was learned so far. Nobody takes
// the lease before the transaction ends.
func (d *delisting) lease(ctx context.Context) (holder string, seq int64, err error) {
	err = d.tx.QueryRow(ctx, `
		SELECT CASE WHEN lease_until > now() THEN lease_holder ELSE '' END, nextval('blacklist_wishes') FROM blacklist_lanes
		WHERE tenant_id = $1 AND authorizer_id = $2 FOR NO KEY UPDATE`, d.tenantID, d.authorizerID).Scan(&holder, &seq)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", 0, nil // nobody ever asked anything of the account
	}
	if err != nil {
		return "", 0, fmt.Errorf("read lane: %w", err)
	}
	return holder, seq, nil
}

// unblock unblocks whom wishes of the lists blocked, and of those who were withdrawn before whom a call that was in the air
// blocked nevertheless.
func (d *delisting) unblock(ctx context.Context, wish ListWish, flying map[string]Air) error {
	still := make([]string, 0, len(flying))
	for openid := range flying {
		still = append(still, openid)
	}
	d.args["flying"] = still
	w, err := d.service.listWishes(wish, ActionUnblock)
	if err != nil {
		return err
	}
	w.list, err = stageListed(ctx, d.tx, `
		SELECT n.openid, row_number() OVER (ORDER BY n.openid), n.reason FROM `+delisted+`
		WHERE NOT e.pending AND e.actual = 'blocked' AND n.openid <> ALL (@flying::text[]) AND (
			(b.id IS NOT NULL AND EXISTS (
				SELECT FROM blacklist_items i WHERE i.tenant_id = @tenant_id AND i.batch_id = b.id AND i.openid = n.openid AND i.outcome = 'done'))
			OR (n.seq < e.actual_seq AND e.want IS DISTINCT FROM 'blocked' AND e.former IS DISTINCT FROM 'blocked'))`, d.args)
	if err != nil || w.list.usable() == 0 {
		return err
	}
	// As the end of a block, see [Service.endBlocksOf], this waits where the account cannot be worked for.
	if err := d.service.write(ctx, d.tx, w); err != nil {
		return err
	}
	return d.service.enqueuePush(ctx, d.tx, w.tenantID, w.authorizerID, w.now)
}

// Clean returns openids, or what is as long as them, without what files and chats add around them, without blanks and each
// once, as requests clean theirs. It fails with *[InvalidOpenIDError] or *[TooManyOpenIDsError].
func Clean(given []string) ([]string, error) {
	clean, err := list(given)
	return clean.openids, err
}
