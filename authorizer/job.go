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
	renewTokenArgs struct {
		AuthorizerID uuid.UUID `json:"authorizer_id"`
	}
	readProfileArgs struct {
		AuthorizerID uuid.UUID `json:"authorizer_id"`
	}
)

func (authorizationEventArgs) Kind() string { return "authorization_event" }
func (renewTokenArgs) Kind() string         { return "renew_token" }
func (readProfileArgs) Kind() string        { return "read_profile" }

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
	river.AddWorker(w, &worker[renewTokenArgs]{work: func(ctx context.Context, a renewTokenArgs) error {
		return s.renewDue(ctx, a.AuthorizerID)
	}})
	river.AddWorker(w, &worker[readProfileArgs]{work: func(ctx context.Context, a readProfileArgs) error {
		ctx, cancel := context.WithTimeout(ctx, profileJobTimeout)
		defer cancel()
		return s.readProfile(ctx, a.AuthorizerID)
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

// renewDue renews an account's token if it is due. Why it could not is in the token's row by then, together with when
// to try next; the sweep goes by that, so the job itself is not tried again.
func (s *Service) renewDue(ctx context.Context, id uuid.UUID) error {
	_, err := s.token(ctx, id, want{due: true})
	if _, gone := errors.AsType[*AccountStateError](err); gone || errors.Is(err, tenant.ErrNotFound) {
		return nil
	}
	if err != nil {
		return river.JobCancel(err)
	}
	return nil
}
