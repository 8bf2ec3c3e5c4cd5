package blacklist_test

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// air watches which openids are in the air, and holds every call until it is let go.
type air struct {
	mu       sync.Mutex
	openids  map[string]int
	most     int // calls at a time
	calls    int
	twice    bool // an openid was in the air twice
	arrivals chan struct{}
	release  chan struct{}
}

func watchAir(b *bundle) *air {
	a := &air{openids: map[string]int{}, arrivals: make(chan struct{}, 1000), release: make(chan struct{})}
	b.Sim.BeforeCall(func(call simulator.Call) {
		if call.Path == pathBlock || call.Path == pathUnblock {
			a.enter(call)
			a.arrivals <- struct{}{}
			<-a.release
			a.leave(call)
		}
	})
	return a
}

func sentIn(call simulator.Call) []string {
	var body struct {
		List []string `json:"openid_list"`
	}
	_ = json.Unmarshal(call.Body, &body)
	return body.List
}

func (a *air) enter(call simulator.Call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	a.most = max(a.most, a.calls)
	for _, openid := range sentIn(call) {
		a.openids[openid]++
		a.twice = a.twice || a.openids[openid] > 1
	}
}

func (a *air) leave(call simulator.Call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls--
	for _, openid := range sentIn(call) {
		a.openids[openid]--
	}
}

func TestPushing_KeepsUpToEightCallsInTheAirAndRecordsEachOpenIDOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, 600)
	a := watchAir(b)
	b.start(t)
	batch := b.block(t, b.openids(0, 600)...)
	<-a.arrivals
	<-a.arrivals
	for range 6 { // each call that succeeds makes room for its successor and for one more
		a.release <- struct{}{}
		<-a.arrivals
		<-a.arrivals
	}
	for range 5 {
		a.release <- struct{}{}
		<-a.arrivals
	}
	a.mu.Lock()
	require.Equal(t, 8, a.calls)
	a.mu.Unlock()
	close(a.release)
	require.Equal(t, blacklist.Counts{Total: 600, Done: 600}, b.ended(t, batch.ID).Counts)
	require.Len(t, b.blacklisted(), 600)
	a.mu.Lock()
	defer a.mu.Unlock()
	require.Equal(t, 8, a.most)
	require.False(t, a.twice)
}

func TestPushing_NeverHasAnOpenIDInTheAirForTwoWishes(t *testing.T) {
	t.Parallel()
	b := setup(t, 40)
	a := watchAir(b)
	b.start(t)
	block := b.block(t, b.openids(0, 40)...)
	<-a.arrivals
	<-a.arrivals
	unblock := b.unblock(t, b.openids(0, 40)...) // while both calls are in the air
	close(a.release)
	require.Equal(t, 40, b.ended(t, unblock.ID).Counts.Done)
	require.Equal(t, 40, b.ended(t, block.ID).Counts.Superseded)
	require.Empty(t, b.blacklisted(), "the last wish wins")
	a.mu.Lock()
	defer a.mu.Unlock()
	require.False(t, a.twice)
}

func TestPushing_ALargeBatchDoesNotHoldUpASmallOne(t *testing.T) {
	t.Parallel()
	b := setup(t, 2000, func(cfg *blacklist.Config) { cfg.Calls = 2 })
	small := factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, FollowerCount: 20})
	a := watchAir(b)
	b.start(t)
	large := b.block(t, b.openids(0, 2000)...)
	<-a.arrivals
	<-a.arrivals // both calls that the process may have in the air are the large one's
	batch, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, small.AppID, blacklist.Request{OpenIDs: b.Sim.FollowersOf(small.AppID)})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		select {
		case a.release <- struct{}{}:
		default:
		}
		got, err := b.blacklist.GetBatch(t.Context(), b.key, b.tenantID, batch.ID)
		return err == nil && got.Ended()
	}, patience, time.Millisecond)
	got, err := b.blacklist.GetBatch(t.Context(), b.key, b.tenantID, large.ID)
	require.NoError(t, err)
	require.False(t, got.Ended(), "the large one is still at it")
	close(a.release)
	b.ended(t, large.ID)
}

func TestPushing_ANewerWishReadBeforeTheOlderWasSentIsTheOnlyOneSent(t *testing.T) {
	t.Parallel()
	b := setup(t, 20)
	block := b.block(t, b.openids(0, 20)...)
	unblock := b.unblock(t, b.openids(0, 20)...)
	b.start(t)
	require.Equal(t, 20, b.ended(t, unblock.ID).Counts.Done)
	require.Equal(t, 20, b.ended(t, block.ID).Counts.Superseded)
	require.Zero(t, b.Sim.CallCount(pathBlock))
}

func TestWindow_OpensWithSuccessAndHalvesInTrouble(t *testing.T) {
	t.Parallel()
	w := blacklist.NewWindow()
	sizes := []int{w.N()}
	for range 8 {
		w.Grow()
		sizes = append(sizes, w.N())
	}
	require.Equal(t, []int{2, 3, 4, 5, 6, 7, 8, 8, 8}, sizes)
	w.Shrink()
	require.Equal(t, 4, w.N())
	for range 3 {
		w.Grow()
	}
	require.Equal(t, 4, w.N(), "carefully now: one more for each full window")
	w.Grow()
	require.Equal(t, 5, w.N())
	for range 10 {
		w.Shrink()
	}
	require.Equal(t, 1, w.N(), "one call is always worth a try")
}

func TestHold_StopsAnAccountsWorkUntilSomebodyResumesIt(t *testing.T) {
	t.Parallel()
	b := setup(t, 2000)
	a := watchAir(b)
	b.start(t)
	batch := b.block(t, b.openids(0, 2000)...)
	<-a.arrivals
	<-a.arrivals
	work, err := b.blacklist.Hold(t.Context(), b.key, b.tenantID, b.account.AppID, "the list was wrong")
	require.NoError(t, err)
	require.Equal(t, blacklist.WorkHeld, work.Status)
	require.Equal(t, "the list was wrong", work.Reason)
	require.Equal(t, b.key.Actor(), work.By)
	close(a.release)
	b.eventually(t, func() bool {
		var free bool
		err := b.Pool.QueryRow(t.Context(), `SELECT lease_holder = '' FROM blacklist_lanes`).Scan(&free)
		return err == nil && free
	}, "the push stops")
	calls := b.Sim.CallCount(pathBlock)
	require.Less(t, calls, 100)
	held := b.status(t, batch.ID, blacklist.StatusPaused)
	require.Equal(t, calls*20, held.Counts.Done, "what was in the air is recorded")
	require.Contains(t, held.PauseReason, "the list was wrong")

	b.block(t, b.openids(0, 5)...) // wishes are taken, and wait
	b.sweep(t)
	require.Equal(t, calls, b.Sim.CallCount(pathBlock))

	work, err = b.blacklist.Resume(t.Context(), b.key, b.tenantID, b.account.AppID)
	require.NoError(t, err)
	require.Equal(t, blacklist.WorkRunning, work.Status)
	ended := b.ended(t, batch.ID)
	require.Equal(t, 2000, ended.Counts.Done+ended.Counts.Superseded)
	b.eventually(t, func() bool {
		work, err := b.blacklist.GetWork(t.Context(), b.key, b.tenantID, b.account.AppID)
		return err == nil && work.Status == blacklist.WorkIdle
	}, "nothing is left")
}

func TestHold_NeedsTheScopeAndTheRightTenant(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	var missing *tenant.ScopeMissingError
	reader := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.BlacklistRead}})
	_, err := b.blacklist.Hold(t.Context(), reader, b.tenantID, b.account.AppID, "")
	require.ErrorAs(t, err, &missing)
	stranger := factory.Key(t, b.World, factory.KeyOptions{TenantID: factory.Tenant(t, b.World).ID})
	_, err = b.blacklist.Resume(t.Context(), stranger, b.tenantID, b.account.AppID)
	require.ErrorIs(t, err, tenant.ErrNotFound)
	_, err = b.blacklist.GetWork(t.Context(), stranger, b.tenantID, b.account.AppID)
	require.ErrorIs(t, err, tenant.ErrNotFound)
	work, err := b.blacklist.GetWork(t.Context(), reader, b.tenantID, b.account.AppID)
	require.NoError(t, err)
	require.Equal(t, blacklist.Work{AppID: b.account.AppID, Status: blacklist.WorkIdle}, work)
}
