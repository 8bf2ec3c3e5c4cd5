package lease_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/lease"
)

func TestKeep(t *testing.T) {
	t.Parallel()

	t.Run("RenewsUntilItIsStopped", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			renewals := 0
			held, stop := lease.Keep(t.Context(), func(context.Context) (bool, error) {
				renewals++
				return true, nil
			})
			time.Sleep(3*lease.Renewal + time.Millisecond)
			require.NoError(t, held.Err())
			stop()
			require.Equal(t, 3, renewals)
			require.Error(t, held.Err())
		})
	})

	t.Run("EndsTheWorkWhenSomebodyElseHasIt", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			held, stop := lease.Keep(t.Context(), func(context.Context) (bool, error) { return false, nil })
			<-held.Done()
			require.ErrorIs(t, context.Cause(held), lease.ErrLost)
			stop()
		})
	})

	t.Run("SurvivesARenewalThatFails", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			held, stop := lease.Keep(t.Context(), func(context.Context) (bool, error) { return false, errors.New("no database") })
			time.Sleep(2 * lease.Renewal)
			require.NoError(t, held.Err())
			stop()
		})
	})

	t.Run("IsKeptWhileACallThatIsUnderWayAtShutdownEnds", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			renewals := 0
			ctx, cancel := context.WithCancel(t.Context())
			held, stop := lease.Keep(ctx, func(ctx context.Context) (bool, error) {
				renewals++
				return true, ctx.Err()
			})
			cancel()
			require.Error(t, held.Err())
			time.Sleep(2*lease.Renewal + time.Millisecond)
			stop()
			require.Equal(t, 2, renewals)
		})
	})
}
