package authorizer_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/token"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// alerts returns the kinds of all alerts, oldest first; open ones alone if open. That tickets are late, while a test moves
// the clock and WeChat pushes none, goes without saying.
func alerts(t *testing.T, w *factory.World, open bool) []alert.Kind {
	t.Helper()
	service, err := alert.NewService(w.Pool)
	require.NoError(t, err)
	params := alert.ListParams{Limit: alert.MaxLimit}
	if open {
		params.Open = &open
	}
	page, err := service.ListAll(t.Context(), w.Platform, params)
	require.NoError(t, err)
	kinds := []alert.Kind{}
	for i := range page.Alerts {
		if kind := page.Alerts[len(page.Alerts)-1-i].Kind; kind != alert.TicketLate {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// failAgain lets the sweep try once more, and waits until it has.
func failAgain(t *testing.T, w *factory.World, account authorizer.Account) authorizer.Account {
	t.Helper()
	before := again(t, w, account)
	w.Clock.Advance(max(0, before.Health.NextAttemptAt.Sub(w.Clock.Now())))
	require.Eventually(t, func() bool {
		sweep(t, w)
		return again(t, w, account).Health.Attempts != before.Health.Attempts
	}, patience, 10*time.Millisecond)
	return again(t, w, account)
}

func TestHealth_ABreakRaisesOneAlertAndItsRepairClearsIt(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	w.StartJobs(t)
	inject(t, w, simulator.Fault{Path: pathRenew, Code: 40013})
	for range 2 {
		account = failAgain(t, w, account)
	}
	require.Empty(t, alerts(t, w, false), "two failures may be a whim")
	since := account.Health.FailingSince
	for range 3 {
		account = failAgain(t, w, account)
	}
	require.Equal(t, []alert.Kind{alert.RenewalFailing}, alerts(t, w, true), "one alert for one break")
	require.Equal(t, token.HealthFailing, account.Health.Status)
	require.Equal(t, 5, account.Health.Attempts)
	require.Equal(t, since, account.Health.FailingSince)
	require.Equal(t, 40013, account.Health.LastError.Code)
	require.NotEmpty(t, account.Health.LastError.RID)
	require.NotEmpty(t, account.Health.LastError.Advice)

	w.Sim.ClearFaults()
	w.Clock.Advance(account.Health.NextAttemptAt.Sub(w.Clock.Now()))
	require.Eventually(t, func() bool {
		sweep(t, w)
		return again(t, w, account).Health.Status == token.HealthOK
	}, patience, 10*time.Millisecond)
	require.Empty(t, alerts(t, w, true))
	require.Equal(t, []alert.Kind{alert.RenewalFailing}, alerts(t, w, false))
	require.Nil(t, again(t, w, account).Health.FailingSince)
}

func TestHealth_AfterADayOfRefusalsOneTryADayIsLeftUntilSomebodyRenewsByHand(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.TicketLifetimeSeconds = 1 << 30 }))
	account := active(t, w)
	w.StartJobs(t)
	inject(t, w, simulator.Fault{Path: pathRenew, Code: 40013})
	for range token.ExhaustedFailures {
		account = failAgain(t, w, account)
	}
	require.Equal(t, token.HealthExhausted, account.Health.Status)
	require.GreaterOrEqual(t, account.Health.NextAttemptAt.Sub(w.Clock.Now()), 24*time.Hour)
	require.Equal(t, authorizer.StateActive, account.State, "it is not the merchant whom we need")
	page, err := w.Authorizers.List(t.Context(), w.Platform, account.TenantID, authorizer.ListParams{Health: token.HealthExhausted})
	require.NoError(t, err)
	require.Len(t, page.Accounts, 1)

	w.Sim.ClearFaults()
	renewed, err := w.Authorizers.RenewNow(t.Context(), w.Platform, account.TenantID, account.AppID)
	require.NoError(t, err)
	require.Equal(t, token.HealthOK, renewed.Health.Status)
	require.Empty(t, alerts(t, w, true))
}

func TestHealth_ListsAccountsByIt(t *testing.T) {
	w := setup(t)
	owner := factory.Tenant(t, w)
	healthy := factory.Account(t, w, factory.AccountOptions{TenantID: owner.ID})
	failing := factory.Account(t, w, factory.AccountOptions{TenantID: owner.ID})
	gone := factory.Account(t, w, factory.AccountOptions{TenantID: owner.ID})
	require.NoError(t, w.Sim.Revoke(gone.AppID))
	inject(t, w, simulator.Fault{Path: pathRenew, AppID: failing.AppID, Code: 40013})
	w.Clock.Advance(3 * time.Hour)
	for _, account := range []authorizer.Account{healthy, failing, gone} {
		_, _ = w.Authorizers.Token(t.Context(), account.ID)
	}
	for status, want := range map[token.HealthStatus][]string{
		"": {healthy.AppID, failing.AppID, gone.AppID}, token.HealthOK: {healthy.AppID}, token.HealthFailing: {failing.AppID},
		token.HealthExhausted: {}, token.HealthBroken: {gone.AppID}, "unknown": {},
	} {
		page, err := w.Authorizers.List(t.Context(), w.Platform, owner.ID, authorizer.ListParams{Health: status})
		require.NoError(t, err)
		got := []string{}
		for _, account := range page.Accounts {
			got = append(got, account.AppID)
			if status != "" {
				require.Equal(t, status, account.Health.Status)
			}
		}
		require.ElementsMatch(t, want, got, "%q", status)
	}
}

func TestHealth_EachStateThatNeedsSomebodyIsAnAlertUntilItIsOver(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.InfoWithoutRefreshToken, s.ListWithoutRefreshToken = true, true }))
	revoked, lost, frozen := active(t, w), active(t, w), active(t, w)
	require.NoError(t, w.Sim.Revoke(revoked.AppID))
	_, err := w.Sim.ReplaceRefreshToken(lost.AppID)
	require.NoError(t, err)
	inject(t, w, simulator.Fault{Path: pathRenew, AppID: frozen.AppID, Code: 50002})
	w.Clock.Advance(3 * time.Hour)
	for _, account := range []authorizer.Account{revoked, lost, frozen} {
		_, err := w.Authorizers.Token(t.Context(), account.ID)
		require.Error(t, err)
	}
	require.Equal(t, []alert.Kind{alert.Revoked, alert.NeedsReauthorization, alert.Limited}, alerts(t, w, true))

	w.Sim.ClearFaults()
	for _, account := range []authorizer.Account{revoked, lost, frozen} {
		state := factory.LinkState(t, w, account.TenantID, authorizer.ConnectLinkParams{AppID: account.AppID})
		_, _, err := w.Authorizers.FinishConnectLink(t.Context(), state, authorize(t, w, account.AppID, preAuthCode(t, w, state), 1, 2))
		require.NoError(t, err)
	}
	require.Empty(t, alerts(t, w, true))
}

func TestHealth_TokensThatStopBeforeTheirTimeSayThatAnotherSystemFetchesThem(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.TicketLifetimeSeconds = 1 << 30 }))
	account := active(t, w)
	var tokens []string
	use := func() {
		require.NoError(t, w.Authorizers.Call(t.Context(), account.ID, readBlacklist(w, &tokens)))
	}
	use()
	w.Clock.Advance(90 * time.Minute)
	use()
	require.Zero(t, again(t, w, account).Health.RefusedEarly, "renewing in good time is no sign of anybody")

	w.Sim.SupersedeTokens(account.AppID)
	use()
	require.Equal(t, 1, again(t, w, account).Health.RefusedEarly)
	require.Equal(t, w.Clock.Now(), *again(t, w, account).Health.RefusedEarlyAt)
	require.Empty(t, alerts(t, w, true), "once may be a whim of WeChat's")
	w.Clock.Advance(10 * time.Minute)
	w.Sim.SupersedeTokens(account.AppID)
	use()
	require.Equal(t, []alert.Kind{alert.TokenContested}, alerts(t, w, true))

	w.Clock.Advance(23 * time.Hour)
	sweep(t, w)
	require.Equal(t, []alert.Kind{alert.TokenContested}, alerts(t, w, true))
	w.Clock.Advance(time.Hour)
	sweep(t, w)
	require.Empty(t, alerts(t, w, true), "a quiet day later it is over")
	require.Zero(t, again(t, w, account).Health.RefusedEarly)
}

func TestHealth_ARevokedAccountsRefusalIsNoSignOfAnotherSystem(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	require.NoError(t, w.Sim.Revoke(account.AppID))
	var tokens []string
	for range 3 {
		require.Error(t, w.Authorizers.Call(t.Context(), account.ID, readBlacklist(w, &tokens)))
	}
	require.Equal(t, []alert.Kind{alert.Revoked}, alerts(t, w, true))
	require.Zero(t, again(t, w, account).Health.RefusedEarly)
}

func TestRenewals_StopForAllWhenWeChatRefusesThePlatformAndBlameNobody(t *testing.T) {
	w := setup(t)
	const accounts = 40
	owner := factory.Tenant(t, w)
	for range accounts {
		factory.Account(t, w, factory.AccountOptions{TenantID: owner.ID})
	}
	w.Clock.Advance(79 * time.Minute)
	inject(t, w, simulator.Fault{Path: pathRenew, Code: 61004})
	w.StartJobs(t)
	sweep(t, w)
	require.Eventually(t, func() bool { return len(alerts(t, w, true)) == 1 }, patience, 10*time.Millisecond)
	require.Eventually(t, func() bool {
		return count(t, w, `SELECT count(*) FROM river_job WHERE kind = 'renew_tokens' AND state NOT IN ('completed', 'cancelled', 'discarded')`) == 0
	}, patience, 10*time.Millisecond)
	require.Less(t, w.Sim.CallCount(pathRenew), accounts, "each job stops when it is told")
	require.Equal(t, []alert.Kind{alert.PlatformRefused}, alerts(t, w, true))
	require.Equal(t, accounts, count(t, w, `SELECT count(*) FROM authorizers WHERE state = 'active'`))

	w.Sim.ClearFaults()
	w.Clock.Advance(2 * time.Minute)
	require.Eventually(t, func() bool {
		sweep(t, w)
		return count(t, w, `SELECT count(*) FROM authorizer_tokens WHERE renew_after <= $1`, w.Clock.Now()) == 0
	}, patience, 10*time.Millisecond)
	require.Eventually(t, func() bool { return len(alerts(t, w, true)) == 0 }, patience, 10*time.Millisecond)
	require.Equal(t, accounts, count(t, w, `SELECT count(*) FROM authorizer_tokens WHERE failures = 0 AND renewed_at > $1`, w.Clock.Now().Add(-3*time.Minute)))
}

// For ten minutes nothing comes from WeChat, or half of its answers are -1, while tokens come due and are asked for.
func TestRenewals_OutliveAWeChatInTrouble(t *testing.T) {
	for name, fault := range map[string]simulator.Fault{
		"DownForTenMinutes":    {Path: "*", Status: 502},
		"SilentForTenMinutes":  {Path: "*", Drop: true},
		"BusyHalfOfTheTime":    {Path: "*", Code: -1, Every: 2},
		"LosesHalfItsAnswers":  {Path: pathRenew, Drop: true, Applied: true, Every: 2},
		"NotMakingSenseAtAll":  {Path: pathRenew, Garbage: true},
		"PlatformNotOnTheList": {Path: pathRenew, Code: 61004},
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, settings(func(s *simulator.Settings) {
				s.RotateOnRenew, s.OverlapSeconds, s.RefreshTokenOverlapSeconds = true, 300, 0
			}))
			owner := factory.Tenant(t, w)
			ids := []uuid.UUID{}
			for range 8 {
				ids = append(ids, factory.Account(t, w, factory.AccountOptions{TenantID: owner.ID}).ID)
			}
			w.StartJobs(t)
			w.Clock.Advance(65 * time.Minute)
			inject(t, w, fault)
			for range 20 {
				w.Clock.Advance(30 * time.Second)
				sweep2(t, w)
				for _, id := range ids {
					_, err := w.Authorizers.Token(t.Context(), id)
					require.NoError(t, err, "old tokens serve while they live")
				}
			}
			w.Sim.ClearFaults()
			w.Clock.Advance(token.LongestPassingPause * 5 / 4)
			require.Eventually(t, func() bool {
				// A renewal may have been under way still, and fail now: its pause, too, has to end.
				w.Clock.Advance(time.Second)
				sweep(t, w)
				return count(t, w, `SELECT count(*) FROM authorizer_tokens WHERE failures = 0 AND renew_after > $1`, w.Clock.Now()) == len(ids)
			}, patience, 10*time.Millisecond, "everything recovers by itself")
			require.Equal(t, len(ids), count(t, w, `SELECT count(*) FROM authorizers WHERE state = 'active'`))
			for _, kind := range alerts(t, w, true) {
				require.NotContains(t, []alert.Kind{alert.NeedsReauthorization, alert.Revoked}, kind)
			}
		})
	}
}

// sweep2 is sweep in bad times, when parts of it may fail.
func sweep2(t *testing.T, w *factory.World) {
	t.Helper()
	if err := w.Authorizers.Sweep(t.Context()); err != nil {
		t.Log(err)
	}
}

func TestRenewals_OfOneComponentDoNotHoldUpAnothers(t *testing.T) {
	w := setup(t, factory.WorldOptions{FurtherComponents: []simulator.Component{{AppID: "wxsecondcomponent"}}})
	owner := factory.Tenant(t, w)
	first := make([]authorizer.Account, 12)
	for i := range first {
		first[i] = factory.Account(t, w, factory.AccountOptions{TenantID: owner.ID})
		inject(t, w, simulator.Fault{Path: pathRenew, AppID: first[i].AppID, Hang: true})
	}
	other := *w
	other.ComponentAppID = "wxsecondcomponent"
	second := factory.Account(t, &other, factory.AccountOptions{TenantID: owner.ID})
	w.Clock.Advance(79 * time.Minute)
	w.StartJobs(t)
	require.Eventually(t, func() bool {
		sweep(t, w)
		return again(t, w, second).Token.RenewedAt.Equal(w.Clock.Now())
	}, patience, 10*time.Millisecond)
	require.Positive(t, w.Sim.Hanging())
	w.Sim.ClearFaults()
}

func TestRenewNow_NeedsItsScopeAndKeepsTenantsApart(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	reader := factory.Key(t, w, factory.KeyOptions{TenantID: account.TenantID, Scopes: []tenant.Scope{tenant.AuthorizersRead, tenant.TokensRead}})
	var missing *tenant.ScopeMissingError
	_, err := w.Authorizers.RenewNow(t.Context(), reader, account.TenantID, account.AppID)
	require.ErrorAs(t, err, &missing)
	stranger := factory.Key(t, w, factory.KeyOptions{TenantID: factory.Tenant(t, w).ID})
	_, err = w.Authorizers.RenewNow(t.Context(), stranger, account.TenantID, account.AppID)
	require.ErrorIs(t, err, tenant.ErrNotFound)
	require.Zero(t, w.Sim.CallCount(pathRenew))
}
