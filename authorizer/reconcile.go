package authorizer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/tenant"
)

// ReconciliationStatus is how far a reconciliation is.
type ReconciliationStatus string

// The statuses. Done and failed reconciliations have ended.
const (
	ReconciliationQueued  ReconciliationStatus = "queued"
	ReconciliationRunning ReconciliationStatus = "running"
	ReconciliationDone    ReconciliationStatus = "done"
	ReconciliationFailed  ReconciliationStatus = "failed"
)

// Reconciliation is one comparison of WeChat's list of the accounts that authorized a component with ours. Nothing follows
// from a list that could not be read whole, and nothing from an account's absence alone. Times are UTC; nil: not yet.
type Reconciliation struct {
	ID             uuid.UUID
	ComponentAppID string
	Status         ReconciliationStatus
	Actor          string // who asked for it: "name (kind)"
	Listed         int    // accounts in WeChat's list, as far as it has been read
	Total          int    // how many it has, says WeChat
	Added          int    // accounts that we did not know; they belong to no tenant yet
	Restored       int    // accounts that we had given up, and that can be acted for again
	Absent         int    // accounts of ours that are not in the list; whether they are revoked, WeChat is asked for each
	Profiles       int    // accounts of ours whose profile and permission sets are read anew in the minutes that follow
	// The last failure; of one that is done or has met none: 0 and empty. RID is WeChat's request id.
	Code      int
	RID       string
	Error     string
	CreatedAt time.Time
	StartedAt *time.Time
	EndedAt   *time.Time
}

// ReconciliationPage is a page of reconciliations, newest first. Next is empty on the last one.
type ReconciliationPage struct {
	Reconciliations []Reconciliation
	Next            string
}

// StartReconciliation has WeChat's list of authorizers compared with ours, as is done every night. A component has at most
// one reconciliation under way: asking again answers with that one. Platform only; audited. It fails with
// [component.ErrUnknownComponent].
func (s *Service) StartReconciliation(ctx context.Context, p tenant.Principal, componentAppID string) (Reconciliation, error) {
	if _, err := s.components.Get(ctx, p, componentAppID); err != nil {
		return Reconciliation{}, err
	}
	var r Reconciliation
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		id, err := s.openReconciliation(ctx, tx, p, componentAppID)
		if err != nil {
			return err
		}
		r, err = readReconciliation(ctx, tx, componentAppID, id)
		return err
	})
	if err != nil {
		return Reconciliation{}, fmt.Errorf("start reconciliation: %w", err)
	}
	return r, nil
}

// openReconciliation returns the component's open reconciliation, a new one if there is none.
func (s *Service) openReconciliation(ctx context.Context, tx pgx.Tx, p tenant.Principal, componentAppID string) (uuid.UUID, error) {
	for range 2 {
		id, isNew, err := s.insertReconciliation(ctx, tx, p, componentAppID, "")
		if err != nil || isNew {
			return id, err
		}
		// The lock keeps the one that is in the way from ending before it is read.
		err = tx.QueryRow(ctx, `SELECT id FROM reconciliations WHERE component_appid = $1 AND status IN ('queued', 'running') FOR SHARE`, componentAppID).Scan(&id)
		if err == nil || !errors.Is(err, pgx.ErrNoRows) {
			return id, err
		}
		// It ended in between, so now there is room for a new one.
	}
	return uuid.Nil, errors.New("reconciliations of this component end as fast as they begin")
}

// insertReconciliation makes a reconciliation and its job, unless one is under way, or there is one of the same night
// already. night is a date; empty: somebody asked for it.
func (s *Service) insertReconciliation(ctx context.Context, tx pgx.Tx, p tenant.Principal, componentAppID, night string) (uuid.UUID, bool, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.Nil, false, err
	}
	now := s.now().UTC()
	tag, err := tx.Exec(ctx, `
		INSERT INTO reconciliations (id, component_appid, status, actor, night, next_try_at, created_at)
		VALUES ($1, $2, 'queued', $3, nullif($4, '')::date, $5, $5) ON CONFLICT DO NOTHING`,
		id, componentAppID, p.Actor(), night, now)
	if err != nil || tag.RowsAffected() == 0 {
		return uuid.Nil, false, err
	}
	if err := s.giveTurn(ctx, tx, id); err != nil {
		return uuid.Nil, false, err
	}
	return id, true, tenant.Audit(ctx, tx, p, now, tenant.Entry{
		Action: "component.reconcile", Target: "component:" + componentAppID, Detail: map[string]any{"reconciliation_id": id},
	})
}

// Reconciliation returns one reconciliation of a component. Platform only. It fails with [component.ErrUnknownComponent]
// or [tenant.ErrNotFound].
func (s *Service) Reconciliation(ctx context.Context, p tenant.Principal, componentAppID string, id uuid.UUID) (Reconciliation, error) {
	if _, err := s.components.Get(ctx, p, componentAppID); err != nil {
		return Reconciliation{}, err
	}
	return readReconciliation(ctx, s.pool, componentAppID, id)
}

// Reconciliations returns the reconciliations of a component, newest first. Platform only. It fails with
// [component.ErrUnknownComponent] or [tenant.ErrInvalidCursor].
func (s *Service) Reconciliations(ctx context.Context, p tenant.Principal, componentAppID string, params PageParams) (ReconciliationPage, error) {
	if _, err := s.components.Get(ctx, p, componentAppID); err != nil {
		return ReconciliationPage{}, err
	}
	before, err := tenant.DecodeIDCursor(params.Cursor)
	if err != nil {
		return ReconciliationPage{}, err
	}
	limit := params.limit()
	rows, err := s.pool.Query(ctx, selectReconciliations+` WHERE component_appid = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`,
		componentAppID, before, limit+1)
	if err != nil {
		return ReconciliationPage{}, fmt.Errorf("list reconciliations: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanReconciliation)
	if err != nil {
		return ReconciliationPage{}, fmt.Errorf("list reconciliations: %w", err)
	}
	var page ReconciliationPage
	page.Reconciliations, page.Next = tenant.CutPage(found, limit, func(r Reconciliation) string { return r.ID.String() })
	return page, nil
}

const selectReconciliations = `
	SELECT id, component_appid, status, actor, listed, total, added, restored, absent, profiles, errcode, rid, error, created_at, started_at, ended_at
	FROM reconciliations`

func scanReconciliation(row pgx.CollectableRow) (Reconciliation, error) {
	var r Reconciliation
	err := row.Scan(&r.ID, &r.ComponentAppID, &r.Status, &r.Actor, &r.Listed, &r.Total, &r.Added, &r.Restored, &r.Absent, &r.Profiles,
		&r.Code, &r.RID, &r.Error, &r.CreatedAt, &r.StartedAt, &r.EndedAt)
	r.CreatedAt, r.StartedAt, r.EndedAt = r.CreatedAt.UTC(), utc(r.StartedAt), utc(r.EndedAt)
	return r, err
}

func readReconciliation(ctx context.Context, db querier, componentAppID string, id uuid.UUID) (Reconciliation, error) {
	rows, err := db.Query(ctx, selectReconciliations+` WHERE component_appid = $1 AND id = $2`, componentAppID, id)
	if err != nil {
		return Reconciliation{}, fmt.Errorf("read reconciliation: %w", err)
	}
	r, err := tenant.CollectOne(rows, scanReconciliation)
	if err != nil {
		return Reconciliation{}, fmt.Errorf("read reconciliation: %w", err)
	}
	return r, nil
}
