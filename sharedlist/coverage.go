package sharedlist

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/tenant"
)

// Coverage tells whether a list can find people by unionid on an account, and block them there.
type Coverage string

// The coverages.
const (
	Covered      Coverage = "covered"
	Learning     Coverage = "learning" // it will be: the account's directory is being read
	DirectoryOff Coverage = "directory_off"
	UnionIDsOff  Coverage = "unionids_off"
	NoUnionIDs   Coverage = "unionids_missing" // WeChat gives none
	NoPermission Coverage = "permission_missing"
	NotActive    Coverage = "account_not_active"
)

// Advice says what to do about it; "" if nothing.
func (c Coverage) Advice() string {
	switch c {
	case DirectoryOff:
		return "Nobody can be found here by unionid: turn on the account's directory of followers, with unionids."
	case UnionIDsOff:
		return "Nobody can be found here by unionid: have the account's directory of followers keep unionids too."
	case NoUnionIDs:
		return "WeChat gives no unionids for this account: have the merchant bind it to the Open Platform account of the others; they are asked for again after the next sync."
	case NoPermission:
		return "Send the merchant a connect link and have permission set 2 or 100 ticked; then what waits goes on by itself."
	case NotActive:
		return "Send the merchant a connect link, or clear up with WeChat what keeps the account; then what waits goes on by itself."
	}
	return ""
}

// Account is one of a tenant's accounts, and what lists can do there.
type Account struct {
	AppID    string
	NickName string
	Coverage Coverage
}

// coverage tells of all accounts of a tenant, by appid. It reads page by page, for somebody who was allowed to.
func (s *Service) coverage(ctx context.Context, tenantID uuid.UUID) ([]Account, error) {
	known, err := s.followers.Knowledge(ctx, s.pool, tenantID)
	if err != nil {
		return nil, err
	}
	accounts := []Account{}
	for params := (authorizer.ListParams{Limit: authorizer.MaxLimit}); ; {
		page, err := s.authorizers.List(ctx, acting(), tenantID, params)
		if err != nil {
			return nil, fmt.Errorf("read accounts: %w", err)
		}
		for _, a := range page.Accounts {
			accounts = append(accounts, Account{AppID: a.AppID, NickName: a.NickName, Coverage: coverageOf(a, known[a.ID])})
		}
		if page.Next == "" {
			return accounts, nil
		}
		params.Cursor = page.Next
	}
}

// acting is who acts where nobody asked.
func acting() tenant.Principal { return tenant.System("lists") }

func coverageOf(account authorizer.Account, known follower.Knowledge) Coverage {
	if why := obstacle(account); why != "" {
		return why
	}
	switch known {
	case follower.KnowsNobody:
		return DirectoryOff
	case follower.KnowsOpenIDs:
		return UnionIDsOff
	case follower.KnowsNoUnionIDs:
		return NoUnionIDs
	case follower.KnowsSomebody:
		return Learning
	}
	return Covered
}

// obstacle says why nobody can be blocked on an account; "" if nothing is in the way.
func obstacle(account authorizer.Account) Coverage {
	switch {
	case account.May(authorizer.OpBlacklist):
		return ""
	case account.State != authorizer.StateActive:
		return NotActive
	}
	return NoPermission
}
