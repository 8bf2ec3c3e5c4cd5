package blacklist

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/tenant"
)

// Actual filters a list by what is the case at WeChat, as far as our copy knows.
type Actual string

// The filters.
const (
	ActualBlocked   Actual = "blocked"
	ActualUnblocked Actual = "unblocked"
	ActualUnknown   Actual = "unknown" // wished for, but WeChat has not accepted it yet, or refused it
	ActualAny       Actual = "any"
)

// Entry is one follower that was blocked once, or is wished to be.
type Entry struct {
	OpenID string
	// Want is "blocked", "unblocked", or "" if nobody here asked for anything: the merchant blocked by hand.
	Want string
	// Actual is "blocked", "unblocked", or "" while WeChat has not said. ActualAt is when it last said something new.
	Actual   string
	ActualAt *time.Time
	// Pending: the wish has not gone to WeChat yet.
	Pending  bool
	Reason   string
	Until    *time.Time
	WantedBy string
	WantedAt *time.Time
	BatchID  *uuid.UUID // of the last wish
	// If WeChat refused the last wish: its errcode, the rid under which it knows the call, and what to do about it.
	ErrCode *int
	RID     string
	Advice  string
}

// ListParams says which entries to list.
type ListParams struct {
	Actual Actual // "": ActualBlocked
	Query  string // only openids that begin with this
	Limit  int    // 0: 100; at most 1000
	Cursor string // Next of the page before
}

// Page is a page of entries, by openid.
type Page struct {
	Entries  []Entry
	Next     string
	Total    int        // entries that the filter matches, on all pages
	SyncedAt *time.Time // when WeChat's whole list was last pulled; nil: never
}

// List returns our copy of an account's blacklist beside what is wanted of it.
func (s *Service) List(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, params ListParams) (Page, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistRead); err != nil {
		return Page{}, err
	}
	after, err := tenant.DecodeCursor(params.Cursor, 1)
	if err != nil {
		return Page{}, err
	}
	if !storable(after[0]) {
		return Page{}, tenant.ErrInvalidCursor
	}
	where, err := params.where()
	if err != nil {
		return Page{}, err
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, appid)
	if err != nil {
		return Page{}, fmt.Errorf("list blacklist: %w", err)
	}
	args := pgx.NamedArgs{
		"tenant_id": tenantID, "authorizer_id": account.ID, "query": params.Query, "after": after[0], "limit": limited(params.Limit) + 1,
	}
	var page Page
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		page, err = readPage(ctx, tx, where, args, limited(params.Limit))
		return err
	})
	if err != nil {
		return Page{}, fmt.Errorf("list blacklist: %w", err)
	}
	return page, nil
}

func (p ListParams) where() (string, error) {
	where := `tenant_id = @tenant_id AND authorizer_id = @authorizer_id`
	switch p.Actual {
	case "", ActualBlocked:
		where += ` AND actual = 'blocked'`
	case ActualUnblocked:
		where += ` AND actual = 'unblocked'`
	case ActualUnknown:
		where += ` AND actual IS NULL`
	case ActualAny:
	default:
		return "", &UnknownFilterError{Filter: "actual", Value: string(p.Actual)}
	}
	switch {
	case !storable(p.Query):
		where += ` AND false` // no openid begins like that
	case p.Query != "":
		// The first half is what the index can do.
		where += ` AND openid >= @query AND starts_with(openid, @query)`
	}
	return where, nil
}

func readPage(ctx context.Context, tx pgx.Tx, where string, args pgx.NamedArgs, limit int) (Page, error) {
	if q, _ := args["query"].(string); !storable(q) {
		args["query"] = ""
	}
	var page Page
	if err := tx.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM blacklist_entries WHERE `+where+`),
			(SELECT synced_at FROM blacklist_lanes WHERE tenant_id = @tenant_id AND authorizer_id = @authorizer_id)`, args).
		Scan(&page.Total, &page.SyncedAt); err != nil {
		return Page{}, err
	}
	page.SyncedAt = utc(page.SyncedAt)
	rows, err := tx.Query(ctx, `
		SELECT openid, coalesce(want, ''), coalesce(actual, ''), actual_at, pending, reason, want_until, wanted_by, wanted_at, batch_id, errcode, rid
		FROM blacklist_entries WHERE `+where+` AND openid > @after ORDER BY openid LIMIT @limit`, args)
	if err != nil {
		return Page{}, err
	}
	page.Entries, err = pgx.CollectRows(rows, scanEntry)
	if err != nil {
		return Page{}, err
	}
	if len(page.Entries) > limit {
		page.Entries = page.Entries[:limit]
		page.Next = tenant.EncodeCursor(page.Entries[limit-1].OpenID)
	}
	return page, nil
}

func scanEntry(row pgx.CollectableRow) (Entry, error) {
	var e Entry
	err := row.Scan(&e.OpenID, &e.Want, &e.Actual, &e.ActualAt, &e.Pending, &e.Reason, &e.Until, &e.WantedBy, &e.WantedAt, &e.BatchID, &e.ErrCode, &e.RID)
	e.ActualAt, e.Until, e.WantedAt = utc(e.ActualAt), utc(e.Until), utc(e.WantedAt)
	e.Advice = advice(e.ErrCode)
	return e, err
}
