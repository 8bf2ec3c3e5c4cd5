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

// WorkStatus is what an account's blacklist work does just now.
type WorkStatus string

// The statuses.
const (
	WorkIdle    WorkStatus = "idle"    // nothing is pending, or only what is paused, see Work.PausedBatches
	WorkRunning WorkStatus = "running" // something is, and goes to WeChat
	WorkPaused  WorkStatus = "paused"  // it rests by itself, for what Reason says, and goes on by itself
	WorkHeld    WorkStatus = "held"    // somebody stopped it, and somebody has to let it go on
)

// Work is how an account's blacklist work stands. Times are UTC; nil: never, or not known.
type Work struct {
	AppID  string
	Status WorkStatus
	// While held: since when, by whom, and why, as that person said. While paused: until when, where that is known, and why, with WeChat's
	// errcode and rid if it refused.
	Since   *time.Time
	By      string
	Until   *time.Time
	Reason  string
	ErrCode *int
	RID     string
	Advice  string

	SyncedAt *time.Time // when WeChat's whole list was last pulled

	// Paused are the batches that somebody has stopped, of which nothing goes out until somebody lets them go on: those first that have
	// been paused longest, at most a hundred. PausedBatches is how many there are.
	Paused        []PausedBatch
	PausedBatches int
}

// GetWork tells how an account's blacklist work stands. It fails with [tenant.ErrNotFound] or *[tenant.ScopeMissingError].
func (s *Service) GetWork(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string) (Work, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistRead); err != nil {
		return Work{}, err
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, appid)
	if err != nil {
		return Work{}, fmt.Errorf("read work: %w", err)
	}
	return readWork(ctx, s.pool, account, s.now())
}

// Hold stops an account's blacklist work until [Service.Resume]: calls that are in the air come to their end, and no other
// is made. Wishes are taken all the same, and wait. Holding work that is held changes nothing. reason is for people.
// Audited. It fails like [Service.GetWork], and with [ErrInvalidReason].
func (s *Service) Hold(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid, reason string) (Work, error) {
	if err := CheckReason(reason); err != nil {
		return Work{}, err
	}
	return s.changeWork(ctx, p, tenantID, appid, "blacklist.hold", reason, func(ctx context.Context, tx pgx.Tx, account authorizer.Account, now time.Time) (bool, error) {
		tag, err := tx.Exec(ctx, `
			UPDATE blacklist_lanes SET held_at = $3, held_by = $4, held_reason = $5
			WHERE tenant_id = $1 AND authorizer_id = $2 AND held_at IS NULL`, tenantID, account.ID, now, p.Actor(), reason)
		return tag.RowsAffected() == 1, err
	})
}

// Resume lets an account's blacklist work go on, whether somebody holds it or it rests by itself; in the latter case it may
// soon rest again. Audited. It fails like [Service.GetWork].
func (s *Service) Resume(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string) (Work, error) {
	return s.changeWork(ctx, p, tenantID, appid, "blacklist.resume", "", func(ctx context.Context, tx pgx.Tx, account authorizer.Account, now time.Time) (bool, error) {
		var busy bool
		err := tx.QueryRow(ctx, `
			UPDATE blacklist_lanes SET held_at = NULL, held_by = '', held_reason = '', paused_until = NULL, awaits_account = false, account_seen = '',
				pause_reason = '', pause_errcode = NULL, pause_rid = '', failures = 0
			WHERE tenant_id = $1 AND authorizer_id = $2 AND (held_at IS NOT NULL OR awaits_account OR paused_until > $3) RETURNING busy`,
			tenantID, account.ID, now).Scan(&busy)
		if errors.Is(err, pgx.ErrNoRows) {
			return false, nil
		}
		if err != nil || !busy {
			return err == nil, err
		}
		return true, s.enqueuePush(ctx, tx, tenantID, account.ID, now)
	})
}

// changeWork changes an account's lane, and records who did so if that changed anything.
func (s *Service) changeWork(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid, action, reason string,
	change func(context.Context, pgx.Tx, authorizer.Account, time.Time) (bool, error),
) (Work, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistWrite); err != nil {
		return Work{}, err
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, appid)
	if err != nil {
		return Work{}, fmt.Errorf("change work: %w", err)
	}
	var work Work
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		now := s.now()
		if err := ensureLane(ctx, tx, tenantID, account.ID); err != nil {
			return err
		}
		changed, err := change(ctx, tx, account, now)
		if err != nil {
			return err
		}
		if changed {
			err = tenant.Audit(ctx, tx, p, now, tenant.Entry{TenantID: tenantID, Action: action, Target: "authorizer:" + account.AppID, Reason: reason})
			if err != nil {
				return err
			}
		}
		work, err = readWork(ctx, tx, account, now)
		return err
	})
	if err != nil {
		return Work{}, fmt.Errorf("change work: %w", err)
	}
	return work, nil
}

func readWork(ctx context.Context, q Querier, account authorizer.Account, now time.Time) (Work, error) {
	rows, err := q.Query(ctx, `
		SELECT l.busy, l.held_at, l.held_by, l.held_reason, l.awaits_account, l.paused_until, l.pause_reason, l.pause_errcode, l.pause_rid, l.synced_at
		FROM blacklist_lanes l WHERE l.tenant_id = $1 AND l.authorizer_id = $2`, account.TenantID, account.ID)
	if err != nil {
		return Work{}, fmt.Errorf("read work: %w", err)
	}
	work, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (Work, error) {
		w := Work{AppID: account.AppID, Status: WorkIdle}
		var busy, awaits bool
		var held, until *time.Time
		var by, heldReason, reason, rid string
		var errcode *int
		err := row.Scan(&busy, &held, &by, &heldReason, &awaits, &until, &reason, &errcode, &rid, &w.SyncedAt)
		w.SyncedAt = utc(w.SyncedAt)
		switch {
		case held != nil:
			w.Status, w.Since, w.By, w.Reason = WorkHeld, utc(held), by, heldReason
		case awaits || until != nil && until.After(now):
			w.Status, w.Until, w.Reason, w.ErrCode, w.RID, w.Advice = WorkPaused, utc(until), reason, errcode, rid, advice(errcode)
		case busy:
			w.Status = WorkRunning
		}
		return w, err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Work{AppID: account.AppID, Status: WorkIdle}, nil // nothing was ever asked of it
	}
	if err == nil {
		work.Paused, work.PausedBatches, err = pausedOf(ctx, q, laneID{account.TenantID, account.ID})
	}
	if err != nil {
		return Work{}, fmt.Errorf("read work: %w", err)
	}
	return work, nil
}
