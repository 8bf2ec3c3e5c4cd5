package authorizer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

const (
	codeAuthCodeInvalid = 61009
	codeAuthCodeExpired = 61010
	codeNotAuthorized   = 61003
)

// noRefreshToken is why an account that just authorized is of no use.
const noRefreshToken = "WeChat gave no refresh token for this account, so nothing can be done on its behalf; accounts without API access authorize like this"

// UnexpectedAccountError says that another account authorized us than the one a connect link was made for. It has not
// been given to the link's tenant; the link can still be used.
type UnexpectedAccountError struct {
	Expected string // appid; empty: an account of a merchant, and one of WeChat's own test accounts came
	Got      string // appid
}

func (e *UnexpectedAccountError) Error() string {
	if e.Expected == "" {
		return fmt.Sprintf("account %s is one of WeChat's test accounts, which are not kept", e.Got)
	}
	return fmt.Sprintf("account %s authorized, but this link is for account %s", e.Got, e.Expected)
}

// releaseTestAppIDs are the accounts with which WeChat tries a platform before publishing it (全网发布检测), official
// accounts and mini programs. Source: WeChat's page 第三方平台全网发布检测.
var releaseTestAppIDs = []string{
	"wx570bc396a51b8ff8", "wx9252c5e0bb1836fc", "wx8e1097c5bc82cde9", "wx14550af28c71a144", "wxa35b9c23cfe664eb",
	"wxd101a85aa106f53e", "wxc39235c15087f6f3", "wx7720d01d4b2a4500", "wx05d483572dcd5d8b", "wx5910277cae6fd970",
}

// IsReleaseTestAccount tells whether an appid is one of those with which WeChat tries a platform before publishing it.
// They are never kept as merchants.
func IsReleaseTestAccount(appid string) bool { return slices.Contains(releaseTestAppIDs, appid) }

// grant is one authorization on its way to us: by the merchant's browser, or pushed by WeChat.
type grant struct {
	componentAppID string
	code           string
	appID          string    // pushed: the account; else not known before the exchange
	pushedAt       time.Time // pushed: when WeChat says that it happened; else zero
	listedAt       time.Time // found in WeChat's list: when that says that it happened; else zero
	link           *linkKey  // nil: none of our links
	actor          tenant.Principal
}

func (g grant) pushed() bool { return !g.pushedAt.IsZero() }

// outcome is what came of a grant.
type outcome struct {
	account Account
	// refused is why the account went to nobody or stayed with its owner. The authorization itself is kept all the same.
	refused error
	// remark is why nothing came of a push.
	remark string
	// exchanged: tokens and permission sets are new, so the profile should be read.
	exchanged bool
}

// authorize makes one authorization ours, once, however often and by whatever way its code comes. It goes on when the
// caller's context ends: a browser that went away must not cost the merchant the authorization.
func (s *Service) authorize(ctx context.Context, g grant) (outcome, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exchangeTimeout)
	defer cancel()
	var done outcome
	err := s.withComponent(ctx, g.componentAppID, func(ctx context.Context, cat string) error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
			done, err = s.authorizeTx(ctx, tx, cat, g)
			return err
		})
	})
	if err != nil {
		return outcome{}, err
	}
	// Where the push was first, its job may still be reading: the merchant's browser wants the name all the same.
	if done.exchanged || (done.account.ID != uuid.Nil && done.account.ProfileReadAt == nil) {
		s.readProfileOrLater(ctx, done.account.ID)
	}
	return done, done.refused
}

// authorizeTx locks code, link and account in this order; everybody does.
func (s *Service) authorizeTx(ctx context.Context, tx pgx.Tx, cat string, g grant) (outcome, error) {
	code, err := lockCode(ctx, tx, g, s.now().UTC())
	if err != nil {
		return outcome{}, err
	}
	link, err := usableLink(ctx, tx, g)
	if errors.Is(err, ErrLinkUsed) {
		return outcome{refused: ErrLinkUsed}, nil
	}
	if err != nil {
		return outcome{}, err
	}
	if code.exchanged {
		return s.joinExchanged(ctx, tx, cat, g, code, link)
	}
	if g.pushed() {
		revoked, err := s.components.RevokedAfter(ctx, tx, g.componentAppID, g.appID, g.pushedAt)
		if err != nil {
			return outcome{}, err
		}
		if revoked {
			return outcome{remark: "the account took this authorization back later"}, nil
		}
	}
	answer, err := s.askForGrant(ctx, cat, g)
	if err != nil {
		return outcome{}, err
	}
	if IsReleaseTestAccount(answer.appID) {
		return outcome{refused: &UnexpectedAccountError{Got: answer.appID}}, markExchanged(ctx, tx, g, uuid.Nil, s.now().UTC())
	}
	account, isNew, err := s.lockOrInsertAccount(ctx, tx, g.componentAppID, answer.appID)
	if err != nil {
		return outcome{}, err
	}
	done, err := s.keepGrant(ctx, tx, g, link, account, isNew, answer)
	if err != nil {
		return outcome{}, err
	}
	return done, markExchanged(ctx, tx, g, account.ID, s.now().UTC())
}

// usableLink locks the grant's link. A link that another code has used is no link for a push, which comes for accounts
// without a link too, and an error for a browser.
func usableLink(ctx context.Context, tx pgx.Tx, g grant) (*linkRow, error) {
	if g.link == nil {
		return nil, nil
	}
	link, err := lockLink(ctx, tx, *g.link)
	switch {
	case err != nil && g.pushed() && errors.Is(err, ErrLinkUnknown):
		return nil, nil
	case err != nil:
		return nil, err
	case link.UsedAt != nil && !link.usedBy(g.code) && g.pushed():
		return nil, nil
	case link.UsedAt != nil && !link.usedBy(g.code):
		return nil, ErrLinkUsed
	}
	return &link, nil
}

// joinExchanged is for a code that was exchanged before: all that may be missing is the link, which only the redirect
// knew, or the tokens, if a revocation from before this authorization was processed after it.
func (s *Service) joinExchanged(ctx context.Context, tx pgx.Tx, cat string, g grant, code codeRow, link *linkRow) (outcome, error) {
	if code.authorizerID == uuid.Nil {
		return outcome{refused: &UnexpectedAccountError{Got: g.appID}}, nil
	}
	account, err := s.one(ctx, tx, `WHERE a.id = $1 FOR NO KEY UPDATE OF a`, code.authorizerID)
	if err != nil {
		return outcome{}, err
	}
	if g.pushed() {
		if _, err := tx.Exec(ctx, `UPDATE authorizers SET authorized_at = $2 WHERE id = $1 AND authorized_at < $2`, account.ID, g.pushedAt); err != nil {
			return outcome{}, err
		}
		if account.State == StateRevoked && account.RevokedAt != nil && g.pushedAt.After(*account.RevokedAt) {
			answer, err := s.askInfo(ctx, cat, g)
			if err != nil {
				return outcome{}, err
			}
			return s.keepGrant(ctx, tx, g, link, account, false, answer)
		}
	}
	tenantID, refused := tenantFor(link, account)
	if tenantID != account.TenantID {
		if err := s.giveTo(ctx, tx, g.actor, account, tenantID); err != nil {
			return outcome{}, err
		}
	}
	if link != nil && link.UsedAt == nil && refused == nil {
		if err := useLink(ctx, tx, *link, account.ID, hash(g.code), s.now().UTC()); err != nil {
			return outcome{}, err
		}
	}
	return outcome{account: account, refused: refused}, nil
}

// tenantFor decides whose account it is after it came by link.
func tenantFor(link *linkRow, account Account) (uuid.UUID, error) {
	switch {
	case link == nil:
		return account.TenantID, nil
	case link.AppID != "" && link.AppID != account.AppID:
		return account.TenantID, &UnexpectedAccountError{Expected: link.AppID, Got: account.AppID}
	case account.TenantID != uuid.Nil && account.TenantID != link.TenantID:
		return account.TenantID, &AccountTakenError{AppID: account.AppID}
	}
	return link.TenantID, nil
}

// granted is what WeChat says about an authorization.
type granted struct {
	appID        string
	accessToken  string // empty: none came
	refreshToken string // empty: WeChat has none
	expiresIn    time.Duration
	sets         []int
	askedAt      time.Time
	// fromInfo: read back from the account's profile, since the code could not be exchanged any more.
	fromInfo bool
}

// askForGrant exchanges the code. If WeChat takes it no more, somebody (we, before a crash) has exchanged it: what came
// of it can be read back, if the push vouches for the account. What a browser sends vouches for nothing.
func (s *Service) askForGrant(ctx context.Context, cat string, g grant) (granted, error) {
	if g.code == "" {
		return s.askInfo(ctx, cat, g)
	}
	asked := s.now().UTC()
	auth, err := s.wechat.QueryAuth(ctx, cat, g.componentAppID, g.code)
	if refusedWith(err, codeAuthCodeInvalid, codeAuthCodeExpired) && g.pushed() {
		answer, infoErr := s.askInfo(ctx, cat, g)
		if refusedWith(infoErr, codeNotAuthorized) {
			return granted{}, err
		}
		return answer, infoErr
	}
	if err != nil {
		return granted{}, err
	}
	answer := granted{
		appID: auth.AuthorizerAppID, accessToken: auth.AccessToken, refreshToken: auth.RefreshToken,
		expiresIn: auth.ExpiresIn, sets: ids(auth.PermissionSets), askedAt: asked,
	}
	if answer.refreshToken == "" {
		if info, err := s.wechat.AuthorizerInfo(ctx, cat, g.componentAppID, answer.appID); err == nil {
			answer.refreshToken = info.RefreshToken
		}
	}
	return answer, nil
}

func (s *Service) askInfo(ctx context.Context, cat string, g grant) (granted, error) {
	asked := s.now().UTC()
	info, err := s.wechat.AuthorizerInfo(ctx, cat, g.componentAppID, g.appID)
	if err != nil {
		return granted{}, err
	}
	return granted{appID: g.appID, refreshToken: info.RefreshToken, sets: ids(info.PermissionSets), askedAt: asked, fromInfo: true}, nil
}

// refusedWith tells whether WeChat refused with one of codes.
func refusedWith(err error, codes ...int) bool {
	refusal, ok := errors.AsType[*wechat.Error](err)
	return ok && slices.Contains(codes, refusal.Code)
}

// keepGrant stores what the account granted: its row, its tokens, whose it is, and that it happened.
func (s *Service) keepGrant(ctx context.Context, tx pgx.Tx, g grant, link *linkRow, account Account, isNew bool, answer granted) (outcome, error) {
	now := s.now().UTC()
	usable, err := s.keepTokens(ctx, tx, account, answer)
	if err != nil {
		return outcome{}, err
	}
	state, reason := StateActive, ""
	if !usable {
		state, reason = StateNeedsReauthorization, noRefreshToken
	} else if why := limitedBy(account.AccountStatus); why != "" {
		state, reason = StateLimited, why
	}
	tenantID, refused := tenantFor(link, account)
	at := now
	switch {
	case g.pushed():
		at = g.pushedAt
	case !g.listedAt.IsZero():
		at = g.listedAt
	}
	// authorized_at moves on even if WeChat's clock is behind ours: blacklist work that rests until the account changes looks at it.
	_, err = tx.Exec(ctx, `
		UPDATE authorizers SET tenant_id = @tenant, state = @state, state_reason = @reason,
			state_changed_at = CASE WHEN state = @state THEN state_changed_at ELSE @now END,
			permission_sets = @sets, authorized_at = CASE WHEN @new THEN @at ELSE greatest(authorized_at + interval '1 microsecond', @at) END,
			revoked_at = NULL, profile_read_at = NULL, profile_due_at = @now, updated_at = @now
		WHERE id = @id`, pgx.NamedArgs{
		"id": account.ID, "tenant": nullable(tenantID), "state": string(state), "reason": reason,
		"sets": answer.sets, "at": at, "new": isNew, "now": now,
	})
	if err != nil {
		return outcome{}, err
	}
	if err := tellState(ctx, tx, account, state, reason, now); err != nil {
		return outcome{}, err
	}
	if link != nil && link.UsedAt == nil && refused == nil {
		if err := useLink(ctx, tx, *link, account.ID, hash(g.code), now); err != nil {
			return outcome{}, err
		}
	}
	detail := map[string]any{
		"component_appid": account.ComponentAppID, "pushed": g.pushed(), "state": state,
		"permission_sets": answer.sets, "permission_sets_before": account.PermissionSets,
	}
	if !isNew {
		detail["state_before"] = account.State
	}
	err = tenant.Audit(ctx, tx, g.actor, now, tenant.Entry{
		TenantID: tenantID, Action: "authorizer.authorize", Target: account.target(), Reason: reason, Detail: detail,
	})
	return outcome{account: account, refused: refused, exchanged: true}, err
}

// lockOrInsertAccount returns the row of an account and keeps it from changing until the transaction ends. The lock is
// FOR NO KEY UPDATE: rows that merely refer to the account can go on being written.
func (s *Service) lockOrInsertAccount(ctx context.Context, tx pgx.Tx, componentAppID, appid string) (Account, bool, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Account{}, false, err
	}
	now := s.now().UTC()
	tag, err := tx.Exec(ctx, `
		INSERT INTO authorizers (id, component_appid, appid, state, state_changed_at, authorized_at, created_at, updated_at)
		VALUES ($1, $2, $3, 'active', $4, $4, $4, $4)
		ON CONFLICT ON CONSTRAINT authorizers_once DO NOTHING`, id, componentAppID, appid, now)
	if err != nil {
		return Account{}, false, err
	}
	account, err := s.one(ctx, tx, `WHERE a.component_appid = $1 AND a.appid = $2 FOR NO KEY UPDATE OF a`, componentAppID, appid)
	return account, tag.RowsAffected() == 1, err
}

// codeRow is one row of authorization_codes.
type codeRow struct {
	authorizerID uuid.UUID // uuid.Nil: an account that we do not keep
	exchanged    bool
}

// lockCode keeps others who bring the same code waiting until the transaction ends.
func lockCode(ctx context.Context, tx pgx.Tx, g grant, now time.Time) (codeRow, error) {
	if g.code == "" {
		return codeRow{}, nil
	}
	_, err := tx.Exec(ctx, `INSERT INTO authorization_codes (component_appid, code_hash, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		g.componentAppID, hash(g.code), now)
	if err != nil {
		return codeRow{}, err
	}
	var row codeRow
	var authorizerID *uuid.UUID
	err = tx.QueryRow(ctx, `SELECT authorizer_id, exchanged_at IS NOT NULL FROM authorization_codes WHERE component_appid = $1 AND code_hash = $2 FOR UPDATE`,
		g.componentAppID, hash(g.code)).Scan(&authorizerID, &row.exchanged)
	if authorizerID != nil {
		row.authorizerID = *authorizerID
	}
	return row, err
}

func markExchanged(ctx context.Context, tx pgx.Tx, g grant, authorizerID uuid.UUID, now time.Time) error {
	if g.code == "" {
		return nil
	}
	_, err := tx.Exec(ctx, `UPDATE authorization_codes SET authorizer_id = $3, exchanged_at = $4 WHERE component_appid = $1 AND code_hash = $2`,
		g.componentAppID, hash(g.code), nullable(authorizerID), now)
	return err
}
