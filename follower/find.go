package follower

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/tenant"
)

const (
	// lookupChunk is how many openids one statement looks up.
	lookupChunk = 25_000
	// fewDirectories of a tenant are looked up one by one, each in its own partition; more of them, all partitions at once.
	fewDirectories = 16
)

// Place is an account to which an openid belongs. An openid goes on belonging to it when its owner has left.
type Place struct {
	AuthorizerID uuid.UUID
	Following    bool
}

// Follower is a person on one account. Times are UTC.
type Follower struct {
	OpenID          string
	UnionID         string // empty: none, or not asked for
	AuthorizerID    uuid.UUID
	AuthorizerAppID string
	Following       bool
	ChangedAt       time.Time // when we learned that they follow, or that they left
}

// shown are the directories whose followers may be seen; those that are being erased may not.
const shown = `d.enabled AND d.chore <> 'erase'`

// Lookup tells to which accounts of a tenant openids belong, as far as directories that are on know; an openid that none of
// them knows is not in the answer. It is for packages that act on followers, which ask for scopes of their own. It takes
// 100,000 openids in a few statements; db may be a transaction.
func (s *Service) Lookup(ctx context.Context, db Querier, tenantID uuid.UUID, openids []string) (map[string][]Place, error) {
	places := make(map[string][]Place, len(openids))
	var openid string
	var place Place
	err := lookUp(ctx, db, tenantID, shown, `openid`, openids, []any{&openid, &place.AuthorizerID, &place.Following, nil}, func() {
		places[openid] = append(places[openid], place)
	})
	if err != nil {
		return nil, fmt.Errorf("look up openids: %w", err)
	}
	return places, nil
}

// lookUp calls found for each follower in those directories d of a tenant whose column is one of keys. row gets the openid, the account, whether
// they follow, and the unionid.
func lookUp(ctx context.Context, db Querier, tenantID uuid.UUID, where, column string, keys []string, row []any, found func()) error {
	rows, err := db.Query(ctx, `SELECT d.authorizer_id FROM follower_directories d WHERE d.tenant_id = $1 AND `+where, tenantID)
	if err != nil {
		return err
	}
	directories, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	query := lookup(column, `CROSS JOIN unnest($2::uuid[]) AS d (authorizer_id)`, `f.authorizer_id = d.authorizer_id`)
	if len(directories) > fewDirectories {
		query = lookup(column, ``, `f.authorizer_id = ANY ($2)`)
	}
	keys = slices.Compact(slices.Sorted(slices.Values(keys))) // neighbours lie on the same pages
	for from := 0; from < len(keys) && len(directories) > 0; from += lookupChunk {
		rows, err := db.Query(ctx, query, tenantID, directories, keys[from:min(from+lookupChunk, len(keys))])
		if err != nil {
			return err
		}
		if _, err = pgx.ForEachRow(rows, row, func() error { found(); return nil }); err != nil {
			return err
		}
	}
	return nil
}

// lookup looks up one key after the other by an index, to which OFFSET 0 keeps the planner whatever it believes about
// how many there are. A list of keys as a condition is faster by half where it knows, and hangs where it does not.
func lookup(column, join, where string) string {
	return `
		SELECT f.openid, f.authorizer_id, f.following, f.unionid FROM unnest($3::text[]) AS k (key) ` + join + ` CROSS JOIN LATERAL (
			SELECT * FROM followers f WHERE f.tenant_id = $1 AND f.` + column + ` = k.key AND ` + where + ` OFFSET 0) f`
}

// Span says between which openids the followers of an account lie.
type Span struct {
	AuthorizerID uuid.UUID
	First, Last  string
}

// Spans tells which directories of a tenant that are on know any openids from first to last, and between which of these they
// lie. It is for packages that hold openids in the database against the table of followers, where there are too many of
// them to be handed to [Service.Lookup]: an openid outside the span of an account need not be looked up there, and an account
// without one not at all. Accounts come in the order of their ids.
func (s *Service) Spans(ctx context.Context, db Querier, tenantID uuid.UUID, first, last string) ([]Span, error) {
	const followers = `SELECT f.openid FROM followers f WHERE f.tenant_id = d.tenant_id AND f.authorizer_id = d.authorizer_id AND f.openid `
	rows, err := db.Query(ctx, `
		SELECT d.authorizer_id, r.first, (`+followers+`<= $3 ORDER BY f.openid DESC LIMIT 1)
		FROM follower_directories d CROSS JOIN LATERAL (SELECT (`+followers+`>= $2 ORDER BY f.openid LIMIT 1) AS first OFFSET 0) r
		WHERE d.tenant_id = $1 AND `+shown+` AND r.first <= $3 ORDER BY d.authorizer_id`, tenantID, first, last)
	if err != nil {
		return nil, fmt.Errorf("read spans of followers: %w", err)
	}
	spans, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Span])
	if err != nil {
		return nil, fmt.Errorf("read spans of followers: %w", err)
	}
	return spans, nil
}

// LookupPersons tells on which accounts of a tenant the persons with these unionids follow, in the order of the accounts' ids; a unionid
// of which no directory that keeps them knows is not in the answer. It is for the same packages as [Service.Lookup], and as large.
func (s *Service) LookupPersons(ctx context.Context, db Querier, tenantID uuid.UUID, unionids []string) (map[string][]At, error) {
	persons := make(map[string][]At, len(unionids))
	if len(unionids) == 0 {
		return persons, nil
	}
	var unionid string
	var at At
	err := lookUp(ctx, db, tenantID, `d.unionids AND `+shown, `unionid`, unionids, []any{&at.OpenID, &at.AuthorizerID, nil, &unionid}, func() {
		persons[unionid] = append(persons[unionid], at)
	})
	if err != nil {
		return nil, fmt.Errorf("look up unionids: %w", err)
	}
	for _, on := range persons {
		slices.SortFunc(on, func(a, b At) int {
			return cmp.Or(bytes.Compare(a.AuthorizerID[:], b.AuthorizerID[:]), strings.Compare(a.OpenID, b.OpenID))
		})
	}
	return persons, nil
}

// Persons tells on which accounts of a tenant the person with that unionid follows, by appid. Like [Service.Lookup] it asks
// for no scope.
func (s *Service) Persons(ctx context.Context, db Querier, tenantID uuid.UUID, unionid string) ([]Follower, error) {
	return s.followers(ctx, db, `f.tenant_id = @tenant_id AND f.unionid = @unionid AND d.unionids ORDER BY a.appid, f.authorizer_id`,
		pgx.NamedArgs{"tenant_id": tenantID, "unionid": unionid})
}

// Whom says whom to look for: one of the two.
type Whom struct {
	OpenID  string
	UnionID string
}

// Find tells on which accounts of a tenant a person follows, or has followed. Somebody who is looked for by openid is found
// on other accounts too where unionids are kept. It fails with [tenant.ErrNotFound], *[tenant.ScopeMissingError] or
// [ErrWhomToFind].
func (s *Service) Find(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, whom Whom) ([]Follower, error) {
	if err := p.Authorize(tenantID, tenant.FollowersRead); err != nil {
		return nil, err
	}
	if (whom.OpenID == "") == (whom.UnionID == "") {
		return nil, ErrWhomToFind
	}
	if err := tenant.Exists(ctx, s.pool, tenantID); err != nil {
		return nil, err
	}
	if whom.UnionID != "" {
		return s.Persons(ctx, s.pool, tenantID, whom.UnionID)
	}
	found, err := s.followers(ctx, s.pool, `f.tenant_id = @tenant_id AND f.openid = @openid ORDER BY a.appid, f.authorizer_id`,
		pgx.NamedArgs{"tenant_id": tenantID, "openid": whom.OpenID})
	if err != nil {
		return nil, err
	}
	for _, one := range found {
		if one.UnionID != "" {
			return s.Persons(ctx, s.pool, tenantID, one.UnionID)
		}
	}
	return found, nil
}

// ListParams says which followers to list.
type ListParams struct {
	Query  string // only openids that begin with this
	Limit  int    // 0: 50; at most 1000
	Cursor string // Next of the page before
}

// Page is a page of followers, by openid. Next is empty on the last one.
type Page struct {
	Followers []Follower
	Next      string
	SyncedAt  *time.Time // when WeChat's list was last read whole; nil: never
}

// List returns who follows an account. It fails like [Service.Directory], or with [ErrDirectoryOff] or
// [tenant.ErrInvalidCursor].
func (s *Service) List(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, params ListParams) (Page, error) {
	after, err := tenant.DecodeCursor(params.Cursor, 1)
	if err != nil {
		return Page{}, err
	}
	d, err := s.Directory(ctx, p, tenantID, appid)
	if err != nil {
		return Page{}, err
	}
	if !d.Enabled {
		return Page{}, ErrDirectoryOff
	}
	const byDefault, most = 50, 1000
	limit := min(params.Limit, most)
	if limit <= 0 {
		limit = byDefault
	}
	where := `f.tenant_id = @tenant_id AND f.authorizer_id = @authorizer_id AND f.following AND f.openid > @after`
	if params.Query != "" { // what begins with it lies before it with the last of all characters behind it
		where += ` AND f.openid >= @query AND f.openid < @query || chr(1114111)`
	}
	found, err := s.followers(ctx, s.pool, where+` ORDER BY f.openid LIMIT @limit`,
		pgx.NamedArgs{"tenant_id": tenantID, "authorizer_id": d.AuthorizerID, "after": after[0], "query": params.Query, "limit": limit + 1})
	if err != nil {
		return Page{}, err
	}
	page := Page{SyncedAt: d.SyncedAt}
	page.Followers, page.Next = tenant.CutPage(found, limit, func(f Follower) string { return f.OpenID })
	return page, nil
}

// followers returns those of all directories that are shown which where selects. where ends with the order.
func (s *Service) followers(ctx context.Context, db Querier, where string, args pgx.NamedArgs) ([]Follower, error) {
	rows, err := db.Query(ctx, `
		SELECT f.openid, CASE WHEN d.unionids THEN coalesce(f.unionid, '') ELSE '' END, f.authorizer_id, a.appid, f.following, f.changed_at
		FROM followers f
		JOIN follower_directories d ON d.tenant_id = f.tenant_id AND d.authorizer_id = f.authorizer_id
		JOIN authorizers a ON a.tenant_id = f.tenant_id AND a.id = f.authorizer_id
		WHERE `+shown+` AND `+where, args)
	if err != nil {
		return nil, fmt.Errorf("read followers: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f Follower, err error) {
		err = row.Scan(&f.OpenID, &f.UnionID, &f.AuthorizerID, &f.AuthorizerAppID, &f.Following, &f.ChangedAt)
		f.ChangedAt = f.ChangedAt.UTC()
		return f, err
	})
	if err != nil {
		return nil, fmt.Errorf("read followers: %w", err)
	}
	return found, nil
}
