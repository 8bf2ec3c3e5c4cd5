package blacklist_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
)

func TestKeepLease(t *testing.T) {
	t.Parallel()

	t.Run("RenewsUntilItIsStopped", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			renewals := 0
			held, stop := blacklist.KeepLease(t.Context(), func(context.Context) (bool, error) {
				renewals++
				return true, nil
			})
			time.Sleep(3*blacklist.LeaseRenewal + time.Millisecond)
			require.NoError(t, held.Err())
			stop()
			require.Equal(t, 3, renewals)
			require.Error(t, held.Err())
		})
	})

	t.Run("EndsTheWorkWhenSomebodyElseHasIt", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			held, stop := blacklist.KeepLease(t.Context(), func(context.Context) (bool, error) { return false, nil })
			<-held.Done()
			require.ErrorIs(t, context.Cause(held), blacklist.ErrLeaseLost)
			stop()
		})
	})

	t.Run("SurvivesARenewalThatFails", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			held, stop := blacklist.KeepLease(t.Context(), func(context.Context) (bool, error) { return false, errors.New("no database") })
			time.Sleep(2 * blacklist.LeaseRenewal)
			require.NoError(t, held.Err())
			stop()
		})
	})

	t.Run("IsKeptWhileACallThatIsUnderWayAtShutdownEnds", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			renewals := 0
			ctx, cancel := context.WithCancel(t.Context())
			held, stop := blacklist.KeepLease(ctx, func(ctx context.Context) (bool, error) {
				renewals++
				return true, ctx.Err()
			})
			cancel()
			require.Error(t, held.Err())
			time.Sleep(2*blacklist.LeaseRenewal + time.Millisecond)
			stop()
			require.Equal(t, 2, renewals)
		})
	})
}

func TestLeaseIsRenewedWhileWeChatTakesItsTime(t *testing.T) {
	t.Parallel()
	for table, path := range map[string]string{"blacklist_lanes": pathBlock, "blacklist_pulls": pathList} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			inside, goOn := holdFirst(b, path)
			b.start(t)
			batch := b.block(t, b.openid(0))
			pull := b.startPull(t)
			<-inside
			b.exec(t, `UPDATE `+table+` SET lease_until = now() + interval '1 millisecond'`)
			b.eventually(t, func() bool {
				var renewed bool
				err := b.Pool.QueryRow(t.Context(), `SELECT lease_until > now() + interval '5 seconds' FROM `+table).Scan(&renewed)
				return err == nil && renewed
			}, "the lease never was renewed")
			close(goOn)
			require.Equal(t, 1, b.ended(t, batch.ID).Counts.Done)
			require.Equal(t, blacklist.PullDone, b.pullEnded(t, pull.ID).Status)
		})
	}
}
