package blacklist

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
)

const (
	// leaseFor is how long a holder that says nothing keeps its lease: as long is the work of a killed process left lying.
	leaseFor = 10 * time.Second
	// leaseRenewal leaves time for two renewals to fail.
	leaseRenewal = 3 * time.Second
	// deadAfter is how long a job may be running without holding a lease. Taking one is the first thing that a job does.
	deadAfter = 30 * time.Second
	// storeWithin bounds recording what came of a call.
	storeWithin = 30 * time.Second
)

// keepLease renews a lease until stop is called. The context it returns ends when ctx does, and when the lease is lost.
// Renewing itself outlives ctx: a call to WeChat that is under way at shutdown is still to be recorded.
func keepLease(ctx context.Context, renew func(context.Context) (bool, error)) (held context.Context, stop func()) {
	held, lose := context.WithCancelCause(ctx)
	renewing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(leaseRenewal)
		defer tick.Stop()
		for {
			select {
			case <-renewing.Done():
				return
			case <-tick.C:
			}
			// An error says nothing about who holds the lease; the next renewal or the next record will tell.
			if ours, err := renew(renewing); err == nil && !ours {
				lose(errLeaseLost)
				return
			}
		}
	}()
	return held, func() {
		cancel()
		<-stopped
		lose(nil)
	}
}

// completeJob marks the job as completed in tx.
func completeJob[T river.JobArgs](ctx context.Context, tx pgx.Tx, job *river.Job[T]) error {
	_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
	return err
}

// uniqueJob makes one job of each argument at a time. Completed jobs do not count: their work may come again.
func uniqueJob() river.InsertOpts {
	return river.InsertOpts{
		Queue: Queue,
		UniqueOpts: river.UniqueOpts{
			ByArgs: true,
			ByState: []rivertype.JobState{
				rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning,
				rivertype.JobStateRetryable, rivertype.JobStateScheduled,
			},
		},
	}
}
