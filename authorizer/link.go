package authorizer

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

const (
	// DefaultLinkLife is how long a connect link may be opened unless its maker says otherwise.
	DefaultLinkLife = 24 * time.Hour
	// MaxLinkLife is how long it may be opened at most.
	MaxLinkLife = 30 * 24 * time.Hour
	// finishGrace is for merchants who opened the link in time and took their time on WeChat's page.
	finishGrace = time.Hour
	// A reconnect link is handed out again while it is that young, so that a caller that is refused in a loop does not
	// fill the table.
	reconnectFresh = time.Hour
	// shortestPreAuthLife is taken where WeChat does not say how long a pre-auth code lives.
	shortestPreAuthLife = 10 * time.Minute
	// stateBytes is the length of a link's secret: nobody guesses 256 bits.
	stateBytes = 32
)

// The errors of connect links.
var (
	// ErrLinkUnknown is returned for a link that we never made, or deleted long after it expired.
	ErrLinkUnknown = errors.New("this connect link does not exist")
	// ErrLinkExpired is returned for a link whose time is over.
	ErrLinkExpired = errors.New("this connect link has expired: ask for a new one")
	// ErrLinkUsed is returned for a link by which an account was connected already; a link serves once.
	ErrLinkUsed = errors.New("this connect link has been used already: ask for a new one to connect another account")
	// ErrNoComponent is returned while no third-party platform is registered.
	ErrNoComponent = errors.New("no component (third-party platform) is registered yet: register one before making connect links")
)

// ComponentChoiceError says that there are several components and the caller has to name one.
type ComponentChoiceError struct {
	AppIDs []string
}

func (e *ComponentChoiceError) Error() string {
	return "several components are registered; name one of " + strings.Join(e.AppIDs, ", ")
}

// InvalidLinkError says which field of [ConnectLinkParams] cannot be right.
type InvalidLinkError struct {
	Param string // as the HTTP contract spells it
	Why   string // continues the sentence "Param …"
}

func (e *InvalidLinkError) Error() string { return e.Param + " " + e.Why }

// ConnectLinkParams says what link to make; the zero value will do.
type ConnectLinkParams struct {
	ComponentAppID string        // empty: the only one there is
	AppID          string        // only this account may use the link; empty: any
	AuthType       int           // which kinds of account WeChat offers, see wechat.AuthType…; 0: official accounts. Without effect beside AppID.
	ReturnURL      string        // http or https; where the merchant's browser goes in the end; empty: a page of ours
	ExpiresIn      time.Duration // at most MaxLinkLife; 0: DefaultLinkLife
}

// ConnectLink is a link that a merchant opens to authorize us. Times are UTC; nil: never.
type ConnectLink struct {
	ID             uuid.UUID
	TenantID       uuid.UUID
	ComponentAppID string
	AppID          string // empty: any account
	AuthType       int
	ReturnURL      string
	URL            string // a secret; only the answer of CreateConnectLink has it, the database has not
	CreatedBy      string
	CreatedAt      time.Time
	ExpiresAt      time.Time
	UsedAt         *time.Time
	AuthorizerID   uuid.UUID // the account connected by it; uuid.Nil: none yet
	// AuthorizerAppID is that account's appid; empty: none yet.
	AuthorizerAppID string
}

// ConnectLinkPage is a page of connect links, newest first.
type ConnectLinkPage struct {
	Links []ConnectLink
	Next  string
}

// CreateConnectLink makes a link for one account of a tenant; audited. It fails with [tenant.ErrNotFound] (no such
// tenant), *[tenant.ScopeMissingError], *[InvalidLinkError], [ErrNoComponent], *[ComponentChoiceError] or
// [component.ErrUnknownComponent].
func (s *Service) CreateConnectLink(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, params ConnectLinkParams) (ConnectLink, error) {
	if err := p.Authorize(tenantID, tenant.ConnectLinksWrite); err != nil {
		return ConnectLink{}, err
	}
	return s.createLink(ctx, p, tenantID, params)
}

func (s *Service) createLink(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, params ConnectLinkParams) (ConnectLink, error) {
	params, err := s.completeLink(ctx, params)
	if err != nil {
		return ConnectLink{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return ConnectLink{}, fmt.Errorf("create connect link: %w", err)
	}
	random := make([]byte, stateBytes)
	_, _ = rand.Read(random) // never fails: it ends the program instead
	state := base64.RawURLEncoding.EncodeToString(random)
	now := s.now().UTC()
	link := ConnectLink{
		ID: id, TenantID: tenantID, ComponentAppID: params.ComponentAppID, AppID: params.AppID, AuthType: params.AuthType,
		ReturnURL: params.ReturnURL, URL: s.linkURL(state), CreatedBy: p.Actor(), CreatedAt: now, ExpiresAt: now.Add(params.ExpiresIn),
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := insertLink(ctx, tx, link, hash(state)); err != nil {
			return err
		}
		return tenant.Audit(ctx, tx, p, now, tenant.Entry{
			TenantID: tenantID, Action: "connect_link.create", Target: "connect_link:" + id.String(),
			Detail: map[string]any{"component_appid": link.ComponentAppID, "appid": link.AppID, "expires_at": link.ExpiresAt},
		})
	})
	if err != nil {
		return ConnectLink{}, fmt.Errorf("create connect link: %w", err)
	}
	return link, nil
}

func (s *Service) linkURL(state string) string { return s.publicURL + "/connect/" + state }

// completeLink fills in the defaults and refuses what cannot be right.
func (s *Service) completeLink(ctx context.Context, params ConnectLinkParams) (ConnectLinkParams, error) {
	if params.AuthType == 0 {
		params.AuthType = wechat.AuthTypeOfficialAccount
	}
	if params.AuthType < wechat.AuthTypeOfficialAccount || params.AuthType > wechat.AuthTypeBoth {
		return params, &InvalidLinkError{Param: "auth_type", Why: "is 1 (official accounts), 2 (mini programs) or 3 (both)"}
	}
	if params.ReturnURL != "" && !isWebURL(params.ReturnURL) {
		return params, &InvalidLinkError{Param: "return_url", Why: "must be an absolute http or https URL"}
	}
	if params.ExpiresIn == 0 {
		params.ExpiresIn = DefaultLinkLife
	}
	if params.ExpiresIn < 0 || params.ExpiresIn > MaxLinkLife {
		return params, &InvalidLinkError{Param: "expires_in", Why: fmt.Sprintf("must be more than 0 and at most %d seconds", int(MaxLinkLife.Seconds()))}
	}
	appids, err := s.components.AppIDs(ctx)
	switch {
	case err != nil:
		return params, fmt.Errorf("create connect link: %w", err)
	case len(appids) == 0:
		return params, ErrNoComponent
	case params.ComponentAppID == "" && len(appids) > 1:
		return params, &ComponentChoiceError{AppIDs: appids}
	case params.ComponentAppID == "":
		params.ComponentAppID = appids[0]
	case !slices.Contains(appids, params.ComponentAppID):
		return params, component.ErrUnknownComponent
	}
	return params, nil
}

// ListConnectLinks returns a tenant's links, newest first, without their URLs. It fails with [tenant.ErrNotFound],
// *[tenant.ScopeMissingError] or [tenant.ErrInvalidCursor].
func (s *Service) ListConnectLinks(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, params PageParams) (ConnectLinkPage, error) {
	if err := p.Authorize(tenantID, tenant.ConnectLinksWrite); err != nil {
		return ConnectLinkPage{}, err
	}
	before, err := tenant.DecodeIDCursor(params.Cursor)
	if err != nil {
		return ConnectLinkPage{}, err
	}
	if err := tenant.Exists(ctx, s.pool, tenantID); err != nil {
		return ConnectLinkPage{}, err
	}
	rows, err := s.pool.Query(ctx, selectLinks+` WHERE l.tenant_id = $1 AND ($2::uuid IS NULL OR l.id < $2) ORDER BY l.id DESC LIMIT $3`,
		tenantID, before, params.limit()+1)
	if err != nil {
		return ConnectLinkPage{}, fmt.Errorf("list connect links: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanLink)
	if err != nil {
		return ConnectLinkPage{}, fmt.Errorf("list connect links: %w", err)
	}
	links := make([]ConnectLink, len(found))
	for i := range found {
		links[i] = found[i].ConnectLink
	}
	var page ConnectLinkPage
	page.Links, page.Next = tenant.CutPage(links, params.limit(), func(l ConnectLink) string { return l.ID.String() })
	return page, nil
}

// ConnectPage is what the page behind a connect link shows. Both URLs carry a pre-auth code: they are for this one
// visitor, and they must be plain links on that page, since WeChat looks at the Referer.
type ConnectPage struct {
	TenantName string
	AppID      string    // the account that is expected; empty: any
	DesktopURL string    // WeChat's consent page with a QR code
	MobileURL  string    // the consent page for a browser inside WeChat
	ExpiresAt  time.Time // of the pre-auth code in them
}

// OpenConnectLink prepares one visit: it fetches a fresh pre-auth code and remembers, by its hash, whose link it is for.
// It fails with [ErrLinkUnknown], [ErrLinkExpired], [ErrLinkUsed], [component.ErrNoTicket] or what WeChat answered.
func (s *Service) OpenConnectLink(ctx context.Context, state string) (ConnectPage, error) {
	link, err := s.linkByState(ctx, state)
	switch {
	case err != nil:
		return ConnectPage{}, err
	case link.UsedAt != nil:
		return ConnectPage{}, ErrLinkUsed
	case !s.now().Before(link.ExpiresAt):
		return ConnectPage{}, ErrLinkExpired
	}
	asked := s.now().UTC()
	var code wechat.PreAuthCode
	err = s.components.Call(ctx, link.ComponentAppID, func(ctx context.Context, cat string) (err error) {
		code, err = s.wechat.CreatePreAuthCode(ctx, cat, link.ComponentAppID)
		return err
	})
	if err != nil {
		return ConnectPage{}, fmt.Errorf("open connect link: %w", err)
	}
	if err := s.rememberPreAuthCode(ctx, link, code.Code, asked); err != nil {
		return ConnectPage{}, fmt.Errorf("open connect link: %w", err)
	}
	consent := wechat.Consent{
		ComponentAppID: link.ComponentAppID, PreAuthCode: code.Code, RedirectURI: s.linkURL(state) + "/callback",
		AuthType: link.AuthType, BizAppID: link.AppID,
	}
	if code.ExpiresIn <= 0 {
		code.ExpiresIn = shortestPreAuthLife
	}
	page := ConnectPage{TenantName: link.tenantName, AppID: link.AppID, ExpiresAt: asked.Add(code.ExpiresIn)}
	if page.DesktopURL, err = consent.DesktopURL(s.mpURL); err != nil {
		return ConnectPage{}, fmt.Errorf("open connect link: %w", err)
	}
	if page.MobileURL, err = consent.MobileURL(s.openURL); err != nil {
		return ConnectPage{}, fmt.Errorf("open connect link: %w", err)
	}
	return page, nil
}

// FinishConnectLink takes the authorization code with which WeChat sent the merchant's browser back to us, and connects
// the account. The same code again gets the same answer. It fails with [ErrLinkUnknown], [ErrLinkExpired],
// [ErrLinkUsed], *[UnexpectedAccountError], *[AccountTakenError], or what WeChat answered; the link can then still be used.
func (s *Service) FinishConnectLink(ctx context.Context, state, code string) (Account, ConnectLink, error) {
	link, err := s.linkByState(ctx, state)
	switch {
	case err != nil:
		return Account{}, ConnectLink{}, err
	case code == "":
		return Account{}, link.ConnectLink, &InvalidLinkError{Param: "auth_code", Why: "is required"}
	case link.UsedAt != nil && !link.usedBy(code):
		return Account{}, link.ConnectLink, ErrLinkUsed
	case link.UsedAt == nil && !s.now().Before(link.ExpiresAt.Add(finishGrace)):
		return Account{}, link.ConnectLink, ErrLinkExpired
	}
	if link.UsedAt == nil {
		_, err := s.authorize(ctx, grant{
			componentAppID: link.ComponentAppID, code: code, link: &linkKey{link.TenantID, link.ID},
			actor: tenant.AsMerchant(link.TenantID, link.ID),
		})
		if err != nil {
			return Account{}, link.ConnectLink, fmt.Errorf("finish connect link: %w", err)
		}
		if link, err = s.linkByState(ctx, state); err != nil {
			return Account{}, ConnectLink{}, err
		}
	}
	account, err := s.FindByID(ctx, link.AuthorizerID)
	return account, link.ConnectLink, err
}

// reconnectLink is a link that Check gave out.
type reconnectLink struct {
	id      uuid.UUID
	url     string
	created time.Time
}

// reconnectURL returns a connect link for an account that we have; empty if none can be made.
func (s *Service) reconnectURL(ctx context.Context, p tenant.Principal, account Account) string {
	if account.TenantID == uuid.Nil {
		return ""
	}
	key := account.ID.String()
	s.mu.Lock()
	former, ok := s.reconnect[key]
	s.mu.Unlock()
	if ok && s.now().Sub(former.created) < reconnectFresh && s.unused(ctx, account.TenantID, former.id) {
		return former.url
	}
	link, err := s.createLink(ctx, p, account.TenantID, ConnectLinkParams{ComponentAppID: account.ComponentAppID, AppID: account.AppID})
	if err != nil {
		s.logger.ErrorContext(ctx, "cannot make a connect link for an account that needs one", "appid", account.AppID, "error", err)
		return ""
	}
	s.mu.Lock()
	s.reconnect[key] = reconnectLink{id: link.ID, url: link.URL, created: link.CreatedAt}
	s.mu.Unlock()
	return link.URL
}
