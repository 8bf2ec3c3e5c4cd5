package blacklist

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wechat-steward/steward/authorizer"
)

// An openid belongs to one account. One that the account asked knows nothing of, and that another account of the tenant
// knows, would be refused by WeChat: so it is refused here, before any call. What counts as knowledge is what WeChat said: a
// follower of a directory that is on, who may have left, or an entry of a blacklist whose actual is known.

// belongsTo begins the error of an item whose openid is another account's; the appid of that one follows. It is short because
// a whole file may be another account's, see [whatToDo] for the words that people read.
const belongsTo = "belongs to "

// misplacedIn selects from source, a query for openids, those of other accounts, with the account. Most accounts lie in ranges
// of openids of their own, so that holding an openid against the ranges decides nearly all of them without looking it up.
//
// Scalar subqueries and OFFSET 0 have the planner look up one openid at a time, whatever it believes about how many there are,
// and only those of which another account knows are looked up in the account asked.
func misplacedIn(source string) string {
	return `
		SELECT j.openid, (SELECT appid FROM authorizers WHERE tenant_id = @tenant_id AND id = j.authorizer_id) AS appid FROM (
			SELECT o.openid, w.authorizer_id FROM (` + source + `) o CROSS JOIN LATERAL (
				SELECT p.authorizer_id FROM unnest(@directories::uuid[], @directory_firsts::text[], @directory_lasts::text[]) AS p (authorizer_id, first, last)
				WHERE o.openid COLLATE "C" BETWEEN p.first AND p.last AND (
					SELECT f.openid FROM followers f WHERE f.tenant_id = @tenant_id AND f.authorizer_id = p.authorizer_id AND f.openid = o.openid
				) IS NOT NULL
				UNION ALL
				SELECT p.authorizer_id FROM unnest(@lists::uuid[], @list_firsts::text[], @list_lasts::text[]) AS p (authorizer_id, first, last)
				WHERE o.openid COLLATE "C" BETWEEN p.first AND p.last AND (
					SELECT e.actual FROM blacklist_entries e WHERE e.tenant_id = @tenant_id AND e.authorizer_id = p.authorizer_id AND e.openid = o.openid
				) IS NOT NULL
				LIMIT 1
			) w OFFSET 0
		) j
		WHERE (SELECT e.actual FROM blacklist_entries e WHERE e.tenant_id = @tenant_id AND e.authorizer_id = @authorizer_id AND e.openid = j.openid) IS NULL
		  AND (NOT @directory::boolean
			OR (SELECT f.openid FROM followers f WHERE f.tenant_id = @tenant_id AND f.authorizer_id = @authorizer_id AND f.openid = j.openid) IS NULL)`
}

// lookElsewhere returns what misplacedIn needs to judge the openids of source; false: none of them can be another account's.
// A tenant with one account pays for one small query.
func (s *Service) lookElsewhere(ctx context.Context, tx pgx.Tx, tenantID, authorizerID uuid.UUID, source string, sourceArgs pgx.NamedArgs) (pgx.NamedArgs, bool, error) {
	args := pgx.NamedArgs{"tenant_id": tenantID, "authorizer_id": authorizerID}
	maps.Copy(args, sourceArgs)
	var first, last *string
	// OFFSET 0, or the planner may look for the first and the last among all items of the tenant.
	// An account without a lane has had no blacklist work, and so no entries.
	err := tx.QueryRow(ctx, `
		SELECT min(openid COLLATE "C"), max(openid COLLATE "C") FROM (`+source+` OFFSET 0) o
		WHERE EXISTS (SELECT FROM follower_directories WHERE tenant_id = @tenant_id AND authorizer_id <> @authorizer_id AND enabled)
		   OR EXISTS (SELECT FROM blacklist_lanes WHERE tenant_id = @tenant_id AND authorizer_id <> @authorizer_id)`, args).Scan(&first, &last)
	if err != nil || first == nil {
		return nil, false, err
	}
	var directories, lists ranges
	spans, err := s.followers.Spans(ctx, tx, tenantID, *first, *last)
	if err != nil {
		return nil, false, err
	}
	args["directory"] = false
	for _, span := range spans {
		if span.AuthorizerID == authorizerID {
			args["directory"] = true
			continue
		}
		directories.add(span.AuthorizerID, span.First, span.Last)
	}
	if err := lists.addEntries(ctx, tx, tenantID, authorizerID, *first, *last); err != nil {
		return nil, false, err
	}
	args["directories"], args["directory_firsts"], args["directory_lasts"] = directories.ids, directories.firsts, directories.lasts
	args["lists"], args["list_firsts"], args["list_lasts"] = lists.ids, lists.firsts, lists.lasts
	return args, len(directories.ids)+len(lists.ids) > 0, nil
}

// ranges are between which openids what accounts know lies.
type ranges struct {
	ids           []uuid.UUID
	firsts, lasts []string
}

func (r *ranges) add(id uuid.UUID, first, last string) {
	r.ids, r.firsts, r.lasts = append(r.ids, id), append(r.firsts, first), append(r.lasts, last)
}

// addEntries adds the other accounts whose blacklists have entries between first and last.
func (r *ranges) addEntries(ctx context.Context, tx pgx.Tx, tenantID, authorizerID uuid.UUID, first, last string) error {
	const entries = `SELECT e.openid FROM blacklist_entries e WHERE e.tenant_id = l.tenant_id AND e.authorizer_id = l.authorizer_id AND e.openid `
	rows, err := tx.Query(ctx, `
		SELECT l.authorizer_id, r.first, (`+entries+`<= $4 ORDER BY e.openid DESC LIMIT 1)
		FROM blacklist_lanes l CROSS JOIN LATERAL (SELECT (`+entries+`>= $3 ORDER BY e.openid LIMIT 1) AS first OFFSET 0) r
		WHERE l.tenant_id = $1 AND l.authorizer_id <> $2 AND r.first <= $4 ORDER BY l.authorizer_id`, tenantID, authorizerID, first, last)
	if err != nil {
		return fmt.Errorf("look elsewhere: %w", err)
	}
	var id uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id, &first, &last}, func() error {
		r.add(id, first, last)
		return nil
	})
	if err != nil {
		return fmt.Errorf("look elsewhere: %w", err)
	}
	return nil
}

// whileItLasts runs judge, which judges n openids, within a time limit, ten seconds and ten more for each hundred thousand unless
// Config.SearchTimeout says otherwise: where a thousand accounts share a range of openids, a hundred thousand openids would be
// too many to look up in all of them. Beyond it nothing is known of any, and WeChat says what it thinks of them.
func (s *Service) whileItLasts(ctx context.Context, tx pgx.Tx, n int, judge func(pgx.Tx) error) error {
	limit := 2 * s.searchTimeout * time.Duration(1+n/MaxOpenIDs)
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		if err := boundStatements(ctx, tx, limit); err != nil {
			return err
		}
		if err := judge(tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `SET LOCAL statement_timeout TO DEFAULT`)
		return err
	})
	if ended, is := errors.AsType[*pgconn.PgError](err); is && ended.Code == queryCanceled && ctx.Err() == nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look elsewhere: %w", err)
	}
	return nil
}

// foreseeMisplaced returns which of the openids would be refused as another account's, in the order given.
func (s *Service) foreseeMisplaced(ctx context.Context, tx pgx.Tx, account authorizer.Account, openids []string) ([]Misplaced, error) {
	const source = `SELECT openid FROM unnest(@openids::text[]) AS o (openid)`
	var appids map[string]string // nil: there was no time to find out
	err := s.whileItLasts(ctx, tx, len(openids), func(tx pgx.Tx) error {
		args, might, err := s.lookElsewhere(ctx, tx, account.TenantID, account.ID, source, pgx.NamedArgs{"openids": openids})
		if err != nil || !might {
			return err
		}
		rows, err := tx.Query(ctx, misplacedIn(source), args)
		if err != nil {
			return err
		}
		found, openid, appid := map[string]string{}, "", ""
		if _, err = pgx.ForEachRow(rows, []any{&openid, &appid}, func() error {
			found[openid] = appid
			return nil
		}); err != nil {
			return err
		}
		appids = found
		return nil
	})
	if err != nil {
		return nil, err
	}
	misplaced := make([]Misplaced, 0, len(appids))
	for _, openid := range openids {
		if appid, is := appids[openid]; is {
			misplaced = append(misplaced, Misplaced{OpenID: openid, AppID: appid})
		}
	}
	return misplaced, nil
}

// refuseMisplaced ends the items whose openids are another account's, and returns how many. It judges as a preview does; for a
// million of them, inside the database.
//
// Items are upserted, though all of them are there, for the reason that recordOutcomes has.
func (s *Service) refuseMisplaced(ctx context.Context, tx pgx.Tx, w wishes) (int, error) {
	const source = `SELECT openid FROM blacklist_items WHERE tenant_id = @tenant_id AND batch_id = @batch_id`
	refused := 0
	err := s.whileItLasts(ctx, tx, w.list.usable(), func(tx pgx.Tx) error {
		args, might, err := s.lookElsewhere(ctx, tx, w.tenantID, w.authorizerID, source, pgx.NamedArgs{"batch_id": w.batchID})
		if err != nil || !might {
			return err
		}
		args["now"], args["belongs_to"] = w.now, belongsTo
		tag, err := tx.Exec(ctx, `
			INSERT INTO blacklist_items AS i (tenant_id, batch_id, seq, openid, outcome, error, ended_at)
			SELECT @tenant_id, @batch_id, 0, m.openid, 'failed', @belongs_to || m.appid, @now FROM (`+misplacedIn(source)+`) m ORDER BY m.openid
			ON CONFLICT (tenant_id, batch_id, openid) DO UPDATE SET outcome = excluded.outcome, error = excluded.error, ended_at = excluded.ended_at`, args)
		refused = int(tag.RowsAffected())
		return err
	})
	return refused, err
}

// settleMisplaced has no push look for the wishes that were refused. They stay with their entries, as wishes do that
// WeChat refuses, so that they can be retried: when the directories know better, they go out then.
func settleMisplaced(ctx context.Context, tx pgx.Tx, w wishes, wish int64) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO blacklist_entries AS e (tenant_id, authorizer_id, openid)
		SELECT $1::uuid, $2::uuid, openid FROM blacklist_items WHERE tenant_id = $1 AND batch_id = $3 AND error <> '' ORDER BY openid
		ON CONFLICT (tenant_id, authorizer_id, openid) DO UPDATE SET pending = false WHERE e.wish = $4`, w.tenantID, w.authorizerID, w.batchID, wish)
	if err != nil {
		return fmt.Errorf("settle refused wishes: %w", err)
	}
	return nil
}
