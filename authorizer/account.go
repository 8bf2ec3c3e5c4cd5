package authorizer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/token"
)

// State is what can be done with an account.
type State string

// The states of an account.
const (
	StateActive               State = "active"
	StateNeedsReauthorization State = "needs_reauthorization" // we lost the right to act for it, through no wish of the merchant
	StateRevoked              State = "revoked"               // the merchant took the authorization back; the tokens are gone
	StateLimited              State = "limited"               // WeChat cancelled, banned, froze or restricted it
)

// alive tells whether a token of the account is renewed.
func (s State) alive() bool { return s == StateActive || s == StateLimited }

// AccountTakenError says that an account belongs to another tenant already. It does not name that tenant.
type AccountTakenError struct {
	AppID string
}

func (e *AccountTakenError) Error() string {
	return fmt.Sprintf("account %s already belongs to another tenant of this platform", e.AppID)
}

// TokenStatus tells about an account's access token without showing it. Times are UTC; nil: never, or no token.
type TokenStatus struct {
	ExpiresAt *time.Time
	RenewedAt *time.Time
}

// Account is an official account (or mini program) that authorized us. Times are UTC; nil: never.
type Account struct {
	ID             uuid.UUID
	TenantID       uuid.UUID // uuid.Nil: unclaimed
	ComponentAppID string
	AppID          string
	State          State
	StateReason    string // for people to read; empty while active
	StateChangedAt time.Time

	// What api_get_authorizer_info says; empty until it was read.
	UserName      string // original id, gh_…
	NickName      string
	HeadImg       string // URL
	Alias         string
	PrincipalName string // the legal entity
	Signature     string
	QRCodeURL     string
	ServiceType   *int // 0 and 1 subscription account, 2 service account
	VerifyType    *int // -1: not verified
	AccountStatus *int // 1 normal, 14 cancelled, 16 banned, 18 warned, 19 frozen
	MiniProgram   bool
	ProfileReadAt *time.Time

	PermissionSets []int // granted, ascending
	AuthorizedAt   time.Time
	RevokedAt      *time.Time
	CreatedAt      time.Time
	UpdatedAt      time.Time

	Token    TokenStatus
	Health   token.Health // of the token's renewals
	Warnings []string     // what may get in the way, in English sentences; none of it stops anything here
}

// Page is a page of accounts by appid. Next is empty on the last one.
type Page struct {
	Accounts []Account
	Next     string
}

// PageParams ask for a page: Limit 0 is DefaultLimit, more than MaxLimit is MaxLimit; Cursor is the Next of the page before.
type PageParams struct {
	Limit  int
	Cursor string
}

// How many rows a page has.
const (
	DefaultLimit = 50
	MaxLimit     = 200
)

func (p PageParams) limit() int {
	if p.Limit <= 0 {
		return DefaultLimit
	}
	return min(p.Limit, MaxLimit)
}

// ListParams select the accounts of a list.
type ListParams struct {
	State  State              // empty: all
	Health token.HealthStatus // empty: all
	Query  string             // part of the nick name or of the appid, in upper or lower case; empty: all
	Limit  int                // see PageParams
	Cursor string
}

// List returns a tenant's accounts by appid. It fails with [tenant.ErrNotFound], *[tenant.ScopeMissingError] or
// [tenant.ErrInvalidCursor].
func (s *Service) List(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, params ListParams) (Page, error) {
	if err := p.Authorize(tenantID, tenant.AuthorizersRead); err != nil {
		return Page{}, err
	}
	if err := tenant.Exists(ctx, s.pool, tenantID); err != nil {
		return Page{}, err
	}
	health, known := healthFilter[params.Health]
	if !known {
		health = `false`
	}
	return s.list(ctx, PageParams{Limit: params.Limit, Cursor: params.Cursor},
		health+` AND a.tenant_id = @tenant AND (@state = '' OR a.state = @state)
		AND (@query = '' OR strpos(lower(a.nick_name), lower(@query)) > 0 OR strpos(lower(a.appid), lower(@query)) > 0)`,
		pgx.NamedArgs{"tenant": tenantID, "state": string(params.State), "query": params.Query, "exhausted": token.ExhaustedFailures})
}

// Unclaimed returns the accounts that belong to no tenant yet, by appid. Platform only.
func (s *Service) Unclaimed(ctx context.Context, p tenant.Principal, params PageParams) (Page, error) {
	if err := p.AuthorizePlatform(); err != nil {
		return Page{}, err
	}
	return s.list(ctx, params, `a.tenant_id IS NULL`, pgx.NamedArgs{})
}

func (s *Service) list(ctx context.Context, params PageParams, where string, args pgx.NamedArgs) (Page, error) {
	after, err := tenant.DecodeCursor(params.Cursor, 2)
	if err != nil {
		return Page{}, err
	}
	args["after_appid"], args["after_id"], args["limit"] = after[0], uuid.Nil, params.limit()+1
	if after[1] != "" {
		if args["after_id"], err = uuid.Parse(after[1]); err != nil {
			return Page{}, tenant.ErrInvalidCursor
		}
	}
	rows, err := s.pool.Query(ctx, selectAccounts+` WHERE `+where+
		` AND (a.appid, a.id) > (@after_appid::text, @after_id::uuid) ORDER BY a.appid, a.id LIMIT @limit`, args)
	if err != nil {
		return Page{}, fmt.Errorf("list accounts: %w", err)
	}
	accounts, err := pgx.CollectRows(rows, scanAccount)
	if err != nil {
		return Page{}, fmt.Errorf("list accounts: %w", err)
	}
	page := Page{Accounts: accounts}
	if limit := params.limit(); len(accounts) > limit {
		last := accounts[limit-1]
		page.Accounts, page.Next = accounts[:limit], tenant.EncodeCursor(last.AppID, last.ID.String())
	}
	return page, nil
}

// Get returns one account of a tenant. It fails with [tenant.ErrNotFound] or *[tenant.ScopeMissingError].
func (s *Service) Get(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string) (Account, error) {
	if err := p.Authorize(tenantID, tenant.AuthorizersRead); err != nil {
		return Account{}, err
	}
	return s.find(ctx, tenantID, appid)
}

// Find is Get for packages that do things to accounts: it asks for no scope, since they ask for their own, and only
// keeps tenants apart. It fails with [tenant.ErrNotFound].
func (s *Service) Find(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string) (Account, error) {
	if tenantID == uuid.Nil || (!p.IsPlatform() && p.TenantID != tenantID) {
		return Account{}, tenant.ErrNotFound
	}
	return s.find(ctx, tenantID, appid)
}

func (s *Service) find(ctx context.Context, tenantID uuid.UUID, appid string) (Account, error) {
	// One appid may have authorized two of our components: then the authorization that is alive, and of these the newest.
	return s.one(ctx, s.pool, `WHERE a.tenant_id = $1 AND a.appid = $2
		ORDER BY a.state IN ('active', 'limited') DESC, a.authorized_at DESC LIMIT 1`, tenantID, appid)
}

// FindByID returns an account of whatever tenant; it is for jobs, which have nobody to ask. It fails with [tenant.ErrNotFound].
func (s *Service) FindByID(ctx context.Context, id uuid.UUID) (Account, error) {
	return s.one(ctx, s.pool, `WHERE a.id = $1`, id)
}

func (s *Service) one(ctx context.Context, db querier, where string, args ...any) (Account, error) {
	rows, err := db.Query(ctx, selectAccounts+` `+where, args...)
	if err != nil {
		return Account{}, fmt.Errorf("find account: %w", err)
	}
	a, err := tenant.CollectOne(rows, scanAccount)
	if err != nil {
		return Account{}, fmt.Errorf("find account: %w", err)
	}
	return a, nil
}

// Claim gives an unclaimed account to a tenant; claiming it again for the same tenant changes nothing. Platform only;
// audited. It fails with [tenant.ErrNotFound] (no such account, no such tenant) or an *[AccountTakenError].
func (s *Service) Claim(ctx context.Context, p tenant.Principal, componentAppID, appid string, tenantID uuid.UUID) (Account, error) {
	if err := p.AuthorizePlatform(); err != nil {
		return Account{}, err
	}
	var claimed Account
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		account, err := s.one(ctx, tx, `WHERE a.component_appid = $1 AND a.appid = $2 FOR NO KEY UPDATE OF a`, componentAppID, appid)
		if err != nil {
			return err
		}
		switch account.TenantID {
		case tenantID:
			claimed = account
			return nil
		case uuid.Nil:
		default:
			return &AccountTakenError{AppID: appid}
		}
		if err := s.giveTo(ctx, tx, p, account, tenantID); err != nil {
			return err
		}
		claimed, err = s.one(ctx, tx, `WHERE a.id = $1`, account.ID)
		return err
	})
	if err != nil {
		return Account{}, fmt.Errorf("claim account: %w", err)
	}
	return claimed, nil
}

// giveTo makes an unclaimed account, whose row the caller has locked, a tenant's.
func (s *Service) giveTo(ctx context.Context, tx pgx.Tx, p tenant.Principal, account Account, tenantID uuid.UUID) error {
	now := s.now().UTC()
	_, err := tx.Exec(ctx, `UPDATE authorizers SET tenant_id = $2, updated_at = $3 WHERE id = $1`, account.ID, tenantID, now)
	if violated, ok := errors.AsType[*pgconn.PgError](err); ok && violated.ConstraintName == "authorizers_tenant_id_fkey" {
		return tenant.ErrNotFound
	}
	if err != nil {
		return err
	}
	return tenant.Audit(ctx, tx, p, now, tenant.Entry{
		TenantID: tenantID, Action: "authorizer.claim", Target: account.target(),
		Detail: map[string]any{"component_appid": account.ComponentAppID, "nick_name": account.NickName},
	})
}

// target names the account in audit entries.
func (a Account) target() string { return "authorizer:" + a.AppID }
