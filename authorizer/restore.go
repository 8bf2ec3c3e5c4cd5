package authorizer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

// restore brings back an account that we had given up, if WeChat lets us act for it after all: a push was lost, or WeChat
// refused a refresh token and has another one now. Proof is an access token that WeChat gives us for the account. It goes on
// when the caller's context ends, and returns false if WeChat will not have it.
func (s *Service) restore(ctx context.Context, p tenant.Principal, account Account) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exchangeTimeout)
	defer cancel()
	restored := false
	err := s.withComponent(ctx, account.ComponentAppID, func(ctx context.Context, cat string) error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			locked, err := s.one(ctx, tx, `WHERE a.id = $1 FOR NO KEY UPDATE OF a`, account.ID)
			if err != nil {
				return err
			}
			if restored = locked.State.alive(); restored {
				return nil // the merchant was faster
			}
			restored, err = s.restoreLocked(ctx, tx, cat, p, locked, func(ctx context.Context) (string, error) {
				return s.listedRefreshToken(ctx, cat, tokenRow{componentAppID: locked.ComponentAppID, appID: locked.AppID})
			})
			return err
		})
	})
	if err != nil {
		return false, fmt.Errorf("restore %s: %w", account.AppID, err)
	}
	return restored, nil
}

// restoreLocked does so for an account whose row the caller has locked. listed returns the refresh token in WeChat's list;
// empty: none.
func (s *Service) restoreLocked(ctx context.Context, tx pgx.Tx, cat string, p tenant.Principal, account Account, listed func(context.Context) (string, error)) (bool, error) {
	info, err := s.wechat.AuthorizerInfo(ctx, cat, account.ComponentAppID, account.AppID)
	if wechat.ClassOf(err) == wechat.ClassReauthorize {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	answer, err := s.anyToken(ctx, cat, account,
		func(context.Context) (string, error) { return info.RefreshToken, nil },
		listed,
		func(ctx context.Context) (string, error) { return s.keptRefreshToken(ctx, tx, account) },
	)
	if err != nil || answer.accessToken == "" {
		return false, err
	}
	answer.sets = ids(info.PermissionSets)
	_, err = s.keepGrant(ctx, tx, grant{componentAppID: account.ComponentAppID, appID: account.AppID, actor: p}, nil, account, false, answer)
	return err == nil, err
}

// anyToken asks WeChat for an access token with one refresh token after the other, until it takes one. It returns one
// without an access token if WeChat takes none.
func (s *Service) anyToken(ctx context.Context, cat string, account Account, sources ...func(context.Context) (string, error)) (granted, error) {
	var tried []string
	for _, source := range sources {
		refresh, err := source(ctx)
		if err != nil {
			return granted{}, err
		}
		if refresh == "" || slices.Contains(tried, refresh) {
			continue
		}
		tried = append(tried, refresh)
		asked := s.now().UTC()
		answer, err := s.wechat.AuthorizerToken(ctx, cat, account.ComponentAppID, account.AppID, refresh)
		if wechat.ClassOf(err) == wechat.ClassReauthorize {
			continue
		}
		if err != nil {
			return granted{}, err
		}
		if answer.RefreshToken != "" {
			refresh = answer.RefreshToken
		}
		return granted{appID: account.AppID, accessToken: answer.AccessToken, refreshToken: refresh, expiresIn: answer.ExpiresIn, askedAt: asked}, nil
	}
	return granted{}, nil
}

// keptRefreshToken is the one that WeChat refused once, which may have been a whim; empty if there is none.
func (s *Service) keptRefreshToken(ctx context.Context, tx pgx.Tx, account Account) (string, error) {
	row, err := s.lockToken(ctx, tx, tokenRow{id: account.ID, appID: account.AppID})
	if _, none := errors.AsType[*AccountStateError](err); none || errors.Is(err, secret.ErrOpen) {
		return "", nil
	}
	return row.refresh.Reveal(), err
}
