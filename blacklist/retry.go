package blacklist

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/tenant"
)

// The errors of a request about an earlier batch. None of them leaves anything written.
var (
	// ErrNothingToRetry is returned when nothing of a batch has failed, or later wishes took the place of all that has.
	ErrNothingToRetry = errors.New("nothing of this batch has failed and is still wished for as the batch did")
	// ErrBlockWouldHaveEnded is returned for trying a block again whose end has passed.
	ErrBlockWouldHaveEnded = errors.New("the blocks of this batch would have ended already")
)

// RetryRequest says how to try again.
type RetryRequest struct {
	IdempotencyKey string // see Request
}

// Retry asks once more for what has failed of a batch: the same action with the same reason, note and until, in a batch of its
// own whose RetryOf is the first one; each openid keeps those that it had of its own. It leaves out whom somebody has wished for
// otherwise since, an earlier retry included, so that nothing is tried twice at a time. The batch may be under way: then what
// fails later can be retried later.
//
// The second result and the errors are those of [Service.Block], and the errors above.
func (s *Service) Retry(ctx context.Context, p tenant.Principal, tenantID, batchID uuid.UUID, req RetryRequest) (Batch, bool, error) {
	f := sequel{
		verb: "retry", key: req.IdempotencyKey, fingerprint: fingerprintOf("retry", batchID.String()), nothing: ErrNothingToRetry,
		begin: func(former Batch, w *wishes) error {
			w.action, w.reason, w.note, w.until, w.retryOf, w.listID = former.Action, former.Reason, former.Note, former.Until, &former.ID, former.ListID
			if w.until != nil && !w.until.After(w.now) {
				return ErrBlockWouldHaveEnded
			}
			return nil
		},
		outcome: Failed, own: ownAsBefore,
	}
	return s.follow(ctx, p, tenantID, batchID, f)
}

// sequel is a batch that follows from an earlier one.
type sequel struct {
	verb        string
	key         string
	fingerprint []byte
	begin       func(former Batch, w *wishes) error // fills in what to ask for, or says why not
	outcome     Outcome                             // of the items that it is about
	own         func(former Batch) string           // a query for the reason, note and until that each has of its own, by entry e
	asLeft      bool                                // only those that are at WeChat, as far as we know, what the batch made them
	nothing     error                               // what to return if there are none
}

// follow makes a sequel to a batch.
func (s *Service) follow(ctx context.Context, p tenant.Principal, tenantID, batchID uuid.UUID, f sequel) (Batch, bool, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistWrite); err != nil {
		return Batch{}, false, err
	}
	if err := checkKey(f.key); err != nil {
		return Batch{}, false, err
	}
	former, err := readBatch(ctx, s.pool, tenantID, batchID, s.now())
	if err != nil {
		return Batch{}, false, fmt.Errorf("%s: %w", f.verb, err)
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, former.AuthorizerAppID)
	if err != nil {
		return Batch{}, false, fmt.Errorf("%s: %w", f.verb, err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Batch{}, false, fmt.Errorf("%s: %w", f.verb, err)
	}
	w := wishes{batchID: id, tenantID: tenantID, authorizerID: account.ID, appid: account.AppID, by: p, now: s.now()}
	refusal := f.begin(former, &w)
	if refusal == nil {
		refusal = s.authorizers.Check(ctx, p, account, authorizer.OpBlacklist)
	}
	fingerprint := func() []byte { return f.fingerprint }
	batch, replayed, err := s.once(ctx, w, f.key, fingerprint, func(tx pgx.Tx) (Batch, error) {
		if refusal != nil { // as in wish: what was accepted once is answered the same again
			return Batch{}, refusal
		}
		return s.acceptSequel(ctx, tx, former, w, f)
	})
	if err != nil {
		return Batch{}, false, fmt.Errorf("%s: %w", f.verb, err)
	}
	return batch, replayed, nil
}

func (s *Service) acceptSequel(ctx context.Context, tx pgx.Tx, former Batch, w wishes, f sequel) (Batch, error) {
	// Exclusively, for the reason that [Service.endBlocksOf] has: a wish that somebody is writing just now has a smaller
	// number than ours will have, and ours would overtake it.
	if err := lockLane(ctx, tx, w.tenantID, w.authorizerID); err != nil {
		return Batch{}, err
	}
	n, err := stageStill(ctx, tx, w, former, f)
	if err != nil {
		return Batch{}, err
	}
	if n == 0 {
		return Batch{}, f.nothing
	}
	w.list = listed{given: n, staged: n}
	return s.accept(ctx, tx, w)
}

// ownAsBefore keeps what each openid of a retried batch has of its own. One whose own end has passed meanwhile is left out.
func ownAsBefore(Batch) string {
	return `
		SELECT nullif(e.reason, @reason) AS reason, nullif(e.note, @note) AS note, e.want_until AS until
		WHERE e.want_until IS NULL OR e.want_until > @now`
}

// stageStill stages the openids of a batch's items that have the outcome and about which nobody has wished otherwise since, and
// returns how many they are. As those of a file they stay in the database: there may be a million.
//
// LATERAL and OFFSET 0 have the planner look up one entry at a time, however few it believes the account to have.
func stageStill(ctx context.Context, tx pgx.Tx, w wishes, former Batch, f sequel) (int, error) {
	if _, err := tx.Exec(ctx, createStage); err != nil {
		return 0, fmt.Errorf("stage items: %w", err)
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO blacklist_upload (openid, seq, reason, note, until)
		SELECT i.openid, row_number() OVER (ORDER BY i.seq), own.reason, own.note, own.until
		FROM blacklist_items i CROSS JOIN LATERAL (
			SELECT tenant_id, authorizer_id, openid, wish, reason, note, want_until FROM blacklist_entries
			WHERE tenant_id = @tenant_id AND authorizer_id = @authorizer_id AND openid = i.openid AND NOT pending
				AND wish = (SELECT wish FROM blacklist_batches WHERE tenant_id = @tenant_id AND id = @batch_id) AND (@actual = '' OR actual = @actual)
			OFFSET 0
		) e CROSS JOIN LATERAL (`+f.own(former)+`) own
		WHERE i.tenant_id = @tenant_id AND i.batch_id = @batch_id AND i.outcome = @outcome`,
		pgx.NamedArgs{
			"tenant_id": w.tenantID, "authorizer_id": w.authorizerID, "batch_id": former.ID, "outcome": f.outcome,
			"actual": f.mustBe(former), "reason": w.reason, "note": w.note, "now": w.now,
		})
	if err != nil {
		return 0, fmt.Errorf("stage items: %w", err)
	}
	return int(tag.RowsAffected()), nil
}

// mustBe is what the entries must be at WeChat; "": that does not matter.
func (f sequel) mustBe(batch Batch) string {
	if f.asLeft {
		return batch.Action.want()
	}
	return ""
}
