package blacklist

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/tenant"
)

// Block asks for openids to be blocked in the account appid. It returns as soon as the wish is safely stored, with the batch
// whose items will hold what came of each openid, and true if an equal request with the same Idempotency-Key made that
// batch before.
//
// Errors: [tenant.ErrNotFound], [*tenant.ScopeMissingError], [tenant.ErrIdempotencyKeyReused], those of this package for a
// request, and [*authorizer.PermissionMissingError] or [*authorizer.AccountStateError] if WeChat would refuse every call.
// With an error nothing is stored.
//
// An openid that is known to belong to another account of the tenant, and of which this account knows nothing, is never sent:
// its item fails at once and names the account. Trying it again once this account's directory of followers knows it sends it.
func (s *Service) Block(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, req Request) (Batch, bool, error) {
	return s.wish(ctx, p, tenantID, appid, ActionBlock, req)
}

// Unblock asks for openids to be unblocked; else it is like [Service.Block].
func (s *Service) Unblock(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, req Request) (Batch, bool, error) {
	return s.wish(ctx, p, tenantID, appid, ActionUnblock, req)
}

func (s *Service) wish(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, action Action, req Request) (Batch, bool, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistWrite); err != nil {
		return Batch{}, false, err
	}
	if err := checkKey(req.IdempotencyKey); err != nil {
		return Batch{}, false, err
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, appid)
	if err != nil {
		return Batch{}, false, fmt.Errorf("%s: %w", action, err)
	}
	w, refusal := s.newWishes(ctx, p, tenantID, account, action, req)
	if refusal != nil && req.IdempotencyKey == "" {
		return Batch{}, false, fmt.Errorf("%s: %w", action, refusal)
	}
	fingerprint := func() []byte { return req.fingerprint(action, account.AppID) }
	batch, replayed, err := s.once(ctx, w, req.IdempotencyKey, fingerprint, func(tx pgx.Tx) (Batch, error) {
		// Only now: what was accepted once is answered the same again, even if it would be refused today.
		if refusal != nil {
			return Batch{}, refusal
		}
		return s.accept(ctx, tx, w)
	})
	if err != nil {
		return Batch{}, false, fmt.Errorf("%s: %w", action, err)
	}
	return batch, replayed, nil
}

// once makes a batch in a transaction, unless one was made before under the same key, which is returned with true then.
func (s *Service) once(ctx context.Context, w wishes, key string, fingerprint func() []byte, accept func(pgx.Tx) (Batch, error)) (Batch, bool, error) {
	var batch Batch
	var replayed bool
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var err error
		batch, replayed, err = onceIn(ctx, tx, w, key, fingerprint, accept)
		return err
	})
	return batch, replayed, err
}

// onceIn is once in a transaction that has begun.
func onceIn(ctx context.Context, tx pgx.Tx, w wishes, key string, fingerprint func() []byte, accept func(pgx.Tx) (Batch, error)) (Batch, bool, error) {
	if key != "" {
		former, isReplay, err := tenant.ClaimIdempotencyKey(ctx, tx, w.tenantID, key, fingerprint(), w.batchID, w.now)
		if err != nil {
			return Batch{}, false, err
		}
		if isReplay {
			batch, err := readBatch(ctx, tx, w.tenantID, former, w.now)
			return batch, true, err
		}
	}
	batch, err := accept(tx)
	return batch, false, err
}

// checkKey says what is wrong with an Idempotency-Key.
func checkKey(key string) error {
	if utf8.RuneCountInString(key) > MaxIdempotencyKeyLength || !storable(key) {
		return ErrIdempotencyKeyTooLong
	}
	return nil
}

// wishes is a request that is ready to be written: one wish for each openid of the list.
type wishes struct {
	batchID      uuid.UUID
	tenantID     uuid.UUID
	authorizerID uuid.UUID
	appid        string
	action       Action
	list         listed
	reason       string
	note         string
	until        *time.Time
	by           tenant.Principal
	now          time.Time
	retryOf      *uuid.UUID // see Batch
	undoOf       *uuid.UUID
	listID       *uuid.UUID
	routeID      *uuid.UUID
	misplaced    int // how many openids were refused as another account's, once that is known
}

// newWishes returns what to write, and why not to. It writes nothing.
func (s *Service) newWishes(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, account authorizer.Account, action Action, req Request) (wishes, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return wishes{}, err
	}
	w := wishes{
		batchID: id, tenantID: tenantID, authorizerID: account.ID, appid: account.AppID, action: action,
		reason: req.Reason, note: req.Note, until: req.Until, by: p, now: s.now(),
	}
	if err := req.check(action, w.now); err != nil {
		return w, err
	}
	w.list, err = list(req.OpenIDs)
	if err != nil {
		return w, err
	}
	return w, s.authorizers.Check(ctx, p, account, authorizer.OpBlacklist)
}

// accept writes the wishes of somebody whose account may blacklist, and returns their batch.
func (s *Service) accept(ctx context.Context, tx pgx.Tx, w wishes) (Batch, error) {
	if err := lockLaneShared(ctx, tx, w.tenantID, w.authorizerID); err != nil {
		return Batch{}, err
	}
	if err := s.write(ctx, tx, w); err != nil {
		return Batch{}, err
	}
	if w.list.usable() > 0 {
		// The account has just passed its check, so whatever it was that its work was waiting for has come.
		if err := resumeLane(ctx, tx, w.tenantID, w.authorizerID); err != nil {
			return Batch{}, err
		}
		if err := s.enqueuePush(ctx, tx, w.tenantID, w.authorizerID, w.now); err != nil {
			return Batch{}, err
		}
	}
	return readBatch(ctx, tx, w.tenantID, w.batchID, w.now)
}

// write stores a batch, its items and its wishes, ends the items of older wishes that it takes the place of, and records
// who did it. The caller holds the lane's lock, shared or exclusive.
//
// Every writer locks in this order: entries by openid, batches by id, the lane, the job.
func (s *Service) write(ctx context.Context, tx pgx.Tx, w wishes) error {
	if err := ensureLane(ctx, tx, w.tenantID, w.authorizerID); err != nil {
		return err
	}
	wish, err := insertBatch(ctx, tx, w)
	if err != nil {
		return err
	}
	if w.list.usable() > 0 {
		if w.list, err = insertItems(ctx, tx, w); err != nil {
			return err
		}
		if w.misplaced, err = s.refuseMisplaced(ctx, tx, w); err != nil {
			return err
		}
		ended, err := upsertEntries(ctx, tx, w, wish)
		if err != nil {
			return err
		}
		if w.misplaced > 0 {
			if err := settleMisplaced(ctx, tx, w, wish); err != nil {
				return err
			}
			ended[w.batchID] = counts{Failed: w.misplaced, Superseded: ended[w.batchID][Superseded]}
		}
		if err := addCounts(ctx, tx, w.tenantID, ended, nil, w.now); err != nil {
			return err
		}
	}
	return s.auditWishes(ctx, tx, w)
}

func (s *Service) auditWishes(ctx context.Context, tx pgx.Tx, w wishes) error {
	detail := map[string]any{
		"batch_id": w.batchID, "openids": w.list.usable(), "skipped": w.list.skipped(),
	}
	if w.note != "" {
		detail["note"] = w.note
	}
	if w.until != nil {
		detail["until"] = w.until.UTC()
	}
	if w.retryOf != nil {
		detail["retry_of"] = *w.retryOf
	}
	if w.undoOf != nil {
		detail["undo_of"] = *w.undoOf
	}
	if w.listID != nil {
		detail["list_id"] = *w.listID
	}
	if w.misplaced > 0 {
		detail["belong_elsewhere"] = w.misplaced
	}
	return tenant.Audit(ctx, tx, w.by, w.now, tenant.Entry{
		TenantID: w.tenantID, Action: "blacklist." + string(w.action), Target: "authorizer:" + w.appid, Reason: w.reason, Detail: detail,
	})
}
