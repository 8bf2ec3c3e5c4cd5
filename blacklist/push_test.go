package blacklist_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// holdFirst makes WeChat hold the first call to path when it has arrived: it closes inside, and goes on when goOn is closed.
func holdFirst(b *bundle, path string) (inside, goOn chan struct{}) { return hold(b, path, 1) }

// holdSecond is holdFirst for the second call.
func holdSecond(b *bundle, path string) (inside, goOn chan struct{}) { return hold(b, path, 2) }

func hold(b *bundle, path string, nth int64) (inside, goOn chan struct{}) {
	inside, goOn = make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	b.Sim.BeforeCall(func(call simulator.Call) {
		if call.Path == path && calls.Add(1) == nth {
			close(inside)
			<-goOn
		}
	})
	return inside, goOn
}

func TestPush(t *testing.T) {
	t.Parallel()

	t.Run("RenewsATokenThatExpiresInTheMiddleOnce", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 45)
		var once sync.Once
		b.Sim.BeforeAnswer(func(call simulator.Call) {
			if call.Path == pathBlock {
				once.Do(func() { b.Sim.ExpireTokens(b.account.AppID) })
			}
		})
		renewals := b.Sim.CallCount("/cgi-bin/component/api_authorizer_token")
		b.start(t)
		batch := b.ended(t, b.block(t, b.openids(0, 45)...).ID)
		require.Equal(t, 45, batch.Counts.Done)
		require.Len(t, b.blacklisted(), 45)
		require.Equal(t, renewals+1, b.Sim.CallCount("/cgi-bin/component/api_authorizer_token"))
	})

	t.Run("TriesAgainWhenWeChatIsBusy", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 100)
		_, err := b.Sim.Inject(simulator.Fault{Path: pathBlock, Code: -1, Every: 3})
		require.NoError(t, err)
		b.start(t)
		require.Equal(t, 100, b.ended(t, b.block(t, b.openids(0, 100)...).ID).Counts.Done)
		require.Len(t, b.blacklisted(), 100)
	})

	t.Run("TriesAgainWhenTheAnswerIsLost", func(t *testing.T) {
		t.Parallel()
		for name, fault := range map[string]simulator.Fault{
			"Hang":    {Hang: true},
			"Drop":    {Drop: true, Applied: true},
			"502":     {Status: 502},
			"Garbage": {Garbage: true, Applied: true},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := setup(t, 25, func(cfg *blacklist.Config) { cfg.CallTimeout = 2 * time.Second })
				fault.Path, fault.Times = pathBlock, 1
				_, err := b.Sim.Inject(fault)
				require.NoError(t, err)
				b.start(t)
				require.Equal(t, 25, b.ended(t, b.block(t, b.openids(0, 25)...).ID).Counts.Done)
				require.Len(t, b.blacklisted(), 25)
			})
		}
	})

	t.Run("FailsTheOpenIDsOfACallThatWeChatCallsMistaken", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 40)
		_, err := b.Sim.Inject(simulator.Fault{Path: pathBlock, Code: 47001, Times: 1})
		require.NoError(t, err)
		b.start(t)
		batch := b.ended(t, b.block(t, b.openids(0, 40)...).ID)
		require.Equal(t, blacklist.Counts{Total: 40, Done: 20, Failed: 20}, batch.Counts)
		require.Equal(t, 47001, *b.items(t, batch.ID, blacklist.Failed)[0].ErrCode)
		require.Contains(t, b.Logs.String(), "as mistaken")
	})

	t.Run("SendsShorterListsIfWeChatWantsThem", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 40)
		_, err := b.Sim.Inject(simulator.Fault{Path: pathBlock, Code: 40032, Times: 1})
		require.NoError(t, err)
		b.start(t)
		require.Equal(t, 40, b.ended(t, b.block(t, b.openids(0, 40)...).ID).Counts.Done)
		require.ElementsMatch(t, []int{20, 10, 10}, b.sizes(t, pathBlock), "half as many, but for what was in the air")
	})

	t.Run("GivesOthersTheirTurn", func(t *testing.T) {
		t.Parallel()
		// A slice is over when its first list is done.
		b := setup(t, 100, func(cfg *blacklist.Config) { cfg.Slice = time.Millisecond })
		b.start(t)
		require.Equal(t, 100, b.ended(t, b.block(t, b.openids(0, 100)...).ID).Counts.Done)
	})

	t.Run("LetsTheCallsUnderWayEndWhenItIsStopped", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 45)
		a := watchAir(b)
		cancel, stopped := b.StartCancellable(t, blacklist.Queue, b.blacklist.AddWorkers)
		batch := b.block(t, b.openids(0, 45)...)
		<-a.arrivals
		<-a.arrivals
		cancel() // the job's context has ended when this returns
		close(a.release)
		<-stopped

		batch, err := b.blacklist.GetBatch(t.Context(), b.key, b.tenantID, batch.ID)
		require.NoError(t, err)
		b.consistent(t, batch)
		require.Equal(t, blacklist.Counts{Total: 45, Done: 40, Pending: 5}, batch.Counts, "%s", b.Logs.Trouble())
		require.Equal(t, []int{20, 20}, b.sizes(t, pathBlock), "no call began after the stop")

		b.start(t) // the next process goes on without a sweep
		require.Equal(t, 45, b.ended(t, batch.ID).Counts.Done)
		require.Equal(t, []int{20, 20, 5}, b.sizes(t, pathBlock))
	})
}
