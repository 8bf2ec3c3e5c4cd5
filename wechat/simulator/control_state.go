package simulator

import (
	"context"
	"net/http"
	"time"
)

// controlState shows everything that a person may want to know; tokens, tickets and codes are not among it.
func (s *Server) controlState(context.Context, *http.Request, none) (any, error) {
	type authorization struct {
		ComponentAppID string     `json:"component_appid"`
		PermissionSets []int      `json:"permission_sets"`
		AuthorizedAt   time.Time  `json:"authorized_at"`
		Revoked        bool       `json:"revoked"`
		CodeExchanged  bool       `json:"code_exchanged"`
		TokenExpiresAt *time.Time `json:"token_expires_at"`
	}
	type accountState struct {
		Account
		Blacklisted    int             `json:"blacklisted"`
		Authorizations []authorization `json:"authorizations"`
	}
	type componentState struct {
		Component
		Tickets        int        `json:"tickets"`
		LastTicketAt   *time.Time `json:"last_ticket_at"`
		TokenExpiresAt *time.Time `json:"token_expires_at"`
	}
	faults, hanging, held := s.Faults(), s.Hanging(), s.Held()
	s.mu.Lock()
	defer s.mu.Unlock()
	components := []componentState{}
	for _, c := range s.components {
		state := componentState{Component: c.Component, Tickets: len(c.tickets), TokenExpiresAt: expiry(c.newest)}
		if n := len(c.tickets); n > 0 {
			at := c.tickets[n-1].issued.UTC()
			state.LastTicketAt = &at
		}
		components = append(components, state)
	}
	accounts := []accountState{}
	for _, a := range s.accounts {
		state := accountState{Account: a.clone(), Blacklisted: len(a.black.all()), Authorizations: []authorization{}}
		state.FollowerCount = a.followers.live
		for _, g := range a.grants {
			state.Authorizations = append(state.Authorizations, authorization{
				ComponentAppID: g.component.AppID, PermissionSets: append([]int{}, g.sets...), AuthorizedAt: g.authorizedAt.UTC(),
				Revoked: g.revoked, CodeExchanged: g.refresh != "", TokenExpiresAt: expiry(g.newest),
			})
		}
		accounts = append(accounts, state)
	}
	calls := 0
	for _, n := range s.callCounts {
		calls += n
	}
	return object{
		"now": s.now().UTC(), "settings": s.settings.clone(), "components": components, "accounts": accounts,
		"faults": faults, "hanging": hanging, "held_events": len(held), "calls": calls,
	}, nil
}

func expiry(t *token) *time.Time {
	if t == nil {
		return nil
	}
	at := t.expires.UTC()
	return &at
}
