package main_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestKilledInTheMiddleOfABatch(t *testing.T) {
	t.Parallel()
	const people = 2000
	b := setup(t)
	appid, followers := b.connect(people, "1", "2")
	slow(t, b, pathBlock, 25*time.Millisecond)
	made := b.startBlock(appid, followers)
	eventually(t, "ten calls were made", func() bool { return b.sim.CallCount(pathBlock) >= 10 })
	b.steward.kill()
	require.Less(t, len(b.sim.Blacklisted(appid)), people, "it was killed in the middle")

	again := time.Now()
	b.serve()
	killedAt := b.sim.CallCount(pathBlock)
	eventually(t, "somebody goes on", func() bool { return b.sim.CallCount(pathBlock) > killedAt })
	recovery := time.Since(again)
	got := b.ended(made.ID)
	t.Logf("after kill -9: the first call %s after the start, all done after %s", recovery.Round(time.Millisecond), time.Since(again).Round(time.Millisecond))
	requireAllBlocked(t, b, appid, got, followers)
	const inTheAir, notRecorded = 8, 16
	require.LessOrEqual(t, b.sim.CallCount(pathBlock), people/20+inTheAir+notRecorded, "only what was under way is sent again")
}

func TestTerminatedInTheMiddleOfABatch(t *testing.T) {
	t.Parallel()
	const people = 400
	b := setup(t)
	appid, followers := b.connect(people, "1", "2")
	running := make(chan struct{})
	var calls atomic.Int64
	b.sim.BeforeCall(func(call simulator.Call) {
		if call.Path == pathBlock && calls.Add(1) == 5 {
			close(running)
		}
	})
	slow(t, b, pathBlock, 150*time.Millisecond)
	waiting := make(chan answer)
	go func() {
		a, _ := b.try(request{
			method: http.MethodPost, url: b.account(appid) + "/blacklist/block", key: b.key,
			body: toJSON(t, map[string]any{"openids": followers}), header: map[string]string{"Prefer": "wait=60"},
		})
		waiting <- a
	}()
	<-running
	b.steward.stop() // exit code 0

	var made batch
	(<-waiting).is(202).into(&made) // who waited learns how things stand
	blocked := len(b.sim.Blacklisted(appid))
	require.Less(t, blocked, people, "it ended in the middle")
	require.Equal(t, blocked, b.count(`SELECT count(*) FROM blacklist_items WHERE outcome = 'done'`), "the running call is recorded")
	require.Equal(t, people-blocked, b.count(`SELECT count(*) FROM blacklist_items WHERE outcome = 'pending'`))

	again := time.Now()
	b.serve()
	got := b.ended(made.ID)
	t.Logf("after SIGTERM: all done %s after the start", time.Since(again).Round(time.Millisecond))
	requireAllBlocked(t, b, appid, got, followers)
	require.Equal(t, people/20, b.sim.CallCount(pathBlock), "no call was made twice")
}

func TestKilledInTheMiddleOfAPull(t *testing.T) {
	t.Parallel()
	const people = 300
	b := setup(t)
	require.NoError(t, b.sim.Change(func(s *simulator.Settings) { s.PageSize = 10 }))
	appid, followers := b.connect(people, "1", "2")
	require.NoError(t, b.sim.RemoteBlock(appid, followers...))
	slow(t, b, pathGetBlacklist, 25*time.Millisecond)
	var made, got pull
	b.post(b.account(appid)+"/blacklist/pull", struct{}{}).is(202).into(&made)
	eventually(t, "five pages were read", func() bool { return b.sim.CallCount(pathGetBlacklist) >= 5 })
	b.steward.kill()
	require.Less(t, b.sim.CallCount(pathGetBlacklist), people/10, "it was killed in the middle")

	again := time.Now()
	b.serve()
	eventually(t, "the pull is done", func() bool {
		b.get(b.account(appid) + "/blacklist/pulls/" + made.ID).is(200).into(&got)
		return got.Status == "done"
	})
	t.Logf("after kill -9: the pull was done %s after the start", time.Since(again).Round(time.Millisecond))
	require.Equal(t, people, got.Added)
	total, _ := b.blocked(appid)
	require.Equal(t, people, total)
}

// A process that was killed between WeChat's answer and its record has done the deed; a WeChat that exchanges a code
// only once must not lose the merchant over it.
func TestKilledWhileExchangingACode(t *testing.T) {
	t.Parallel()
	b := setup(t)
	appid := b.addAccount(1)
	require.NoError(t, b.sim.Change(func(s *simulator.Settings) {
		s.CodeOnce, s.PushOrder, s.PushTries, s.PushTimeoutMS = true, simulator.AfterRedirect, 3, 500
	}))
	b.sim.BeforeAnswer(func(call simulator.Call) {
		if call.Path == pathQueryAuth {
			b.sim.BeforeAnswer(nil)
			b.steward.kill()
		}
	})
	location := b.consent(b.consentLink(b.connectLink()), appid, "1", "2")
	b.visit(location) // nobody answers any more
	b.serve()
	code := queryOf(t, location).Get("auth_code")
	again := simulator.Event{InfoType: simulator.Authorized, AuthorizationCode: code, CreatedAt: b.sim.Now()}
	eventually(t, "a push that WeChat repeats is taken up", func() bool {
		require.NoError(t, b.sim.Push(t.Context(), again))
		return b.count(`SELECT count(*) FROM component_events WHERE processed_at IS NOT NULL`) > 0
	})
	require.True(t, b.active(appid).CanBlacklist)
	require.Equal(t, 1, b.block(appid, b.sim.FollowersOf(appid)).Counts.Done)
}

// slow makes calls take their time, so that there is a middle.
func slow(t *testing.T, b *bundle, path string, latency time.Duration) {
	t.Helper()
	_, err := b.sim.Inject(simulator.Fault{Path: path, LatencyMS: int(latency.Milliseconds())})
	require.NoError(t, err)
}

func requireAllBlocked(t *testing.T, b *bundle, appid string, got batch, openids []string) {
	t.Helper()
	require.Equal(t, counts{Total: len(openids), Done: got.Counts.Done, Already: got.Counts.Already}, got.Counts)
	require.Equal(t, len(openids), got.Counts.Done+got.Counts.Already)
	require.ElementsMatch(t, openids, b.sim.Blacklisted(appid))
	total, _ := b.blocked(appid)
	require.Equal(t, len(openids), total)
	require.Zero(t, b.count(`SELECT count(*) FROM blacklist_items WHERE outcome = 'pending'`))
	require.Zero(t, b.count(`SELECT count(*) FROM blacklist_entries WHERE pending`))
}
