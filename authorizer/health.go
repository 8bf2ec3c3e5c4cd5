package authorizer

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/token"
)

const (
	// recordTimeout bounds noting down that a renewal failed.
	recordTimeout = 5 * time.Second
	// contestedAfter tokens that WeChat refused although they should have lived on, none more than contestedKept after the
	// one before, another system must be fetching tokens. One alone may be a whim of WeChat's.
	contestedAfter = 2
	contestedKept  = 24 * time.Hour
)

// faultOf is token.FaultOf, and knows that a missing component_access_token is the platform's matter too.
func faultOf(err error) token.Fault {
	if component.IsUnavailable(err) {
		return token.FaultPlatform
	}
	return token.FaultOf(err)
}

// noteFailure puts into the database that a renewal failed, where its own transaction left nothing. What is wrong with
// the platform raises one alert, of the component, and none of any account.
func (s *Service) noteFailure(ctx context.Context, row tokenRow, cause error) {
	s.logger.WarnContext(ctx, "cannot renew an access token", "appid", row.appID, "error", cause)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := s.recordFailure(ctx, row, cause, s.now().UTC()); err != nil {
		s.logger.ErrorContext(ctx, "cannot record why an access token was not renewed", "appid", row.appID, "error", err)
	}
}

func (s *Service) recordFailure(ctx context.Context, row tokenRow, cause error, now time.Time) error {
	fault := faultOf(cause)
	if fault == token.FaultPlatform && !component.IsUnavailable(cause) { // of which the component tells itself
		s.components.Report(ctx, row.componentAppID, cause)
	}
	failure := token.NewFailure(cause, now)
	described, err := json.Marshal(failure)
	if err != nil {
		return err
	}
	next := row.Attempts.Failed(fault, now, token.LongestPause, row.spread())
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// Not if another process has succeeded meanwhile.
		tag, err := tx.Exec(ctx, `
			UPDATE authorizer_tokens SET failures = $3, renew_after = $4, failing_since = $5, failed_at = $6, last_error = $7
			WHERE authorizer_id = $1 AND version = $2`,
			row.id, row.Version, next.Failures, next.RenewAfter, next.Since, now, described)
		if err != nil || tag.RowsAffected() == 0 || !next.WantsAlert(fault, now) {
			return err
		}
		return alert.Raise(ctx, tx, alert.RenewalFailing, row.subject(), failure)
	})
}

// noteRenewal draws the conclusions from a renewal that succeeded; before is the token that it replaced. Mostly there are none.
func (s *Service) noteRenewal(ctx context.Context, tx pgx.Tx, before tokenRow, w token.Want) error {
	now := s.now().UTC()
	if before.Attempts.Failures > 0 {
		if err := alert.Clear(ctx, tx, before.subject(), now, alert.RenewalFailing); err != nil {
			return err
		}
	}
	if !before.RefusedEarly(w, now) {
		return nil
	}
	var times int
	err := tx.QueryRow(ctx, `
		UPDATE authorizer_tokens SET refused_early = CASE WHEN refused_early_at > $3 THEN refused_early + 1 ELSE 1 END, refused_early_at = $2
		WHERE authorizer_id = $1 RETURNING refused_early`, before.id, now, now.Add(-contestedKept)).Scan(&times)
	if err != nil || times < contestedAfter {
		return err
	}
	return alert.Raise(ctx, tx, alert.TokenContested, before.subject(), token.Failure{
		Message: fmt.Sprintf("WeChat refused %d access tokens of this account in a row before their time.", times),
		Advice:  "Another system fetches tokens for the same account, and each ends the other's: find it and stop it, or have it ask Steward for tokens.",
		At:      now,
	})
}

// tellState raises the alert that goes with an account's new state and clears those of other states.
func tellState(ctx context.Context, tx pgx.Tx, account Account, state State, reason string, at time.Time) error {
	kinds := map[State]alert.Kind{
		StateNeedsReauthorization: alert.NeedsReauthorization, StateRevoked: alert.Revoked, StateLimited: alert.Limited,
	}
	about := alert.Subject{ComponentAppID: account.ComponentAppID, AuthorizerID: account.ID}
	over := []alert.Kind{alert.RenewalFailing, alert.TokenContested}
	for other, kind := range kinds {
		if other != state {
			over = append(over, kind)
		}
	}
	if err := alert.Clear(ctx, tx, about, at, over...); err != nil || state == StateActive {
		return err
	}
	return alert.Raise(ctx, tx, kinds[state], about, token.Failure{Message: reason, Advice: stateAdvice[state], At: at})
}

// stateAdvice is what to do about an account in each state.
var stateAdvice = map[State]string{
	StateNeedsReauthorization: "Ask the merchant to open a connect link for this account and authorize the platform again.",
	StateRevoked:              "If the merchant did not mean it, send a connect link for this account, through which its administrator authorizes again.",
	StateLimited:              "Ask the merchant to log in to mp.weixin.qq.com and see to the notice there.",
}

// settleContested forgets refusals that have not come again, and clears their alerts.
func (s *Service) settleContested(ctx context.Context) error {
	now := s.now().UTC()
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			UPDATE authorizer_tokens SET refused_early = 0 WHERE refused_early > 0 AND refused_early_at <= $1
			RETURNING authorizer_id, component_appid`, now.Add(-contestedKept))
		if err != nil {
			return err
		}
		settled, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (about alert.Subject, err error) {
			return about, row.Scan(&about.AuthorizerID, &about.ComponentAppID)
		})
		if err != nil {
			return err
		}
		for _, about := range settled {
			if err := alert.Clear(ctx, tx, about, now, alert.TokenContested); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("settle contested tokens: %w", err)
	}
	return nil
}
