package blacklist

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/tenant"
)

// Why says why an openid went to no account.
type Why string

// The reasons.
const (
	// WhyUnknown: no directory of followers of the tenant's knows it. Name an account with RouteRequest.AssumeAppID, or have
	// the directories of the accounts turned on.
	WhyUnknown Why = "unknown"
	// WhyAmbiguous: several accounts know it. Ask for it on one of them by name.
	WhyAmbiguous Why = "ambiguous"
	// WhyPermission: the account that it belongs to has not granted permission set 2 or 100.
	WhyPermission Why = "permission_missing"
	// WhyState: nothing can be done for the account that it belongs to, as it is.
	WhyState Why = "account_not_active"
)

// Unrouted is an openid that went to no account.
type Unrouted struct {
	OpenID string `json:"openid"`
	Why    Why    `json:"why"`
	AppID  string `json:"appid,omitempty"` // of the account that it belongs to, where that is known
}

// RouteRequest says whom to block or unblock wherever they belong.
type RouteRequest struct {
	Request
	// AssumeAppID is the account for openids that no directory knows; empty: they go nowhere. WeChat will say whether it was right.
	AssumeAppID string
}

// Routed is what came of a [RouteRequest]: a batch for each account, and what went nowhere.
type Routed struct {
	ID       uuid.UUID
	Batches  []Batch
	Unrouted []Unrouted // in the order given
}

// Route does action with openids wherever they belong, as the directories of followers know it. All of it is accepted in one
// transaction, or nothing. It tells whether an equal request with the same Idempotency-Key was accepted before. It fails
// like [Service.Block]; but what concerns one account only makes its openids unrouted.
func (s *Service) Route(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, action Action, req RouteRequest) (Routed, bool, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistWrite); err != nil {
		return Routed{}, false, err
	}
	if err := tenant.Exists(ctx, s.pool, tenantID); err != nil {
		return Routed{}, false, err
	}
	if err := checkKey(req.IdempotencyKey); err != nil {
		return Routed{}, false, err
	}
	if err := req.check(action, s.now()); err != nil {
		return Routed{}, false, err
	}
	clean, err := list(req.OpenIDs)
	if err != nil {
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
			former, isReplay, err := tenant.ClaimIdempotencyKey(ctx, tx, tenantID, req.IdempotencyKey, req.fingerprint(action, "route "+req.AssumeAppID), id, s.now())
			if err != nil {
				return err
			}
			if isReplay {
				replayed = true
				routed, err = s.readRoute(ctx, tx, tenantID, former)
				return err
			}
		}
		routed, err = s.routeTx(ctx, tx, p, tenantID, id, action, req, clean.openids)
		return err
	})
	if err != nil {
		return Routed{}, false, fmt.Errorf("route: %w", err)
	}
	return routed, replayed, nil
}

func (s *Service) routeTx(ctx context.Context, tx pgx.Tx, p tenant.Principal, tenantID, id uuid.UUID, action Action, req RouteRequest, openids []string) (Routed, error) {
	shares, unrouted, err := s.divide(ctx, tx, p, tenantID, req.AssumeAppID, openids)
	if err != nil {
		return Routed{}, err
	}
	var ready []wishes
	// Everybody who has to do with several accounts takes them in this order.
	for _, authorizerID := range slices.SortedFunc(maps.Keys(shares), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }) {
		account, err := s.authorizers.FindByID(ctx, authorizerID)
		if err != nil {
			return Routed{}, err
		}
		share := req.Request
		share.OpenIDs = shares[authorizerID]
		w, err := s.newWishes(ctx, p, tenantID, account, action, share)
		if why, isAccount := whyNot(err); isAccount {
			for _, openid := range share.OpenIDs {
				unrouted[openid] = Unrouted{OpenID: openid, Why: why, AppID: account.AppID}
			}
			continue
		}
		if err != nil {
			return Routed{}, err
		}
		ready = append(ready, w)
	}
	routed := Routed{ID: id, Unrouted: inOrder(openids, unrouted)}
	if err := insertRoute(ctx, tx, tenantID, routed, s.now()); err != nil {
		return Routed{}, err
	}
	for _, w := range ready {
		if _, err := s.accept(ctx, tx, w); err != nil {
			return Routed{}, err
		}
		if _, err := tx.Exec(ctx, `UPDATE blacklist_batches SET route_id = $3 WHERE tenant_id = $1 AND id = $2`, tenantID, w.batchID, id); err != nil {
			return Routed{}, err
		}
	}
	routed.Batches, err = s.routeBatches(ctx, tx, tenantID, id)
	return routed, err
}

// divide says which openids belong to which account, and which to none.
func (s *Service) divide(ctx context.Context, tx pgx.Tx, p tenant.Principal, tenantID uuid.UUID, assume string, openids []string) (map[uuid.UUID][]string, map[string]Unrouted, error) {
	places, err := s.followers.Lookup(ctx, tx, tenantID, openids)
	if err != nil {
		return nil, nil, err
	}
	var assumed uuid.UUID
	if assume != "" {
		account, err := s.authorizers.Find(ctx, p, tenantID, assume)
		if err != nil {
			return nil, nil, err
		}
		assumed = account.ID
	}
	shares, unrouted := map[uuid.UUID][]string{}, map[string]Unrouted{}
	for _, openid := range openids {
		switch where := belonging(places[openid]); {
		case len(where) == 1:
			shares[where[0]] = append(shares[where[0]], openid)
		case len(where) > 1:
			unrouted[openid] = Unrouted{OpenID: openid, Why: WhyAmbiguous}
		case assumed != uuid.Nil:
			shares[assumed] = append(shares[assumed], openid)
		default:
			unrouted[openid] = Unrouted{OpenID: openid, Why: WhyUnknown}
		}
	}
	return shares, unrouted, nil
}

// belonging are the accounts of places: those where the person follows, and if there is none those where they did.
func belonging(places []follower.Place) (accounts []uuid.UUID) {
	for _, following := range []bool{true, false} {
		for _, place := range places {
			if place.Following == following {
				accounts = append(accounts, place.AuthorizerID)
			}
		}
		if len(accounts) > 0 {
			return accounts
		}
	}
	return nil
}

// whyNot tells whether err is about an account, and what to say of its openids.
func whyNot(err error) (Why, bool) {
	if _, is := errors.AsType[*authorizer.PermissionMissingError](err); is {
		return WhyPermission, true
	}
	_, is := errors.AsType[*authorizer.AccountStateError](err)
	return WhyState, is
}

func inOrder(openids []string, unrouted map[string]Unrouted) []Unrouted {
	ordered := []Unrouted{}
	for _, openid := range openids {
		if u, is := unrouted[openid]; is {
			ordered = append(ordered, u)
		}
	}
	return ordered
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
