package sharedlist

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/tenant"
)

// Person is somebody on a list: by UnionID, or by OpenID on an account. Times are UTC.
type Person struct {
	ID              uuid.UUID
	UnionID         string
	AuthorizerAppID string
	OpenID          string
	Reason          string
	AddedAt         time.Time
	AddedBy         string // "name (kind)"
}

// Addition says whom to put on a list.
type Addition struct {
	// UnionIDs and OpenIDs are together at most MaxPersonsAtOnce. What clings to them is taken off, see [blacklist.Clean].
	UnionIDs []string
	OpenIDs  []string
	AppID    string // of the account to which OpenIDs belong
	Reason   string // for people; it is said with each block
}

// Added is what came of an [Addition].
type Added struct {
	Added   int
	Already int // they were on the list
	Skipped int // duplicates and blanks
}

// Add puts people on a list, all of them or none; those who are on it stay as they are. They are blocked within seconds of the
// next [Service.Sweep]: by unionid, where a directory of followers knows them by it, now or later; by openid, on that account
// whatever its directory knows, and on the others once it knows their unionid.
//
// It fails with [tenant.ErrNotFound], *[tenant.ScopeMissingError], [blacklist.ErrInvalidReason] and those of this package.
// Audited.
func (s *Service) Add(ctx context.Context, p tenant.Principal, tenantID, listID uuid.UUID, a Addition) (Added, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistWrite); err != nil {
		return Added{}, err
	}
	persons, err := s.newPersons(ctx, p, tenantID, a)
	if err != nil {
		return Added{}, err
	}
	added := Added{Skipped: len(a.UnionIDs) + len(a.OpenIDs) - len(persons.ids)}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// One after the other, so that they count right how many there are; and not while the list is being deleted.
		if err := lockList(ctx, tx, tenantID, listID, `FOR NO KEY UPDATE`); err != nil {
			return err
		}
		if added.Added, err = s.insert(ctx, tx, p, tenantID, listID, a, persons); err != nil {
			return err
		}
		added.Already = len(persons.ids) - added.Added
		if added.Added == 0 {
			return nil
		}
		detail := map[string]any{"persons": added.Added}
		if a.AppID != "" {
			detail["appid"] = a.AppID
		}
		return s.audit(ctx, tx, p, tenantID, listID, "add", a.Reason, detail)
	})
	if err != nil {
		return Added{}, fmt.Errorf("add to list: %w", err)
	}
	return added, nil
}

// persons are new ones, as columns.
type persons struct {
	ids      []uuid.UUID
	unionids []*string
	accounts []*uuid.UUID
	openids  []*string
}

func (s *Service) newPersons(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, a Addition) (persons, error) {
	switch given := len(a.UnionIDs) + len(a.OpenIDs); {
	case given > MaxPersonsAtOnce:
		return persons{}, &TooManyPersonsError{Given: given}
	case (a.AppID == "") != (len(a.OpenIDs) == 0):
		return persons{}, ErrWhoseOpenIDs
	}
	if err := blacklist.CheckReason(a.Reason); err != nil {
		return persons{}, err
	}
	unionids, err := clean("unionids", a.UnionIDs)
	if err != nil {
		return persons{}, err
	}
	openids, err := clean("openids", a.OpenIDs)
	if err != nil {
		return persons{}, err
	}
	if len(unionids)+len(openids) == 0 {
		return persons{}, ErrNobody
	}
	var account *uuid.UUID
	if len(openids) > 0 {
		found, err := s.authorizers.Find(ctx, p, tenantID, a.AppID)
		if err != nil {
			return persons{}, fmt.Errorf("add to list: %w", err)
		}
		account = &found.ID
	}
	var all persons
	for _, unionid := range unionids {
		all.unionids, all.openids, all.accounts = append(all.unionids, &unionid), append(all.openids, nil), append(all.accounts, nil)
	}
	for _, openid := range openids {
		all.unionids, all.openids, all.accounts = append(all.unionids, nil), append(all.openids, &openid), append(all.accounts, account)
	}
	for range all.unionids {
		id, err := uuid.NewV7()
		if err != nil {
			return persons{}, fmt.Errorf("add to list: %w", err)
		}
		all.ids = append(all.ids, id)
	}
	return all, nil
}

func clean(field string, given []string) ([]string, error) {
	list, err := blacklist.Clean(given)
	if invalid, ok := errors.AsType[*blacklist.InvalidOpenIDError](err); ok {
		return nil, &InvalidPersonError{Field: field, Index: invalid.Index}
	}
	return list, err
}

// insert stores those who are not on the list, marks them as due, and returns how many they are.
func (s *Service) insert(ctx context.Context, tx pgx.Tx, p tenant.Principal, tenantID, listID uuid.UUID, a Addition, all persons) (int, error) {
	var added, total int
	err := tx.QueryRow(ctx, `
		WITH added AS (
			INSERT INTO blacklist_list_persons (tenant_id, list_id, id, unionid, authorizer_id, openid, reason, added_at, added_by)
			SELECT @tenant_id, @list_id, n.id, n.unionid, n.authorizer_id, n.openid, @reason, @now, @by
			FROM unnest(@ids::uuid[], @unionids::text[], @accounts::uuid[], @openids::text[]) AS n (id, unionid, authorizer_id, openid)
			ON CONFLICT DO NOTHING RETURNING id
		), due AS (
			INSERT INTO blacklist_list_dues (tenant_id, list_id, person_id) SELECT @tenant_id, @list_id, id FROM added
		)
		SELECT (SELECT count(*) FROM added),
			(SELECT count(*) FROM blacklist_list_persons WHERE tenant_id = @tenant_id AND list_id = @list_id AND removed_at IS NULL)`,
		pgx.NamedArgs{
			"tenant_id": tenantID, "list_id": listID, "reason": a.Reason, "now": s.now(), "by": p.Actor(),
			"ids": all.ids, "unionids": all.unionids, "accounts": all.accounts, "openids": all.openids,
		}).Scan(&added, &total) // total does not know of those added
	if err != nil {
		return 0, fmt.Errorf("insert persons: %w", err)
	}
	if total+added > MaxPersons {
		return 0, ErrListFull
	}
	return added, nil
}

// Remove takes somebody off a list. Within seconds of the next [Service.Sweep] they are unblocked where the list blocked them,
// unless somebody has wished otherwise since, and unless they stay on this list in another way or on another list; what was not
// sent yet is withdrawn. It fails with [tenant.ErrNotFound], *[tenant.ScopeMissingError] or [blacklist.ErrInvalidReason].
// Audited, with whom and who had put them on.
func (s *Service) Remove(ctx context.Context, p tenant.Principal, tenantID, listID, personID uuid.UUID, reason string) error {
	if err := p.Authorize(tenantID, tenant.BlacklistWrite); err != nil {
		return err
	}
	if err := blacklist.CheckReason(reason); err != nil {
		return err
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		person, err := readPerson(ctx, tx, tenantID, listID, personID)
		if err != nil {
			return err
		}
		n, err := s.remove(ctx, tx, tenantID, listID, &personID, reason)
		if err != nil {
			return err
		}
		if n == 0 { // somebody was faster
			return tenant.ErrNotFound
		}
		detail := map[string]any{"person_id": personID, "added_by": person.AddedBy, "added_at": person.AddedAt, "added_for": person.Reason}
		if person.UnionID != "" {
			detail["unionid"] = person.UnionID
		} else {
			detail["appid"], detail["openid"] = person.AuthorizerAppID, person.OpenID
		}
		return s.audit(ctx, tx, p, tenantID, listID, "remove", reason, detail)
	})
	if err != nil {
		return fmt.Errorf("take off list: %w", err)
	}
	return nil
}

// remove notes that somebody is on the list no more, nil: that nobody is, and returns how many that are.
func (s *Service) remove(ctx context.Context, tx pgx.Tx, tenantID, listID uuid.UUID, personID *uuid.UUID, reason string) (int, error) {
	tag, err := tx.Exec(ctx, `
		WITH removed AS (
			UPDATE blacklist_list_persons SET removed_at = $4, removed_for = $5
			WHERE tenant_id = $1 AND list_id = $2 AND ($3::uuid IS NULL OR id = $3) AND removed_at IS NULL RETURNING id
		)
		INSERT INTO blacklist_list_dues (tenant_id, list_id, person_id) SELECT $1, $2, id FROM removed`, tenantID, listID, personID, s.now(), reason)
	if err != nil {
		return 0, fmt.Errorf("remove persons: %w", err)
	}
	return int(tag.RowsAffected()), nil
}

// PersonsParams say which people to list.
type PersonsParams struct {
	Query  string // only those whose unionid or openid begins with this
	Limit  int    // 0: 50; at most 1000
	Cursor string // Next of the page before
}

// PersonPage is a page of people, newest first. Next is empty on the last one.
type PersonPage struct {
	Persons []Person
	Next    string
}

const selectPersons = `
	SELECT p.id, coalesce(p.unionid, ''), coalesce(a.appid, ''), coalesce(p.openid, ''), p.reason, p.added_at, p.added_by
	FROM blacklist_list_persons p LEFT JOIN authorizers a ON a.tenant_id = p.tenant_id AND a.id = p.authorizer_id
	WHERE p.tenant_id = @tenant_id AND p.list_id = @list_id AND p.removed_at IS NULL`

func scanPerson(row pgx.CollectableRow) (Person, error) {
	var p Person
	err := row.Scan(&p.ID, &p.UnionID, &p.AuthorizerAppID, &p.OpenID, &p.Reason, &p.AddedAt, &p.AddedBy)
	p.AddedAt = p.AddedAt.UTC()
	return p, err
}

// Persons returns who is on a list. It fails with [tenant.ErrNotFound], *[tenant.ScopeMissingError] or [tenant.ErrInvalidCursor].
func (s *Service) Persons(ctx context.Context, p tenant.Principal, tenantID, listID uuid.UUID, params PersonsParams) (PersonPage, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistRead); err != nil {
		return PersonPage{}, err
	}
	before, err := tenant.DecodeIDCursor(params.Cursor)
	if err != nil {
		return PersonPage{}, err
	}
	if _, err := s.read(ctx, s.pool, tenantID, listID); err != nil {
		return PersonPage{}, err
	}
	limit := limited(params.Limit)
	rows, err := s.pool.Query(ctx, selectPersons+` AND (@before::uuid IS NULL OR p.id < @before)
		AND starts_with(coalesce(p.unionid, p.openid), @query) ORDER BY p.id DESC LIMIT @limit`,
		pgx.NamedArgs{"tenant_id": tenantID, "list_id": listID, "before": before, "query": params.Query, "limit": limit + 1})
	if err != nil {
		return PersonPage{}, fmt.Errorf("read persons: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanPerson)
	if err != nil {
		return PersonPage{}, fmt.Errorf("read persons: %w", err)
	}
	var page PersonPage
	page.Persons, page.Next = tenant.CutPage(found, limit, func(p Person) string { return p.ID.String() })
	return page, nil
}

func readPerson(ctx context.Context, db blacklist.Querier, tenantID, listID, personID uuid.UUID) (Person, error) {
	rows, err := db.Query(ctx, selectPersons+` AND p.id = @id`, pgx.NamedArgs{"tenant_id": tenantID, "list_id": listID, "id": personID})
	if err != nil {
		return Person{}, fmt.Errorf("read person: %w", err)
	}
	person, err := tenant.CollectOne(rows, scanPerson)
	if err != nil {
		return Person{}, fmt.Errorf("read person: %w", err)
	}
	return person, nil
}
