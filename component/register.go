package component

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

// Params is what WeChat's console (开放平台 > 管理中心 > 第三方平台) says about a component. All but Name are required.
type Params struct {
	AppID          string        // wx…
	Name           string        // for people to read, at most 200 characters; empty: as it was
	AppSecret      secret.String // AppSecret
	Token          secret.String // 消息校验Token
	EncodingAESKey secret.String // 消息加解密Key, 43 characters
	// PreviousKeysUntil is until when pushes are taken that still come under the former Token and EncodingAESKey, at most
	// 30 days ahead. Zero: for 24 hours after a change, and unchanged where nothing changes. Where Token and EncodingAESKey
	// stay, it moves the end of the former pair that is still taken, if there is one.
	PreviousKeysUntil time.Time
}

const (
	// maxNameLength is how many characters a name may have.
	maxNameLength = 200
	// previousKeysLife is how long the former callback keys are taken if nobody says otherwise. Pushes under way when the keys
	// change are there within seconds; the day is for whoever enters the new ones at WeChat.
	previousKeysLife    = 24 * time.Hour
	maxPreviousKeysLife = 30 * 24 * time.Hour
)

// An appid is part of the callback URLs. WeChat's begin with wx; those of a simulated WeChat need not.
var appidPattern = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

func (p Params) validate(now time.Time) error {
	if !appidPattern.MatchString(p.AppID) {
		return &InvalidParamError{Param: "AppID", Why: "is required, and is 1 to 64 letters and digits"}
	}
	for _, required := range []struct {
		param string
		value secret.String
	}{{"AppSecret", p.AppSecret}, {"Token", p.Token}, {"EncodingAESKey", p.EncodingAESKey}} {
		if required.value.IsEmpty() {
			return &InvalidParamError{Param: required.param, Why: "is required"}
		}
	}
	if utf8.RuneCountInString(p.Name) > maxNameLength {
		return &InvalidParamError{Param: "Name", Why: fmt.Sprintf("has more than %d characters", maxNameLength)}
	}
	if _, err := wechat.NewCipher(p.AppID, wechat.CallbackKey{Token: p.Token.Reveal(), EncodingAESKey: p.EncodingAESKey.Reveal()}); err != nil {
		return &InvalidParamError{Param: "EncodingAESKey", Why: "is not the 43 letters and digits that WeChat's console shows"}
	}
	if until := p.PreviousKeysUntil; !until.IsZero() && (until.Before(now) || until.After(now.Add(maxPreviousKeysLife))) {
		return &InvalidParamError{Param: "PreviousKeysUntil", Why: "lies in the past or more than 30 days ahead"}
	}
	return nil
}

// Register adds a component or changes it. When Token or EncodingAESKey change, the former pair is taken for a while, so
// that pushes already under way still open; see [Params.PreviousKeysUntil]. Registering the same again writes nothing.
// Platform only; audited by the names of what changed. It fails with an [*InvalidParamError] for values that cannot be
// right; it does not ask WeChat.
func (s *Service) Register(ctx context.Context, p tenant.Principal, params Params) (Component, error) {
	if err := p.AuthorizePlatform(); err != nil {
		return Component{}, err
	}
	now := s.now().UTC()
	params.Name = strings.TrimSpace(params.Name)
	if err := params.validate(now); err != nil {
		return Component{}, err
	}
	var c Component
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		created, err := s.insert(ctx, tx, params, now)
		if err != nil {
			return err
		}
		entry := tenant.Entry{Action: "component.register", Target: "component:" + params.AppID, Detail: map[string]any{"name": params.Name}}
		var changed []string
		if !created {
			if changed, err = s.update(ctx, tx, params, now); err != nil {
				return err
			}
			entry.Action, entry.Detail = "component.update", map[string]any{"changed": changed}
		}
		if c, err = s.get(ctx, tx, params.AppID); err != nil || (!created && len(changed) == 0) {
			return err
		}
		if c.PreviousKeysUntil != nil {
			entry.Detail["previous_keys_until"] = *c.PreviousKeysUntil
		}
		return tenant.Audit(ctx, tx, p, now, entry)
	})
	if err != nil {
		return Component{}, fmt.Errorf("register component: %w", err)
	}
	return c, nil
}

// insert adds the component and returns false if it is there already.
func (s *Service) insert(ctx context.Context, tx pgx.Tx, params Params, now time.Time) (bool, error) {
	row := s.sealing(params.AppID)
	row.put("appsecret", params.AppSecret)
	row.put("token", params.Token)
	row.put("aes_key", params.EncodingAESKey)
	if row.err != nil {
		return false, row.err
	}
	row.args["name"], row.args["now"] = params.Name, now
	tag, err := tx.Exec(ctx, `
		INSERT INTO components (appid, name, appsecret_sealed, token_sealed, aes_key_sealed, created_at, updated_at)
		VALUES (@appid, @name, @appsecret, @token, @aes_key, @now, @now)
		ON CONFLICT (appid) DO NOTHING`, row.args)
	if err != nil || tag.RowsAffected() == 0 {
		return false, err
	}
	_, err = tx.Exec(ctx, `INSERT INTO component_tokens (component_appid, renew_after) VALUES ($1, $2)`, params.AppID, now)
	return true, err
}

// update writes what differs from params and returns the names of it.
func (s *Service) update(ctx context.Context, tx pgx.Tx, params Params, now time.Time) ([]string, error) {
	old, err := s.readCredentials(ctx, tx, params.AppID, true)
	if err != nil {
		return nil, err
	}
	if params.Name == "" {
		params.Name = old.name
	}
	old = old.forgetEnded(now)
	previous := old.afterChange(params, now)
	var changed []string
	for _, field := range []struct {
		name     string
		old, new string
	}{
		{"name", old.name, params.Name},
		{"appsecret", old.appSecret.Reveal(), params.AppSecret.Reveal()},
		{"token", old.token.Reveal(), params.Token.Reveal()},
		{"aes_key", old.aesKey.Reveal(), params.EncodingAESKey.Reveal()},
	} {
		if field.old != field.new {
			changed = append(changed, field.name)
		}
	}
	if !params.PreviousKeysUntil.IsZero() && !previous.previousUntil.Equal(old.previousUntil) {
		changed = append(changed, "previous_keys_until")
	}
	if len(changed) == 0 {
		return nil, nil
	}
	row := s.sealing(params.AppID)
	row.put("appsecret", params.AppSecret)
	row.put("token", params.Token)
	row.put("aes_key", params.EncodingAESKey)
	row.put("previous_token", previous.previousToken)
	row.put("previous_aes_key", previous.previousAESKey)
	if row.err != nil {
		return nil, row.err
	}
	row.args["name"], row.args["now"], row.args["until"] = params.Name, now, nil
	if !previous.previousUntil.IsZero() {
		row.args["until"] = previous.previousUntil
	}
	_, err = tx.Exec(ctx, `
		UPDATE components SET name = @name, appsecret_sealed = @appsecret, token_sealed = @token, aes_key_sealed = @aes_key,
			previous_token_sealed = @previous_token, previous_aes_key_sealed = @previous_aes_key, previous_keys_until = @until, updated_at = @now
		WHERE appid = @appid`, row.args)
	return changed, err
}

// afterChange returns c with the previous pair as it is once params are stored. The pair moves together: a push is signed
// with the one and encrypted with the other.
func (c credentials) afterChange(params Params, now time.Time) credentials {
	until := params.PreviousKeysUntil.UTC().Truncate(time.Microsecond) // as Postgres keeps it
	switch {
	case c.token.Reveal() != params.Token.Reveal() || c.aesKey.Reveal() != params.EncodingAESKey.Reveal():
		c.previousToken, c.previousAESKey, c.previousUntil = c.token, c.aesKey, now.Add(previousKeysLife)
	case c.previousToken.IsEmpty():
		return c
	}
	if !params.PreviousKeysUntil.IsZero() {
		c.previousUntil = until
	}
	return c
}

// forgetCallbackKeys erases previous callback keys that are taken no longer.
func (s *Service) forgetCallbackKeys(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `
		UPDATE components SET previous_token_sealed = NULL, previous_aes_key_sealed = NULL, previous_keys_until = NULL
		WHERE previous_keys_until <= $1`, s.now().UTC())
	if err != nil {
		return fmt.Errorf("forget callback keys: %w", err)
	}
	return nil
}
