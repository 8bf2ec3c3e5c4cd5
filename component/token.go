package component

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/token"
	"github.com/wechat-steward/steward/wechat"
)

const (
	// renewTimeout bounds a renewal, which no caller's context does.
	renewTimeout = 45 * time.Second
	// recordTimeout bounds noting down that a renewal failed.
	recordTimeout = 5 * time.Second
	// longestPause is the longest between two tries of the sweep: every merchant waits for this token.
	longestPause = token.LongestPassingPause
	// contestedAfter refusals of tokens that should have lived on, none more than contestedKept after the one before,
	// somebody else must be fetching tokens. One alone may be a whim of WeChat's.
	contestedAfter = 2
	contestedKept  = 24 * time.Hour
)

const (
	codeTicketExpired = 61005
	codeTicketInvalid = 61006
)

// unavailableError says that there is no component_access_token to be had, which is no account's fault.
type unavailableError struct {
	cause error
}

func (e *unavailableError) Error() string { return "component access token: " + e.cause.Error() }
func (e *unavailableError) Unwrap() error { return e.cause }

// IsUnavailable tells whether a call with a component_access_token failed for want of one.
func IsUnavailable(err error) bool {
	_, ok := errors.AsType[*unavailableError](err)
	return ok
}

// AccessToken returns a component_access_token that lives. It is renewed when less than a third of its life is left:
// by one caller of all, in all processes, while the others wait for it. If the renewal fails, or takes longer than a caller
// should wait, and the old one lives, that is returned. It fails with [ErrUnknownComponent], [ErrNoTicket], or with what
// WeChat answered.
func (s *Service) AccessToken(ctx context.Context, appid string) (string, error) {
	held, err := s.access(ctx, appid, token.Want{})
	if err != nil {
		return "", &unavailableError{err}
	}
	return held.Value.Reveal(), nil
}

// Call hands call a component_access_token. If call fails because WeChat does not take that token, the token is
// renewed, unless somebody has done so meanwhile, and call is called once more; never more often.
func (s *Service) Call(ctx context.Context, appid string, call func(ctx context.Context, cat string) error) error {
	held, err := s.access(ctx, appid, token.Want{})
	if err != nil {
		return &unavailableError{err}
	}
	err = call(ctx, held.Value.Reveal())
	if !TokenRefused(err) {
		return err
	}
	held, renewErr := s.access(ctx, appid, token.Want{Refused: held.Version})
	if renewErr != nil {
		return &unavailableError{fmt.Errorf("WeChat refused the stored one, and another could not be had: %w", renewErr)}
	}
	return call(ctx, held.Value.Reveal())
}

// warm renews every token that will soon be due, so that callers need not wait for it.
func (s *Service) warm(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `
		SELECT t.component_appid FROM component_tokens t JOIN components c ON c.appid = t.component_appid
		WHERE t.renew_after <= $1 AND c.ticket_sealed IS NOT NULL`, s.now().UTC())
	if err != nil {
		return fmt.Errorf("warm component access tokens: %w", err)
	}
	due, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("warm component access tokens: %w", err)
	}
	return each(due, func(appid string) error {
		if _, err := s.access(ctx, appid, token.Want{Due: true}); err != nil {
			return fmt.Errorf("warm the access token of %s: %w", appid, err)
		}
		return nil
	})
}

// TokenRefused tells whether WeChat refused the component_access_token itself.
func TokenRefused(err error) bool {
	refusal, ok := errors.AsType[*wechat.Error](err)
	return ok && slices.Contains([]int{40001, 40014, 42001, 42006}, refusal.Code)
}

// access returns a token that will do, renewing it if it must.
func (s *Service) access(ctx context.Context, appid string, w token.Want) (token.Held, error) {
	row, err := s.readAccess(ctx, s.pool, appid, false)
	if err != nil {
		return token.Held{}, err
	}
	if row.Does(w, s.now()) {
		return row.Held, nil
	}
	result := s.renewals.DoChan(w.Key(appid), func() (any, error) {
		// The first caller may go away; the others wait for what it began.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
		defer cancel()
		return s.renewOrKeep(ctx, appid, w, row)
	})
	var enough <-chan time.Time
	if row.Serves(w, s.now()) {
		enough = time.After(token.Patience)
	}
	select {
	case <-ctx.Done():
		return token.Held{}, context.Cause(ctx)
	case <-enough:
		return row.Held, nil
	case r := <-result:
		held, _ := r.Val.(token.Held)
		return held, r.Err
	}
}

// renewOrKeep renews; if that fails and the old token will do in need, it returns that one.
func (s *Service) renewOrKeep(ctx context.Context, appid string, w token.Want, row accessRow) (token.Held, error) {
	err := s.pauses.Recent(appid, row.credentials, s.now())
	if err == nil {
		var held token.Held
		if held, err = s.renew(ctx, appid, w); err == nil {
			s.pauses.Forget(appid)
			return held, nil
		}
		s.noteFailure(ctx, appid, row, err)
	}
	if row.Serves(w, s.now()) {
		return row.Held, nil
	}
	return token.Held{}, err
}

// renew buys a token under the row's lock, unless somebody has done so before the lock was ours.
func (s *Service) renew(ctx context.Context, appid string, w token.Want) (token.Held, error) {
	var held token.Held
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		row, err := s.readAccess(ctx, tx, appid, true)
		if err != nil {
			return err
		}
		if row.Does(w, s.now()) {
			held = row.Held
			return nil
		}
		asked := s.now().UTC()
		bought, err := s.buy(ctx, tx, appid)
		if err != nil {
			return err
		}
		held = row.Next(bought.Value, asked, bought.ExpiresIn, 0)
		if err := s.storeAccess(ctx, tx, appid, held); err != nil {
			return err
		}
		if row.RefusedEarly(w, asked) {
			if err := noteRefusedEarly(ctx, tx, appid, asked); err != nil {
				return err
			}
		}
		if row.Attempts.Failures == 0 {
			return nil
		}
		return alert.Clear(ctx, tx, alert.Subject{ComponentAppID: appid}, asked, alert.ComponentTokenFailing)
	})
	return held, err
}

// buy asks WeChat for a token with the newest ticket, and where WeChat does not take that, once with the one before.
func (s *Service) buy(ctx context.Context, tx pgx.Tx, appid string) (wechat.Token, error) {
	own, err := s.readCredentials(ctx, tx, appid, false)
	if err != nil {
		return wechat.Token{}, err
	}
	tickets, err := s.readTickets(ctx, tx, appid, false)
	if err != nil {
		return wechat.Token{}, err
	}
	if tickets.current.IsEmpty() {
		return wechat.Token{}, ErrNoTicket
	}
	now := s.now()
	token, err := s.wechat.ComponentToken(ctx, appid, own.appSecret.Reveal(), tickets.current.Reveal())
	if !ticketRefused(err) {
		return token, err
	}
	if !tickets.previous.IsEmpty() && now.Sub(tickets.previousCreated) < ticketLife {
		s.logger.WarnContext(ctx, "WeChat refused the newest ticket; trying the one before", "component", appid, "error", err)
		if token, previousErr := s.wechat.ComponentToken(ctx, appid, own.appSecret.Reveal(), tickets.previous.Reveal()); previousErr == nil {
			return token, nil
		}
	}
	if now.Sub(tickets.created) >= ticketLife {
		return wechat.Token{}, fmt.Errorf("%w: %w", ErrNoTicket, err)
	}
	return wechat.Token{}, err
}

func ticketRefused(err error) bool {
	refusal, ok := errors.AsType[*wechat.Error](err)
	return ok && (refusal.Code == codeTicketExpired || refusal.Code == codeTicketInvalid)
}
