package blacklist

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/wechat-steward/steward/lease"
)

// The lock that guards the moment in which a push job ends. Whoever writes wishes holds it shared from before the first of
// them until the commit; a job takes it exclusively to look a last time and to end in the same transaction. So no wish
// falls between the look and the end.
const laneLock = `hashtextextended('blacklist lane ' || $1::uuid || '/' || $2::uuid, 0)`

func lockLaneShared(ctx context.Context, tx pgx.Tx, tenantID, authorizerID uuid.UUID) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock_shared(`+laneLock+`)`, tenantID, authorizerID); err != nil {
		return fmt.Errorf("lock lane: %w", err)
	}
	return nil
}

func lockLane(ctx context.Context, tx pgx.Tx, tenantID, authorizerID uuid.UUID) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(`+laneLock+`)`, tenantID, authorizerID); err != nil {
		return fmt.Errorf("lock lane: %w", err)
	}
	return nil
}

func tryLockLane(ctx context.Context, tx pgx.Tx, tenantID, authorizerID uuid.UUID) (bool, error) {
	var got bool
	if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(`+laneLock+`)`, tenantID, authorizerID).Scan(&got); err != nil {
		return false, fmt.Errorf("lock lane: %w", err)
	}
	return got, nil
}

func ensureLane(ctx context.Context, tx pgx.Tx, tenantID, authorizerID uuid.UUID) error {
	_, err := tx.Exec(ctx, `INSERT INTO blacklist_lanes (tenant_id, authorizer_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, tenantID, authorizerID)
	if err != nil {
		return fmt.Errorf("make lane: %w", err)
	}
	return nil
}

// resumeLane ends a pause that waits for the account.
func resumeLane(ctx context.Context, tx pgx.Tx, tenantID, authorizerID uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		UPDATE blacklist_lanes SET awaits_account = false, account_seen = '', pause_reason = '', pause_errcode = NULL, pause_rid = ''
		WHERE tenant_id = $1 AND authorizer_id = $2 AND awaits_account`, tenantID, authorizerID)
	if err != nil {
		return fmt.Errorf("resume lane: %w", err)
	}
	return nil
}

// enqueuePush makes sure that a job will push what is pending, unless the lane rests: then the sweep does when it is time.
func (s *Service) enqueuePush(ctx context.Context, tx pgx.Tx, tenantID, authorizerID uuid.UUID, now time.Time) error {
	var generation int64
	var rests bool
	err := tx.QueryRow(ctx, `
		WITH woken AS (
			-- Only then: a push that records its calls needs this row's lock, and whoever writes wishes may take a while.
			UPDATE blacklist_lanes SET busy = true WHERE tenant_id = $1 AND authorizer_id = $2 AND NOT busy
		)
		SELECT generation, awaits_account OR held_at IS NOT NULL OR coalesce(paused_until > $3, false)
		FROM blacklist_lanes WHERE tenant_id = $1 AND authorizer_id = $2`,
		tenantID, authorizerID, now).Scan(&generation, &rests)
	if err != nil {
		return fmt.Errorf("read lane: %w", err)
	}
	if rests {
		return nil
	}
	_, err = s.jobs.InsertTx(ctx, tx, pushArgs{TenantID: tenantID, AuthorizerID: authorizerID, Generation: generation}, nil)
	if err != nil {
		return fmt.Errorf("enqueue push: %w", err)
	}
	return nil
}

// lane is one account's work, as long as we hold its lease.
type lane struct {
	service      *Service
	tenantID     uuid.UUID
	authorizerID uuid.UUID
	account      account
	holder       string
	failures     int    // pauses in a row
	accountSeen  string // what the account was like before the calls
	withdrawals  int64  // how many batches had been cancelled by then
}

// The reasons for which a lane cannot be taken.
var (
	errLaneStale = errors.New("blacklist: this job is of an older generation")
	errLaneRests = errors.New("blacklist: the lane rests")
	errLaneTaken = errors.New("blacklist: another job works on this lane")
)

// takeLane takes the lease of the account's lane. Lease times are the database's own: no two processes need agree on a clock.
func (s *Service) takeLane(ctx context.Context, args pushArgs) (*lane, error) {
	l := &lane{service: s, tenantID: args.TenantID, authorizerID: args.AuthorizerID, holder: uuid.NewString()}
	var generation int64
	var component string
	var taken, rests bool
	err := s.pool.QueryRow(ctx, `
		WITH taken AS (
			UPDATE blacklist_lanes SET lease_holder = $4, lease_until = now() + $5::interval
			WHERE tenant_id = $1 AND authorizer_id = $2 AND generation = $3
			  AND (lease_holder = '' OR lease_until < now()) AND NOT awaits_account AND held_at IS NULL AND coalesce(paused_until <= $6, true)
			RETURNING authorizer_id
		)
		SELECT l.generation, l.failures, l.awaits_account OR l.held_at IS NOT NULL OR coalesce(l.paused_until > $6, false), EXISTS (SELECT FROM taken), a.component_appid
		FROM blacklist_lanes l JOIN authorizers a ON a.tenant_id = l.tenant_id AND a.id = l.authorizer_id
		WHERE l.tenant_id = $1 AND l.authorizer_id = $2`,
		args.TenantID, args.AuthorizerID, args.Generation, l.holder, lease.For, s.now()).
		Scan(&generation, &l.failures, &rests, &taken, &component)
	switch {
	case err != nil:
		return nil, fmt.Errorf("take lane: %w", err)
	case taken:
		l.account = s.account(l.authorizerID, component)
		return l, nil
	case generation > args.Generation:
		return nil, errLaneStale
	case rests:
		return nil, errLaneRests
	}
	return nil, errLaneTaken
}

// renew prolongs the lease; false: somebody else has it.
func (l *lane) renew(ctx context.Context) (bool, error) {
	tag, err := l.service.pool.Exec(ctx, `UPDATE blacklist_lanes SET lease_until = now() + $4::interval WHERE tenant_id = $1 AND authorizer_id = $2 AND lease_holder = $3`,
		l.tenantID, l.authorizerID, l.holder, lease.For)
	return tag.RowsAffected() == 1, err
}

// release gives the lease up, so that another job need not wait until it runs out.
func (l *lane) release(ctx context.Context) error {
	_, err := l.service.pool.Exec(ctx, `UPDATE blacklist_lanes SET lease_holder = '', lease_until = NULL WHERE tenant_id = $1 AND authorizer_id = $2 AND lease_holder = $3`,
		l.tenantID, l.authorizerID, l.holder)
	if err != nil {
		return fmt.Errorf("release lane: %w", err)
	}
	return nil
}

// finish ends the job if nothing is pending but what is paused, and nobody is writing wishes just now. It tells whether it did.
func (l *lane) finish(ctx context.Context, job *river.Job[pushArgs]) (bool, error) {
	done := false
	err := pgx.BeginFunc(ctx, l.service.pool, func(tx pgx.Tx) error {
		alone, err := tryLockLane(ctx, tx, l.tenantID, l.authorizerID)
		if err != nil || !alone {
			return err
		}
		var pending bool
		if err := tx.QueryRow(ctx, `
			SELECT EXISTS (SELECT FROM (`+betweenPauses+`) r CROSS JOIN LATERAL (
				SELECT FROM blacklist_entries WHERE tenant_id = $1 AND authorizer_id = $2 AND pending AND wish > r.after AND wish < r.before LIMIT 1
			) e)`,
			l.tenantID, l.authorizerID).Scan(&pending); err != nil || pending {
			return err
		}
		done = true
		return l.leave(ctx, tx, job, `, busy = false`, pgx.NamedArgs{})
	})
	if err != nil {
		return false, fmt.Errorf("finish push: %w", err)
	}
	return done, nil
}

// leave gives the lease up, with what else set changes of the lane, and ends the job in the same transaction: a job that has ended but is still called
// running would keep the next one from being inserted.
func (l *lane) leave(ctx context.Context, tx pgx.Tx, job *river.Job[pushArgs], set string, args pgx.NamedArgs) error {
	args["tenant_id"], args["authorizer_id"], args["holder"] = l.tenantID, l.authorizerID, l.holder
	tag, err := tx.Exec(ctx, `
		UPDATE blacklist_lanes SET lease_holder = '', lease_until = NULL`+set+`
		WHERE tenant_id = @tenant_id AND authorizer_id = @authorizer_id AND lease_holder = @holder`, args)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return lease.ErrLost
	}
	return completeJob(ctx, tx, job)
}

// stand ends the job of a lane that somebody has stopped by hand.
func (l *lane) stand(ctx context.Context, job *river.Job[pushArgs]) error {
	err := pgx.BeginFunc(ctx, l.service.pool, func(tx pgx.Tx) error {
		return l.leave(ctx, tx, job, ``, pgx.NamedArgs{})
	})
	if err != nil {
		return fmt.Errorf("stop push: %w", err)
	}
	return nil
}

// rest ends the job and pauses the lane.
func (l *lane) rest(ctx context.Context, job *river.Job[pushArgs], p pause) error {
	err := pgx.BeginFunc(ctx, l.service.pool, func(tx pgx.Tx) error {
		return l.leave(ctx, tx, job, `, paused_until = @until, awaits_account = @awaits_account, account_seen = @account_seen,
			pause_reason = @reason, pause_errcode = @errcode, pause_rid = @rid, failures = @failures`,
			pgx.NamedArgs{
				"until": p.until, "awaits_account": p.awaitsAccount, "account_seen": l.accountSeen, "reason": p.reason,
				"errcode": p.errcode, "rid": p.rid, "failures": p.failures,
			})
	})
	if err != nil {
		return fmt.Errorf("pause push: %w", err)
	}
	return nil
}

// requeue inserts a job for work that nobody holds. unique dedupes it against a job that is waiting or running; but one that
// River still calls running although its process died, or that waits out a failure, is passed by under the next generation.
// args makes the job's arguments; bump moves the work on to the next generation and returns it.
func (s *Service) requeue(ctx context.Context, tx pgx.Tx, generation int64, args func(int64) river.JobArgs, bump func() (int64, error)) error {
	inserted, err := s.jobs.InsertTx(ctx, tx, args(generation), nil)
	if err != nil || !inserted.UniqueSkippedAsDuplicate {
		return err
	}
	row := inserted.Job
	dead := row.State == rivertype.JobStateRetryable
	if row.State == rivertype.JobStateRunning && row.AttemptedAt != nil {
		if err := tx.QueryRow(ctx, `SELECT $1::timestamptz < now() - $2::interval`, *row.AttemptedAt, deadAfter).Scan(&dead); err != nil {
			return err
		}
	}
	if !dead {
		return nil
	}
	next, err := bump()
	if err != nil {
		return err
	}
	_, err = s.jobs.InsertTx(ctx, tx, args(next), nil)
	return err
}
