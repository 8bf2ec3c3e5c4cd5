package authorizer

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/wechat-steward/steward/tenant"
)

// The jobs of accounts. Each is told what to look at and not what to do: it reads the database first, so that a job which
// comes late, twice or for nothing does no harm.
type (
	authorizationEventArgs struct {
		EventID uuid.UUID `json:"event_id"`
		// Repeated is when the push came again, in Unix seconds, so that its job has a name of its own.
		Repeated int64 `json:"repeated,omitempty"`
	}
	renewTokensArgs struct {
		ComponentAppID string `json:"component_appid"`
		Shard          int    `json:"shard"`
		// Turn is when, in units of renewTurn: a job whose process died keeps its name for over a minute, and the next turn
		// has another.
		Turn int64 `json:"turn"`
	}
	readProfileArgs struct {
		AuthorizerID uuid.UUID `json:"authorizer_id"`
	}
	reconcileArgs struct {
		ReconciliationID uuid.UUID `json:"reconciliation_id"`
		Turn             int       `json:"turn"`
	}
)

func (authorizationEventArgs) Kind() string { return "authorization_event" }
func (renewTokensArgs) Kind() string        { return "renew_tokens" }
func (readProfileArgs) Kind() string        { return "read_profile" }
func (reconcileArgs) Kind() string          { return "reconcile" }

// Queue is the River queue of the upkeep that nobody waits for: renewals and reconciliations. They hang when WeChat does, and
// must not keep an authorization waiting, which is in River's default queue. A client that is to work them must name
// both in Config.Queues; some sixty workers are enough for this one, which bounds its calls itself.
const Queue = "upkeep"

// InsertOpts puts the job into the upkeep queue.
func (renewTokensArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: Queue} }

// InsertOpts puts the job into the upkeep queue.
func (reconcileArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: Queue} }

const (
	eventAttempts   = 12 // with retryCap about half an hour; then the sweep starts over
	profileAttempts = 5
	retryCap        = 5 * time.Minute
	// jobTimeout leaves the queue, which allows a minute, time to note what came of a job.
	jobTimeout = 55 * time.Second
)

// oncePerArgs lets one job of a kind and arguments be under way at a time. A finished one does not stand in the way.
func oncePerArgs(maxAttempts int) *river.InsertOpts {
	return &river.InsertOpts{
		MaxAttempts: maxAttempts,
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
			rivertype.JobStateRunning, rivertype.JobStateScheduled,
		}},
	}
}

// AddWorkers registers the workers of all jobs of this package. It panics if that was done before.
func (s *Service) AddWorkers(w *river.Workers) {
	river.AddWorker(w, &worker[authorizationEventArgs]{work: func(ctx context.Context, a authorizationEventArgs) error {
		return s.processEvent(ctx, a.EventID)
	}})
	river.AddWorker(w, &worker[renewTokensArgs]{work: func(ctx context.Context, a renewTokensArgs) error {
		return s.renewDue(ctx, a.ComponentAppID, a.Shard)
	}})
	river.AddWorker(w, &worker[readProfileArgs]{work: func(ctx context.Context, a readProfileArgs) error {
		ctx, cancel := context.WithTimeout(ctx, profileJobTimeout)
		defer cancel()
		return s.readProfile(ctx, a.AuthorizerID)
	}})
	river.AddWorker(w, &worker[reconcileArgs]{work: func(ctx context.Context, a reconcileArgs) error {
		return s.reconcile(ctx, a.ReconciliationID)
	}})
}

// worker works one kind of job.
type worker[T river.JobArgs] struct {
	river.WorkerDefaults[T]
	work func(ctx context.Context, args T) error
}

func (w *worker[T]) Work(ctx context.Context, job *river.Job[T]) error {
	err := w.work(ctx, job.Args)
	if errors.Is(err, tenant.ErrNotFound) {
		return river.JobCancel(err)
	}
	return err
}

func (w *worker[T]) Timeout(*river.Job[T]) time.Duration { return jobTimeout }

// NextRetry grows like River's own policy, and no further than retryCap: what is late here, a merchant waits for.
func (w *worker[T]) NextRetry(job *river.Job[T]) time.Time {
	if job.AttemptedAt == nil {
		return time.Time{}
	}
	tries := time.Duration(len(job.Errors) + 1)
	return job.AttemptedAt.Add(min(tries*tries*tries*tries*time.Second, retryCap))
}
