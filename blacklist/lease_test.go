package blacklist_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
)

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
