package blacklist

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

// Status is how far a batch is.
type Status string

// The statuses. Done and cancelled batches have ended.
const (
	StatusQueued    Status = "queued"    // nothing of it has gone to WeChat yet
	StatusRunning   Status = "running"   // some of it has
	StatusPaused    Status = "paused"    // it waits for what Batch.PauseReason says; unless somebody holds or paused it, it goes on by itself
	StatusDone      Status = "done"      // every openid has its outcome
	StatusCancelled Status = "cancelled" // the openids that WeChat had not taken yet were withdrawn
)

// Counts is what has become of a batch's openids. Total is the sum of all the others.
type Counts struct {
	Total      int // every openid given
	Pending    int // not yet done, and not lost
	Done       int // WeChat has accepted it
	Already    int // WeChat has accepted it, and our copy of its list had said before that it was so
	Failed     int // WeChat refused it; the item says why
	Superseded int // a later wish for the same openid took its place
	Cancelled  int // withdrawn
	Skipped    int // blank, or given more than once
}

// Batch is one accepted request: the receipt for its openids.
type Batch struct {
	ID              uuid.UUID
	AuthorizerID    uuid.UUID
	AuthorizerAppID string
	Action          Action
	Status          Status
	Counts          Counts
	Reason          string
	Note            string
	Until           *time.Time
	Actor           string     // who asked for it: "name (kind)"
	RetryOf         *uuid.UUID // the batch whose failures it tries again, see [Service.Retry]
	UndoOf          *uuid.UUID // the batch whose changes it takes back, see [Service.Undo]
	ListID          *uuid.UUID // the shared list that asked for it, see [Service.PutOn]
	// While Status is paused: why, WeChat's errcode and rid if it refused, and until when, if that is known.
	PauseReason  string
	PauseErrCode *int
	PauseRID     string
	PausedUntil  *time.Time
	// While somebody has paused this batch itself, see [Service.PauseBatch]: since when, and who.
	PausedAt  *time.Time
	PausedBy  string // "name (kind)"
	CreatedAt time.Time
	StartedAt *time.Time // when its first call was made
	EndedAt   *time.Time
}

// Ended tells whether every openid has its outcome.
func (b Batch) Ended() bool { return b.EndedAt != nil }

// BatchPage is a page of batches, newest first.
type BatchPage struct {
	Batches []Batch
	Next    string
}

// BatchesParams says which batches to list.
type BatchesParams struct {
	AppID  string // only those of this account; "": of all
	Limit  int    // 0: 100; at most 1000
	Cursor string // Next of the page before
}

// GetBatch returns one batch, or [tenant.ErrNotFound].
func (s *Service) GetBatch(ctx context.Context, p tenant.Principal, tenantID, id uuid.UUID) (Batch, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistRead); err != nil {
		return Batch{}, err
	}
	b, err := readBatch(ctx, s.pool, tenantID, id, s.now())
	if err != nil {
		return Batch{}, fmt.Errorf("get batch: %w", err)
	}
	return b, nil
}

// ListBatches returns a tenant's batches, newest first.
func (s *Service) ListBatches(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, params BatchesParams) (BatchPage, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistRead); err != nil {
		return BatchPage{}, err
	}
	before, err := tenant.DecodeIDCursor(params.Cursor)
	if err != nil {
		return BatchPage{}, err
	}
	where, args := `b.tenant_id = @tenant_id`, pgx.NamedArgs{"tenant_id": tenantID, "limit": limited(params.Limit) + 1}
	if params.AppID != "" {
		account, err := s.authorizers.Find(ctx, p, tenantID, params.AppID)
		if err != nil {
			return BatchPage{}, fmt.Errorf("list batches: %w", err)
		}
		where += ` AND b.authorizer_id = @authorizer_id`
		args["authorizer_id"] = account.ID
	} else if err := tenant.Exists(ctx, s.pool, tenantID); err != nil {
		return BatchPage{}, fmt.Errorf("list batches: %w", err)
	}
	if before != nil {
		where += ` AND b.id < @before`
		args["before"] = *before
	}
	rows, err := s.pool.Query(ctx, batchQuery+` WHERE `+where+` ORDER BY b.id DESC LIMIT @limit`, args)
	if err != nil {
		return BatchPage{}, fmt.Errorf("list batches: %w", err)
	}
	batches, err := pgx.CollectRows(rows, scanBatch(s.now()))
	if err != nil {
		return BatchPage{}, fmt.Errorf("list batches: %w", err)
	}
	var page BatchPage
	page.Batches, page.Next = tenant.CutPage(batches, limited(params.Limit), func(b Batch) string { return b.ID.String() })
	return page, nil
}

// WaitBatch returns the batch when it has ended, or as it is after d. If ctx ends first it returns ctx's error.
func (s *Service) WaitBatch(ctx context.Context, p tenant.Principal, tenantID, id uuid.UUID, d time.Duration) (Batch, error) {
	var b Batch
	err := poll(ctx, d, func() (bool, error) {
		var err error
		b, err = s.GetBatch(ctx, p, tenantID, id)
		return b.Ended(), err
	})
	if err != nil {
		return Batch{}, err
	}
	return b, nil
}

// poll calls look until it returns true or an error, or d is over: often at first, since most work ends at once, then
// less and less.
func poll(ctx context.Context, d time.Duration, look func() (bool, error)) error {
	patience, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	pause := 20 * time.Millisecond
	for {
		ended, err := look()
		if err != nil || ended || patience.Err() != nil {
			return err
		}
		waitFor(patience, pause)
		if err := ctx.Err(); err != nil {
			return err
		}
		pause = min(pause*3/2, 500*time.Millisecond)
	}
}

// Querier is a pool or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

const batchQuery = `
	SELECT b.id, b.authorizer_id, a.appid, b.action, b.reason, b.note, b.until, b.actor_kind, b.actor_id, b.actor_name,
		b.total, b.skipped, b.done, b.already, b.failed, b.superseded, b.cancelled, b.created_at, b.started_at, b.ended_at,
		b.retry_of, b.undo_of, b.list_id, b.paused_at, b.paused_by, b.paused_reason, l.held_at IS NOT NULL, l.held_by, l.held_reason,
		l.awaits_account, l.paused_until, l.pause_reason, l.pause_errcode, l.pause_rid
	FROM blacklist_batches b
	JOIN authorizers a ON a.tenant_id = b.tenant_id AND a.id = b.authorizer_id
	JOIN blacklist_lanes l ON l.tenant_id = b.tenant_id AND l.authorizer_id = b.authorizer_id`

func readBatch(ctx context.Context, q Querier, tenantID, id uuid.UUID, now time.Time) (Batch, error) {
	rows, err := q.Query(ctx, batchQuery+` WHERE b.tenant_id = $1 AND b.id = $2`, tenantID, id)
	if err != nil {
		return Batch{}, fmt.Errorf("read batch: %w", err)
	}
	b, err := tenant.CollectOne(rows, scanBatch(now))
	if err != nil {
		return Batch{}, fmt.Errorf("read batch: %w", err)
	}
	return b, nil
}

func scanBatch(now time.Time) pgx.RowToFunc[Batch] {
	return func(row pgx.CollectableRow) (Batch, error) {
		var b Batch
		var by maker
		var held, awaitsAccount bool
		var heldBy, heldReason, pausedReason string
		c := &b.Counts
		if err := row.Scan(&b.ID, &b.AuthorizerID, &b.AuthorizerAppID, &b.Action, &b.Reason, &b.Note, &b.Until, &by.Kind, &by.ID, &by.Name,
			&c.Total, &c.Skipped, &c.Done, &c.Already, &c.Failed, &c.Superseded, &c.Cancelled, &b.CreatedAt, &b.StartedAt, &b.EndedAt,
			&b.RetryOf, &b.UndoOf, &b.ListID, &b.PausedAt, &b.PausedBy, &pausedReason, &held, &heldBy, &heldReason, &awaitsAccount,
			&b.PausedUntil, &b.PauseReason, &b.PauseErrCode, &b.PauseRID); err != nil {
			return Batch{}, err
		}
		b.Actor = by.String()
		c.Pending = c.Total - c.Skipped - c.Done - c.Already - c.Failed - c.Superseded - c.Cancelled
		rests := awaitsAccount || (b.PausedUntil != nil && b.PausedUntil.After(now))
		switch {
		case b.Ended() && c.Cancelled > 0:
			b.Status = StatusCancelled
		case b.Ended():
			b.Status = StatusDone
		case b.PausedAt != nil:
			b.stopped("Paused by " + b.PausedBy + ": " + pausedReason)
		case held:
			b.stopped("Held by " + heldBy + ": " + heldReason)
		case rests:
			b.Status = StatusPaused
		case b.StartedAt != nil:
			b.Status = StatusRunning
		default:
			b.Status = StatusQueued
		}
		if b.Status != StatusPaused {
			b.PauseReason, b.PauseErrCode, b.PauseRID, b.PausedUntil = "", nil, "", nil
		}
		if b.Ended() {
			b.PausedAt, b.PausedBy = nil, ""
		}
		b.Until, b.PausedUntil, b.PausedAt, b.StartedAt, b.EndedAt = utc(b.Until), utc(b.PausedUntil), utc(b.PausedAt), utc(b.StartedAt), utc(b.EndedAt)
		b.CreatedAt = b.CreatedAt.UTC()
		return b, nil
	}
}

// stopped is how a batch stands that a person has to let go on.
func (b *Batch) stopped(by string) {
	b.Status, b.PausedUntil, b.PauseErrCode, b.PauseRID, b.PauseReason = StatusPaused, nil, nil, "", strings.TrimSuffix(by, ": ")
}

// advice is what to do about an errcode; "" where there is none.
func advice(errcode *int) string {
	if errcode == nil {
		return ""
	}
	return wechat.Advice(*errcode)
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// limited is how many rows a page has.
func limited(limit int) int {
	const byDefault, most = 100, 1000
	if limit <= 0 {
		return byDefault
	}
	return min(limit, most)
}
