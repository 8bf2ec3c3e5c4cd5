package blacklist

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/wechat-steward/steward/lease"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

const (
	// mostPulled ends the reading of a list that does not end by itself. No account has as many followers.
	mostPulled = 50_000_000
	// swapWithin bounds the transaction that ends a pull.
	swapWithin = 10 * time.Minute
	// pullTimeout is enough for the largest accounts.
	pullTimeout = 2 * time.Hour
)

// pullArgs names the job that reads WeChat's list for one pull.
type pullArgs struct {
	TenantID   uuid.UUID `json:"tenant_id"`
	PullID     uuid.UUID `json:"pull_id"`
	Generation int64     `json:"generation"`
}

// Kind implements river.JobArgs.
func (pullArgs) Kind() string { return "pull_blacklist" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (pullArgs) InsertOpts() river.InsertOpts { return uniqueJob() }

type pullWorker struct {
	river.WorkerDefaults[pullArgs]
	service *Service
}

// Timeout implements river.Worker.
func (w *pullWorker) Timeout(*river.Job[pullArgs]) time.Duration { return pullTimeout }

// Work reads the list from its beginning. What an earlier attempt had read is thrown away: the list may have changed since.
func (w *pullWorker) Work(ctx context.Context, job *river.Job[pullArgs]) error {
	r, err := w.service.takePull(ctx, job.Args)
	if err != nil || r == nil {
		return err
	}
	held, stop := lease.Keep(ctx, r.renew)
	defer stop()
	err = r.read(held)
	store, cancel := context.WithTimeout(context.WithoutCancel(ctx), swapWithin)
	defer cancel()
	switch {
	case errors.Is(err, lease.ErrLost), errors.Is(context.Cause(held), lease.ErrLost):
		return nil // another job reads it now
	case err == nil:
		if err = r.end(store); !errors.Is(err, errReadLost) {
			return err
		}
		fallthrough
	case ctx.Err() != nil:
		if releaseErr := r.release(store); releaseErr != nil {
			return releaseErr
		}
		return river.JobSnooze(0)
	}
	return r.fail(store, err)
}

// pullID names a pull.
type pullID struct {
	TenantID uuid.UUID
	ID       uuid.UUID
}

// reader is one pull, as long as we hold its lease.
type reader struct {
	service      *Service
	tenantID     uuid.UUID
	id           uuid.UUID
	authorizerID uuid.UUID
	appid        string
	account      account
	holder       string
	beganSeq     int64
	seen         int // openids read so far, each counted once
}

// errReadLost says that the database no longer has what was read: it crashed meanwhile.
var errReadLost = errors.New("blacklist: what was read of the list is lost")

// takePull takes the lease of a pull; nil: the pull has ended, or another job is to read it or does.
func (s *Service) takePull(ctx context.Context, args pullArgs) (*reader, error) {
	r := &reader{service: s, tenantID: args.TenantID, id: args.PullID, holder: uuid.NewString()}
	var component string
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			UPDATE blacklist_pulls p SET status = 'running', lease_holder = $4, lease_until = now() + $5::interval,
				began_seq = nextval('blacklist_wishes'), started_at = coalesce(p.started_at, $6), read = 0, total = NULL
			FROM authorizers a
			WHERE p.tenant_id = $1 AND p.id = $2 AND p.generation = $3 AND p.status IN ('queued', 'running')
			  AND (p.lease_holder = '' OR p.lease_until < now()) AND a.tenant_id = p.tenant_id AND a.id = p.authorizer_id
			RETURNING p.authorizer_id, a.appid, a.component_appid, p.began_seq`,
			args.TenantID, args.PullID, args.Generation, r.holder, lease.For, s.now()).Scan(&r.authorizerID, &r.appid, &component, &r.beganSeq)
		if err != nil {
			return err
		}
		r.account = s.account(r.authorizerID, component)
		return r.discard(ctx, tx)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("take pull: %w", err)
	}
	return r, nil
}

// discard throws away the openids that were read.
func (r *reader) discard(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `DELETE FROM blacklist_pull_openids WHERE tenant_id = $1 AND pull_id = $2`, r.tenantID, r.id)
	return err
}

func (r *reader) renew(ctx context.Context) (bool, error) {
	tag, err := r.service.pool.Exec(ctx, `UPDATE blacklist_pulls SET lease_until = now() + $4::interval WHERE tenant_id = $1 AND id = $2 AND lease_holder = $3`,
		r.tenantID, r.id, r.holder, lease.For)
	return tag.RowsAffected() == 1, err
}

// release gives the pull back, for a job that is to begin anew.
func (r *reader) release(ctx context.Context) error {
	_, err := r.service.pool.Exec(ctx, `
		UPDATE blacklist_pulls SET status = 'queued', lease_holder = '', lease_until = NULL WHERE tenant_id = $1 AND id = $2 AND lease_holder = $3`,
		r.tenantID, r.id, r.holder)
	if err != nil {
		return fmt.Errorf("release pull: %w", err)
	}
	return nil
}

// unclean says that WeChat's list did not end as lists do. To make our copy equal to what was read of it would call
// unblocked whoever stands in the rest.
type unclean struct{ text string }

func (e *unclean) Error() string { return e.text }

// read follows WeChat's cursor to the end of the list, page by page. WeChat's total is not what ends it: the list may grow
// and shrink while it is read.
func (r *reader) read(ctx context.Context) error {
	cursor, doubted := "", false
	for {
		page, err := r.page(ctx, cursor)
		if err != nil {
			return err
		}
		if len(page.OpenIDs) == 0 {
			// An empty page is the end. One that comes before WeChat's total is reached is asked for once more, because
			// much hangs on it: whoever does not stand in the list will be called unblocked.
			if r.seen < page.Total && !doubted {
				doubted = true
				continue
			}
			return r.stage(ctx, nil, page.Total)
		}
		former := r.seen
		if err := r.stage(ctx, page.OpenIDs, page.Total); err != nil {
			return err
		}
		switch {
		case page.Next == "":
			return nil
		case page.Next == cursor || r.seen == former:
			// Some servers answer the last page again and again. If nothing is missing it is an end like any other.
			if r.seen >= page.Total {
				return nil
			}
			return &unclean{fmt.Sprintf("WeChat's list repeated itself after %d of %d openids.", r.seen, page.Total)}
		case r.seen > mostPulled:
			return &unclean{fmt.Sprintf("WeChat's list did not end after %d openids.", r.seen)}
		}
		cursor = page.Next
	}
}

// page reads one page. It begins no call once ctx has ended, but lets one that is under way end.
func (r *reader) page(ctx context.Context, cursor string) (wechat.OpenIDPage, error) {
	var page wechat.OpenIDPage
	err := r.service.retry(ctx, r.account, func(ctx context.Context, token string) error {
		var err error
		page, err = r.service.wechat.Blacklist(ctx, token, cursor)
		return err
	})
	return page, err
}

// stage stores a page apart from our copy, and counts its openids that were new.
func (r *reader) stage(ctx context.Context, openids []string, total int) error {
	store, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWithin)
	defer cancel()
	return pgx.BeginFunc(store, r.service.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(store, `
			INSERT INTO blacklist_pull_openids (tenant_id, pull_id, openid) SELECT $1, $2, o FROM unnest($3::text[]) AS o
			WHERE o <> '' ON CONFLICT DO NOTHING`, r.tenantID, r.id, openids)
		if err != nil {
			return fmt.Errorf("store page: %w", err)
		}
		r.seen += int(tag.RowsAffected())
		return r.fenced(store, tx, `read = $4, total = $5, lease_until = now() + $6::interval`, r.seen, total, lease.For)
	})
}

// fenced changes the pull's row, or fails if the lease is lost. set may use $4 and up.
func (r *reader) fenced(ctx context.Context, tx pgx.Tx, set string, args ...any) error {
	tag, err := tx.Exec(ctx, `UPDATE blacklist_pulls SET `+set+` WHERE tenant_id = $1 AND id = $2 AND lease_holder = $3`,
		append([]any{r.tenantID, r.id, r.holder}, args...)...)
	if err != nil {
		return fmt.Errorf("update pull: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return lease.ErrLost
	}
	return nil
}

// end makes our copy equal to what was read, in one transaction.
func (r *reader) end(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, r.service.pool, func(tx pgx.Tx) error {
		now := r.service.now()
		var staged int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM blacklist_pull_openids WHERE tenant_id = $1 AND pull_id = $2`, r.tenantID, r.id).Scan(&staged); err != nil {
			return err
		}
		if staged != r.seen {
			return errReadLost
		}
		added, removed, err := r.swap(ctx, tx, now)
		if err != nil {
			return err
		}
		if err := r.discard(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE blacklist_lanes SET synced_at = $3, pull_due_at = $4, blocked = blocked + $5 WHERE tenant_id = $1 AND authorizer_id = $2`,
			r.tenantID, r.authorizerID, now, nextPull(now), added-removed); err != nil {
			return err
		}
		if err := r.fenced(ctx, tx, `status = 'done', added = $4, removed = $5, ended_at = $6, lease_holder = '', lease_until = NULL`, added, removed, now); err != nil {
			return err
		}
		return tenant.Audit(ctx, tx, tenant.System("blacklist"), now, tenant.Entry{
			TenantID: r.tenantID, Action: "blacklist.pulled", Target: "authorizer:" + r.appid,
			Detail: map[string]any{"pull_id": r.id, "added": added, "removed": removed},
		})
	})
	if errors.Is(err, lease.ErrLost) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("end pull: %w", err)
	}
	return nil
}

// swap changes the entries that the list read shows in another light than our copy, and counts them. Wishes are left
// alone. So are entries that a push is about to change, or has changed since reading began: the push knows better.
//
// One statement, so that the entries are locked in their order, see [Service.write]. Scalar subqueries instead of joins,
// because for those the planner must look up one openid at a time: see [lane.lockEntries].
func (r *reader) swap(ctx context.Context, tx pgx.Tx, now time.Time) (added, removed int, err error) {
	err = tx.QueryRow(ctx, `
		WITH differing AS (
			SELECT p.openid, 'blocked' AS actual FROM blacklist_pull_openids p
			WHERE p.tenant_id = @tenant_id AND p.pull_id = @pull_id AND (
				SELECT e.actual FROM blacklist_entries e
				WHERE e.tenant_id = @tenant_id AND e.authorizer_id = @authorizer_id AND e.openid = p.openid) IS DISTINCT FROM 'blocked'
			UNION ALL
			SELECT e.openid, 'unblocked' FROM blacklist_entries e
			WHERE e.tenant_id = @tenant_id AND e.authorizer_id = @authorizer_id AND e.actual = 'blocked' AND (
				SELECT p.openid FROM blacklist_pull_openids p
				WHERE p.tenant_id = @tenant_id AND p.pull_id = @pull_id AND p.openid = e.openid) IS NULL
		), changed AS (
			INSERT INTO blacklist_entries AS e (tenant_id, authorizer_id, openid, actual, actual_at, actual_seq)
			SELECT @tenant_id, @authorizer_id, openid, actual, @now, @began_seq FROM differing ORDER BY openid
			ON CONFLICT (tenant_id, authorizer_id, openid) DO UPDATE SET
				actual = excluded.actual, actual_at = excluded.actual_at, actual_seq = excluded.actual_seq
			WHERE NOT e.pending AND coalesce(e.actual_seq < excluded.actual_seq, true) AND e.actual IS DISTINCT FROM excluded.actual
			RETURNING actual
		)
		SELECT count(*) FILTER (WHERE actual = 'blocked'), count(*) FILTER (WHERE actual = 'unblocked') FROM changed`,
		pgx.NamedArgs{"tenant_id": r.tenantID, "authorizer_id": r.authorizerID, "pull_id": r.id, "now": now, "began_seq": r.beganSeq}).
		Scan(&added, &removed)
	if err != nil {
		return 0, 0, fmt.Errorf("swap lists: %w", err)
	}
	return added, removed, nil
}

// fail ends the pull and leaves our copy as it was.
func (r *reader) fail(ctx context.Context, cause error) error {
	r.service.logger.WarnContext(ctx, "a pull of a blacklist has failed", "pull_id", r.id, "authorizer_id", r.authorizerID, "error", cause)
	f := failureOf(cause)
	err := pgx.BeginFunc(ctx, r.service.pool, func(tx pgx.Tx) error {
		if err := r.discard(ctx, tx); err != nil {
			return err
		}
		return r.fenced(ctx, tx, `status = 'failed', error = $4, errcode = $5, rid = $6, ended_at = $7, lease_holder = '', lease_until = NULL`,
			f.text, f.errcode, f.rid, r.service.now())
	})
	if errors.Is(err, lease.ErrLost) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("end pull: %w", err)
	}
	return nil
}
