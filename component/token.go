package component

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/wechat"
)

const (
	// defaultLife is taken where WeChat does not say how long a token lives.
	defaultLife = 2 * time.Hour
	// renewTimeout bounds a renewal, which no caller's context does.
	renewTimeout = 45 * time.Second
	// recordTimeout bounds noting down that a renewal failed.
	recordTimeout = 5 * time.Second
	// Between failed renewals a process pauses, longer each time that WeChat refuses what we are: the daily limit of
	// fetches would be gone within hours, and with it the first renewal that could succeed again.
	shortestPause = time.Second
	longestPause  = time.Minute
	// The sweep leaves a failing component alone for longer: nobody waits for it.
	shortestBackoff = 30 * time.Second
	longestBackoff  = 10 * time.Minute
)

const (
	codeTicketExpired = 61005
	codeTicketInvalid = 61006
)

// AccessToken returns a component_access_token that lives. It is renewed when less than a third of its life is left:
// by one caller of all, in all processes, while the others wait for it. If the renewal fails and the old one lives,
// that is returned. It fails with [ErrUnknownComponent], [ErrNoTicket], or with what WeChat answered.
func (s *Service) AccessToken(ctx context.Context, appid string) (string, error) {
	held, err := s.access(ctx, appid, want{})
	if err != nil {
		return "", fmt.Errorf("component access token: %w", err)
	}
	return held.token.Reveal(), nil
}

// Call hands call a component_access_token. If call fails because WeChat does not take that token, the token is
// renewed, unless somebody has done so meanwhile, and call is called once more; never more often.
func (s *Service) Call(ctx context.Context, appid string, call func(ctx context.Context, cat string) error) error {
	held, err := s.access(ctx, appid, want{})
	if err != nil {
		return fmt.Errorf("component access token: %w", err)
	}
	err = call(ctx, held.token.Reveal())
	if !tokenRefused(err) {
		return err
	}
	held, renewErr := s.access(ctx, appid, want{refused: held.version})
	if renewErr != nil {
		return fmt.Errorf("component access token: WeChat refused the stored one, and another could not be had: %w", renewErr)
	}
	return call(ctx, held.token.Reveal())
}

// Warm renews every token that will soon be due, so that callers need not wait for it. Sweeps call it.
func (s *Service) Warm(ctx context.Context) error {
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
	for _, appid := range due {
		if _, failure := s.access(ctx, appid, want{due: true}); failure != nil {
			err = errors.Join(err, fmt.Errorf("warm the access token of %s: %w", appid, failure))
		}
	}
	return err
}

// tokenRefused tells whether WeChat refused the component_access_token itself.
func tokenRefused(err error) bool {
	refusal, ok := errors.AsType[*wechat.Error](err)
	return ok && slices.Contains([]int{40001, 40014, 42001, 42006}, refusal.Code)
}

// want says which token will not do.
type want struct {
	refused int64 // the version that WeChat refused; 0: none
	due     bool  // one that the sweep would renew will not do either
}

func (w want) key(appid string) string {
	return appid + "/" + strconv.FormatInt(w.refused, 10) + "/" + strconv.FormatBool(w.due)
}

// access is a component_access_token as callers hold it.
type access struct {
	token   secret.String
	version int64
}

// accessRow is one row of component_tokens.
type accessRow struct {
	access
	renewed, expires time.Time
	failures         int
	renewAfter       time.Time
	credentials      string // changes whenever the ticket or the secrets do
}

// lives tells whether WeChat should still take the token.
func (r accessRow) lives(now time.Time) bool {
	return !r.token.IsEmpty() && now.Before(r.expires)
}

// does tells whether the token will do.
func (r accessRow) does(w want, now time.Time) bool {
	if !r.lives(now) || r.version == w.refused {
		return false
	}
	switch left := r.expires.Sub(now); {
	case w.refused != 0:
		return true
	case w.due:
		return now.Before(r.renewAfter)
	case left >= r.expires.Sub(r.renewed)/3:
		return true
	default:
		// Renewals have been failing: no caller shall wait for the next try while the old token lives.
		return r.failures > 0 && now.Before(r.renewAfter)
	}
}

// access returns a token that will do, renewing it if it must.
func (s *Service) access(ctx context.Context, appid string, w want) (access, error) {
	row, err := s.readAccess(ctx, s.pool, appid, false)
	if err != nil {
		return access{}, err
	}
	if row.does(w, s.now()) {
		return row.access, nil
	}
	result := s.renewals.DoChan(w.key(appid), func() (any, error) {
		// The first caller may go away; the others wait for what it began.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
		defer cancel()
		return s.renewOrKeep(ctx, appid, w, row)
	})
	select {
	case <-ctx.Done():
		return access{}, context.Cause(ctx)
	case r := <-result:
		held, _ := r.Val.(access)
		return held, r.Err
	}
}

// renewOrKeep renews; if that fails and the old token will do in need, it returns that one.
func (s *Service) renewOrKeep(ctx context.Context, appid string, w want, row accessRow) (access, error) {
	err := s.recentFailure(appid, row.credentials)
	if err == nil {
		var held access
		if held, err = s.renew(ctx, appid, w); err == nil {
			return held, nil
		}
		s.noteFailure(ctx, appid, row, err)
	}
	if row.lives(s.now()) && row.version != w.refused {
		return row.access, nil
	}
	return access{}, err
}

// renew buys a token under the row's lock, unless somebody has done so before the lock was ours.
func (s *Service) renew(ctx context.Context, appid string, w want) (access, error) {
	var held access
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		row, err := s.readAccess(ctx, tx, appid, true)
		if err != nil {
			return err
		}
		if row.does(w, s.now()) {
			held = row.access
			return nil
		}
		asked := s.now().UTC()
		token, err := s.buy(ctx, tx, appid)
		if err != nil {
			return err
		}
		held = access{token: secret.New(token.Value), version: row.version + 1}
		return s.storeAccess(ctx, tx, appid, held, asked, token.ExpiresIn)
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

func (s *Service) readAccess(ctx context.Context, db querier, appid string, lock bool) (accessRow, error) {
	sql := `
		SELECT t.access_token_sealed, t.version, t.renewed_at, t.expires_at, t.failures, t.renew_after, c.xmin::text
		FROM component_tokens t JOIN components c ON c.appid = t.component_appid WHERE t.component_appid = $1`
	if lock {
		sql += ` FOR NO KEY UPDATE OF t`
	}
	var row accessRow
	var token []byte
	var renewed, expires *time.Time
	err := db.QueryRow(ctx, sql, appid).Scan(&token, &row.version, &renewed, &expires, &row.failures, &row.renewAfter, &row.credentials)
	if errors.Is(err, pgx.ErrNoRows) {
		return accessRow{}, ErrUnknownComponent
	}
	if err != nil || token == nil {
		return row, err
	}
	row.renewed, row.expires = *renewed, *expires
	row.token, err = s.box.Open(token, accessTokenPlace(appid))
	return row, err
}

func (s *Service) storeAccess(ctx context.Context, tx pgx.Tx, appid string, held access, renewed time.Time, life time.Duration) error {
	if life <= 0 {
		life = defaultLife
	}
	sealed, err := s.box.Seal(held.token, accessTokenPlace(appid))
	if err != nil {
		return err
	}
	expires := renewed.Add(life)
	// The sweep comes a twelfth of a life before callers would renew.
	renewAfter := expires.Add(-life * 5 / 12)
	_, err = tx.Exec(ctx, `
		UPDATE component_tokens SET access_token_sealed = $2, version = $3, renewed_at = $4, expires_at = $5, renew_after = $6,
			failures = 0, last_error = NULL
		WHERE component_appid = $1`, appid, sealed, held.version, renewed, expires, renewAfter)
	return err
}

// failure is why a renewal failed, and until when this process repeats that instead of asking WeChat again.
type failure struct {
	err         error
	until       time.Time
	pause       time.Duration
	credentials string
}

// recentFailure returns the error of the last renewal if it is too early for the next one. A new ticket or new secrets
// are worth a try at once.
func (s *Service) recentFailure(appid, credentials string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, ok := s.failed[appid]
	if !ok || credentials != last.credentials || !s.now().Before(last.until) {
		return nil
	}
	return last.err
}

// noteFailure remembers a failed renewal here and in the database, where the renewal's own transaction left nothing.
func (s *Service) noteFailure(ctx context.Context, appid string, row accessRow, cause error) {
	now := s.now().UTC()
	s.mu.Lock()
	pause := shortestPause
	if last := s.failed[appid]; wechat.ClassOf(cause) != wechat.ClassRetry && last.credentials == row.credentials {
		pause = min(max(last.pause*2, shortestPause), longestPause)
	}
	s.failed[appid] = failure{err: cause, until: now.Add(pause), pause: pause, credentials: row.credentials}
	s.mu.Unlock()

	s.logger.WarnContext(ctx, "cannot renew the component access token", "component", appid, "error", cause)
	described, err := json.Marshal(NewTokenError(cause, now))
	if err == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
		defer cancel()
		// Not if another process has succeeded meanwhile.
		_, err = s.pool.Exec(ctx, `
			UPDATE component_tokens SET failures = failures + 1, renew_after = $3, last_error = $4
			WHERE component_appid = $1 AND version = $2`, appid, row.version, now.Add(backoff(row.failures)), described)
	}
	if err != nil {
		s.logger.ErrorContext(ctx, "cannot record why the component access token was not renewed", "component", appid, "error", err)
	}
}

// backoff doubles with each failure before this one.
func backoff(failures int) time.Duration {
	return min(shortestBackoff<<min(failures, 10), longestBackoff)
}
