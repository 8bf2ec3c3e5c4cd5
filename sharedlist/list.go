package sharedlist

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/tenant"
)

// List is a tenant's list of people. Times are UTC.
type List struct {
	ID      uuid.UUID
	Name    string
	Reason  string // what it is for, for people; it is said with each block
	Persons int    // how many people are on it
	// Working: something has yet to be asked of an account, because people have just come or gone, or because an account
	// cannot be worked for.
	Working   bool
	CreatedAt time.Time
	CreatedBy string // "name (kind)"
}

// Params say what a list is called and for. nil: as it is; for a new one, nothing.
type Params struct {
	Name   *string
	Reason *string
}

// Page is a page of lists, newest first. Next is empty on the last one.
type Page struct {
	Lists []List
	Next  string
}

// PageParams ask for a page.
type PageParams struct {
	Limit  int    // 0: 50; at most 1000
	Cursor string // Next of the page before
}

// Create makes a list with nobody on it. It fails with [tenant.ErrNotFound], *[tenant.ScopeMissingError], [ErrNameTaken],
// [tenant.ErrInvalidName] or [blacklist.ErrInvalidReason]. Audited.
func (s *Service) Create(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, params Params) (List, error) {
	if err := s.allowed(ctx, p, tenantID, tenant.BlacklistWrite); err != nil {
		return List{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return List{}, fmt.Errorf("create list: %w", err)
	}
	list := List{ID: id, CreatedAt: s.now(), CreatedBy: p.Actor()}
	if params.Name == nil {
		params.Name = new("")
	}
	if err := list.apply(params); err != nil {
		return List{}, err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO blacklist_lists (tenant_id, id, name, reason, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6)`,
			tenantID, list.ID, list.Name, list.Reason, list.CreatedAt, list.CreatedBy)
		if err != nil {
			return nameTaken(err)
		}
		return s.audit(ctx, tx, p, tenantID, list.ID, "create", list.Reason, map[string]any{"name": list.Name})
	})
	if err != nil {
		return List{}, fmt.Errorf("create list: %w", err)
	}
	return list, nil
}

// apply changes what params say.
func (l *List) apply(params Params) error {
	if params.Name != nil {
		name, err := tenant.CleanName(*params.Name)
		if err != nil {
			return err
		}
		l.Name = name
	}
	if params.Reason != nil {
		if err := blacklist.CheckReason(*params.Reason); err != nil {
			return err
		}
		l.Reason = *params.Reason
	}
	return nil
}

func nameTaken(err error) error {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.ConstraintName == "blacklist_lists_name_once" {
		return ErrNameTaken
	}
	return err
}

// allowed tells whether p may do something to the lists of a tenant, which must exist.
func (s *Service) allowed(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, scope tenant.Scope) error {
	if err := p.Authorize(tenantID, scope); err != nil {
		return err
	}
	return tenant.Exists(ctx, s.pool, tenantID)
}

func (s *Service) audit(ctx context.Context, tx pgx.Tx, p tenant.Principal, tenantID, listID uuid.UUID, verb, reason string, detail map[string]any) error {
	return tenant.Audit(ctx, tx, p, s.now(), tenant.Entry{
		TenantID: tenantID, Action: "lists." + verb, Target: "list:" + listID.String(), Reason: reason, Detail: detail,
	})
}

const selectLists = `
	SELECT l.id, l.name, l.reason, l.created_at, l.created_by,
		(SELECT count(*) FROM blacklist_list_persons p WHERE p.tenant_id = l.tenant_id AND p.list_id = l.id AND p.removed_at IS NULL),
		EXISTS (SELECT FROM blacklist_list_dues d WHERE d.tenant_id = l.tenant_id AND d.list_id = l.id)
			OR EXISTS (SELECT FROM blacklist_list_places w WHERE w.tenant_id = l.tenant_id AND w.list_id = l.id AND w.due)
	FROM blacklist_lists l WHERE l.tenant_id = @tenant_id AND l.deleted_at IS NULL`

func scanList(row pgx.CollectableRow) (List, error) {
	var l List
	err := row.Scan(&l.ID, &l.Name, &l.Reason, &l.CreatedAt, &l.CreatedBy, &l.Persons, &l.Working)
	l.CreatedAt = l.CreatedAt.UTC()
	return l, err
}

// Lists returns a tenant's lists. It fails with [tenant.ErrNotFound], *[tenant.ScopeMissingError] or [tenant.ErrInvalidCursor].
func (s *Service) Lists(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, params PageParams) (Page, error) {
	if err := s.allowed(ctx, p, tenantID, tenant.BlacklistRead); err != nil {
		return Page{}, err
	}
	before, err := tenant.DecodeIDCursor(params.Cursor)
	if err != nil {
		return Page{}, err
	}
	limit := limited(params.Limit)
	rows, err := s.pool.Query(ctx, selectLists+` AND (@before::uuid IS NULL OR l.id < @before) ORDER BY l.id DESC LIMIT @limit`,
		pgx.NamedArgs{"tenant_id": tenantID, "before": before, "limit": limit + 1})
	if err != nil {
		return Page{}, fmt.Errorf("read lists: %w", err)
	}
	lists, err := pgx.CollectRows(rows, scanList)
	if err != nil {
		return Page{}, fmt.Errorf("read lists: %w", err)
	}
	var page Page
	page.Lists, page.Next = tenant.CutPage(lists, limit, func(l List) string { return l.ID.String() })
	return page, nil
}

// Get returns a list, and which of the tenant's accounts it can cover. It fails with [tenant.ErrNotFound] or
// *[tenant.ScopeMissingError].
func (s *Service) Get(ctx context.Context, p tenant.Principal, tenantID, listID uuid.UUID) (List, []Account, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistRead); err != nil {
		return List{}, nil, err
	}
	list, err := s.read(ctx, s.pool, tenantID, listID)
	if err != nil {
		return List{}, nil, err
	}
	accounts, err := s.coverage(ctx, tenantID)
	return list, accounts, err
}

func (s *Service) read(ctx context.Context, db blacklist.Querier, tenantID, listID uuid.UUID) (List, error) {
	rows, err := db.Query(ctx, selectLists+` AND l.id = @id`, pgx.NamedArgs{"tenant_id": tenantID, "id": listID})
	if err != nil {
		return List{}, fmt.Errorf("read list: %w", err)
	}
	list, err := tenant.CollectOne(rows, scanList)
	if err != nil {
		return List{}, fmt.Errorf("read list: %w", err)
	}
	return list, nil
}

// Update gives a list another name or reason. It fails like [Service.Create]. Audited with what was before.
func (s *Service) Update(ctx context.Context, p tenant.Principal, tenantID, listID uuid.UUID, params Params) (List, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistWrite); err != nil {
		return List{}, err
	}
	var after List
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := lockList(ctx, tx, tenantID, listID, `FOR NO KEY UPDATE`); err != nil {
			return err
		}
		before, err := s.read(ctx, tx, tenantID, listID)
		if err != nil {
			return err
		}
		after = before
		if err := after.apply(params); err != nil {
			return err
		}
		if after.Name == before.Name && after.Reason == before.Reason {
			return nil
		}
		_, err = tx.Exec(ctx, `UPDATE blacklist_lists SET name = $3, reason = $4 WHERE tenant_id = $1 AND id = $2`, tenantID, listID, after.Name, after.Reason)
		if err != nil {
			return nameTaken(err)
		}
		return s.audit(ctx, tx, p, tenantID, listID, "change", after.Reason,
			map[string]any{"name": after.Name, "former_name": before.Name, "former_reason": before.Reason})
	})
	if err != nil {
		return List{}, fmt.Errorf("change list: %w", err)
	}
	return after, nil
}

// lockList locks a list that is not deleted.
func lockList(ctx context.Context, tx pgx.Tx, tenantID, listID uuid.UUID, how string) error {
	tag, err := tx.Exec(ctx, `SELECT FROM blacklist_lists WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL `+how, tenantID, listID)
	if err != nil {
		return fmt.Errorf("lock list: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return tenant.ErrNotFound
	}
	return nil
}

// Delete deletes a list, which takes everybody off it, see [Service.Remove]. It fails with [tenant.ErrNotFound],
// *[tenant.ScopeMissingError] or [blacklist.ErrInvalidReason]. Audited.
func (s *Service) Delete(ctx context.Context, p tenant.Principal, tenantID, listID uuid.UUID, reason string) error {
	if err := p.Authorize(tenantID, tenant.BlacklistWrite); err != nil {
		return err
	}
	if err := blacklist.CheckReason(reason); err != nil {
		return err
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := lockList(ctx, tx, tenantID, listID, `FOR UPDATE`); err != nil {
			return err
		}
		list, err := s.read(ctx, tx, tenantID, listID)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE blacklist_lists SET deleted_at = $3 WHERE tenant_id = $1 AND id = $2`, tenantID, listID, s.now()); err != nil {
			return err
		}
		if _, err := s.remove(ctx, tx, tenantID, listID, nil, reason); err != nil {
			return err
		}
		return s.audit(ctx, tx, p, tenantID, listID, "delete", reason, map[string]any{"name": list.Name, "persons": list.Persons})
	})
	if err != nil {
		return fmt.Errorf("delete list: %w", err)
	}
	return nil
}
