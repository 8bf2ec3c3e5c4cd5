package sharedlist

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/follower"
)

// learning is the lock that whoever learns something holds, shared, until it is committed. Taken exclusively for a moment it
// waits for all who were about to commit something of which they could not know that somebody waits for it.
const learning = `hashtextextended('shared lists ' || $1::uuid, 0)`

// Learned marks the people on lists of whom a directory has just learned something: for [follower.Config.Learned]. For a tenant
// without lists it costs a look-up.
func Learned(ctx context.Context, tx pgx.Tx, l follower.Learned) error {
	var lists bool
	var look pgx.Batch
	look.Queue(`SELECT pg_advisory_xact_lock_shared(`+learning+`)`, l.TenantID)
	look.Queue(`SELECT EXISTS (SELECT FROM blacklist_lists WHERE tenant_id = $1 AND deleted_at IS NULL)`, l.TenantID).
		QueryRow(func(row pgx.Row) error { return row.Scan(&lists) })
	if err := tx.SendBatch(ctx, &look).Close(); err != nil {
		return fmt.Errorf("mark people on lists: %w", err)
	}
	if !lists {
		return nil
	}
	// Those on a list by this unionid; by this openid; and by an openid on another account whose owner has this unionid.
	_, err := tx.Exec(ctx, `
		INSERT INTO blacklist_list_dues (tenant_id, list_id, person_id)
		SELECT DISTINCT p.tenant_id, p.list_id, p.id
		FROM unnest($3::text[], $4::text[]) AS n (openid, unionid) CROSS JOIN LATERAL (
			SELECT p.tenant_id, p.list_id, p.id FROM blacklist_list_persons p
			WHERE p.tenant_id = $1 AND p.unionid = n.unionid AND p.removed_at IS NULL
			UNION ALL
			SELECT p.tenant_id, p.list_id, p.id FROM blacklist_list_persons p
			WHERE p.tenant_id = $1 AND p.openid = n.openid AND p.authorizer_id = $2 AND p.removed_at IS NULL
			UNION ALL
			SELECT p.tenant_id, p.list_id, p.id FROM followers f
			JOIN blacklist_list_persons p ON p.tenant_id = f.tenant_id AND p.authorizer_id = f.authorizer_id AND p.openid = f.openid
			WHERE n.unionid <> '' AND f.tenant_id = $1 AND f.unionid = n.unionid AND p.removed_at IS NULL
			OFFSET 0
		) p`, l.TenantID, l.AuthorizerID, l.OpenIDs, l.UnionIDs)
	if err != nil {
		return fmt.Errorf("mark people on lists: %w", err)
	}
	return nil
}

// spread finds out where people are who are marked, and makes places of that. Of those who were taken off it makes the places
// leave.
func (s *Service) spread(ctx context.Context) error {
	return rounds(ctx, s, `SELECT DISTINCT tenant_id, list_id FROM blacklist_list_dues`, func(ctx context.Context, id listID) (bool, error) {
		marks, err := s.marks(ctx, id)
		if err != nil || len(marks.persons) == 0 {
			return false, err
		}
		// A mark is the work of somebody who has committed. Whoever was learning something at that time and did not see what
		// they had done has made no mark of it, but has committed too after this.
		if err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(`+learning+`)`, id.TenantID)
			return err
		}); err != nil {
			return false, err
		}
		var done int
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
			done, err = s.spreadMarks(ctx, tx, id, marks)
			return err
		})
		return done > 0 && len(marks.persons) >= s.chunk, err
	})
}

// marks are rows of blacklist_list_dues, of one list.
type marks struct {
	persons []uuid.UUID
	seqs    []int64
}

func (s *Service) marks(ctx context.Context, id listID) (marks, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT person_id, seq FROM blacklist_list_dues WHERE tenant_id = $1 AND list_id = $2 ORDER BY person_id, seq LIMIT $3`, id.TenantID, id.ListID, s.chunk)
	if err != nil {
		return marks{}, fmt.Errorf("read marks: %w", err)
	}
	var m marks
	var person uuid.UUID
	var seq int64
	_, err = pgx.ForEachRow(rows, []any{&person, &seq}, func() error {
		m.persons, m.seqs = append(m.persons, person), append(m.seqs, seq)
		return nil
	})
	if err != nil {
		return marks{}, fmt.Errorf("read marks: %w", err)
	}
	return m, nil
}

// marked is somebody who is marked.
type marked struct {
	id      uuid.UUID
	unionid *string
	account *uuid.UUID
	openid  *string
	removed bool
}

// spreadMarks does what marks ask for, but for people with whom another process is busy, and returns for how many it did.
func (s *Service) spreadMarks(ctx context.Context, tx pgx.Tx, id listID, m marks) (int, error) {
	rows, err := tx.Query(ctx, `
		SELECT p.id, p.unionid, p.authorizer_id, p.openid, p.removed_at IS NOT NULL FROM (SELECT DISTINCT unnest($3::uuid[]) AS id) n CROSS JOIN LATERAL (
			SELECT * FROM blacklist_list_persons WHERE tenant_id = $1 AND list_id = $2 AND id = n.id OFFSET 0 FOR NO KEY UPDATE SKIP LOCKED
		) p`, id.TenantID, id.ListID, m.persons)
	if err != nil {
		return 0, fmt.Errorf("lock persons: %w", err)
	}
	people, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p marked, err error) {
		return p, row.Scan(&p.id, &p.unionid, &p.account, &p.openid, &p.removed)
	})
	if err != nil {
		return 0, fmt.Errorf("lock persons: %w", err)
	}
	var gone []uuid.UUID
	var here []marked
	locked := map[uuid.UUID]bool{}
	for _, p := range people {
		locked[p.id] = true
		if p.removed {
			gone = append(gone, p.id)
		} else {
			here = append(here, p)
		}
	}
	var deletions pgx.Batch
	for i, person := range m.persons {
		if locked[person] {
			deletions.Queue(`DELETE FROM blacklist_list_dues WHERE tenant_id = $1 AND list_id = $2 AND person_id = $3 AND seq = $4`,
				id.TenantID, id.ListID, person, m.seqs[i])
		}
	}
	if err := tx.SendBatch(ctx, &deletions).Close(); err != nil {
		return 0, fmt.Errorf("delete marks: %w", err)
	}
	if err := s.leave(ctx, tx, id, gone); err != nil {
		return 0, err
	}
	places, err := s.whereabouts(ctx, tx, id.TenantID, here)
	if err != nil {
		return 0, err
	}
	return len(people), upsertPlaces(ctx, tx, id, places)
}

// leave makes the places of people who were taken off leave.
func (s *Service) leave(ctx context.Context, tx pgx.Tx, id listID, gone []uuid.UUID) error {
	var updates pgx.Batch
	for _, person := range gone {
		updates.Queue(`UPDATE blacklist_list_places SET due = true, leaving = true, look_again_at = NULL WHERE tenant_id = $1 AND list_id = $2 AND person_id = $3`,
			id.TenantID, id.ListID, person)
	}
	if err := tx.SendBatch(ctx, &updates).Close(); err != nil {
		return fmt.Errorf("leave places: %w", err)
	}
	return nil
}

// place is a person on an account.
type place struct {
	person uuid.UUID
	follower.At
}

// whereabouts tells where people are: somebody given by openid there, and everybody wherever a directory knows their unionid.
func (s *Service) whereabouts(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID, people []marked) ([]place, error) {
	if len(people) == 0 {
		return nil, nil
	}
	var places []place
	var given []follower.At
	for _, p := range people {
		if p.openid != nil {
			at := follower.At{AuthorizerID: *p.account, OpenID: *p.openid}
			given, places = append(given, at), append(places, place{p.id, at})
		}
	}
	known, err := s.followers.UnionIDs(ctx, tx, tenantID, given)
	if err != nil {
		return nil, err
	}
	unionidOf := func(p marked) string {
		if p.unionid != nil {
			return *p.unionid
		}
		return known[follower.At{AuthorizerID: *p.account, OpenID: *p.openid}]
	}
	var unionids []string
	for _, p := range people {
		if unionid := unionidOf(p); unionid != "" {
			unionids = append(unionids, unionid)
		}
	}
	everywhere, err := s.followers.LookupPersons(ctx, tx, tenantID, unionids)
	if err != nil {
		return nil, err
	}
	for _, p := range people {
		for _, at := range everywhere[unionidOf(p)] {
			places = append(places, place{p.id, at})
		}
	}
	return places, nil
}

// upsertPlaces makes places due, in everybody's order: by their key.
func upsertPlaces(ctx context.Context, tx pgx.Tx, id listID, places []place) error {
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(bytes.Compare(a.AuthorizerID[:], b.AuthorizerID[:]), cmp.Compare(a.OpenID, b.OpenID), bytes.Compare(a.person[:], b.person[:]))
	})
	places = slices.Compact(places) // somebody given by openid is also found by unionid
	if len(places) == 0 {
		return nil
	}
	n := len(places)
	persons, accounts, openids := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]string, n)
	for i, p := range places {
		persons[i], accounts[i], openids[i] = p.person, p.AuthorizerID, p.OpenID
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO blacklist_list_places AS p (tenant_id, list_id, person_id, authorizer_id, openid)
		SELECT $1, $2, n.person_id, n.authorizer_id, n.openid
		FROM unnest($3::uuid[], $4::uuid[], $5::text[]) WITH ORDINALITY AS n (person_id, authorizer_id, openid, nth) ORDER BY n.nth
		ON CONFLICT (tenant_id, authorizer_id, openid, list_id, person_id) DO UPDATE SET due = true WHERE NOT p.due`,
		id.TenantID, id.ListID, persons, accounts, openids)
	if err != nil {
		return fmt.Errorf("make places: %w", err)
	}
	return nil
}
