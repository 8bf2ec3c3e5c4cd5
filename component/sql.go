package component

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/token"
)

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

const selectComponents = `
	SELECT c.appid, c.name, c.ticket_received_at, t.expires_at, t.renewed_at, c.ticket_requested_at,
		c.previous_keys_until, c.created_at, t.failures, t.failing_since, t.renew_after, t.last_error, t.refused_early, t.refused_early_at
	FROM components c JOIN component_tokens t ON t.component_appid = c.appid`

func scanComponent(row pgx.CollectableRow) (Component, error) {
	var c Component
	var attempts token.Attempts
	var since *time.Time
	var lastError []byte
	err := row.Scan(&c.AppID, &c.Name, &c.TicketReceivedAt, &c.AccessTokenExpiresAt, &c.AccessTokenRenewedAt, &c.TicketRequestedAt,
		&c.PreviousKeysUntil, &c.CreatedAt, &attempts.Failures, &since, &attempts.RenewAfter, &lastError, &c.Health.RefusedEarly, &c.Health.RefusedEarlyAt)
	if err != nil {
		return Component{}, err
	}
	c.CreatedAt = c.CreatedAt.UTC()
	for _, at := range []*time.Time{c.TicketReceivedAt, c.AccessTokenExpiresAt, c.AccessTokenRenewedAt, c.TicketRequestedAt, c.PreviousKeysUntil, c.Health.RefusedEarlyAt} {
		if at != nil {
			*at = at.UTC()
		}
	}
	if since != nil {
		attempts.Since = *since
	}
	c.Health.Describe(attempts)
	if attempts.Exhausted() {
		c.Health.Status = token.HealthFailing // a component is never given up
	}
	c.Health.LastError, err = token.ParseFailure(lastError)
	return c, err
}

// The places of our sealed columns.
func componentPlace(appid, column string) secret.Place {
	return secret.Place{Table: "components", Column: column, Row: appid}
}

func accessTokenPlace(appid string) secret.Place {
	return secret.Place{Table: "component_tokens", Column: "access_token", Row: appid}
}

func eventPlace(id string) secret.Place {
	return secret.Place{Table: "component_events", Column: "body", Row: id}
}

// credentials is what Register stores of a component.
type credentials struct {
	name                     string
	appSecret, token, aesKey secret.String
	// The pair before the last change, and until when it is taken; empty where there was none.
	previousToken, previousAESKey secret.String
	previousUntil                 time.Time
}

// forgetEnded leaves the previous pair out where it is taken no longer.
func (c credentials) forgetEnded(now time.Time) credentials {
	if !now.Before(c.previousUntil) {
		c.previousToken, c.previousAESKey, c.previousUntil = secret.String{}, secret.String{}, time.Time{}
	}
	return c
}

// readCredentials opens a component's own secrets; lock keeps them from changing until the transaction ends.
func (s *Service) readCredentials(ctx context.Context, db querier, appid string, lock bool) (credentials, error) {
	sql := `SELECT name, appsecret_sealed, token_sealed, aes_key_sealed, previous_token_sealed, previous_aes_key_sealed, previous_keys_until
		FROM components WHERE appid = $1`
	if lock {
		sql += ` FOR NO KEY UPDATE`
	}
	var c credentials
	var appSecret, token, aesKey, previousToken, previousAESKey []byte
	var previousUntil *time.Time
	err := db.QueryRow(ctx, sql, appid).Scan(&c.name, &appSecret, &token, &aesKey, &previousToken, &previousAESKey, &previousUntil)
	if errors.Is(err, pgx.ErrNoRows) {
		return credentials{}, ErrUnknownComponent
	}
	if err != nil {
		return credentials{}, err
	}
	for _, column := range []struct {
		name   string
		sealed []byte
		into   *secret.String
	}{
		{"appsecret", appSecret, &c.appSecret},
		{"token", token, &c.token},
		{"aes_key", aesKey, &c.aesKey},
		{"previous_token", previousToken, &c.previousToken},
		{"previous_aes_key", previousAESKey, &c.previousAESKey},
	} {
		if *column.into, err = s.open(column.sealed, componentPlace(appid, column.name)); err != nil {
			return credentials{}, err
		}
	}
	if previousUntil != nil {
		c.previousUntil = previousUntil.UTC()
	}
	return c, nil
}

// open is Box.Open for a column that may be NULL.
func (s *Service) open(sealed []byte, at secret.Place) (secret.String, error) {
	if sealed == nil {
		return secret.String{}, nil
	}
	return s.box.Open(sealed, at)
}

// sealed collects sealed columns as arguments of one statement; the first error stays.
type sealed struct {
	box   *secret.Box
	appid string
	args  pgx.NamedArgs
	err   error
}

func (s *Service) sealing(appid string) *sealed {
	return &sealed{box: s.box, appid: appid, args: pgx.NamedArgs{"appid": appid}}
}

// put seals value for column; an empty value becomes NULL.
func (s *sealed) put(column string, value secret.String) {
	if value.IsEmpty() {
		s.args[column] = nil
		return
	}
	ciphertext, err := s.box.Seal(value, componentPlace(s.appid, column))
	if err != nil && s.err == nil {
		s.err = err
	}
	s.args[column] = ciphertext
}
