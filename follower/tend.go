package follower

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
)

const (
	// tendFor is how long one job goes on; then others have their turn.
	tendFor = 20 * time.Second
	// callTimeout bounds one call to WeChat, the token renewal that it may need included.
	callTimeout = 30 * time.Second
	// jobTimeout leaves the queue, which allows a minute, time to note what came of a job.
	jobTimeout = 55 * time.Second
	// turnPatience is how long a job may wait for its turn; then it gets a rival, and the first of them to come has it.
	turnPatience = time.Minute
	// storeWithin bounds recording what came of a step.
	storeWithin = 20 * time.Second
)

// What happens to a lease when its holder writes to the directory.
const (
	renewLease = `lease_until = now() + interval '` + lease.Interval + `'`
	freeLease  = `lease_holder = '', lease_until = '-infinity'`
)

// hasWork tells whether there is something to do for a directory at a time, which is a parameter.
func hasWork(now string) string {
	return `(chore <> '' OR (staged AND sync_status <> 'running') OR (sync_status IN ('queued', 'running') AND sync_next_try_at <= ` + now + `)
		OR (fill_due AND fill_next_try_at <= ` + now + `))`
}

// directoryID names a directory.
type directoryID struct {
	TenantID     uuid.UUID
	AuthorizerID uuid.UUID
}

// tendArgs names the job that does what there is to do for one directory, for one turn.
type tendArgs struct {
	TenantID     uuid.UUID `json:"tenant_id"`
	AuthorizerID uuid.UUID `json:"authorizer_id"`
	Turn         int       `json:"turn"`
}

// Kind implements river.JobArgs.
func (tendArgs) Kind() string { return "tend_followers" }

// InsertOpts implements river.JobArgsWithInsertOpts. What fails is taken up again by the sweep, in a job of another name.
func (tendArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: Queue, MaxAttempts: 1} }

type tendWorker struct {
	river.WorkerDefaults[tendArgs]
	service *Service
}

// Timeout implements river.Worker.
func (w *tendWorker) Timeout(*river.Job[tendArgs]) time.Duration { return jobTimeout }

// Work implements river.Worker.
func (w *tendWorker) Work(ctx context.Context, job *river.Job[tendArgs]) error {
	return w.service.tend(ctx, directoryID{job.Args.TenantID, job.Args.AuthorizerID})
}

// giveTurn makes a job, under a name of its own, for a directory that nobody works on and for which there is something to
// do. Which of several jobs comes first does not matter.
func (s *Service) giveTurn(ctx context.Context, tx pgx.Tx, id directoryID) error {
	args := tendArgs{TenantID: id.TenantID, AuthorizerID: id.AuthorizerID}
	err := tx.QueryRow(ctx, `
		UPDATE follower_directories SET turns = turns + 1, lease_holder = '', lease_until = now() + $4::interval
		WHERE tenant_id = $1 AND authorizer_id = $2 AND lease_until < now() AND `+hasWork(`$3`)+` RETURNING turns`,
		id.TenantID, id.AuthorizerID, s.now(), turnPatience).Scan(&args.Turn)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.jobs.InsertTx(ctx, tx, args, nil)
	return err
}

// tend works on a directory for one turn.
func (s *Service) tend(ctx context.Context, id directoryID) error {
	t, err := s.take(ctx, id)
	if err != nil || t == nil {
		return err
	}
	held, stop := lease.Keep(ctx, t.renew)
	err = t.work(held)
	if errors.Is(context.Cause(held), lease.ErrLost) {
		err = lease.ErrLost
	}
	stop()
	switch {
	case errors.Is(err, lease.ErrLost):
		return nil
	case ctx.Err() != nil:
		err = nil // we are stopping; the sweep of another process finds what is left
	case err != nil:
		err = fmt.Errorf("tend to followers: %w", err)
	}
	return errors.Join(err, t.leave(ctx))
}

// tender is a directory as long as we hold its lease. What it does is in the database after each step; what it remembers
// beside that may be forgotten.
type tender struct {
	service *Service
	directoryID
	holder string

	doubted    bool   // the last page was empty, and should not have been
	choreAfter string // the last openid that the chore has come to in this turn
	width      int    // how many unionids to ask for in one call
}

// take takes the lease of a directory; nil: another job works on it, or nobody needs to.
func (s *Service) take(ctx context.Context, id directoryID) (*tender, error) {
	t := &tender{service: s, directoryID: id, holder: uuid.NewString(), width: mostUnionIDs}
	tag, err := s.pool.Exec(ctx, `
		UPDATE follower_directories SET lease_holder = $4, `+renewLease+`
		WHERE tenant_id = $1 AND authorizer_id = $2 AND (lease_holder = '' OR lease_until < now()) AND `+hasWork(`$3`),
		id.TenantID, id.AuthorizerID, s.now(), t.holder)
	if err != nil {
		return nil, fmt.Errorf("take directory: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return nil, nil
	}
	return t, nil
}

// renew prolongs the lease; false: somebody else has it.
func (t *tender) renew(ctx context.Context) (bool, error) {
	tag, err := t.service.pool.Exec(ctx, `UPDATE follower_directories SET `+renewLease+` WHERE tenant_id = $1 AND authorizer_id = $2 AND lease_holder = $3`,
		t.TenantID, t.AuthorizerID, t.holder)
	return tag.RowsAffected() == 1, err
}

// work goes from step to step until the turn is over or nothing is left to do. Each step begins with a look at the directory,
// since more may have come to do.
func (t *tender) work(ctx context.Context) error {
	now := t.service.now
	for end := now().Add(tendFor); ctx.Err() == nil && now().Before(end); {
		st, err := t.look(ctx)
		if err != nil {
			return err
		}
		step, failed := t.next(st)
		if step == nil {
			return nil
		}
		err = step(ctx, st)
		if err != nil && failed != nil && !errors.Is(err, lease.ErrLost) && ctx.Err() == nil {
			err = failed(ctx, st, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// state is what the directory's row says about what is to be done.
type state struct {
	unionids    bool
	chore       string
	staged      bool
	followers   int // when last counted
	syncStatus  string
	syncPhase   string
	syncDue     bool
	seq         int64
	cursor      string
	readings    int
	read        int
	failures    int
	fillDue     bool
	fillFailure int
}

// look reads the directory's row, which must still be ours.
func (t *tender) look(ctx context.Context) (state, error) {
	var st state
	err := t.service.pool.QueryRow(ctx, `
		SELECT unionids, chore, staged, coalesce(followers, 0), sync_status, sync_phase, sync_status IN ('queued', 'running') AND sync_next_try_at <= $4,
			coalesce(sync_seq, 0), sync_cursor, sync_readings, sync_read, sync_failures, fill_due AND fill_next_try_at <= $4, fill_failures
		FROM follower_directories WHERE tenant_id = $1 AND authorizer_id = $2 AND lease_holder = $3`,
		t.TenantID, t.AuthorizerID, t.holder, t.service.now()).
		Scan(&st.unionids, &st.chore, &st.staged, &st.followers, &st.syncStatus, &st.syncPhase, &st.syncDue,
			&st.seq, &st.cursor, &st.readings, &st.read, &st.failures, &st.fillDue, &st.fillFailure)
	if errors.Is(err, pgx.ErrNoRows) {
		return st, lease.ErrLost
	}
	if err != nil {
		return st, fmt.Errorf("read directory: %w", err)
	}
	return st, nil
}

type (
	stepFunc   func(context.Context, state) error
	failedFunc func(context.Context, state, error) error
)

// next chooses the next step, and what is to be done if it fails; nil: there is nothing to do now. Erasing comes first, and
// what an earlier reading left lying goes before the next one begins.
func (t *tender) next(st state) (stepFunc, failedFunc) {
	switch {
	case st.chore != "":
		return t.doChore, nil
	case st.staged && st.syncStatus != "running":
		return t.tidy, nil
	case st.syncDue:
		return map[string]stepFunc{"": t.begin, "reading": t.readPage, "adding": t.add, "removing": t.remove}[st.syncPhase], t.failSync
	case st.fillDue:
		return t.fill, t.failFill
	}
	return nil, nil
}

// fenced runs do in a transaction in which nobody else changes the directory, unless the lease is lost. What was learned is
// recorded even if ctx ends just then.
func (t *tender) fenced(ctx context.Context, do func(ctx context.Context, tx pgx.Tx) error) error {
	store, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWithin)
	defer cancel()
	return pgx.BeginFunc(store, t.service.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(store, `SELECT FROM follower_directories WHERE tenant_id = $1 AND authorizer_id = $2 AND lease_holder = $3 FOR NO KEY UPDATE`,
			t.TenantID, t.AuthorizerID, t.holder)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return lease.ErrLost
		}
		return do(store, tx)
	})
}

// set changes the directory's row inside fenced. what may use $3 and up.
func (t *tender) set(ctx context.Context, tx pgx.Tx, what string, args ...any) error {
	_, err := tx.Exec(ctx, `UPDATE follower_directories SET `+what+` WHERE tenant_id = $1 AND authorizer_id = $2`,
		append([]any{t.TenantID, t.AuthorizerID}, args...)...)
	return err
}

// leave gives the lease back, and the next turn to another job if something is left to do.
func (t *tender) leave(ctx context.Context) error {
	stopping := ctx.Err() != nil
	err := t.fenced(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := t.set(ctx, tx, freeLease); err != nil || stopping {
			return err
		}
		return t.service.giveTurn(ctx, tx, t.directoryID)
	})
	if err != nil && !errors.Is(err, lease.ErrLost) {
		return fmt.Errorf("leave directory: %w", err)
	}
	return nil
}

// tending is who acts where nobody asked.
func tending() tenant.Principal { return tenant.System("followers") }
