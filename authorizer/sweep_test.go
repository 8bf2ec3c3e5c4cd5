package authorizer_test

import (
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func sweep(t *testing.T, w *factory.World) {
	t.Helper()
	require.NoError(t, w.Authorizers.Sweep(t.Context()))
}

func jobs(t *testing.T, w *factory.World, kind string) int {
	t.Helper()
	return count(t, w, `SELECT count(*) FROM river_job WHERE kind = $1`, kind)
}

// finished waits until n jobs of a kind have ended.
func finished(t *testing.T, w *factory.World, kind string, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		return count(t, w, `SELECT count(*) FROM river_job WHERE kind = $1 AND state IN ('completed', 'cancelled', 'discarded')`, kind) == n
	}, patience, 10*time.Millisecond)
}

func TestSweep_RenewsTokensBeforeCallersHaveToWait(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	w.StartJobs(t)
	sweep(t, w)
	require.Zero(t, jobs(t, w, "renew_tokens"))

	w.Clock.Advance(76 * time.Minute) // a third of two hours is left at 80 minutes; five minutes before that at the latest
	sweep(t, w)
	finished(t, w, "renew_tokens", 1)
	require.Equal(t, 1, w.Sim.CallCount(pathRenew))
	require.Equal(t, w.Clock.Now(), *again(t, w, account).Token.RenewedAt)
	sweep(t, w)
	require.Equal(t, 1, jobs(t, w, "renew_tokens"))
}

func TestSweep_SpreadsRenewalsOverAccounts(t *testing.T) {
	w := setup(t)
	owner := factory.Tenant(t, w)
	for range 20 {
		factory.Account(t, w, factory.AccountOptions{TenantID: owner.ID})
	}
	due := count(t, w, `SELECT count(DISTINCT renew_after) FROM authorizer_tokens WHERE renew_after BETWEEN $1 AND $2`,
		w.Clock.Now().Add(60*time.Minute), w.Clock.Now().Add(75*time.Minute))
	require.Greater(t, due, 15)
}

func TestSweep_MakesOneJobForOneThingHoweverManySweep(t *testing.T) {
	w := setup(t)
	other := w.Process(t)
	account := active(t, w)
	push(t, w, unauthorized("wxunknown"))
	w.Clock.Advance(2 * time.Hour)
	_, err := w.Pool.Exec(t.Context(), `UPDATE authorizers SET profile_due_at = created_at`)
	require.NoError(t, err)
	for range 3 {
		sweep(t, w)
		sweep(t, other)
	}
	require.Equal(t, []int{1, 1, 1}, []int{jobs(t, w, "renew_tokens"), jobs(t, w, "read_profile"), jobs(t, w, "authorization_event")})
	w.StartJobs(t)
	finished(t, w, "renew_tokens", 1)
	require.NotEmpty(t, tokenOf(t, w, account))
}

func TestSweep_LeavesAnAccountThatFailsAloneForLongerEachTime(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	w.StartJobs(t)
	inject(t, w, simulator.Fault{Path: pathRenew, Code: 45009})
	w.Clock.Advance(90 * time.Minute)
	for failures := 1; failures <= 3; failures++ {
		sweep(t, w)
		finished(t, w, "renew_tokens", failures)
		require.Equal(t, failures, count(t, w, `SELECT failures FROM authorizer_tokens`))
		next := again(t, w, account).Health.NextAttemptAt.Sub(w.Clock.Now())
		pause := 30 * time.Second << (failures - 1)
		require.GreaterOrEqual(t, next, pause)
		require.LessOrEqual(t, next, pause+pause/4, "those who failed together come back within a quarter of the pause")
		w.Clock.Advance(next - time.Second)
		sweep(t, w)
		require.Equal(t, failures, jobs(t, w, "renew_tokens"), "not yet")
		w.Clock.Advance(time.Second)
	}
}

func TestSweep_LeavesAccountsThatCannotBeUsedAlone(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.InfoWithoutRefreshToken, s.ListWithoutRefreshToken = true, true }))
	revoked, lost := active(t, w), active(t, w)
	require.NoError(t, w.Sim.Revoke(revoked.AppID))
	_, err := w.Sim.ReplaceRefreshToken(lost.AppID)
	require.NoError(t, err)
	w.Clock.Advance(3 * time.Hour)
	for _, account := range []authorizer.Account{revoked, lost} {
		_, err := w.Authorizers.Token(t.Context(), account.ID)
		require.Error(t, err)
	}
	require.Equal(t, authorizer.StateRevoked, again(t, w, revoked).State)
	require.Equal(t, authorizer.StateNeedsReauthorization, again(t, w, lost).State)
	w.Clock.Advance(8 * time.Hour)
	sweep(t, w)
	require.Zero(t, count(t, w, `SELECT count(*) FROM river_job`))
}

func TestSweep_AJobThatComesTooLateDoesNothing(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	w.Clock.Advance(90 * time.Minute)
	sweep(t, w)
	require.Equal(t, 1, jobs(t, w, "renew_tokens"))
	tokenOf(t, w, account) // somebody needed it before the job ran
	w.StartJobs(t)
	finished(t, w, "renew_tokens", 1)
	require.Equal(t, 1, w.Sim.CallCount(pathRenew))
}

func TestSweep_GivesEventsWithoutAJobAnother(t *testing.T) {
	w := setup(t)
	s := scan(t, w, authorizer.ConnectLinkParams{}, factory.AccountOptions{})
	push(t, w, authorized(s.appid, s.code, s.preAuth))
	_, err := w.Pool.Exec(t.Context(), `DELETE FROM river_job`)
	require.NoError(t, err)
	sweep(t, w)
	require.Zero(t, jobs(t, w, "authorization_event"), "it may be on its way")
	w.Clock.Advance(61 * time.Second)
	sweep(t, w)
	require.Equal(t, 1, jobs(t, w, "authorization_event"))
	w.StartJobs(t)
	processed(t, w, 1)
	requireConnected(t, w, s)
}

func TestSweep_GoesOnWhenAPartOfItFails(t *testing.T) {
	w := setup(t)
	active(t, w)
	w.Clock.Advance(2 * time.Hour)
	_, err := w.Pool.Exec(t.Context(), `ALTER TABLE reconciliations RENAME TO elsewhere`)
	require.NoError(t, err)
	require.Error(t, w.Authorizers.Sweep(t.Context()))
	require.Equal(t, 1, jobs(t, w, "renew_tokens"))
}

func TestSweep_ForgetsLinksNobodyUsedAndOldCodes(t *testing.T) {
	w := setup(t)
	used := scan(t, w, authorizer.ConnectLinkParams{}, factory.AccountOptions{})
	finish(t, w, used)
	unused := factory.LinkState(t, w, used.tenantID, authorizer.ConnectLinkParams{})
	preAuthCode(t, w, unused)
	sweep(t, w)
	left := func() []int {
		return []int{
			count(t, w, `SELECT count(*) FROM connect_links`), count(t, w, `SELECT count(*) FROM connect_link_codes`),
			count(t, w, `SELECT count(*) FROM authorization_codes`),
		}
	}
	require.Equal(t, []int{2, 2, 1}, left())
	w.Clock.Advance(9 * 24 * time.Hour)
	_ = w.Authorizers.Sweep(t.Context()) // the ticket is too old by now, which it reports
	require.Equal(t, []int{1, 0, 0}, left())
	require.Equal(t, used.tenantID, finish(t, w, used).TenantID, "a used link keeps its answer")
}

func TestSweep_ReadsProfilesOnceADay(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	w.StartJobs(t)
	sweep(t, w)
	require.Zero(t, jobs(t, w, "read_profile"))
	require.NoError(t, w.Sim.UpdateAccount(account.AppID, func(a *simulator.Account) { a.NickName = "New Name" }))
	ticket(t, w)
	w.Clock.Advance(24 * time.Hour)
	ticket(t, w)
	sweep(t, w)
	require.Eventually(t, func() bool { return again(t, w, account).NickName == "New Name" }, patience, 10*time.Millisecond)
}

// ticket has WeChat push a new verify ticket.
func ticket(t *testing.T, w *factory.World) {
	t.Helper()
	require.NoError(t, w.Sim.PushTicket(t.Context()))
}

func TestProfile_ARestrictedAccountIsLimitedUntilTheRestrictionEnds(t *testing.T) {
	for status, limited := range map[int]bool{1: false, 14: true, 16: true, 18: false, 19: true} {
		w := factory.NewWorld(t)
		state := authorizer.StateActive
		if limited {
			state = authorizer.StateLimited
		}
		account := active(t, w, factory.AccountOptions{Sim: func(a *simulator.Account) { a.AccountStatus = status }})
		require.Equal(t, state, account.State, status)
		require.Equal(t, limited, account.StateReason != "", status)
		if !limited {
			continue
		}
		w.StartJobs(t)
		require.NoError(t, w.Sim.UpdateAccount(account.AppID, func(a *simulator.Account) { a.AccountStatus = 1 }))
		w.Clock.Advance(7 * time.Hour)
		ticket(t, w)
		sweep(t, w)
		require.Eventually(t, func() bool { return again(t, w, account).State == authorizer.StateActive }, patience, 10*time.Millisecond)
		require.Len(t, audited(t, w, "authorizer.state"), 2)
	}
}

func TestProfile_ARevocationFoundByTheWayIsLeftToTheTokenManager(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	w.StartJobs(t)
	require.NoError(t, w.Sim.Revoke(account.AppID))
	_, err := w.Pool.Exec(t.Context(), `UPDATE authorizers SET profile_due_at = created_at`)
	require.NoError(t, err)
	sweep(t, w)
	finished(t, w, "read_profile", 1)
	require.Equal(t, authorizer.StateActive, again(t, w, account).State)
	sweep(t, w)
	require.Eventually(t, func() bool { return again(t, w, account).State == authorizer.StateRevoked }, patience, 10*time.Millisecond)
}

func TestNewService_SaysWhatConfigLacks(t *testing.T) {
	w := setup(t)
	whole := authorizer.Config{Pool: w.Pool, WeChat: w.WeChat, Components: w.Components, Box: w.Box, Jobs: w.Jobs, PublicURL: "https://a.example"}
	_, err := authorizer.NewService(whole)
	require.NoError(t, err)
	for _, lack := range []func(*authorizer.Config){
		func(c *authorizer.Config) { c.Pool = nil },
		func(c *authorizer.Config) { c.Jobs = nil },
		func(c *authorizer.Config) { c.PublicURL = "" },
		func(c *authorizer.Config) { c.PublicURL = "steward.example.com" },
		func(c *authorizer.Config) { c.MPURL = "ftp://mp.weixin.qq.com" },
	} {
		cfg := whole
		lack(&cfg)
		_, err := authorizer.NewService(cfg)
		require.ErrorContains(t, err, "authorizer: Config.")
	}
	_, err = component.NewService(component.Config{})
	require.Error(t, err)
	require.NotPanics(t, func() { w.Authorizers.AddWorkers(river.NewWorkers()) })
}
