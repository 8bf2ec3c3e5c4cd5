package sharedlist

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

// State is how it stands with a person on an account, as their list sees it.
type State string

// The states.
const (
	Pending   State = "pending"   // it goes to WeChat soon
	Waiting   State = "waiting"   // the account cannot be worked for
	Blocked   State = "blocked"   // by this list
	Already   State = "already"   // blocked, and not by this list
	Failed    State = "failed"    // WeChat refused
	Overruled State = "overruled" // somebody wished otherwise since, or did so at WeChat
)

// Place is a person on an account.
type Place struct {
	AppID   string
	OpenID  string
	State   State
	BatchID *uuid.UUID // by which the list asked for it; nil: it did not
	// For a failed one: WeChat's errcode, and the rid under which it knows the call.
	ErrCode *int
	RID     string
	Advice  string // what to do; "" if nothing
}

// Person returns somebody on a list, and how it stands with them wherever we know them, by appid. It fails with
// [tenant.ErrNotFound] or *[tenant.ScopeMissingError].
func (s *Service) Person(ctx context.Context, p tenant.Principal, tenantID, listID, personID uuid.UUID) (Person, []Place, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistRead); err != nil {
		return Person{}, nil, err
	}
	person, err := readPerson(ctx, s.pool, tenantID, listID, personID)
	if err != nil {
		return Person{}, nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT w.authorizer_id, w.openid, w.due, w.seen_at IS NOT NULL, w.put_by, w.batch_id
		FROM blacklist_list_places w JOIN authorizers a ON a.tenant_id = w.tenant_id AND a.id = w.authorizer_id
		WHERE w.tenant_id = $1 AND w.list_id = $2 AND w.person_id = $3 ORDER BY a.appid, w.openid`, tenantID, listID, personID)
	if err != nil {
		return Person{}, nil, fmt.Errorf("read places: %w", err)
	}
	stored, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p storedPlace, err error) {
		return p, row.Scan(&p.authorizerID, &p.openid, &p.due, &p.seen, &p.putBy, &p.batchID)
	})
	if err != nil {
		return Person{}, nil, fmt.Errorf("read places: %w", err)
	}
	places := make([]Place, len(stored))
	for i, at := range stored {
		account, err := s.authorizers.FindByID(ctx, at.authorizerID)
		if err != nil {
			return Person{}, nil, fmt.Errorf("read places: %w", err)
		}
		standings, err := s.blacklist.Standings(ctx, s.pool, tenantID, at.authorizerID, []string{at.openid})
		if err != nil {
			return Person{}, nil, err
		}
		places[i] = at.shown(account, standings[at.openid])
	}
	return person, places, nil
}

type storedPlace struct {
	authorizerID uuid.UUID
	openid       string
	due          bool
	seen         bool
	putBy        *uuid.UUID
	batchID      *uuid.UUID
}

// shown is the place as it is shown.
func (p storedPlace) shown(account authorizer.Account, st blacklist.Standing) Place {
	shown := Place{AppID: account.AppID, OpenID: p.openid, BatchID: p.batchID, State: p.state(st)}
	switch {
	case shown.State == Failed:
		shown.ErrCode, shown.RID = st.ErrCode, st.RID
		if st.ErrCode != nil {
			shown.Advice = wechat.Advice(*st.ErrCode)
		}
	case shown.State == Pending && !account.May(authorizer.OpBlacklist):
		shown.State, shown.Advice = Waiting, obstacle(account).Advice()
	}
	return shown
}

func (p storedPlace) state(st blacklist.Standing) State {
	own := owned(p.putBy, st)
	switch {
	case !p.seen || own && st.Pending:
		return Pending
	case own && st.Outcome == blacklist.Failed:
		return Failed
	case own && st.Blocked && st.Outcome == blacklist.Done:
		return Blocked
	case st.Blocked:
		return Already
	case p.due:
		return Pending
	}
	return Overruled
}
