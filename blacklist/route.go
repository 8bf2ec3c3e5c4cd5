package blacklist

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/tenant"
)

// RouteRequest says whom to block or unblock wherever they belong.
type RouteRequest struct {
	Request
	// UnionIDs are persons, meant on every account of the tenant where they follow. OpenIDs may be empty beside them; both together
	// are at most MaxOpenIDs, and are cleaned alike.
	UnionIDs []string
	// AssumeAppID is the account for openids that nobody knows; empty: they go nowhere. WeChat will say whether it was right.
	AssumeAppID string
}

// fingerprint is the same for requests that ask the same, byte for byte.
func (r RouteRequest) fingerprint(action Action) []byte {
	openids := r.Request.fingerprint(action, "route "+r.AssumeAppID)
	if len(r.UnionIDs) == 0 {
		return openids
	}
	return fingerprintOf(append([]string{"unionids", string(openids)}, r.UnionIDs...)...)
}

// Routed is what came of a [RouteRequest]: a batch for each account, and what went nowhere.
type Routed struct {
	ID       uuid.UUID
	Batches  []Batch
	Unrouted []Unrouted // in the order given, openids first
}

// RoutePreview is what would come of a [RouteRequest].
type RoutePreview struct {
	Accounts []Share
	Unrouted []Unrouted // in the order given, openids first
}

// Share is what would go to an account.
type Share struct {
	AppID   string
	OpenIDs int
}

// Route does action with openids, and with those whose unionids are given, wherever they belong, as the directories of followers
// know it, or for openids the blacklists, see [Service.Block]. All of it is accepted in one transaction, or nothing. It tells
// whether an equal request with the same Idempotency-Key was accepted before. It fails like [Service.Block], or with
// [ErrWhomToRoute]; but what concerns one account only makes its openids unrouted.
//
// An openid beside the unionid of its owner is one openid.
func (s *Service) Route(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, action Action, req RouteRequest) (Routed, bool, error) {
	whom, err := s.checkRoute(ctx, p, tenantID, action, req)
	if err != nil {
		return Routed{}, false, err
	}
	if err := checkKey(req.IdempotencyKey); err != nil {
		return Routed{}, false, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Routed{}, false, fmt.Errorf("route: %w", err)
	}
	var routed Routed
	var replayed bool
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if req.IdempotencyKey != "" {
			former, isReplay, err := tenant.ClaimIdempotencyKey(ctx, tx, tenantID, req.IdempotencyKey, req.fingerprint(action), id, s.now())
			if err != nil {
				return err
			}
			if isReplay {
				replayed = true
				routed, err = s.readRoute(ctx, tx, tenantID, former)
				return err
			}
		}
		routed, err = s.routeTx(ctx, tx, p, tenantID, id, action, req, whom)
		return err
	})
	if err != nil {
		return Routed{}, false, fmt.Errorf("route: %w", err)
	}
	return routed, replayed, nil
}

// PreviewRoute tells where Route would send a request, and writes nothing. Who may ask, and what is refused, is as there. The
// request's IdempotencyKey does not matter.
func (s *Service) PreviewRoute(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, action Action, req RouteRequest) (RoutePreview, error) {
	whom, err := s.checkRoute(ctx, p, tenantID, action, req)
	if err != nil {
		return RoutePreview{}, err
	}
	preview := RoutePreview{Accounts: []Share{}}
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		ready, unrouted, err := s.plan(ctx, tx, p, tenantID, action, req, whom)
		for _, w := range ready {
			preview.Accounts = append(preview.Accounts, Share{AppID: w.appid, OpenIDs: w.list.usable()})
		}
		preview.Unrouted = unrouted
		return err
	})
	if err != nil {
		return RoutePreview{}, fmt.Errorf("preview route: %w", err)
	}
	slices.SortFunc(preview.Accounts, func(a, b Share) int { return strings.Compare(a.AppID, b.AppID) })
	return preview, nil
}

// asked is whom a request names, each once.
type asked struct{ openids, unionids []string }

// checkRoute refuses what cannot be routed at all.
func (s *Service) checkRoute(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, action Action, req RouteRequest) (asked, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistWrite); err != nil {
		return asked{}, err
	}
	if err := tenant.Exists(ctx, s.pool, tenantID); err != nil {
		return asked{}, err
	}
	if err := req.check(action, s.now()); err != nil {
		return asked{}, err
	}
	switch given := len(req.OpenIDs) + len(req.UnionIDs); {
	case given == 0:
		return asked{}, ErrWhomToRoute
	case given > MaxOpenIDs:
		return asked{}, &TooManyOpenIDsError{Given: given, Limit: MaxOpenIDs}
	}
	openids, err := list(req.OpenIDs)
	if err != nil {
		return asked{}, err
	}
	unionids, err := list(req.UnionIDs)
	if invalid, is := errors.AsType[*InvalidOpenIDError](err); is {
		invalid.UnionID = true
	}
	return asked{openids.openids, unionids.openids}, err
}

func (s *Service) routeTx(ctx context.Context, tx pgx.Tx, p tenant.Principal, tenantID, id uuid.UUID, action Action, req RouteRequest, whom asked) (Routed, error) {
	ready, unrouted, err := s.plan(ctx, tx, p, tenantID, action, req, whom)
	if err != nil {
		return Routed{}, err
	}
	routed := Routed{ID: id, Unrouted: unrouted}
	if err := insertRoute(ctx, tx, tenantID, routed, s.now()); err != nil {
		return Routed{}, err
	}
	for _, w := range ready {
		w.routeID = &id
		if _, err := s.accept(ctx, tx, w); err != nil {
			return Routed{}, err
		}
	}
	if err := s.auditRoute(ctx, tx, p, tenantID, id, action, req, len(ready), len(unrouted)); err != nil {
		return Routed{}, err
	}
	routed.Batches, err = s.routeBatches(ctx, tx, tenantID, id)
	return routed, err
}

// auditRoute records what was asked for; what goes to each account is recorded with its batch.
func (s *Service) auditRoute(ctx context.Context, tx pgx.Tx, p tenant.Principal, tenantID, id uuid.UUID, action Action, req RouteRequest, accounts, unrouted int) error {
	detail := map[string]any{
		"action": action, "openids": len(req.OpenIDs), "unionids": len(req.UnionIDs), "accounts": accounts, "unrouted": unrouted,
	}
	if req.Until != nil {
		detail["until"] = req.Until.UTC()
	}
	if req.AssumeAppID != "" {
		detail["assume_appid"] = req.AssumeAppID
	}
	return tenant.Audit(ctx, tx, p, s.now(), tenant.Entry{
		TenantID: tenantID, Action: "blacklist.route", Target: "route:" + id.String(), Reason: req.Reason, Detail: detail,
	})
}

func (s *Service) readRoute(ctx context.Context, tx pgx.Tx, tenantID, id uuid.UUID) (Routed, error) {
	routed := Routed{ID: id}
	var unrouted []byte
	if err := tx.QueryRow(ctx, `SELECT unrouted FROM blacklist_routes WHERE tenant_id = $1 AND id = $2`, tenantID, id).Scan(&unrouted); err != nil {
		return Routed{}, fmt.Errorf("read route: %w", err)
	}
	if err := json.Unmarshal(unrouted, &routed.Unrouted); err != nil {
		return Routed{}, fmt.Errorf("read route: %w", err)
	}
	var err error
	routed.Batches, err = s.routeBatches(ctx, tx, tenantID, id)
	return routed, err
}

func (s *Service) routeBatches(ctx context.Context, tx pgx.Tx, tenantID, id uuid.UUID) ([]Batch, error) {
	rows, err := tx.Query(ctx, batchQuery+` WHERE b.tenant_id = $1 AND b.route_id = $2 ORDER BY a.appid, b.id`, tenantID, id)
	if err != nil {
		return nil, fmt.Errorf("read route: %w", err)
	}
	batches, err := pgx.CollectRows(rows, scanBatch(s.now()))
	if err != nil {
		return nil, fmt.Errorf("read route: %w", err)
	}
	return batches, nil
}

func insertRoute(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID, routed Routed, now time.Time) error {
	unrouted, err := json.Marshal(routed.Unrouted)
	if err == nil {
		_, err = tx.Exec(ctx, `INSERT INTO blacklist_routes (tenant_id, id, unrouted, created_at) VALUES ($1, $2, $3, $4)`, tenantID, routed.ID, unrouted, now)
	}
	if err != nil {
		return fmt.Errorf("store route: %w", err)
	}
	return nil
}
