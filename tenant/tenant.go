package tenant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// MaxNameLength is how many characters a name may have.
const MaxNameLength = 200

// ErrInvalidName is returned for an empty name, for one that is too long, and for what is no text.
var ErrInvalidName = fmt.Errorf("a name has 1 to %d characters, none of them NUL", MaxNameLength)

// Config holds what a [Service] needs.
type Config struct {
	Pool   *pgxpool.Pool    // required
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default()
}

// Service keeps tenants, keys, sessions and the audit trail.
type Service struct {
	pool   *pgxpool.Pool
	now    func() time.Time
	logger *slog.Logger
}

// NewService returns a Service, or an error that says what Config lacks.
func NewService(cfg Config) (*Service, error) {
	if cfg.Pool == nil {
		return nil, errors.New("tenant: Config.Pool is required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Service{pool: cfg.Pool, now: cfg.Now, logger: cfg.Logger}, nil
}

// Tenant is a company whose official accounts we look after.
type Tenant struct {
	ID           uuid.UUID
	Name         string
	Status       string // "active" or "suspended"
	TokenHandout bool   // whether its systems may be handed access tokens
	CreatedAt    time.Time
}

// Page is a page of tenants, oldest first.
type Page struct {
	Tenants []Tenant
	Next    string
}

// Create adds a tenant.
func (s *Service) Create(ctx context.Context, p Principal, name string) (Tenant, error) {
	if err := p.AuthorizePlatform(); err != nil {
		return Tenant{}, err
	}
	name, err := CleanName(name)
	if err != nil {
		return Tenant{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Tenant{}, fmt.Errorf("create tenant: %w", err)
	}
	t := Tenant{ID: id, Name: name, Status: "active", CreatedAt: s.now().UTC()}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO tenants (id, name, status, created_at) VALUES ($1, $2, $3, $4)`,
			t.ID, t.Name, t.Status, t.CreatedAt); err != nil {
			return err
		}
		return Audit(ctx, tx, p, t.CreatedAt, Entry{TenantID: t.ID, Action: "tenant.create", Target: "tenant:" + t.ID.String(), Detail: map[string]any{"name": name}})
	})
	if err != nil {
		return Tenant{}, fmt.Errorf("create tenant: %w", err)
	}
	return t, nil
}

// Get returns one tenant; every key of that tenant may see it.
func (s *Service) Get(ctx context.Context, p Principal, id uuid.UUID) (Tenant, error) {
	if !p.IsPlatform() && p.TenantID != id {
		return Tenant{}, ErrNotFound
	}
	t, err := one(ctx, s.pool, `SELECT id, name, status, token_handout, created_at FROM tenants WHERE id = $1`, id)
	if err != nil {
		return Tenant{}, fmt.Errorf("get tenant: %w", err)
	}
	return t, nil
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func one(ctx context.Context, db querier, sql string, args ...any) (Tenant, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return Tenant{}, err
	}
	return CollectOne(rows, pgx.RowToStructByPos[Tenant])
}

// CollectOne is [pgx.CollectExactlyOneRow] for what may not be there, or not for everybody: it fails with [ErrNotFound] then.
func CollectOne[T any](rows pgx.Rows, scan pgx.RowToFunc[T]) (T, error) {
	one, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	return one, err
}

// UpdateParams say what to change; nil: nothing.
type UpdateParams struct {
	Name         *string
	TokenHandout *bool
}

// Update changes a tenant. Platform only; audited with what was before. It fails with [ErrNotFound] or [ErrInvalidName].
func (s *Service) Update(ctx context.Context, p Principal, id uuid.UUID, params UpdateParams) (Tenant, error) {
	if err := p.AuthorizePlatform(); err != nil {
		return Tenant{}, err
	}
	var after Tenant
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		before, err := one(ctx, tx, `SELECT id, name, status, token_handout, created_at FROM tenants WHERE id = $1 FOR NO KEY UPDATE`, id)
		if err != nil {
			return err
		}
		after = before
		if params.Name != nil {
			if after.Name, err = CleanName(*params.Name); err != nil {
				return err
			}
		}
		if params.TokenHandout != nil {
			after.TokenHandout = *params.TokenHandout
		}
		if after == before {
			return nil
		}
		if _, err := tx.Exec(ctx, `UPDATE tenants SET name = $2, token_handout = $3 WHERE id = $1`, id, after.Name, after.TokenHandout); err != nil {
			return err
		}
		return Audit(ctx, tx, p, s.now().UTC(), Entry{TenantID: id, Action: "tenant.update", Target: "tenant:" + id.String(), Detail: map[string]any{
			"name": after.Name, "name_before": before.Name, "token_handout": after.TokenHandout, "token_handout_before": before.TokenHandout,
		}})
	})
	if err != nil {
		return Tenant{}, fmt.Errorf("update tenant: %w", err)
	}
	return after, nil
}

// HandsOutTokens returns [ErrTokenHandoutOff] unless the tenant's systems may be handed access tokens, and [ErrNotFound]
// if there is no such tenant.
func HandsOutTokens(ctx context.Context, pool *pgxpool.Pool, id uuid.UUID) error {
	var allowed bool
	err := pool.QueryRow(ctx, `SELECT token_handout FROM tenants WHERE id = $1`, id).Scan(&allowed)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ErrNotFound
	case err != nil:
		return fmt.Errorf("look at tenant: %w", err)
	case !allowed:
		return ErrTokenHandoutOff
	}
	return nil
}

// Exists returns [ErrNotFound] if there is no such tenant. Lists ask it before they call nothing an empty list.
func Exists(ctx context.Context, pool *pgxpool.Pool, id uuid.UUID) error {
	var exists bool
	if err := pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM tenants WHERE id = $1)`, id).Scan(&exists); err != nil {
		return fmt.Errorf("look for tenant: %w", err)
	}
	if !exists {
		return ErrNotFound
	}
	return nil
}

// List returns the tenants that p may see, oldest first: all of them for the platform, its own for a tenant.
func (s *Service) List(ctx context.Context, p Principal, limit int, cursor string) (Page, error) {
	after, err := DecodeIDCursor(cursor)
	if err != nil {
		return Page{}, err
	}
	var only *uuid.UUID
	if !p.IsPlatform() {
		only = &p.TenantID
	}
	rows, err := s.pool.Query(ctx, `
		SELECT id, name, status, token_handout, created_at FROM tenants
		WHERE ($1::uuid IS NULL OR id = $1) AND ($2::uuid IS NULL OR id > $2)
		ORDER BY id LIMIT $3`, only, after, limit+1)
	if err != nil {
		return Page{}, fmt.Errorf("list tenants: %w", err)
	}
	tenants, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Tenant])
	if err != nil {
		return Page{}, fmt.Errorf("list tenants: %w", err)
	}
	var page Page
	page.Tenants, page.Next = CutPage(tenants, limit, func(t Tenant) string { return t.ID.String() })
	return page, nil
}

// CleanName takes blanks off both ends of a name, or fails with [ErrInvalidName].
func CleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n < 1 || n > MaxNameLength || strings.ContainsRune(name, 0) || !utf8.ValidString(name) {
		return "", ErrInvalidName
	}
	return name, nil
}
