package authorizer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

const (
	revokedReason = "the merchant took the authorization back"
	lostReason    = "WeChat does not take our refresh token any more and has no other for us"
)

// verdict is what WeChat's answers say about an account for certain.
type verdict struct {
	state  State
	reason string
	cause  error
}

func (v *verdict) Error() string { return v.cause.Error() }
func (v *verdict) Unwrap() error { return v.cause }

func limitedVerdict(cause error) *verdict {
	reason := "WeChat restricted the account"
	if refusal, ok := errors.AsType[*wechat.Error](cause); ok {
		reason = fmt.Sprintf("WeChat restricted the account: %d %s", refusal.Code, refusal.Message)
	}
	return &verdict{state: StateLimited, reason: reason, cause: cause}
}

// confirmRevoked asks in another way before it believes that an account took its authorization back. It returns the
// verdict, or refused if there is none.
func (s *Service) confirmRevoked(ctx context.Context, cat string, row tokenRow, refused error) error {
	_, err := s.wechat.AuthorizerInfo(ctx, cat, row.componentAppID, row.appID)
	if refusedWith(err, codeNotAuthorized) {
		return &verdict{state: StateRevoked, reason: revokedReason, cause: refused}
	}
	s.logger.WarnContext(ctx, "WeChat says that an account did not authorize us, and will not say so twice", "appid", row.appID, "error", refused, "confirmation", err)
	return refused
}

// recoverRefreshToken reads back from WeChat the refresh token of an account whose stored one WeChat refused. It fails
// with a verdict if WeChat has none other than that.
func (s *Service) recoverRefreshToken(ctx context.Context, cat string, row tokenRow, refused error) (secret.String, error) {
	none := secret.String{}
	info, err := s.wechat.AuthorizerInfo(ctx, cat, row.componentAppID, row.appID)
	if refusedWith(err, codeNotAuthorized) {
		return none, &verdict{state: StateRevoked, reason: revokedReason, cause: err}
	}
	if err != nil {
		return none, err
	}
	found := info.RefreshToken
	if found == "" || found == row.refresh.Reveal() {
		if found, err = s.listedRefreshToken(ctx, cat, row); err != nil {
			return none, err
		}
	}
	if found == "" || found == row.refresh.Reveal() {
		return none, &verdict{state: StateNeedsReauthorization, reason: lostReason, cause: refused}
	}
	return secret.New(found), nil
}

// listedRefreshToken looks for the account in WeChat's list; an account that is not there has "".
func (s *Service) listedRefreshToken(ctx context.Context, cat string, row tokenRow) (string, error) {
	for offset := 0; ; {
		page, err := s.wechat.AuthorizerList(ctx, cat, row.componentAppID, offset, wechat.MaxAuthorizerList)
		if err != nil {
			return "", err
		}
		for _, item := range page.Items {
			if item.AppID == row.appID && item.RefreshToken != "" {
				return item.RefreshToken, nil
			}
		}
		if offset += len(page.Items); len(page.Items) == 0 || offset >= page.Total {
			return "", nil
		}
	}
}

// markByVerdict marks the account if err is a verdict. It returns an *AccountStateError for the caller if the account
// cannot be used from now on, and nil if it can, or if there is no verdict.
func (s *Service) markByVerdict(ctx context.Context, row tokenRow, err error) error {
	found, ok := errors.AsType[*verdict](err)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := s.mark(ctx, row, *found); err != nil {
		s.logger.ErrorContext(ctx, "cannot mark an account", "appid", row.appID, "state", found.state, "error", err)
	}
	if found.state == StateLimited {
		return nil
	}
	return &AccountStateError{AppID: row.appID, State: found.state, Reason: found.reason, cause: found.cause}
}

// mark changes an account's state by a verdict about the tokens of row, unless it has other tokens by now: then the
// merchant has authorized us anew meanwhile. Version 0 is a verdict about the account itself.
func (s *Service) mark(ctx context.Context, row tokenRow, v verdict) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		account, err := s.one(ctx, tx, `WHERE a.id = $1 FOR NO KEY UPDATE OF a`, row.id)
		if err != nil {
			return err
		}
		if account.State != StateActive && (account.State != StateLimited || v.state == StateLimited) {
			return nil
		}
		if row.Version != 0 {
			var same bool
			err := tx.QueryRow(ctx, `SELECT version = $2 FROM authorizer_tokens WHERE authorizer_id = $1 FOR UPDATE`, row.id, row.Version).Scan(&same)
			if err != nil && !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
			if !same {
				return nil
			}
		}
		now := s.now().UTC()
		return s.setState(ctx, tx, tenant.System("token manager"), account, v.state, v.reason, now, "authorizer.state")
	})
}

// setState changes the state of an account whose row the caller has locked; audited. Revoking takes the tokens away and
// leaves the history; at is when it happened.
func (s *Service) setState(ctx context.Context, tx pgx.Tx, p tenant.Principal, account Account, state State, reason string, at time.Time, action string) error {
	now := s.now().UTC()
	var revokedAt *time.Time
	var err error
	switch state {
	case StateRevoked:
		revokedAt = &at
		_, err = tx.Exec(ctx, `DELETE FROM authorizer_tokens WHERE authorizer_id = $1`, account.ID)
	case StateNeedsReauthorization: // what is there may still be of use, see restore
		_, err = tx.Exec(ctx, `UPDATE authorizer_tokens SET renew_after = NULL WHERE authorizer_id = $1`, account.ID)
	}
	if err != nil {
		return err
	}
	if err := tellState(ctx, tx, account, state, reason, now); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		UPDATE authorizers SET state = $2, state_reason = $3, state_changed_at = $4, revoked_at = $5, updated_at = $4 WHERE id = $1`,
		account.ID, string(state), reason, now, revokedAt)
	if err != nil {
		return err
	}
	return tenant.Audit(ctx, tx, p, now, tenant.Entry{
		TenantID: account.TenantID, Action: action, Target: account.target(), Reason: reason,
		Detail: map[string]any{"component_appid": account.ComponentAppID, "state": state, "state_before": account.State, "at": at},
	})
}
