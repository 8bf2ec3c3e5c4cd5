package authorizer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/wechat"
)

// sealedTokens is a row of authorizer_tokens as it is stored.
type sealedTokens struct {
	refresh, access  []byte
	renewed, expires *time.Time
}

func (s *Service) unseal(row tokenRow, sealed sealedTokens) (tokenRow, error) {
	var err error
	if row.refresh, err = s.box.Open(sealed.refresh, tokenPlace("refresh_token", row.id)); err != nil {
		return tokenRow{}, fmt.Errorf("read token: %w", err)
	}
	if sealed.access == nil {
		return row, nil
	}
	if row.access, err = s.box.Open(sealed.access, tokenPlace("access_token", row.id)); err != nil {
		return tokenRow{}, fmt.Errorf("read token: %w", err)
	}
	row.renewed, row.expires = *sealed.renewed, *sealed.expires
	return row, nil
}

// lockToken reads the tokens of row's account again and keeps others from renewing until the transaction ends.
func (s *Service) lockToken(ctx context.Context, tx pgx.Tx, row tokenRow) (tokenRow, error) {
	locked := tokenRow{id: row.id, componentAppID: row.componentAppID, appID: row.appID}
	var sealed sealedTokens
	err := tx.QueryRow(ctx, `
		SELECT version, failures, renew_after, refresh_token_sealed, access_token_sealed, renewed_at, access_token_expires_at
		FROM authorizer_tokens WHERE authorizer_id = $1 FOR UPDATE`, row.id).
		Scan(&locked.version, &locked.failures, &locked.renewAfter, &sealed.refresh, &sealed.access, &sealed.renewed, &sealed.expires)
	if errors.Is(err, pgx.ErrNoRows) {
		return tokenRow{}, &AccountStateError{AppID: row.appID, State: StateRevoked, Reason: revokedReason}
	}
	if err != nil {
		return tokenRow{}, err
	}
	return s.unseal(locked, sealed)
}

// storeToken writes what WeChat answered over the row that the caller has locked.
func (s *Service) storeToken(ctx context.Context, tx pgx.Tx, row tokenRow) error {
	refresh, err := s.box.Seal(row.refresh, tokenPlace("refresh_token", row.id))
	if err != nil {
		return err
	}
	access, err := s.box.Seal(row.access, tokenPlace("access_token", row.id))
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `
		UPDATE authorizer_tokens SET refresh_token_sealed = $2, access_token_sealed = $3, renewed_at = $4, access_token_expires_at = $5,
			renew_after = $6, version = $7, failures = 0, last_error = NULL
		WHERE authorizer_id = $1`, row.id, refresh, access, row.renewed, row.expires, row.renewAfter, row.version)
	if err == nil && tag.RowsAffected() == 0 {
		return &AccountStateError{AppID: row.appID, State: StateRevoked, Reason: revokedReason}
	}
	return err
}

// keepTokens stores the tokens of a new authorization and tells whether the account has a refresh token now. A refresh
// token that did not come never replaces one that is there.
func (s *Service) keepTokens(ctx context.Context, tx pgx.Tx, id uuid.UUID, answer granted) (bool, error) {
	stored, err := s.lockToken(ctx, tx, tokenRow{id: id})
	_, none := errors.AsType[*AccountStateError](err)
	switch {
	case err != nil && !none && !errors.Is(err, secret.ErrOpen):
		return false, err
	case answer.refreshToken == "":
		return answer.fromInfo && err == nil, nil
	case answer.fromInfo && err == nil && stored.refresh.Reveal() == answer.refreshToken:
		return true, nil
	}
	now := s.now().UTC()
	row := tokenRow{id: id, refresh: secret.New(answer.refreshToken), renewAfter: now}
	// Higher than every version before a revocation, which took the row and its version away: whoever still holds a
	// token of then must not take it for one of now.
	row.version = max(stored.version, now.UnixMicro())
	var access []byte
	var renewed, expires *time.Time
	if answer.accessToken != "" {
		row = row.alive(answer.askedAt, answer.expiresIn)
		renewed, expires = &row.renewed, &row.expires
		if access, err = s.box.Seal(secret.New(answer.accessToken), tokenPlace("access_token", id)); err != nil {
			return false, err
		}
	} else {
		row.version++
	}
	refresh, err := s.box.Seal(row.refresh, tokenPlace("refresh_token", id))
	if err != nil {
		return false, err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO authorizer_tokens (authorizer_id, refresh_token_sealed, access_token_sealed, access_token_expires_at, renewed_at, renew_after, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (authorizer_id) DO UPDATE SET refresh_token_sealed = excluded.refresh_token_sealed,
			access_token_sealed = excluded.access_token_sealed, access_token_expires_at = excluded.access_token_expires_at,
			renewed_at = excluded.renewed_at, renew_after = excluded.renew_after, version = excluded.version, failures = 0, last_error = NULL`,
		id, refresh, access, expires, renewed, row.renewAfter, row.version)
	return err == nil, err
}

// failure is why a renewal failed, and until when this process repeats that instead of asking WeChat again.
type failure struct {
	err   error
	until time.Time
}

func (s *Service) recentFailure(id uuid.UUID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, ok := s.failed[id.String()]
	if !ok || !s.now().Before(last.until) {
		return nil
	}
	return last.err
}

func (s *Service) forgetFailure(id uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.failed, id.String())
}

// recordTimeout bounds noting down that a renewal failed.
const recordTimeout = 5 * time.Second

// noteFailure remembers a failed renewal here and in the database, where the renewal's own transaction left nothing.
func (s *Service) noteFailure(ctx context.Context, row tokenRow, cause error) {
	now := s.now().UTC()
	s.mu.Lock()
	s.failed[row.id.String()] = failure{err: cause, until: now.Add(failurePause)}
	s.mu.Unlock()

	s.logger.WarnContext(ctx, "cannot renew an access token", "appid", row.appID, "error", cause)
	described, err := json.Marshal(component.NewTokenError(cause, now))
	if err == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
		defer cancel()
		// Not if another process has succeeded meanwhile.
		_, err = s.pool.Exec(ctx, `
			UPDATE authorizer_tokens SET failures = failures + 1, renew_after = $3, last_error = $4
			WHERE authorizer_id = $1 AND version = $2`, row.id, row.version, now.Add(backoff(row.failures, cause)), described)
	}
	if err != nil {
		s.logger.ErrorContext(ctx, "cannot record why an access token was not renewed", "appid", row.appID, "error", err)
	}
}

// backoff doubles with each failure before this one. Where the account cannot help it, it ends early: once the platform
// works again, its accounts should soon do so too.
func backoff(failures int, cause error) time.Duration {
	longest := longestBackoff
	switch wechat.ClassOf(cause) {
	case wechat.ClassRetry, wechat.ClassComponent, wechat.ClassOperator:
		longest = longestBackoffForAll
	}
	return min(shortestBackoff<<min(failures, 12), longest)
}
