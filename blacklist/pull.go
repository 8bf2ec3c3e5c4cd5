package blacklist

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/tenant"
)

// PullStatus is how far a pull is.
type PullStatus string

// The statuses. Done and failed pulls have ended.
const (
	PullQueued  PullStatus = "queued"
	PullRunning PullStatus = "running"
	PullDone    PullStatus = "done"
	PullFailed  PullStatus = "failed" // our copy is as it was before
)

// Pull is one reading of WeChat's whole list into our copy.
type Pull struct {
	ID              uuid.UUID
	AuthorizerID    uuid.UUID
	AuthorizerAppID string
	Status          PullStatus
	Read            int  // openids read so far
	Total           *int // how many WeChat says there are; nil: not asked yet
	Added           int  // entries that our copy had not known as blocked
	Removed         int  // entries that our copy had wrongly known as blocked
	// If Status is failed: what happened, what to do, and WeChat's errcode and rid if it refused.
	Error     string
	Advice    string
	ErrCode   *int
	RID       string
	Actor     string // who asked for it: "name (kind)"
	CreatedAt time.Time
	StartedAt *time.Time
	EndedAt   *time.Time
}

// Ended tells whether the pull is over.
func (p Pull) Ended() bool { return p.EndedAt != nil }

// StartPull has WeChat's whole list read into our copy. An account has at most one pull under way: asking again answers
// with that one. Errors are those of [Service.Block], as far as they are not about openids.
//
// Reading is all it does at WeChat, so [tenant.BlacklistRead] suffices.
func (s *Service) StartPull(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string) (Pull, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistRead); err != nil {
		return Pull{}, err
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, appid)
	if err != nil {
		return Pull{}, fmt.Errorf("pull: %w", err)
	}
	if err := s.authorizers.Check(ctx, p, account, authorizer.OpBlacklist); err != nil {
		return Pull{}, fmt.Errorf("pull: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Pull{}, fmt.Errorf("pull: %w", err)
	}
	var pull Pull
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		open, err := s.beginPull(ctx, tx, p, tenantID, id, account)
		if err != nil {
			return err
		}
		pull, err = readPull(ctx, tx, tenantID, open)
		return err
	})
	if err != nil {
		return Pull{}, fmt.Errorf("pull: %w", err)
	}
	return pull, nil
}

// beginPull makes a pull and its job, unless the account has one under way, and returns the one under way.
func (s *Service) beginPull(ctx context.Context, tx pgx.Tx, p tenant.Principal, tenantID, id uuid.UUID, account authorizer.Account) (uuid.UUID, error) {
	open, isNew, err := s.openPull(ctx, tx, p, tenantID, id, account)
	if err != nil || !isNew {
		return open, err
	}
	_, err = s.jobs.InsertTx(ctx, tx, pullArgs{TenantID: tenantID, PullID: open}, nil)
	return open, err
}

// openPull returns the account's open pull, and true if it is the new one.
func (s *Service) openPull(ctx context.Context, tx pgx.Tx, p tenant.Principal, tenantID, id uuid.UUID, account authorizer.Account) (uuid.UUID, bool, error) {
	now, by := s.now(), makerOf(p)
	if err := ensureLane(ctx, tx, tenantID, account.ID); err != nil {
		return uuid.Nil, false, err
	}
	// The lock keeps the open pull that is in the way from ending before it is read.
	for range 2 {
		tag, err := tx.Exec(ctx, `
			INSERT INTO blacklist_pulls (tenant_id, id, authorizer_id, status, actor_kind, actor_id, actor_name, created_at)
			VALUES ($1, $2, $3, 'queued', $4, $5, $6, $7)
			ON CONFLICT (tenant_id, authorizer_id) WHERE status IN ('queued', 'running') DO NOTHING`,
			tenantID, id, account.ID, by.Kind, by.ID, by.Name, now)
		if err != nil {
			return uuid.Nil, false, err
		}
		if tag.RowsAffected() == 1 {
			return id, true, tenant.Audit(ctx, tx, p, now, tenant.Entry{
				TenantID: tenantID, Action: "blacklist.pull", Target: "authorizer:" + account.AppID, Detail: map[string]any{"pull_id": id},
			})
		}
		var open uuid.UUID
		err = tx.QueryRow(ctx, `
			SELECT id FROM blacklist_pulls WHERE tenant_id = $1 AND authorizer_id = $2 AND status IN ('queued', 'running') FOR SHARE`,
			tenantID, account.ID).Scan(&open)
		if err == nil || !errors.Is(err, pgx.ErrNoRows) {
			return open, false, err
		}
		// It ended in between, so now there is room for a new one.
	}
	return uuid.Nil, false, errors.New("pulls of this account end as fast as they begin")
}

// GetPull returns one pull, or [tenant.ErrNotFound].
func (s *Service) GetPull(ctx context.Context, p tenant.Principal, tenantID, id uuid.UUID) (Pull, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistRead); err != nil {
		return Pull{}, err
	}
	pull, err := readPull(ctx, s.pool, tenantID, id)
	if err != nil {
		return Pull{}, fmt.Errorf("get pull: %w", err)
	}
	return pull, nil
}

// WaitPull returns the pull when it has ended, or as it is after d. If ctx ends first it returns ctx's error.
func (s *Service) WaitPull(ctx context.Context, p tenant.Principal, tenantID, id uuid.UUID, d time.Duration) (Pull, error) {
	var pull Pull
	err := poll(ctx, d, func() (bool, error) {
		var err error
		pull, err = s.GetPull(ctx, p, tenantID, id)
		return pull.Ended(), err
	})
	if err != nil {
		return Pull{}, err
	}
	return pull, nil
}

func readPull(ctx context.Context, q Querier, tenantID, id uuid.UUID) (Pull, error) {
	rows, err := q.Query(ctx, `
		SELECT p.id, p.authorizer_id, a.appid, p.status, p.read, p.total, p.added, p.removed, p.error, p.errcode, p.rid,
			p.actor_kind, p.actor_id, p.actor_name, p.created_at, p.started_at, p.ended_at
		FROM blacklist_pulls p JOIN authorizers a ON a.tenant_id = p.tenant_id AND a.id = p.authorizer_id
		WHERE p.tenant_id = $1 AND p.id = $2`, tenantID, id)
	if err != nil {
		return Pull{}, fmt.Errorf("read pull: %w", err)
	}
	pull, err := tenant.CollectOne(rows, scanPull)
	if err != nil {
		return Pull{}, fmt.Errorf("read pull: %w", err)
	}
	return pull, nil
}

func scanPull(row pgx.CollectableRow) (Pull, error) {
	var p Pull
	var by maker
	err := row.Scan(&p.ID, &p.AuthorizerID, &p.AuthorizerAppID, &p.Status, &p.Read, &p.Total, &p.Added, &p.Removed, &p.Error, &p.ErrCode, &p.RID,
		&by.Kind, &by.ID, &by.Name, &p.CreatedAt, &p.StartedAt, &p.EndedAt)
	p.Actor, p.Advice = by.String(), advice(p.ErrCode)
	if p.Advice == "" && p.Status == PullFailed {
		p.Advice = "Start the pull again; if it goes on failing, Steward's log says more."
	}
	p.CreatedAt, p.StartedAt, p.EndedAt = p.CreatedAt.UTC(), utc(p.StartedAt), utc(p.EndedAt)
	return p, err
}
