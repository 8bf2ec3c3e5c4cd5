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

// MaxCounted is how far the entries are counted that filters match. All who are blocked are always counted.
const MaxCounted = 10_000

// Page is a page of entries, by openid.
type Page struct {
	Entries  []Entry
	Next     string
	Total    int        // entries that the filters match, on all pages
	AtLeast  bool       // Total is where counting ended, see MaxCounted: there are more
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
		if page.Total, page.AtLeast, page.SyncedAt, err = count(ctx, tx, params, where, args); err != nil {
			return err
		}
		page.Entries, page.Next, err = readPage(ctx, tx, where, args, limited(params.Limit))
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
	return boundStatements(ctx, tx, s.searchTimeout)
}

// boundStatements ends every statement of the transaction that takes longer than that.
func boundStatements(ctx context.Context, tx pgx.Tx, limit time.Duration) error {
	_, err := tx.Exec(ctx, `SELECT set_config('statement_timeout', $1, true)`, strconv.FormatInt(limit.Milliseconds(), 10))
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

// isPlain tells whether the list is that of all who are blocked.
func (p ListParams) isPlain() bool {
	p.Limit, p.Cursor = 0, ""
	return p == ListParams{} || p == ListParams{Actual: ActualBlocked}
}

// searches tells whether a filter is given that has to be held against entry after entry.
func (p ListParams) searches() bool {
	return p.Reason != "" || p.Note != "" || p.By != "" || p.Want != "" || p.Drift != "" || p.Pending != nil || p.Failed != nil
}

// count tells how many entries a list has on all its pages, and when WeChat's list was last pulled. How many are blocked is
// known; others are counted, but no page should take longer because of a million more of them.
func count(ctx context.Context, tx pgx.Tx, params ListParams, where string, args pgx.NamedArgs) (total int, atLeast bool, synced *time.Time, err error) {
	var known int
	err = tx.QueryRow(ctx, `SELECT blocked, synced_at FROM blacklist_lanes WHERE tenant_id = @tenant_id AND authorizer_id = @authorizer_id`, args).Scan(&known, &synced)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) { // without a lane there is nothing to count
		return 0, false, nil, err
	}
	if params.isPlain() {
		return known, false, utc(synced), nil
	}
	args["most"] = MaxCounted + 1
	err = tx.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM blacklist_entries WHERE `+where+` LIMIT @most) matching`, args).Scan(&total)
	return min(total, MaxCounted), total > MaxCounted, utc(synced), err
}

// readPage reads a page of entries and the cursor of the next.
func readPage(ctx context.Context, tx pgx.Tx, where string, args pgx.NamedArgs, limit int) ([]Entry, string, error) {
	rows, err := tx.Query(ctx, `
		SELECT `+entryColumns+`
		FROM blacklist_entries WHERE `+where+` AND openid > @after ORDER BY openid LIMIT @limit`, args)
	if err != nil {
		return nil, "", err
	}
	entries, err := pgx.CollectRows(rows, scanEntry)
	if err != nil {
		return nil, "", err
	}
	page, next := tenant.CutPage(entries, limit, func(e Entry) string { return e.OpenID })
	return page, next, nil
}

const entryColumns = `openid, coalesce(want, ''), coalesce(actual, ''), actual_at, pending, reason, note, want_until, wanted_by, wanted_at, batch_id, errcode, rid`

func scanEntry(row pgx.CollectableRow) (Entry, error) {
	var e Entry
	err := row.Scan(&e.OpenID, &e.Want, &e.Actual, &e.ActualAt, &e.Pending, &e.Reason, &e.Note, &e.Until, &e.WantedBy, &e.WantedAt, &e.BatchID, &e.ErrCode, &e.RID)
	e.ActualAt, e.Until, e.WantedAt = utc(e.ActualAt), utc(e.Until), utc(e.WantedAt)
	e.Advice = advice(e.ErrCode)
	return e, err
}
