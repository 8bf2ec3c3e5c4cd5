package blacklist

import (
	"context"
	"errors"
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
	if utf8.RuneCountInString(req.IdempotencyKey) > MaxIdempotencyKeyLength || !storable(req.IdempotencyKey) {
		return Batch{}, false, ErrIdempotencyKeyTooLong
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, appid)
	if err != nil {
		return Batch{}, false, fmt.Errorf("%s: %w", action, err)
	}
	w, refusal := s.newWishes(ctx, p, tenantID, account, action, req)
	if refusal != nil && req.IdempotencyKey == "" {
		return Batch{}, false, fmt.Errorf("%s: %w", action, refusal)
	}
	var batch Batch
	var replayed bool
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if req.IdempotencyKey != "" {
			former, isReplay, err := tenant.ClaimIdempotencyKey(ctx, tx, tenantID, req.IdempotencyKey, req.fingerprint(action, account.AppID), w.batchID, w.now)
			if err != nil {
				return err
			}
			if isReplay {
				replayed = true
				batch, err = readBatch(ctx, tx, tenantID, former, w.now)
				return err
			}
		}
		// Only now: what was accepted once is answered the same again, even if it would be refused today.
		if refusal != nil {
			return refusal
		}
		batch, err = s.accept(ctx, tx, w)
		return err
	})
	if err != nil {
		return Batch{}, false, fmt.Errorf("%s: %w", action, err)
	}
	return batch, replayed, nil
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
	until        *time.Time
	by           tenant.Principal
	now          time.Time
}

// newWishes returns what to write, and why not to. It writes nothing.
func (s *Service) newWishes(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, account authorizer.Account, action Action, req Request) (wishes, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return wishes{}, err
	}
	w := wishes{
		batchID: id, tenantID: tenantID, authorizerID: account.ID, appid: account.AppID, action: action,
		reason: req.Reason, until: req.Until, by: p, now: s.now(),
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
	if len(w.list.openids) > 0 {
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
	if len(w.list.openids) > 0 {
		if err := insertItems(ctx, tx, w); err != nil {
			return err
		}
		overtaken, err := upsertEntries(ctx, tx, w, wish)
		if err != nil {
			return err
		}
		ended, err := supersede(ctx, tx, w.tenantID, overtaken, w.now)
		if err != nil {
			return err
		}
		if err := addCounts(ctx, tx, w.tenantID, ended, nil, w.now); err != nil {
			return err
		}
	}
	return s.auditWishes(ctx, tx, w)
}

func (s *Service) auditWishes(ctx context.Context, tx pgx.Tx, w wishes) error {
	detail := map[string]any{
		"batch_id": w.batchID, "openids": len(w.list.openids), "skipped": w.list.skipped(),
	}
	if w.until != nil {
		detail["until"] = w.until.UTC()
	}
	return tenant.Audit(ctx, tx, w.by, w.now, tenant.Entry{
		TenantID: w.tenantID, Action: "blacklist." + string(w.action), Target: "authorizer:" + w.appid, Reason: w.reason, Detail: detail,
	})
}

// errLeaseLost ends a job whose lease somebody else holds now: what it did after losing it is not recorded.
var errLeaseLost = errors.New("blacklist: another process has taken over this work")
