package blacklist

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/tenant"
)

// Event is one wish for an openid, and what came of it.
type Event struct {
	At      time.Time // when it was asked for
	Action  Action
	Outcome Outcome
	Reason  string
	Note    string
	Until   *time.Time
	Actor   string // who asked for it: "name (kind)"
	BatchID uuid.UUID
	ListID  *uuid.UUID // the shared list that asked for it
	// For failed ones: WeChat's errcode, the rid under which it knows the call, and what to do about it.
	ErrCode *int
	RID     string
	Advice  string
	EndedAt *time.Time // when the outcome was known; nil while it is pending
}

// HistoryParams says which page of a history to return.
type HistoryParams struct {
	Limit  int    // 0: 100; at most 1000
	Cursor string // Next of the page before
}

// History is a page of what was asked for about one openid, newest first.
type History struct {
	Events []Event
	Next   string
}

// History returns everything that was asked for about an openid on an account, newest first. What a merchant did by hand is no
// part of it. An openid that nobody ever asked anything about has an empty history.
func (s *Service) History(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid, openid string, params HistoryParams) (History, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistRead); err != nil {
		return History{}, err
	}
	before, err := tenant.DecodeIDCursor(params.Cursor)
	if err != nil {
		return History{}, err
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, appid)
	if err != nil {
		return History{}, fmt.Errorf("history: %w", err)
	}
	if !storable(openid) {
		return History{}, nil // no openid
	}
	limit := limited(params.Limit)
	// The ids of batches grow with time.
	rows, err := s.pool.Query(ctx, `
		SELECT b.created_at, b.action, i.outcome, coalesce(i.reason, b.reason), coalesce(i.note, b.note), coalesce(i.until, b.until),
			b.actor_kind, b.actor_id, b.actor_name, b.id, b.list_id, i.errcode, i.rid, i.error, i.ended_at
		FROM blacklist_items i JOIN blacklist_batches b ON b.tenant_id = i.tenant_id AND b.id = i.batch_id
		WHERE i.tenant_id = $1 AND i.openid = $2 AND b.authorizer_id = $3 AND ($4::uuid IS NULL OR i.batch_id < $4)
		ORDER BY i.batch_id DESC LIMIT $5`, tenantID, openid, account.ID, before, limit+1)
	if err != nil {
		return History{}, fmt.Errorf("history: %w", err)
	}
	events, err := pgx.CollectRows(rows, scanEvent)
	if err != nil {
		return History{}, fmt.Errorf("history: %w", err)
	}
	var page History
	page.Events, page.Next = tenant.CutPage(events, limit, func(e Event) string { return e.BatchID.String() })
	return page, nil
}

func scanEvent(row pgx.CollectableRow) (Event, error) {
	var e Event
	var by maker
	var text string
	err := row.Scan(&e.At, &e.Action, &e.Outcome, &e.Reason, &e.Note, &e.Until, &by.Kind, &by.ID, &by.Name, &e.BatchID, &e.ListID, &e.ErrCode, &e.RID, &text, &e.EndedAt)
	e.Actor, e.Advice = by.String(), whatToDo(e.ErrCode, text)
	e.At, e.Until, e.EndedAt = e.At.UTC(), utc(e.Until), utc(e.EndedAt)
	return e, err
}
