package authorizer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/secret"
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
	if row.Value, err = s.box.Open(sealed.access, tokenPlace("access_token", row.id)); err != nil {
		return tokenRow{}, fmt.Errorf("read token: %w", err)
	}
	row.Renewed, row.Expires = *sealed.renewed, *sealed.expires
	return row, nil
}

// lockToken reads the tokens of row's account again and keeps others from renewing until the transaction ends.
func (s *Service) lockToken(ctx context.Context, tx pgx.Tx, row tokenRow) (tokenRow, error) {
	locked := tokenRow{id: row.id, componentAppID: row.componentAppID, appID: row.appID}
	var sealed sealedTokens
	var since, renewAfter *time.Time
	err := tx.QueryRow(ctx, `
		SELECT version, failures, failing_since, renew_after, refresh_token_sealed, access_token_sealed, renewed_at, access_token_expires_at
		FROM authorizer_tokens WHERE authorizer_id = $1 FOR UPDATE`, row.id).
		Scan(&locked.Version, &locked.Attempts.Failures, &since, &renewAfter, &sealed.refresh, &sealed.access, &sealed.renewed, &sealed.expires)
	if errors.Is(err, pgx.ErrNoRows) {
		return tokenRow{}, &AccountStateError{AppID: row.appID, State: StateRevoked, Reason: revokedReason}
	}
	if err != nil {
		return tokenRow{}, err
	}
	locked.Attempts.Since, locked.Attempts.RenewAfter = orZero(since), orZero(renewAfter)
	return s.unseal(locked, sealed)
}

// storeToken writes what WeChat answered over the row that the caller has locked.
func (s *Service) storeToken(ctx context.Context, tx pgx.Tx, row tokenRow) error {
	refresh, err := s.box.Seal(row.refresh, tokenPlace("refresh_token", row.id))
	if err != nil {
		return err
	}
	access, err := s.box.Seal(row.Value, tokenPlace("access_token", row.id))
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `
		UPDATE authorizer_tokens SET refresh_token_sealed = $2, access_token_sealed = $3, renewed_at = $4, access_token_expires_at = $5,
			renew_after = $6, version = $7, failures = 0, failing_since = NULL, last_error = NULL
		WHERE authorizer_id = $1`, row.id, refresh, access, row.Renewed, row.Expires, row.Attempts.RenewAfter, row.Version)
	if err == nil && tag.RowsAffected() == 0 {
		return &AccountStateError{AppID: row.appID, State: StateRevoked, Reason: revokedReason}
	}
	return err
}

func orZero(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

// keepTokens stores the tokens of a new authorization and tells whether the account has a refresh token now. A refresh
// token that did not come never replaces one that is there.
func (s *Service) keepTokens(ctx context.Context, tx pgx.Tx, account Account, answer granted) (bool, error) {
	stored, err := s.lockToken(ctx, tx, tokenRow{id: account.ID})
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
	row := tokenRow{id: account.ID, refresh: secret.New(answer.refreshToken)}
	// Higher than every version before a revocation, which took the row and its version away: whoever still holds a
	// token of then must not take it for one of now.
	row.Version = max(stored.Version, now.UnixMicro())
	var access []byte
	var renewed, expires *time.Time
	if answer.accessToken != "" {
		row.Held = row.Next(answer.accessToken, answer.askedAt, answer.expiresIn, row.spread())
		renewed, expires = &row.Renewed, &row.Expires
		if access, err = s.box.Seal(row.Value, tokenPlace("access_token", row.id)); err != nil {
			return false, err
		}
	} else {
		row.Version++
		row.Attempts.RenewAfter = now
	}
	refresh, err := s.box.Seal(row.refresh, tokenPlace("refresh_token", row.id))
	if err != nil {
		return false, err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO authorizer_tokens (authorizer_id, component_appid, refresh_token_sealed, access_token_sealed,
			access_token_expires_at, renewed_at, renew_after, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (authorizer_id) DO UPDATE SET refresh_token_sealed = excluded.refresh_token_sealed,
			access_token_sealed = excluded.access_token_sealed, access_token_expires_at = excluded.access_token_expires_at,
			renewed_at = excluded.renewed_at, renew_after = excluded.renew_after, version = excluded.version,
			failures = 0, failing_since = NULL, last_error = NULL, refused_early = 0`,
		row.id, account.ComponentAppID, refresh, access, expires, renewed, row.Attempts.RenewAfter, row.Version)
	return err == nil, err
}
