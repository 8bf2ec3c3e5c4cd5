package authorizer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/lease"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/token"
)

const (
	// Nightly reconciliations begin within nightSpan of nightHour in China, when merchants sleep: each component's at a
	// moment of its own.
	nightHour = 3
	nightSpan = time.Hour
	// reconcileFor is how long one job goes on; the next sweep begins another where it left off.
	reconcileFor = 40 * time.Second
	// turnPatience is how long a job may take to begin; then it gets a rival, and the first of them to come has the turn.
	turnPatience = 15 * time.Second
	// leaveWithin bounds recording what came of a turn.
	leaveWithin = 20 * time.Second
	// mostTries in a row that fail in a way that may pass, some forty minutes of them, end a reconciliation; so do
	// mostRefusals in a row by which WeChat refuses the platform.
	mostTries    = 8
	mostRefusals = 3
)

// errIncomplete: the list ended cleanly, and yet cannot be all of it.
var errIncomplete = errors.New("WeChat's list of authorizers contradicts itself")

// What happens to a lease when its holder writes to the reconciliation.
const (
	renewLease = `lease_until = now() + interval '` + lease.Interval + `'`
	freeLease  = `lease_holder = '', lease_until = '-infinity'`
)

// lastNightly is when the component's nightly reconciliation was due last, in China's time. China has one time zone and no
// summer time, so no time zone database is needed.
func lastNightly(componentAppID string, now time.Time) time.Time {
	china := time.FixedZone("UTC+8", 8*60*60)
	h := hash(componentAppID)
	jitter := nightSpan * time.Duration(int(h[0])<<8|int(h[1])) / (1 << 16)
	y, m, d := now.In(china).Date()
	due := time.Date(y, m, d, nightHour, 0, 0, 0, china).Add(jitter)
	if due.After(now) {
		due = due.AddDate(0, 0, -1)
	}
	return due
}

// sweepReconciliations begins those that are due, and gives a job to each that is open and that nobody works on.
func (s *Service) sweepReconciliations(ctx context.Context) error {
	if err := errors.Join(s.startNightly(ctx), s.giveTurns(ctx)); err != nil {
		return fmt.Errorf("sweep reconciliations: %w", err)
	}
	return nil
}

// startNightly begins the nightly reconciliation of each component that has had none since it was due, however late it is:
// what happened while no process ran is what it is for.
func (s *Service) startNightly(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `
		SELECT c.appid, greatest(c.created_at, (SELECT r.created_at FROM reconciliations r WHERE r.component_appid = c.appid ORDER BY r.id DESC LIMIT 1))
		FROM components c WHERE c.ticket_sealed IS NOT NULL`)
	if err != nil {
		return err
	}
	var appid string
	var last time.Time
	due := map[string]string{} // nights, by appid
	now := s.now()
	_, err = pgx.ForEachRow(rows, []any{&appid, &last}, func() error {
		if at := lastNightly(appid, now); last.Before(at) {
			due[appid] = at.Format(time.DateOnly)
		}
		return nil
	})
	for appid, night := range due {
		// Another process may have looked at the same moment; the night is what tells that there is one already.
		err = errors.Join(err, pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			_, _, err := s.insertReconciliation(ctx, tx, reconciling(), appid, night)
			return err
		}))
	}
	return err
}

// reconciling is who acts where nobody asked.
func reconciling() tenant.Principal { return tenant.System("reconciliation") }

// giveTurns gives a job to each open reconciliation that nobody works on and that is not to rest.
func (s *Service) giveTurns(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `SELECT id FROM reconciliations WHERE status IN ('queued', 'running') AND lease_until < now() AND next_try_at <= $1`, s.now().UTC())
	if err != nil {
		return err
	}
	idle, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	for _, id := range idle {
		err = errors.Join(err, pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.giveTurn(ctx, tx, id) }))
	}
	return err
}

// giveTurn makes a job, under a name of its own, for a reconciliation that nobody works on. Which of several jobs comes
// first does not matter.
func (s *Service) giveTurn(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	args := reconcileArgs{ReconciliationID: id}
	err := tx.QueryRow(ctx, `
		UPDATE reconciliations SET turns = turns + 1, lease_holder = '', lease_until = now() + $2::interval
		WHERE id = $1 AND status IN ('queued', 'running') AND lease_until < now() AND next_try_at <= $3 RETURNING turns`,
		id, turnPatience, s.now().UTC()).Scan(&args.Turn)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // another sweep was faster
	}
	if err != nil {
		return err
	}
	_, err = s.jobs.InsertTx(ctx, tx, args, oncePerArgs(1))
	return err
}

// reconcile works on a reconciliation for one turn.
func (s *Service) reconcile(ctx context.Context, id uuid.UUID) error {
	r, err := s.takeReconciliation(ctx, id)
	if err != nil || r == nil {
		return err
	}
	held, stop := lease.Keep(ctx, r.renew)
	err = r.work(held)
	lost := errors.Is(err, lease.ErrLost) || errors.Is(context.Cause(held), lease.ErrLost)
	stop()
	if lost {
		return nil
	}
	return r.leave(ctx, err)
}

// reconciler is a reconciliation, as long as we hold its lease.
type reconciler struct {
	service        *Service
	id             uuid.UUID
	componentAppID string
	holder         string
	startedAt      time.Time
	failures       int // in a row
	progress
	settling
}

// takeReconciliation takes the lease; nil: the reconciliation has ended, rests, or another job works on it.
func (s *Service) takeReconciliation(ctx context.Context, id uuid.UUID) (*reconciler, error) {
	r := &reconciler{service: s, id: id, holder: uuid.NewString()}
	err := s.pool.QueryRow(ctx, `
		UPDATE reconciliations SET status = 'running', lease_holder = $2, `+renewLease+`, started_at = coalesce(started_at, $3)
		WHERE id = $1 AND status IN ('queued', 'running') AND next_try_at <= $3 AND (lease_holder = '' OR lease_until < now())
		RETURNING component_appid, started_at, failures, readings, next_offset, listed, total, list_complete`, id, r.holder, s.now().UTC()).
		Scan(&r.componentAppID, &r.startedAt, &r.failures, &r.readings, &r.nextOffset, &r.listed, &r.total, &r.listComplete)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("take reconciliation: %w", err)
	}
	return r, nil
}

// renew prolongs the lease; false: somebody else has it.
func (r *reconciler) renew(ctx context.Context) (bool, error) {
	err := r.update(ctx, r.service.pool, renewLease)
	if errors.Is(err, lease.ErrLost) {
		return false, nil
	}
	return err == nil, err
}

// execer is a pool or a transaction.
type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// update changes the reconciliation's row, or fails if the lease is lost. set may use $3 and up.
func (r *reconciler) update(ctx context.Context, db execer, set string, args ...any) error {
	tag, err := db.Exec(ctx, `UPDATE reconciliations SET `+set+` WHERE id = $1 AND lease_holder = $2`, append([]any{r.id, r.holder}, args...)...)
	if err == nil && tag.RowsAffected() == 0 {
		return lease.ErrLost
	}
	return err
}

// work goes from step to step until the turn, or the reconciliation, is over. What a step came to is in the database.
func (r *reconciler) work(ctx context.Context) error {
	now := r.service.now
	for end := now().Add(reconcileFor); now().Before(end); {
		if !r.listComplete {
			if err := r.readPage(ctx); err != nil {
				return err
			}
			continue
		}
		if more, err := r.settleSome(ctx); err != nil {
			return err
		} else if !more {
			return r.finish(ctx)
		}
	}
	return nil
}

// leave gives the lease back and notes what kept the turn from ending well, if anything did.
func (r *reconciler) leave(ctx context.Context, cause error) error {
	stopping := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
	defer cancel()
	var err error
	if cause == nil || stopping {
		err = r.update(ctx, r.service.pool, freeLease)
	} else {
		err = r.fail(ctx, cause)
	}
	if err != nil && !errors.Is(err, lease.ErrLost) {
		return fmt.Errorf("leave reconciliation: %w", err)
	}
	return nil
}

// fail has the reconciliation rest before the next try, or gives it up.
func (r *reconciler) fail(ctx context.Context, cause error) error {
	s, now := r.service, r.service.now().UTC()
	s.logger.WarnContext(ctx, "cannot go on comparing WeChat's list of authorizers with ours", "component", r.componentAppID, "error", cause)
	fault := faultOf(cause)
	if fault == token.FaultPlatform && !component.IsUnavailable(cause) { // of which the component tells itself
		s.components.Report(ctx, r.componentAppID, cause)
	}
	most := mostTries
	if fault != token.FaultPassing {
		most = mostRefusals
	}
	failure := token.NewFailure(cause, now)
	next := token.Attempts{Failures: r.failures}.Failed(token.FaultAccount, now, token.LongestPassingPause, 0)
	if next.Failures < most && !errors.Is(cause, errIncomplete) {
		return r.update(ctx, s.pool, `failures = $3, next_try_at = $4, errcode = $5, rid = $6, error = $7, `+freeLease,
			next.Failures, next.RenewAfter, failure.Code, failure.RID, failure.Message)
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := r.discard(ctx, tx); err != nil {
			return err
		}
		return r.update(ctx, tx, `status = 'failed', ended_at = $3, failures = $4, listed = $5, total = $6, errcode = $7, rid = $8, error = $9, `+freeLease,
			now, next.Failures, r.listed, r.total, failure.Code, failure.RID, failure.Message)
	})
}

// discard throws away what was staged.
func (r *reconciler) discard(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `DELETE FROM reconciliation_accounts WHERE reconciliation_id = $1`, r.id)
	return err
}
