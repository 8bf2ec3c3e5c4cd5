package blacklist

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"

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

// plan returns what to write for each account, and what goes nowhere. It writes nothing.
func (s *Service) plan(ctx context.Context, tx pgx.Tx, p tenant.Principal, tenantID uuid.UUID, action Action, req RouteRequest, whom asked) ([]wishes, []Unrouted, error) {
	targets, err := s.divide(ctx, tx, p, tenantID, req.AssumeAppID, whom)
	if err != nil {
		return nil, nil, err
	}
	shares, seen := map[uuid.UUID][]string{}, make(map[follower.At]bool, len(targets))
	for _, t := range targets {
		if t.Why == "" && !seen[t.at] {
			seen[t.at] = true
			shares[t.at.AuthorizerID] = append(shares[t.at.AuthorizerID], t.OpenID)
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
		if of, is := lost[t.at.AuthorizerID]; is {
			t.Why, t.AppID = of.Why, of.AppID
		}
		if t.Why != "" {
			unrouted = append(unrouted, t.Unrouted)
		}
	}
	return ready, unrouted, nil
}

// target is an openid or a unionid and where it goes, or why it goes nowhere.
type target struct {
	Unrouted

	at follower.At
}

func bound(account uuid.UUID, openid, unionid string) target {
	return target{Unrouted{OpenID: openid, UnionID: unionid}, follower.At{AuthorizerID: account, OpenID: openid}}
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
