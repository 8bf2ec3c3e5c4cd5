// Package lease keeps hold of work for which a row in the database has a holder: as long as the holder renews its lease
// nobody else takes the work, and once it is silent, because its process was killed, others do.
//
// It knows no table: the row, and the statement that renews it, are its caller's.
package lease

import (
	"context"
	"errors"
	"time"
)

const (
	// For is how long a holder that says nothing keeps its lease: as long is the work of a killed process left lying.
	For = 10 * time.Second
	// Interval is For as PostgreSQL spells it.
	Interval = "10 seconds"
	// Renewal leaves time for two renewals to fail.
	Renewal = 3 * time.Second
)

// ErrLost says that somebody else holds the lease by now.
var ErrLost = errors.New("the lease is lost: somebody else works on this")

// Keep renews a lease until stop is called. renew returns false if the lease is somebody else's; an error says nothing about
// who holds it. The context that Keep returns ends when ctx does, and, with [ErrLost] as its cause, when the lease is lost.
// Renewing itself outlives ctx: what is under way at shutdown is still to be recorded.
func Keep(ctx context.Context, renew func(context.Context) (bool, error)) (held context.Context, stop func()) {
	held, lose := context.WithCancelCause(ctx)
	renewing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(Renewal)
		defer tick.Stop()
		for {
			select {
			case <-renewing.Done():
				return
			case <-tick.C:
			}
			if ours, err := renew(renewing); err == nil && !ours {
				lose(ErrLost)
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
