package component

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/secret"
)

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

const selectComponents = `
	SELECT c.appid, c.name, c.ticket_received_at, t.expires_at, t.renewed_at, t.last_error, c.created_at
	FROM components c JOIN component_tokens t ON t.component_appid = c.appid`

func scanComponent(row pgx.CollectableRow) (Component, error) {
	var c Component
	var lastError []byte
	err := row.Scan(&c.AppID, &c.Name, &c.TicketReceivedAt, &c.AccessTokenExpiresAt, &c.AccessTokenRenewedAt, &lastError, &c.CreatedAt)
	if err != nil {
		return Component{}, err
	}
	c.CreatedAt = c.CreatedAt.UTC()
	for _, at := range []**time.Time{&c.TicketReceivedAt, &c.AccessTokenExpiresAt, &c.AccessTokenRenewedAt} {
		if *at != nil {
			utc := (*at).UTC()
			*at = &utc
		}
	}
	c.LastError, err = ParseTokenError(lastError)
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
	// The pair before the last change; empty where there was none.
	previousToken, previousAESKey secret.String
}

// readCredentials opens a component's own secrets; lock keeps them from changing until the transaction ends.
func (s *Service) readCredentials(ctx context.Context, db querier, appid string, lock bool) (credentials, error) {
	sql := `SELECT name, appsecret_sealed, token_sealed, aes_key_sealed, previous_token_sealed, previous_aes_key_sealed
		FROM components WHERE appid = $1`
	if lock {
		sql += ` FOR NO KEY UPDATE`
	}
	var c credentials
	var appSecret, token, aesKey, previousToken, previousAESKey []byte
	err := db.QueryRow(ctx, sql, appid).Scan(&c.name, &appSecret, &token, &aesKey, &previousToken, &previousAESKey)
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
