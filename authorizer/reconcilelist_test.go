package authorizer_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// shortPages is a WeChat whose list has so many accounts on a page.
func shortPages(n int) factory.WorldOptions {
	return settings(func(s *simulator.Settings) { s.AuthorizerPageSize = n })
}

// severalMissing makes n accounts that we do not know. WeChat lists them in this order.
func severalMissing(t *testing.T, w *factory.World, n int) []string {
	t.Helper()
	appids := make([]string, n)
	for i := range appids {
		appids[i] = missing(t, w, factory.AccountOptions{AppID: fmt.Sprintf("wxmissing%03d", i)})
	}
	return appids
}

// once calls do when the n-th call to path has taken effect at WeChat, before it is answered.
func once(w *factory.World, path string, n int, do func()) {
	var mu sync.Mutex
	seen := 0
	w.Sim.BeforeAnswer(func(c simulator.Call) {
		if c.Path != path {
			return
		}
		mu.Lock()
		seen++
		due := seen == n
		mu.Unlock()
		if due {
			do()
		}
	})
}

// requireEachOnce checks that the accounts are ours, usable, and were made once.
func requireEachOnce(t *testing.T, w *factory.World, appids []string) {
	t.Helper()
	require.Len(t, appids, count(t, w, `SELECT count(*) FROM authorizers WHERE state = 'active'`))
	require.Len(t, audited(t, w, "authorizer.authorize"), len(appids))
	for _, appid := range appids {
		require.NotEmpty(t, tokenOf(t, w, byAppID(t, w, appid)), appid)
	}
}

func TestReconcile_ReadsAListOfSeveralPages(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	// Of 501 accounts all but one are known here. WeChat's simulator has to know them too.
	factory.ManyAccounts(t, factory.Bulk{
		Pool: w.Pool, Box: w.Box, ComponentAppID: w.ComponentAppID, TenantID: factory.Tenant(t, w).ID, Now: w.Clock.Now(), Count: 500,
	})
	for i := range 500 {
		authorize(t, w, factory.AddToWeChat(t, w, factory.AccountOptions{AppID: fmt.Sprintf("wxbulk%012d", i)}), "", 1, 2)
	}
	w.Clock.Advance(time.Second)
	appid := missing(t, w) // the last in the list
	require.Equal(t, results{Listed: 501, Total: 501, Added: 1, Profiles: 500}, resultsOf(reconciled(t, w)))
	require.Equal(t, 2, w.Sim.CallCount(pathList))
	require.Equal(t, 1, w.Sim.CallCount(pathInfo))
	require.NotEmpty(t, tokenOf(t, w, byAppID(t, w, appid)))
	from := w.Clock.Now()
	require.Greater(t, count(t, w, `SELECT count(DISTINCT date_trunc('minute', profile_due_at)) FROM authorizers WHERE profile_due_at BETWEEN $1 AND $2`,
		from, from.Add(10*time.Minute)), 5, "their profiles are not all read at once")
}

func TestReconcile_APageThatFailsLeavesEverythingAsItIsAndIsReadLater(t *testing.T) {
	w := setup(t, shortPages(2))
	w.StartJobs(t)
	absent := active(t, w)
	require.NoError(t, w.Sim.Revoke(absent.AppID))
	appids := severalMissing(t, w, 5)
	inject(t, w, simulator.Fault{Path: pathList, Skip: 1, Code: -1, Times: 1})
	id := start(t, w).ID
	failedTurns(t, w, 1)
	waiting := look(t, w, id)
	require.Equal(t, authorizer.ReconciliationRunning, waiting.Status)
	require.Equal(t, results{Listed: 2, Total: 5}, resultsOf(waiting))
	require.Equal(t, -1, waiting.Code)
	require.NotEmpty(t, waiting.RID)
	require.Equal(t, 1, count(t, w, `SELECT count(*) FROM authorizers`))
	require.False(t, again(t, w, absent).ProfileReadAt.After(absent.AuthorizedAt))

	w.Clock.Advance(29 * time.Second)
	sweep(t, w)
	require.Equal(t, 1, jobs(t, w, "reconcile"), "not yet")
	w.Clock.Advance(time.Second)
	sweep(t, w)
	require.Equal(t, results{Listed: 5, Total: 5, Added: 5, Absent: 1}, resultsOf(over(t, w, id)))
	require.Empty(t, look(t, w, id).Error)
	require.Equal(t, 4, w.Sim.CallCount(pathList), "it went on where it had stopped")
	require.NoError(t, w.Sim.Change(func(s *simulator.Settings) { s.AuthorizerPageSize = 500 }))
	for _, appid := range appids {
		require.NotEmpty(t, tokenOf(t, w, byAppID(t, w, appid)))
	}
}

func TestReconcile_IsGivenUpAfterManyFailuresAndHasChangedNothing(t *testing.T) {
	w := setup(t, shortPages(1))
	w.StartJobs(t)
	account := active(t, w)
	severalMissing(t, w, 2)
	inject(t, w, simulator.Fault{Path: pathList, Skip: 1, Status: 502})
	id := start(t, w).ID
	var pauses []time.Duration
	for n := 1; n < 8; n++ {
		failedTurns(t, w, n)
		var next time.Time
		require.NoError(t, w.Pool.QueryRow(t.Context(), `SELECT next_try_at FROM reconciliations`).Scan(&next))
		pauses = append(pauses, next.Sub(w.Clock.Now()))
		w.Clock.Advance(pauses[n-1])
		sweep(t, w)
	}
	require.Equal(t, []time.Duration{
		30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 10 * time.Minute,
	}, pauses)
	r := over(t, w, id)
	require.Equal(t, authorizer.ReconciliationFailed, r.Status)
	require.Equal(t, results{Listed: 1, Total: 3}, resultsOf(r))
	require.Contains(t, r.Error, "502")
	require.Equal(t, 1, count(t, w, `SELECT count(*) FROM authorizers`))
	require.Equal(t, authorizer.StateActive, again(t, w, account).State)
	require.Equal(t, account.ProfileReadAt, again(t, w, account).ProfileReadAt)
	sweep(t, w)
	require.Equal(t, 8, jobs(t, w, "reconcile"), "nobody goes on")
}

func TestReconcile_WorksThroughAWeChatThatFailsEveryOtherTime(t *testing.T) {
	w := setup(t, shortPages(2))
	w.StartJobs(t)
	appids := severalMissing(t, w, 7)
	inject(t, w, simulator.Fault{Path: pathList, Every: 2, Code: -1})
	inject(t, w, simulator.Fault{Path: pathInfo, Every: 2, Code: -1})
	id := start(t, w).ID
	require.Eventually(t, func() bool {
		w.Clock.Advance(10 * time.Second)
		sweep(t, w)
		return look(t, w, id).EndedAt != nil
	}, patience, 10*time.Millisecond)
	w.Sim.ClearFaults()
	require.Equal(t, results{Listed: 7, Total: 7, Added: 7}, resultsOf(over(t, w, id)))
	requireEachOnce(t, w, appids)
}

func TestReconcile_AnAccountThatLeavesWhileTheListIsReadHidesNoOther(t *testing.T) {
	w := setup(t, shortPages(2))
	w.StartJobs(t)
	appids := severalMissing(t, w, 6)
	// The third comes up to the first page, which has been read.
	once(w, pathList, 1, func() { require.NoError(t, w.Sim.Revoke(appids[0])) })
	r := reconciled(t, w)
	require.Equal(t, results{Listed: 5, Total: 5, Added: 5}, resultsOf(r))
	requireEachOnce(t, w, appids[1:])
	require.Equal(t, 3+3, w.Sim.CallCount(pathList), "read again from the start")
}

func TestReconcile_AnAccountThatAuthorizesWhileTheListIsReadIsThereOnceAndItsTenants(t *testing.T) {
	w := setup(t, shortPages(2))
	w.StartJobs(t)
	appids := severalMissing(t, w, 4)
	s := scan(t, w, authorizer.ConnectLinkParams{}, factory.AccountOptions{AppID: "wxahead0000000"}) // of all others in the list
	var account authorizer.Account
	once(w, pathList, 1, func() { account = finish(t, w, s) })
	r := reconciled(t, w)
	require.Equal(t, 4, r.Added)
	require.Zero(t, r.Absent)
	requireEachOnce(t, w, append(appids, "wxahead0000000"))
	require.Equal(t, s.tenantID, again(t, w, account).TenantID)
}

func TestReconcile_TheMerchantWhoIsFasterKeepsTheAccount(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	appid := missing(t, w)
	tenantID := factory.Tenant(t, w).ID
	state := factory.LinkState(t, w, tenantID, authorizer.ConnectLinkParams{})
	code := authorize(t, w, appid, preAuthCode(t, w, state), 1, 2)
	once(w, pathInfo, 1, func() { // asked because the account is not ours; when the answer comes, it is
		_, _, err := w.Authorizers.FinishConnectLink(context.WithoutCancel(t.Context()), state, code)
		require.NoError(t, err)
	})
	require.Zero(t, reconciled(t, w).Added)
	requireEachOnce(t, w, []string{appid})
	require.Equal(t, tenantID, byAppID(t, w, appid).TenantID)
}

func TestReconcile_AListThatContradictsItselfIsReadThreeTimesAndThenNotBelieved(t *testing.T) {
	for name, change := range map[string]func(fields map[string]any){
		"FewerThanItSays": func(fields map[string]any) { fields["total_count"] = 4 },
		"MoreThanItSays":  func(fields map[string]any) { fields["total_count"] = 0 },
		"AnEmptyPage":     func(fields map[string]any) { fields["list"] = []any{} },
		"AlwaysTheSamePage": func(fields map[string]any) {
			fields["total_count"] = 6
			fields["list"] = []any{map[string]any{"authorizer_appid": "wxmissing000"}, map[string]any{"authorizer_appid": "wxmissing001"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t)
			absent := active(t, w)
			severalMissing(t, w, 2)
			odd := rewrite(t, w, pathList, change)
			odd.StartJobs(t)
			r := over(t, odd, start(t, odd).ID)
			require.Equal(t, authorizer.ReconciliationFailed, r.Status)
			require.Contains(t, r.Error, "contradicts itself")
			require.Equal(t, 3, count(t, w, `SELECT readings FROM reconciliations`))
			require.Zero(t, w.Sim.CallCount(pathInfo))
			require.Equal(t, 1, count(t, w, `SELECT count(*) FROM authorizers`))
			require.Equal(t, authorizer.StateActive, again(t, w, absent).State)
		})
	}
}

func TestReconcile_AnAccountThatWeChatWillNotTellAboutHoldsUpNoOther(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	appids := severalMissing(t, w, 3)
	inject(t, w, simulator.Fault{Path: pathInfo, AppID: appids[1], Code: 40013})
	require.Equal(t, results{Listed: 3, Total: 3, Added: 2}, resultsOf(reconciled(t, w)))
	requireEachOnce(t, w, []string{appids[0], appids[2]})
}

func TestReconcile_AnAccountThatFailsIsTriedAgainAfterTheOthers(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	appids := severalMissing(t, w, 3)
	inject(t, w, simulator.Fault{Path: pathInfo, AppID: appids[0], Status: 502, Times: 1})
	id := start(t, w).ID
	failedTurns(t, w, 1)
	require.Equal(t, 2, look(t, w, id).Added)
	w.Clock.Advance(30 * time.Second)
	sweep(t, w)
	require.Equal(t, 3, over(t, w, id).Added)
	requireEachOnce(t, w, appids)
}
