package alert

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wechat-steward/steward/tenant"
)

// Alert is one break.
type Alert struct {
	ID             uuid.UUID
	Kind           Kind
	ComponentAppID string
	TenantID       uuid.UUID // uuid.Nil: the component's own, or an account's that belongs to nobody yet
	AppID          string    // of the account; empty: the component's own
	NickName       string    // of the account
	RaisedAt       time.Time
	LastSeenAt     time.Time
	ClearedAt      *time.Time // nil: still open
	Code           int        // WeChat's errcode; 0: none
	Message        string
	RID            string
	Advice         string // what to do, an English sentence
}

// ListParams select alerts.
type ListParams struct {
	Open   *bool  // nil: open and cleared ones
	Limit  int    // 0: DefaultLimit; more than MaxLimit: that
	Cursor string // the Next of the page before
}

// Page is a page of alerts, newest first. Next is empty on the last one.
type Page struct {
	Alerts []Alert
	Next   string
}

// How many alerts a page has.
const (
	DefaultLimit = 50
	MaxLimit     = 200
)

// Service lists alerts. Raising and clearing need no service: they happen in the transactions of others.
type Service struct {
	pool *pgxpool.Pool
}

// NewService returns a Service.
func NewService(pool *pgxpool.Pool) (*Service, error) {
	if pool == nil {
		return nil, errors.New("alert: a pool is required")
	}
	return &Service{pool: pool}, nil
}

// List returns the alerts about a tenant's accounts. It fails with [tenant.ErrNotFound], *[tenant.ScopeMissingError]
// or [tenant.ErrInvalidCursor].
func (s *Service) List(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, params ListParams) (Page, error) {
	if err := p.Authorize(tenantID, tenant.AuthorizersRead); err != nil {
		return Page{}, err
	}
	if err := tenant.Exists(ctx, s.pool, tenantID); err != nil {
		return Page{}, err
	}
	return s.list(ctx, `a.tenant_id = @tenant`, pgx.NamedArgs{"tenant": tenantID}, params)
}

// ListAll returns the alerts about components and about everybody's accounts. Platform only.
func (s *Service) ListAll(ctx context.Context, p tenant.Principal, params ListParams) (Page, error) {
	if err := p.AuthorizePlatform(); err != nil {
		return Page{}, err
	}
	return s.list(ctx, `true`, pgx.NamedArgs{}, params)
}

func (s *Service) list(ctx context.Context, where string, args pgx.NamedArgs, params ListParams) (Page, error) {
	before, err := tenant.DecodeIDCursor(params.Cursor)
	if err != nil {
		return Page{}, err
	}
	limit := DefaultLimit
	if params.Limit > 0 {
		limit = min(params.Limit, MaxLimit)
	}
	args["open"], args["before"], args["limit"] = params.Open, before, limit+1
	rows, err := s.pool.Query(ctx, `
		SELECT l.id, l.kind, l.component_appid, a.tenant_id, coalesce(a.appid, ''), coalesce(a.nick_name, ''),
			l.raised_at, l.last_seen_at, l.cleared_at, l.errcode, l.message, l.rid, l.advice
		FROM alerts l LEFT JOIN authorizers a ON a.id = l.authorizer_id
		WHERE `+where+` AND (@open::boolean IS NULL OR (l.cleared_at IS NULL) = @open) AND (@before::uuid IS NULL OR l.id < @before)
		ORDER BY l.id DESC LIMIT @limit`, args)
	if err != nil {
		return Page{}, fmt.Errorf("list alerts: %w", err)
	}
	alerts, err := pgx.CollectRows(rows, scanAlert)
	if err != nil {
		return Page{}, fmt.Errorf("list alerts: %w", err)
	}
	var page Page
	page.Alerts, page.Next = tenant.CutPage(alerts, limit, func(l Alert) string { return l.ID.String() })
	return page, nil
}

func scanAlert(row pgx.CollectableRow) (Alert, error) {
	var l Alert
	var tenantID *uuid.UUID
	err := row.Scan(&l.ID, &l.Kind, &l.ComponentAppID, &tenantID, &l.AppID, &l.NickName,
		&l.RaisedAt, &l.LastSeenAt, &l.ClearedAt, &l.Code, &l.Message, &l.RID, &l.Advice)
	if tenantID != nil {
		l.TenantID = *tenantID
	}
	l.RaisedAt, l.LastSeenAt = l.RaisedAt.UTC(), l.LastSeenAt.UTC()
	if l.ClearedAt != nil {
		*l.ClearedAt = l.ClearedAt.UTC()
	}
	return l, err
}
