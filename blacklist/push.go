package blacklist

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/lease"
	"github.com/wechat-steward/steward/wechat"
)

const (
	// tries is how often a call that fails in passing is made before the lane rests.
	tries = 3
	// takenDelay is how long a job waits for a lane that another job holds.
	takenDelay = time.Second
	// writersDelay is how long a job that finds nothing pending waits for those who are writing wishes just then.
	writersDelay = 50 * time.Millisecond
)

// pushArgs names the job that makes one account's blacklist follow what is wanted.
type pushArgs struct {
	TenantID     uuid.UUID `json:"tenant_id"`
	AuthorizerID uuid.UUID `json:"authorizer_id"`
	Generation   int64     `json:"generation"`
}

// Kind implements river.JobArgs.
func (pushArgs) Kind() string { return "push_blacklist" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (pushArgs) InsertOpts() river.InsertOpts { return uniqueJob() }

type pushWorker struct {
	river.WorkerDefaults[pushArgs]
	service *Service
}

// Timeout leaves a slice of work time to end its last call.
func (w *pushWorker) Timeout(*river.Job[pushArgs]) time.Duration { return time.Minute }

// Work pushes until nothing is pending, the lane must rest, or it is the turn of others.
func (w *pushWorker) Work(ctx context.Context, job *river.Job[pushArgs]) error {
	l, err := w.service.takeLane(ctx, job.Args)
	switch {
	case errors.Is(err, errLaneStale), errors.Is(err, errLaneRests):
		return nil
	case errors.Is(err, errLaneTaken):
		return river.JobSnooze(takenDelay)
	case err != nil:
		return err
	}
	held, stop := lease.Keep(ctx, l.renew)
	defer stop()
	err = l.push(held, job)
	// Whatever the reason for ending, a lease that is still ours must not keep the next job waiting.
	store, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWithin)
	defer cancel()
	if releaseErr := l.release(store); err == nil {
		err = releaseErr
	}
	if errors.Is(err, lease.ErrLost) || errors.Is(context.Cause(held), lease.ErrLost) {
		return nil // the work goes on elsewhere, under a job of its own
	}
	return err
}

// push returns nil when the job has ended, and an error of River's to have it run again.
func (l *lane) push(ctx context.Context, job *river.Job[pushArgs]) error {
	slice, cancel := context.WithTimeout(ctx, l.service.slice)
	defer cancel()
	p := newPushing(l)
	for slice.Err() == nil {
		if err := l.lookAtAccount(ctx); err != nil {
			return fmt.Errorf("read account: %w", err)
		}
		if err := p.pass(ctx, slice); err != nil {
			return err
		}
		switch {
		case p.stop != nil && ctx.Err() == nil:
			return l.restAfter(ctx, job, p.stop)
		case p.held:
			return l.stand(ctx, job)
		case !p.more: // nothing was pending after what has been done
			if ended, err := l.finish(ctx, job); err != nil || ended {
				return err
			}
			if p.began.IsZero() {
				waitFor(slice, writersDelay)
			}
		}
	}
	return river.JobSnooze(0)
}

// restAfter pauses the lane for what stopped it.
func (l *lane) restAfter(ctx context.Context, job *river.Job[pushArgs], stop error) error {
	p := pauseAfter(stop, l.failures, l.service.now())
	l.service.logger.WarnContext(ctx, "blacklist work of an account rests",
		"authorizer_id", l.authorizerID, "until", p.until, "awaits_account", p.awaitsAccount, "error", stop)
	store, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWithin)
	defer cancel()
	return l.rest(store, job, p)
}

// call makes one blacklist call, again after a while if it failed in passing, of which it tells troubled. It begins none
// once ctx has ended, but lets one that is under way come to its end, whatever becomes of ctx: what was done is to be recorded.
func (s *Service) call(ctx context.Context, to account, want string, openids []string, troubled func()) error {
	if err := s.calls.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	defer s.calls.Release(1)
	return s.retry(ctx, to, func(ctx context.Context, token string) (err error) {
		if want == blocked {
			err = s.wechat.BatchBlacklist(ctx, token, openids)
		} else {
			err = s.wechat.BatchUnblacklist(ctx, token, openids)
		}
		if err != nil && passing(err) {
			troubled()
		}
		return err
	})
}

// account is whom calls are for.
type account struct {
	*authorizer.Caller

	id        uuid.UUID
	component string // the appid of its component
}

func (s *Service) account(id uuid.UUID, component string) account {
	return account{Caller: s.authorizers.Caller(id), id: id, component: component}
}

// retry calls with the account's token, up to three times while the failure is one that passes.
func (s *Service) retry(ctx context.Context, to account, call func(ctx context.Context, token string) error) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.Multiplier = s.retryDelay, 2
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		if ctx.Err() != nil {
			return struct{}{}, backoff.Permanent(context.Cause(ctx))
		}
		running, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.callTimeout)
		defer cancel()
		err := s.breakers.of(to.component).call(to.id, func() error { return to.Call(running, call) })
		if err != nil && !passing(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxTries(tries), backoff.WithMaxElapsedTime(0))
	var permanent *backoff.PermanentError
	if errors.As(err, &permanent) {
		return permanent.Unwrap()
	}
	return err
}

// passing reports whether the same call may well succeed a little later.
func passing(err error) bool {
	_, notMade := errors.AsType[*brokenError](err)
	return wechat.ClassOf(err) == wechat.ClassRetry && !notMade && !isAccountTrouble(err)
}

func isAccountTrouble(err error) bool {
	_, is := accountTrouble(err)
	return is
}

func isListSize(err error) bool {
	var refused *wechat.Error
	return errors.As(err, &refused) && refused.Code == codeListSize
}

// waitFor waits for d, or until ctx ends.
func waitFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
