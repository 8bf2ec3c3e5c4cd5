package blacklist

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	// WhyUnknown: no directory of followers of the tenant's knows it, and no blacklist.
	WhyUnknown Why = "unknown"
	// WhyAmbiguous: several accounts know the openid.
	WhyAmbiguous Why = "ambiguous"
	// WhyPermission: the account that it belongs to has not granted permission set 2 or 100.
	WhyPermission Why = "permission_missing"
	// WhyState: nothing can be done for the account that it belongs to, as it is.
	WhyState Why = "account_not_active"
)

// Unrouted is what went to no account: an openid, or a unionid, or what a unionid means on one account.
type Unrouted struct {
	OpenID  string `json:"openid"`            // empty: nobody knows of any with that unionid
	UnionID string `json:"unionid,omitempty"` // of those who were asked for by it
	Why     Why    `json:"why"`
	AppID   string `json:"appid,omitempty"` // of the account that it belongs to, where that is known
}

// Advice is what to do about it.
func (u Unrouted) Advice() string {
	switch {
	case u.Why == WhyUnknown && u.OpenID == "":
		return "No directory of followers knows anybody with this unionid: have unionids kept in the directories of the accounts, or ask by openid."
	case u.Why == WhyUnknown:
		return "No directory of followers knows it: turn the directories of the accounts on, or name the account to try as assume_appid."
	case u.Why == WhyAmbiguous:
		return "Several accounts know it: ask for it on one of them by name."
	case u.Why == WhyPermission:
		return "The account has not granted permission set 2 or 100: have its administrator authorize again and tick one of them."
	}
	return "Nothing can be done for the account as it is: see its state."
}

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
		if _, err := s.accept(ctx, tx, w); err != nil {
			return Routed{}, err
		}
		if _, err := tx.Exec(ctx, `UPDATE blacklist_batches SET route_id = $3 WHERE tenant_id = $1 AND id = $2`, tenantID, w.batchID, id); err != nil {
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

// plan returns what to write for each account, and what goes nowhere. It writes nothing.
func (s *Service) plan(ctx context.Context, tx pgx.Tx, p tenant.Principal, tenantID uuid.UUID, action Action, req RouteRequest, whom asked) ([]wishes, []Unrouted, error) {
	targets, err := s.divide(ctx, tx, p, tenantID, req.AssumeAppID, whom)
	if err != nil {
		return nil, nil, err
	}
	shares, seen := map[uuid.UUID][]string{}, make(map[place]bool, len(targets))
	for _, t := range targets {
		if t.Why == "" && !seen[t.place] {
			seen[t.place] = true
			shares[t.place.account] = append(shares[t.place.account], t.OpenID)
		}
	}
	var ready []wishes
	lost := map[uuid.UUID]Unrouted{}
	// Everybody who has to do with several accounts takes them in this order.
	for _, authorizerID := range slices.SortedFunc(maps.Keys(shares), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }) {
		account, err := s.authorizers.FindByID(ctx, authorizerID)
		if err != nil {
			return nil, nil, err
		}
		share := req.Request
		share.OpenIDs = shares[authorizerID]
		w, err := s.newWishes(ctx, p, tenantID, account, action, share)
		if why, isAccount := whyNot(err); isAccount {
			lost[authorizerID] = Unrouted{Why: why, AppID: account.AppID}
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		ready = append(ready, w)
	}
	unrouted := []Unrouted{}
	for _, t := range targets {
		if of, is := lost[t.place.account]; is {
			t.Why, t.AppID = of.Why, of.AppID
		}
		if t.Why != "" {
			unrouted = append(unrouted, t.Unrouted)
		}
	}
	return ready, unrouted, nil
}

// place is where an openid goes.
type place struct {
	account uuid.UUID
	openid  string
}

// target is an openid or a unionid and where it goes, or why it goes nowhere.
type target struct {
	Unrouted

	place place
}

func bound(account uuid.UUID, openid, unionid string) target {
	return target{Unrouted{OpenID: openid, UnionID: unionid}, place{account, openid}}
}

// divide says where everybody goes, in the order given, openids first.
func (s *Service) divide(ctx context.Context, tx pgx.Tx, p tenant.Principal, tenantID uuid.UUID, assume string, whom asked) ([]target, error) {
	var assumed uuid.UUID
	if assume != "" {
		account, err := s.authorizers.Find(ctx, p, tenantID, assume)
		if err != nil {
			return nil, err
		}
		assumed = account.ID
	}
	belong, err := s.belonging(ctx, tx, p, tenantID, assumed, whom.openids)
	if err != nil {
		return nil, err
	}
	persons, err := s.followers.LookupPersons(ctx, tx, tenantID, whom.unionids)
	if err != nil {
		return nil, err
	}
	targets := make([]target, 0, len(whom.openids)+len(whom.unionids))
	for _, openid := range whom.openids {
		switch where := belong[openid]; {
		case len(where) == 1:
			targets = append(targets, bound(where[0], openid, ""))
		case len(where) > 1:
			targets = append(targets, target{Unrouted: Unrouted{OpenID: openid, Why: WhyAmbiguous}})
		case assumed != uuid.Nil:
			targets = append(targets, bound(assumed, openid, ""))
		default:
			targets = append(targets, target{Unrouted: Unrouted{OpenID: openid, Why: WhyUnknown}})
		}
	}
	for _, unionid := range whom.unionids {
		for _, on := range persons[unionid] {
			targets = append(targets, bound(on.AuthorizerID, on.OpenID, unionid))
		}
		if len(persons[unionid]) == 0 {
			targets = append(targets, target{Unrouted: Unrouted{UnionID: unionid, Why: WhyUnknown}})
		}
	}
	if len(targets) > MaxFileOpenIDs {
		return nil, &TooManyOpenIDsError{Given: len(targets), Limit: MaxFileOpenIDs}
	}
	return targets, nil
}

// belonging says to which accounts openids belong, as directories of followers know it, and where these do not, blacklists. What
// the assumed account's own blacklist knows is not in the answer, nor is what nobody knows.
func (s *Service) belonging(ctx context.Context, tx pgx.Tx, p tenant.Principal, tenantID, assumed uuid.UUID, openids []string) (map[string][]uuid.UUID, error) {
	places, err := s.followers.Lookup(ctx, tx, tenantID, openids)
	if err != nil {
		return nil, err
	}
	belong := make(map[string][]uuid.UUID, len(openids))
	var unknown []string
	for _, openid := range openids {
		if belong[openid] = accountsOf(places[openid]); len(belong[openid]) == 0 {
			unknown = append(unknown, openid)
		}
	}
	elsewhere, err := s.foreseeMisplaced(ctx, tx, authorizer.Account{TenantID: tenantID, ID: assumed}, unknown)
	if err != nil {
		return nil, err
	}
	ids := map[string]uuid.UUID{}
	for _, m := range elsewhere {
		if _, is := ids[m.AppID]; !is {
			account, err := s.authorizers.Find(ctx, p, tenantID, m.AppID)
			if err != nil {
				return nil, err
			}
			ids[m.AppID] = account.ID
		}
		belong[m.OpenID] = []uuid.UUID{ids[m.AppID]}
	}
	return belong, nil
}

// accountsOf are the accounts of places: those where the person follows, and if there is none those where they did.
func accountsOf(places []follower.Place) (accounts []uuid.UUID) {
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
