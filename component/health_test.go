package component_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/token"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// overlapless is a WeChat where a new access token ends the one before at once.
func overlapless() factory.WorldOptions {
	settings := simulator.DefaultSettings()
	settings.OverlapSeconds = 0
	return factory.WorldOptions{Settings: &settings}
}

// fetchElsewhere is a second installation: it fetches a token for the same component.
func fetchElsewhere(t *testing.T, w *factory.World) {
	t.Helper()
	value, err := w.Sim.IssueTicket(w.ComponentAppID)
	require.NoError(t, err)
	_, err = w.WeChat.ComponentToken(t.Context(), w.ComponentAppID, w.Sim.Component().AppSecret, value)
	require.NoError(t, err)
}

// call makes a call with the component's token.
func call(t *testing.T, w *factory.World) {
	t.Helper()
	tries := 0
	require.NoError(t, w.Components.Call(t.Context(), w.ComponentAppID, preAuth(w, &tries)))
}

// failToRenew asks for a token that cannot be had, some time after the last try.
func failToRenew(t *testing.T, w *factory.World) {
	t.Helper()
	w.Clock.Advance(2 * time.Minute)
	_, err := w.Components.AccessToken(t.Context(), w.ComponentAppID)
	require.Error(t, err)
}

func TestAccessToken_IsNotWaitedForWhileTheOldOneLivesAndWeChatHangs(t *testing.T) {
	w := setup(t)
	first := accessToken(t, w)
	w.Clock.Advance(90 * time.Minute)
	inject(t, w, simulator.Fault{Path: pathComponentToken, Hang: true})
	for range 2 {
		require.Equal(t, first, accessToken(t, w))
		require.Equal(t, 1, w.Sim.Hanging(), "the renewal goes on without us")
	}
	w.Sim.ClearFaults()
	require.Eventually(t, func() bool { return accessToken(t, w) != first }, patience, 10*time.Millisecond, "what was begun serves the next")
	require.Equal(t, 2, w.Sim.CallCount(pathComponentToken))
	require.Equal(t, token.HealthOK, get(t, w).Health.Status)
}

func TestAccessToken_IsWaitedForWhenThereIsNoOther(t *testing.T) {
	w := setup(t)
	inject(t, w, simulator.Fault{Path: pathComponentToken, Hang: true})
	got := make(chan error, 1)
	go func() {
		_, err := w.Components.AccessToken(context.WithoutCancel(t.Context()), w.ComponentAppID)
		got <- err
	}()
	require.Eventually(t, func() bool { return w.Sim.Hanging() == 1 }, patience, time.Millisecond)
	w.Sim.ClearFaults()
	require.NoError(t, <-got)
}

func TestRefusedEarly_TwiceWithinADayRaisesOneAlertAndAQuietDayClearsIt(t *testing.T) {
	w := setup(t, overlapless())
	other := w.Process(t)
	call(t, w)
	for i, process := range []*factory.World{w, other, w} {
		w.Clock.Advance(10 * time.Minute)
		fetchElsewhere(t, w)
		call(t, process)
		health := get(t, w).Health
		require.Equal(t, i+1, health.RefusedEarly)
		require.Equal(t, w.Clock.Now(), *health.RefusedEarlyAt)
		require.Equal(t, min(i, 1), len(open(t, w, alert.ComponentTokenContested)), "once is no habit")
	}
	raised := alerts(t, w, alert.ComponentTokenContested)
	require.Len(t, raised, 1)
	require.Contains(t, raised[0].Message, "3 component access tokens")
	require.Contains(t, raised[0].Advice, "Another installation")

	w.Clock.Advance(24*time.Hour - time.Second)
	storeNewTicket(t, w)
	require.NoError(t, other.Components.Sweep(t.Context()))
	require.Len(t, open(t, w, alert.ComponentTokenContested), 1)
	w.Clock.Advance(time.Second)
	require.NoError(t, other.Components.Sweep(t.Context()))
	require.Empty(t, open(t, w, alert.ComponentTokenContested))
	require.Zero(t, get(t, w).Health.RefusedEarly)
}

func TestRefusedEarly_OnceADayIsNoBreak(t *testing.T) {
	w := setup(t, overlapless())
	for range 3 {
		storeNewTicket(t, w)
		call(t, w)
		fetchElsewhere(t, w)
		call(t, w)
		require.Equal(t, 1, get(t, w).Health.RefusedEarly)
		w.Clock.Advance(24 * time.Hour)
	}
	require.Empty(t, alerts(t, w, alert.ComponentTokenContested))
}

func TestRefusedEarly_IsNotWhatScheduleAndAgeDo(t *testing.T) {
	w := setup(t, overlapless())
	other := w.Process(t)
	for range 4 {
		storeNewTicket(t, w)
		require.NoError(t, w.Components.Sweep(t.Context()))
		require.NoError(t, other.Components.Sweep(t.Context()))
		call(t, other)
		w.Clock.Advance(75 * time.Minute)
	}
	require.Equal(t, 4, w.Sim.CallCount(pathComponentToken), "renewed by schedule")
	w.Clock.Advance(2 * time.Hour)
	storeNewTicket(t, w)
	call(t, w)
	require.Zero(t, get(t, w).Health.RefusedEarly)
}

func TestRefusedEarly_CountsOneTokenOnce(t *testing.T) {
	w := setup(t, overlapless())
	other := w.Process(t)
	call(t, w)
	fetchElsewhere(t, w)
	tried := 0
	require.NoError(t, w.Components.Call(t.Context(), w.ComponentAppID, func(ctx context.Context, cat string) error {
		if tried++; tried == 1 {
			call(t, other) // which is refused the same token, and renews it
		}
		_, err := w.WeChat.CreatePreAuthCode(ctx, cat, w.ComponentAppID)
		return err
	}))
	require.Equal(t, 2, tried)
	require.Equal(t, 1, get(t, w).Health.RefusedEarly)
}

func TestFailingAlert_IsRaisedAtOnceForAnOperatorsMistakeAndClearedOnRepair(t *testing.T) {
	for name, code := range map[string]int{"WrongSecret": 40125, "AddressNotListed": 61004} {
		t.Run(name, func(t *testing.T) {
			w := setup(t)
			inject(t, w, simulator.Fault{Path: pathComponentToken, Code: code})
			for range 3 {
				failToRenew(t, w)
				raised := alerts(t, w, alert.ComponentTokenFailing)
				require.Len(t, raised, 1)
				require.Equal(t, code, raised[0].Code)
				require.NotEmpty(t, raised[0].RID)
				require.NotEmpty(t, raised[0].Advice)
				require.Equal(t, w.Clock.Now(), raised[0].LastSeenAt)
			}
			health := get(t, w).Health
			require.Equal(t, token.HealthFailing, health.Status)
			require.Equal(t, 3, health.Attempts)
			require.Equal(t, w.Clock.Now().Add(-4*time.Minute), *health.FailingSince)

			w.Sim.ClearFaults()
			w.Clock.Advance(2 * time.Minute)
			accessToken(t, w)
			cleared := alerts(t, w, alert.ComponentTokenFailing)
			require.Len(t, cleared, 1)
			require.Equal(t, w.Clock.Now(), *cleared[0].ClearedAt)
			require.Nil(t, get(t, w).Health.FailingSince)

			w.Clock.Advance(3 * time.Hour)
			inject(t, w, simulator.Fault{Path: pathComponentToken, Code: code})
			failToRenew(t, w)
			require.Len(t, alerts(t, w, alert.ComponentTokenFailing), 2, "a new break is a new alert")
		})
	}
}

func TestFailingAlert_WaitsForTheThirdFailureOfWhatMayPass(t *testing.T) {
	w := setup(t)
	other := w.Process(t)
	inject(t, w, simulator.Fault{Path: pathComponentToken, Code: -1})
	for i, process := range []*factory.World{w, other, w, other} {
		failToRenew(t, process)
		require.Equal(t, i >= 2, len(open(t, w, alert.ComponentTokenFailing)) == 1, "failure %d", i+1)
	}
	require.Len(t, alerts(t, w, alert.ComponentTokenFailing), 1)
	w.Sim.ClearFaults()
	w.Clock.Advance(2 * time.Minute)
	accessToken(t, other)
	require.Empty(t, open(t, w, alert.ComponentTokenFailing))
}

func TestFailingAlert_IsNotAboutMissingTickets(t *testing.T) {
	w := setup(t, factory.WorldOptions{NoTicket: true})
	for range 5 {
		failToRenew(t, w)
	}
	require.Empty(t, alerts(t, w, alert.ComponentTokenFailing))

	late := setupLate(t)
	for range 5 {
		failToRenew(t, late)
	}
	require.Empty(t, alerts(t, late, alert.ComponentTokenFailing), "the last ticket has ended")
}

// setupLate is a world whose only ticket has ended.
func setupLate(t *testing.T) *factory.World {
	t.Helper()
	w := factory.NewWorld(t)
	w.Clock.Advance(12 * time.Hour)
	return w
}

func TestPlatformRefused_IsRaisedOnceAndClearedByWhateverProcessSeesItWork(t *testing.T) {
	w := setup(t)
	other := w.Process(t)
	refused := &wechat.Error{Path: "/cgi-bin/component/api_authorizer_token", Code: 61004, Message: "access clientip is not registered", RID: "6553f100-1a2b3c4d-0badcafe"}
	for _, process := range []*factory.World{w, other, w} {
		process.Components.Report(t.Context(), w.ComponentAppID, refused)
	}
	raised := alerts(t, w, alert.PlatformRefused)
	require.Len(t, raised, 1)
	require.Equal(t, 61004, raised[0].Code)
	require.Equal(t, refused.RID, raised[0].RID)
	require.Contains(t, raised[0].Advice, "IP whitelist")

	other.Components.Works(t.Context(), w.ComponentAppID)
	require.Empty(t, open(t, w, alert.PlatformRefused))

	w.Components.Report(t.Context(), w.ComponentAppID, refused)
	require.Len(t, open(t, w, alert.PlatformRefused), 1)
	other.Components.Works(t.Context(), w.ComponentAppID)
	require.Len(t, open(t, w, alert.PlatformRefused), 1, "it looked less than a minute ago")
	w.Clock.Advance(time.Minute)
	other.Components.Works(t.Context(), w.ComponentAppID)
	require.Empty(t, open(t, w, alert.PlatformRefused))
	require.Len(t, alerts(t, w, alert.PlatformRefused), 2)
}

func TestPlatformRefused_IsClearedAtOnceByTheProcessThatReportedIt(t *testing.T) {
	w := setup(t)
	w.Components.Works(t.Context(), w.ComponentAppID)
	w.Components.Report(t.Context(), w.ComponentAppID, &wechat.Error{Code: 61004})
	w.Components.Works(t.Context(), w.ComponentAppID)
	require.Empty(t, open(t, w, alert.PlatformRefused))
}

func TestStats_TellTheAgesOfTicketAndToken(t *testing.T) {
	w := setup(t)
	figures := func() component.Stats {
		stats, err := w.Components.Stats(t.Context())
		require.NoError(t, err)
		require.Len(t, stats, 1)
		require.Equal(t, w.ComponentAppID, stats[0].AppID)
		return stats[0]
	}
	require.Zero(t, figures().TokenExpiresIn, "there is none")
	accessToken(t, w)
	require.Equal(t, 2*time.Hour, figures().TokenExpiresIn)
	w.Clock.Advance(3 * time.Hour)
	require.Equal(t, -time.Hour, figures().TokenExpiresIn)
	require.Equal(t, 3*time.Hour, figures().TicketAge)
}
