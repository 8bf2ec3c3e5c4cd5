package component

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/token"
	"github.com/wechat-steward/steward/wechat"
)

// accessRow is one row of component_tokens.
type accessRow struct {
	token.Held
	credentials string // changes whenever the ticket or the secrets do
}

func (s *Service) readAccess(ctx context.Context, db querier, appid string, lock bool) (accessRow, error) {
	sql := `
		SELECT t.access_token_sealed, t.version, t.renewed_at, t.expires_at, t.failures, t.failing_since, t.renew_after, c.xmin::text
		FROM component_tokens t JOIN components c ON c.appid = t.component_appid WHERE t.component_appid = $1`
	if lock {
		sql += ` FOR NO KEY UPDATE OF t`
	}
	var row accessRow
	var sealed []byte
	var renewed, expires, since *time.Time
	err := db.QueryRow(ctx, sql, appid).Scan(&sealed, &row.Version, &renewed, &expires,
		&row.Attempts.Failures, &since, &row.Attempts.RenewAfter, &row.credentials)
	if errors.Is(err, pgx.ErrNoRows) {
		return accessRow{}, ErrUnknownComponent
	}
	if err != nil {
		return accessRow{}, err
	}
	if since != nil {
		row.Attempts.Since = *since
	}
	if sealed == nil {
		return row, nil
	}
	row.Renewed, row.Expires = *renewed, *expires
	row.Value, err = s.box.Open(sealed, accessTokenPlace(appid))
	return row, err
}

func (s *Service) storeAccess(ctx context.Context, tx pgx.Tx, appid string, held token.Held) error {
	sealed, err := s.box.Seal(held.Value, accessTokenPlace(appid))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		UPDATE component_tokens SET access_token_sealed = $2, version = $3, renewed_at = $4, expires_at = $5, renew_after = $6,
			failures = 0, failing_since = NULL, last_error = NULL
		WHERE component_appid = $1`, appid, sealed, held.Version, held.Renewed, held.Expires, held.Attempts.RenewAfter)
	return err
}

// noteRefusedEarly counts a token that WeChat refused before its time, and raises an alert if it was not the first of late.
func noteRefusedEarly(ctx context.Context, tx pgx.Tx, appid string, at time.Time) error {
	var times int
	err := tx.QueryRow(ctx, `
		UPDATE component_tokens SET refused_early = CASE WHEN refused_early_at > $3 THEN refused_early + 1 ELSE 1 END, refused_early_at = $2
		WHERE component_appid = $1 RETURNING refused_early`, appid, at, at.Add(-contestedKept)).Scan(&times)
	if err != nil || times < contestedAfter {
		return err
	}
	return alert.Raise(ctx, tx, alert.ComponentTokenContested, alert.Subject{ComponentAppID: appid}, token.Failure{
		Message: fmt.Sprintf("WeChat refused %d component access tokens in a row before their time.", times), Advice: adviceContested, At: at,
	})
}

// adviceContested is for tokens that end before their time.
const adviceContested = "Another installation fetches tokens for the same platform, a test system for example, and each ends the other's tokens: " +
	"stop it, or give it a platform of its own."

// settleContested forgets refusals that have not come again, and clears their alerts.
func (s *Service) settleContested(ctx context.Context) error {
	now := s.now().UTC()
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			UPDATE component_tokens SET refused_early = 0 WHERE refused_early > 0 AND refused_early_at <= $1 RETURNING component_appid`,
			now.Add(-contestedKept))
		if err != nil {
			return err
		}
		settled, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, appid := range settled {
			if err := alert.Clear(ctx, tx, alert.Subject{ComponentAppID: appid}, now, alert.ComponentTokenContested); err != nil {
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

// noteFailure remembers a failed renewal here and in the database, where the renewal's own transaction left nothing.
func (s *Service) noteFailure(ctx context.Context, appid string, row accessRow, cause error) {
	now := s.now().UTC()
	s.pauses.Failed(appid, row.credentials, cause, now)
	s.logger.WarnContext(ctx, "cannot renew the component access token", "component", appid, "error", cause)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := s.recordFailure(ctx, appid, row, cause, now); err != nil {
		s.logger.ErrorContext(ctx, "cannot record why the component access token was not renewed", "component", appid, "error", err)
	}
}

func (s *Service) recordFailure(ctx context.Context, appid string, row accessRow, cause error, now time.Time) error {
	failure := token.NewFailure(cause, now)
	described, err := json.Marshal(failure)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		next := row.Attempts.Failed(token.FaultAccount, now, longestPause, 0)
		// Not if another process has succeeded meanwhile.
		tag, err := tx.Exec(ctx, `
			UPDATE component_tokens SET failures = failures + 1, renew_after = $3, failing_since = coalesce(failing_since, $4), failed_at = $4, last_error = $5
			WHERE component_appid = $1 AND version = $2`, appid, row.Version, next.RenewAfter, now, described)
		if err != nil || tag.RowsAffected() == 0 || errors.Is(cause, ErrNoTicket) { // a missing ticket has an alert of its own
			return err
		}
		if wechat.ClassOf(cause) != wechat.ClassOperator && !next.WantsAlert(token.FaultAccount, now) {
			return nil
		}
		return alert.Raise(ctx, tx, alert.ComponentTokenFailing, alert.Subject{ComponentAppID: appid}, failure)
	})
}
