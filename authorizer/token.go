package authorizer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/token"
	"github.com/wechat-steward/steward/wechat"
)

const (
	// How often, and after what pauses, it is tried again to store what WeChat gave us.
	saveTries = 4
	savePause = 100 * time.Millisecond
)

// Token returns an access token of the account that lives. One caller of all, in all processes, renews it when less
// than a third of its life is left; if that fails, or takes longer than a caller should wait, and the old one lives, that
// is returned. It fails with [tenant.ErrNotFound], with an *[AccountStateError] (nothing is asked of WeChat then, unless
// that was how we learned of it), or with what kept us from renewing.
func (s *Service) Token(ctx context.Context, authorizerID uuid.UUID) (string, error) {
	held, err := s.token(ctx, authorizerID, token.Want{})
	if err != nil {
		return "", err
	}
	return held.Value.Reveal(), nil
}

// tokenRow is an account as the token manager sees it.
type tokenRow struct {
	id             uuid.UUID
	componentAppID string
	appID          string
	state          State
	stateReason    string

	token.Held               // no row in authorizer_tokens: version 0
	refresh    secret.String // empty: none
}

// usable returns an *AccountStateError if there is nothing to renew.
func (r tokenRow) usable() error {
	if r.Version == 0 && (r.state == StateActive || r.state == StateLimited) {
		return &AccountStateError{AppID: r.appID, State: StateNeedsReauthorization, Reason: noRefreshToken}
	}
	if r.state != StateActive && r.state != StateLimited {
		return &AccountStateError{AppID: r.appID, State: r.state, Reason: r.stateReason}
	}
	return nil
}

// subject names the account in alerts.
func (r tokenRow) subject() alert.Subject {
	return alert.Subject{ComponentAppID: r.componentAppID, AuthorizerID: r.id}
}

// spread places the account between others, from 0 to 1. Of a version 7 UUID these bytes are random.
func (r tokenRow) spread() float64 {
	return float64(uint16(r.id[13])<<8|uint16(r.id[14])) / (1 << 16)
}

// token returns a token that will do, renewing it if it must.
func (s *Service) token(ctx context.Context, id uuid.UUID, w token.Want) (tokenRow, error) {
	row, err := s.readToken(ctx, id)
	if err != nil {
		return tokenRow{}, err
	}
	if err := row.usable(); err != nil {
		return tokenRow{}, err
	}
	if row.Does(w, s.now()) {
		return row, nil
	}
	result := s.renewals.DoChan(w.Key(id.String()), func() (any, error) {
		// The first caller may go away; the others wait for what it began.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exchangeTimeout)
		defer cancel()
		return s.renewOrKeep(ctx, row, w, func(ctx context.Context) (tokenRow, error) { return s.renew(ctx, row, w) })
	})
	var enough <-chan time.Time
	if row.Serves(w, s.now()) {
		enough = time.After(token.Patience)
	}
	select {
	case <-ctx.Done():
		return tokenRow{}, context.Cause(ctx)
	case <-enough:
		return row, nil
	case r := <-result:
		held, _ := r.Val.(tokenRow)
		return held, r.Err
	}
}

// renewOrKeep renews with renew; if that fails and the old token will do in need, it returns that one. What came of it is
// in the database then.
func (s *Service) renewOrKeep(ctx context.Context, row tokenRow, w token.Want, renew func(context.Context) (tokenRow, error)) (tokenRow, error) {
	key := strconv.FormatInt(row.Version, 10)
	var err error
	if !w.ByHand {
		err = s.pauses.Recent(row.id.String(), key, s.now())
	}
	if err == nil {
		var held tokenRow
		if held, err = renew(ctx); err == nil {
			s.pauses.Forget(row.id.String())
			s.components.Works(ctx, row.componentAppID)
			return held, nil
		}
		s.pauses.Failed(row.id.String(), key, err, s.now())
		s.noteFailure(ctx, row, err)
		if marked := s.markByVerdict(ctx, row, err); marked != nil {
			s.pauses.Forget(row.id.String()) // from now on the account's state says it
			return tokenRow{}, marked
		}
		if gone, ok := errors.AsType[*AccountStateError](err); ok {
			return tokenRow{}, gone
		}
	}
	if row.Serves(w, s.now()) {
		return row, nil
	}
	return tokenRow{}, fmt.Errorf("renew the access token of %s: %w", row.appID, err)
}

// renew asks WeChat for a token under the row's lock, unless somebody has done so before the lock was ours.
func (s *Service) renew(ctx context.Context, row tokenRow, w token.Want) (tokenRow, error) {
	var held tokenRow
	err := s.withComponent(ctx, row.componentAppID, func(ctx context.Context, cat string) (err error) {
		held, err = s.renewLocked(ctx, cat, row, w)
		return err
	})
	return held, err
}

// renewLocked does so with a component_access_token in hand. It is one transaction of four statements: begin, lock, store, commit.
func (s *Service) renewLocked(ctx context.Context, cat string, row tokenRow, w token.Want) (tokenRow, error) {
	var held tokenRow
	var answered *tokenRow
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		locked, err := s.lockToken(ctx, tx, row)
		if err != nil {
			return err
		}
		if locked.Does(w, s.now()) {
			held = locked
			return nil
		}
		renewed, err := s.askForToken(ctx, cat, locked)
		if err != nil {
			return err
		}
		answered, held = &renewed, renewed
		if err := s.storeToken(ctx, tx, renewed); err != nil {
			return err
		}
		return s.noteRenewal(ctx, tx, locked, w)
	})
	if err != nil && answered != nil {
		held, err = s.saveAgain(ctx, *answered, err)
	}
	return held, err
}

// askForToken renews with the stored refresh token, and if WeChat does not take that, once with the one that WeChat
// itself says is right. The row returned is what is to be stored.
func (s *Service) askForToken(ctx context.Context, cat string, row tokenRow) (tokenRow, error) {
	asked := s.now().UTC()
	answer, err := s.wechat.AuthorizerToken(ctx, cat, row.componentAppID, row.appID, row.refresh.Reveal())
	if wechat.ClassOf(err) == wechat.ClassReauthorize {
		if refusedWith(err, codeNotAuthorized) {
			return tokenRow{}, s.confirmRevoked(ctx, cat, row, err)
		}
		if row.refresh, err = s.recoverRefreshToken(ctx, cat, row, err); err != nil {
			return tokenRow{}, err
		}
		asked = s.now().UTC()
		answer, err = s.wechat.AuthorizerToken(ctx, cat, row.componentAppID, row.appID, row.refresh.Reveal())
		if wechat.ClassOf(err) == wechat.ClassReauthorize {
			return tokenRow{}, &verdict{state: StateNeedsReauthorization, reason: "WeChat does not take the refresh token, nor the one that it lists itself", cause: err}
		}
	}
	if wechat.ClassOf(err) == wechat.ClassSuspended {
		return tokenRow{}, limitedVerdict(err)
	}
	if err != nil {
		return tokenRow{}, err
	}
	if answer.RefreshToken != "" {
		row.refresh = secret.New(answer.RefreshToken)
	}
	row.Held = row.Next(answer.AccessToken, asked, answer.ExpiresIn, row.spread())
	return row, nil
}

// saveAgain stores what WeChat answered after the transaction that asked has failed: the tokens in it may be the only
// ones that work from now on.
func (s *Service) saveAgain(ctx context.Context, row tokenRow, cause error) (tokenRow, error) {
	for try := range saveTries {
		s.logger.ErrorContext(ctx, "cannot store a renewed token; trying again", "appid", row.appID, "try", try+1, "error", cause)
		select {
		case <-ctx.Done():
			return tokenRow{}, cause
		case <-time.After(savePause << try):
		}
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			stored, err := s.lockToken(ctx, tx, row)
			if err != nil {
				return err
			}
			if stored.Version >= row.Version {
				row = stored // ours after all, or another's that came later
				return nil
			}
			return s.storeToken(ctx, tx, row)
		})
		if err == nil {
			return row, nil
		}
		if _, gone := errors.AsType[*AccountStateError](err); gone {
			return tokenRow{}, err
		}
		cause = err
	}
	return tokenRow{}, cause
}

// judge draws the conclusions from what a call on behalf of an account came to.
func (s *Service) judge(ctx context.Context, held tokenRow, err error) error {
	switch wechat.ClassOf(err) {
	case wechat.ClassReauthorize:
		// A renewal tells for certain, and marks the account if it is so.
		_, renewErr := s.token(ctx, held.id, token.Want{Refused: held.Version})
		if stateErr, ok := errors.AsType[*AccountStateError](renewErr); ok {
			return stateErr
		}
	case wechat.ClassPermission:
		s.readProfileLater(ctx, held.id)
	case wechat.ClassSuspended:
		if marked := s.markByVerdict(ctx, tokenRow{id: held.id, appID: held.appID}, limitedVerdict(err)); marked != nil {
			return marked
		}
	}
	return err
}

// readToken reads an account with its tokens, without a lock.
func (s *Service) readToken(ctx context.Context, id uuid.UUID) (tokenRow, error) {
	row := tokenRow{id: id}
	var version *int64
	var failures *int
	var since, renewAfter *time.Time
	var sealed sealedTokens
	err := s.pool.QueryRow(ctx, `
		SELECT a.component_appid, a.appid, a.state, a.state_reason, t.version, t.failures, t.failing_since, t.renew_after,
			t.refresh_token_sealed, t.access_token_sealed, t.renewed_at, t.access_token_expires_at
		FROM authorizers a LEFT JOIN authorizer_tokens t ON t.authorizer_id = a.id WHERE a.id = $1`, id).
		Scan(&row.componentAppID, &row.appID, &row.state, &row.stateReason, &version, &failures, &since, &renewAfter,
			&sealed.refresh, &sealed.access, &sealed.renewed, &sealed.expires)
	if errors.Is(err, pgx.ErrNoRows) {
		return tokenRow{}, tenant.ErrNotFound
	}
	if err != nil {
		return tokenRow{}, fmt.Errorf("read token: %w", err)
	}
	if version == nil {
		return row, nil
	}
	row.Version = *version
	row.Attempts = token.Attempts{Failures: *failures, Since: orZero(since), RenewAfter: orZero(renewAfter)}
	return s.unseal(row, sealed)
}
