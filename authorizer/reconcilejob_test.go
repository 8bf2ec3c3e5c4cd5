package authorizer_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// doomed returns another process, and what kills it: all at once its database is gone, and with it all that it was about
// to commit.
func doomed(t *testing.T, w *factory.World) (process *factory.World, kill func()) {
	t.Helper()
	cfg := w.Pool.Config()
	cfg.ConnConfig.RuntimeParams["application_name"] = "doomed"
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	template := *w
	template.Pool = pool
	process = template.Process(t)
	return process, func() {
		go process.Pool.Close()
		require.Eventually(t, func() bool { return process.Pool.Ping(t.Context()) != nil }, patience, time.Millisecond)
		_, err := w.Pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'doomed'`)
		require.NoError(t, err)
	}
}

func TestReconcile_AProcessKilledWhileTheListIsReadLosesNothing(t *testing.T) {
	w := setup(t, shortPages(2))
	appids := severalMissing(t, w, 7)
	killed, kill := doomed(t, w)
	once(w, pathList, 3, kill)
	killed.StartJobs(t)
	id := start(t, w).ID
	require.Eventually(t, func() bool { return w.Sim.CallCount(pathList) == 3 }, patience, time.Millisecond)
	require.Eventually(t, func() bool {
		return count(t, w, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'doomed'`) == 0
	}, patience, time.Millisecond)
	require.Equal(t, 4, look(t, w, id).Listed)

	w.StartJobs(t)
	leased(t, w, time.Hour)
	sweep(t, w)
	require.Equal(t, 1, jobs(t, w, "reconcile"), "its lease is not over yet")
	leased(t, w, -time.Second)
	sweep(t, w)
	require.Equal(t, results{Listed: 7, Total: 7, Added: 7}, resultsOf(over(t, w, id)))
	require.Equal(t, 5, w.Sim.CallCount(pathList), "of the pages one was read twice")
	requireEachOnce(t, w, appids)
}

// leased sets how long the lease of a process that says nothing lasts.
func leased(t *testing.T, w *factory.World, d time.Duration) {
	t.Helper()
	_, err := w.Pool.Exec(t.Context(), `UPDATE reconciliations SET lease_until = now() + $1::interval`, d)
	require.NoError(t, err)
}

func TestReconcile_AProcessKilledBetweenWeChatsAnswerAndTheCommitLosesNothing(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.RotateOnRenew, s.RefreshTokenOverlapSeconds = true, 0 }))
	appids := severalMissing(t, w, 5)
	back := revokedByMistake(t, w)
	killed, kill := doomed(t, w)
	once(w, pathRenew, 1, kill) // WeChat has just given the account that comes back another refresh token
	killed.StartJobs(t)
	id := start(t, w).ID
	require.Eventually(t, func() bool { return w.Sim.CallCount(pathRenew) == 1 }, patience, time.Millisecond)
	require.Eventually(t, func() bool {
		return count(t, w, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'doomed'`) == 0
	}, patience, time.Millisecond)
	require.Zero(t, look(t, w, id).Restored)

	leased(t, w, -time.Second)
	w.StartJobs(t)
	sweep(t, w)
	r := over(t, w, id)
	require.Equal(t, []int{6, 5, 1}, []int{r.Listed, r.Added, r.Restored})
	requireUsable(t, w, back)
	for _, appid := range appids {
		require.NotEmpty(t, tokenOf(t, w, byAppID(t, w, appid)))
	}
	require.Len(t, audited(t, w, "authorizer.authorize"), 5+2, "none twice; the one that came back had come once before")
}

func TestReconcile_AJobThatWasLostIsReplaced(t *testing.T) {
	w := setup(t)
	id := start(t, w).ID
	_, err := w.Pool.Exec(t.Context(), `DELETE FROM river_job`)
	require.NoError(t, err)
	w.StartJobs(t)
	leased(t, w, time.Hour)
	sweep(t, w)
	require.Zero(t, jobs(t, w, "reconcile"), "it may be on its way")
	leased(t, w, -time.Second)
	sweep(t, w)
	over(t, w, id)
}

func TestReconcile_TwoWorkersAtOnceDoEachThingOnce(t *testing.T) {
	w := setup(t, shortPages(10))
	other := w.Process(t)
	appids := severalMissing(t, w, 30)
	inject(t, w, simulator.Fault{Path: pathInfo, LatencyMS: 50})
	// The first, in the middle of its work, is taken for dead.
	once(w, pathInfo, 5, func() {
		leased(t, w, -time.Second)
		sweep(t, other)
	})
	w.StartJobs(t)
	other.StartJobs(t)
	r := reconciled(t, w)
	require.Equal(t, results{Listed: 30, Total: 30, Added: 30}, resultsOf(r))
	require.Equal(t, 2, jobs(t, w, "reconcile"))
	finished(t, w, "reconcile", 2)
	requireEachOnce(t, w, appids)
}

func TestReconcile_WhoLostItsLeaseStagesNothing(t *testing.T) {
	w := setup(t, shortPages(2))
	severalMissing(t, w, 3)
	once(w, pathList, 1, func() {
		_, err := w.Pool.Exec(t.Context(), `UPDATE reconciliations SET lease_holder = 'another', lease_until = now() + interval '1 hour'`)
		require.NoError(t, err)
	})
	id := start(t, w).ID
	w.StartJobs(t)
	finished(t, w, "reconcile", 1)
	require.Zero(t, look(t, w, id).Listed)
	require.Zero(t, count(t, w, `SELECT count(*) FROM reconciliation_accounts`))
	require.Zero(t, count(t, w, `SELECT failures FROM reconciliations`))
}

func TestReconcile_AProcessThatStopsInGoodOrderHandsItsWorkOver(t *testing.T) {
	w := setup(t, shortPages(2))
	appids := severalMissing(t, w, 5)
	client := w.Process(t).StartJobs(t)
	once(w, pathList, 2, func() {
		go func() { _ = client.StopAndCancel(context.WithoutCancel(t.Context())) }()
		require.Eventually(t, func() bool { return count(t, w, `SELECT count(*) FROM reconciliations WHERE lease_holder = ''`) == 1 }, patience, time.Millisecond)
	})
	id := start(t, w).ID
	require.Eventually(t, func() bool { return w.Sim.CallCount(pathList) == 2 }, patience, time.Millisecond)
	require.Eventually(t, func() bool { return count(t, w, `SELECT count(*) FROM reconciliations WHERE lease_holder = ''`) == 1 }, patience, time.Millisecond)
	w.StartJobs(t)
	sweep(t, w)
	require.Equal(t, 5, over(t, w, id).Added)
	requireEachOnce(t, w, appids)
	require.Zero(t, count(t, w, `SELECT failures FROM reconciliations`))
}

func TestReconcile_BeginsEachNightAtAMomentOfTheComponentsOwn(t *testing.T) {
	o := settings(func(s *simulator.Settings) { s.TicketLifetimeSeconds = 1 << 30 })
	o.FurtherComponents = []simulator.Component{{AppID: "wxsecondcomponent"}, {AppID: "wxthirdcomponent"}}
	w := setup(t, o)
	other := w.Process(t)
	w.StartJobs(t)
	sweepMinutes := func(n int) {
		t.Helper()
		for range n {
			w.Clock.Advance(time.Minute)
			var sweeps errgroup.Group
			for _, process := range []*factory.World{w, other, w, other} {
				sweeps.Go(func() error { return process.Authorizers.Sweep(t.Context()) })
			}
			require.NoError(t, sweeps.Wait())
		}
	}
	w.Clock.Advance(10*time.Hour + 28*time.Minute)
	sweepMinutes(1) // 02:59 in China
	require.Zero(t, count(t, w, `SELECT count(*) FROM reconciliations`))
	sweepMinutes(61)
	require.Equal(t, 3, count(t, w, `SELECT count(*) FROM reconciliations`), "one each, however many sweep")
	require.Equal(t, 3, count(t, w, `SELECT count(DISTINCT component_appid) FROM reconciliations WHERE night = '2026-03-03' AND actor = 'Steward (system)'`))
	require.Equal(t, 3, count(t, w, `SELECT count(DISTINCT created_at) FROM reconciliations WHERE extract(hour FROM created_at AT TIME ZONE 'UTC') = 19`), "not all together")
	require.Eventually(t, func() bool {
		sweep(t, w) // a turn may have ended as the clock moved
		return count(t, w, `SELECT count(*) FROM reconciliations WHERE status = 'done'`) == 3
	}, patience, 10*time.Millisecond)

	w.Clock.Advance(22*time.Hour + 50*time.Minute)
	sweepMinutes(1)
	require.Equal(t, 3, count(t, w, `SELECT count(*) FROM reconciliations`))
	w.Clock.Advance(5 * time.Hour) // nobody swept in that hour; the night is made up for
	sweepMinutes(1)
	require.Equal(t, 3, count(t, w, `SELECT count(*) FROM reconciliations WHERE night = '2026-03-04'`))
}

func TestReconcile_OneThatSomebodyAskedForAtNightIsEnough(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	w.Clock.Advance(11*time.Hour + 31*time.Minute) // 04:01 in China
	reconciled(t, w)
	sweep(t, w)
	require.Equal(t, 1, count(t, w, `SELECT count(*) FROM reconciliations`))
}

func TestReconcile_AComponentWithoutTicketsHasNoNights(t *testing.T) {
	w := setup(t, factory.WorldOptions{NoTicket: true})
	inject(t, w, simulator.Fault{Path: "/cgi-bin/component/api_start_push_ticket", Code: -1})
	w.Clock.Advance(20 * time.Hour)
	_ = w.Authorizers.Sweep(t.Context())
	require.Zero(t, count(t, w, `SELECT count(*) FROM reconciliations`))
}
