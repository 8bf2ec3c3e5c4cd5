package blacklist

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

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
	Note     string
	Until    *time.Time
	WantedBy string
	WantedAt *time.Time
	BatchID  *uuid.UUID // of the last wish
	// If WeChat refused the last wish: its errcode, the rid under which it knows the call, and what to do about it.
	ErrCode *int
	RID     string
	Advice  string
}

// What a list may be asked for in ListParams.Want.
const (
	WantBlocked   = blocked
	WantUnblocked = unblocked
	WantNothing   = "nothing" // nobody here asked for anything: the merchant blocked by hand
)

// ListParams says which entries to list: those that pass every filter given.
type ListParams struct {
	Actual  Actual // "": ActualBlocked, or with Drift ActualAny
	Drift   Drift  // only those that differ from what was asked for here, see Drift; "": these and all others
	Query   string // only openids that begin with this
	Reason  string // only those whose reason has this in it, in upper or lower case
	Note    string // only those whose note has this in it, likewise
	By      string // only those last wished for by somebody whose name has this in it, in upper or lower case
	Want    string // "": whatever is wanted
	Pending *bool  // whether the wish has not gone to WeChat yet; nil: either
	Failed  *bool  // whether WeChat refused the last wish; nil: either
	Limit   int    // 0: 100; at most 1000
	Cursor  string // Next of the page before
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
	args := params.args(tenantID, account.ID)
	args["after"], args["limit"] = after[0], limited(params.Limit)+1
	var page Page
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if params.searches() {
			if err := s.boundSearch(ctx, tx); err != nil {
				return err
			}
		}
		page, err = readPage(ctx, tx, where, args, limited(params.Limit))
		return err
	})
	if ended, is := errors.AsType[*pgconn.PgError](err); is && ended.Code == queryCanceled && ctx.Err() == nil {
		err = ErrSearchTooWide
	}
	if err != nil {
		return Page{}, fmt.Errorf("list blacklist: %w", err)
	}
	return page, nil
}

// queryCanceled is PostgreSQL's code for a statement that ran into its time limit.
const queryCanceled = "57014"

// boundSearch keeps a search through millions of entries from holding up the database: an index for every filter would cost
// each wish more than searches are worth.
func (s *Service) boundSearch(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT set_config('statement_timeout', $1, true)`, strconv.FormatInt(s.searchTimeout.Milliseconds(), 10))
	return err
}

func (p ListParams) where() (string, error) {
	where := `tenant_id = @tenant_id AND authorizer_id = @authorizer_id`
	if p.Drift != "" {
		differs, err := p.Drift.where()
		if err != nil {
			return "", err
		}
		where += ` AND ` + differs
		p.Actual = cmp.Or(p.Actual, ActualAny)
	}
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
	switch p.Want {
	case "":
	case WantBlocked, WantUnblocked:
		where += ` AND want = @want`
	case WantNothing:
		where += ` AND want IS NULL`
	default:
		return "", &UnknownFilterError{Filter: "want", Value: p.Want}
	}
	if !storable(p.Query) || !storable(p.Reason) || !storable(p.Note) || !storable(p.By) {
		return where + ` AND false`, nil // no entry is like that
	}
	if p.Query != "" {
		// The first half is what the index can do.
		where += ` AND openid >= @query AND starts_with(openid, @query)`
	}
	if p.Reason != "" {
		where += ` AND strpos(lower(reason), lower(@reason)) > 0`
	}
	if p.Note != "" {
		where += ` AND strpos(lower(note), lower(@note)) > 0`
	}
	if p.By != "" {
		where += ` AND strpos(lower(wanted_by), lower(@by)) > 0`
	}
	if p.Pending != nil {
		where += ` AND pending = @pending`
	}
	if p.Failed != nil {
		where += ` AND (errcode IS NOT NULL) = @failed`
	}
	return where, nil
}

// args are the values that where and the queries around it name.
func (p ListParams) args(tenantID, authorizerID uuid.UUID) pgx.NamedArgs {
	args := pgx.NamedArgs{"tenant_id": tenantID, "authorizer_id": authorizerID}
	maps.Copy(args, p.filters())
	return args
}

// filters are those given, by name.
func (p ListParams) filters() map[string]any {
	given := map[string]any{}
	for name, value := range map[string]string{"actual": string(p.Actual), "query": p.Query, "reason": p.Reason, "note": p.Note, "by": p.By, "want": p.Want, "drift": string(p.Drift)} {
		if value != "" && storable(value) {
			given[name] = value
		}
	}
	for name, value := range map[string]*bool{"pending": p.Pending, "failed": p.Failed} {
		if value != nil {
			given[name] = *value
		}
	}
	return given
}

// searches tells whether a filter is given that has to be held against entry after entry.
func (p ListParams) searches() bool {
	return p.Reason != "" || p.Note != "" || p.By != "" || p.Want != "" || p.Drift != "" || p.Pending != nil || p.Failed != nil
}

func readPage(ctx context.Context, tx pgx.Tx, where string, args pgx.NamedArgs, limit int) (Page, error) {
	var page Page
	if err := tx.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM blacklist_entries WHERE `+where+`),
			(SELECT synced_at FROM blacklist_lanes WHERE tenant_id = @tenant_id AND authorizer_id = @authorizer_id)`, args).
		Scan(&page.Total, &page.SyncedAt); err != nil {
		return Page{}, err
	}
	page.SyncedAt = utc(page.SyncedAt)
	rows, err := tx.Query(ctx, `
		SELECT `+entryColumns+`
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

const entryColumns = `openid, coalesce(want, ''), coalesce(actual, ''), actual_at, pending, reason, note, want_until, wanted_by, wanted_at, batch_id, errcode, rid`

func scanEntry(row pgx.CollectableRow) (Entry, error) {
	var e Entry
	err := row.Scan(&e.OpenID, &e.Want, &e.Actual, &e.ActualAt, &e.Pending, &e.Reason, &e.Note, &e.Until, &e.WantedBy, &e.WantedAt, &e.BatchID, &e.ErrCode, &e.RID)
	e.ActualAt, e.Until, e.WantedAt = utc(e.ActualAt), utc(e.Until), utc(e.WantedAt)
	e.Advice = advice(e.ErrCode)
	return e, err
}
