package component_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func place(column, appid string) secret.Place {
	return secret.Place{Table: "components", Column: column, Row: appid}
}

func TestAccessToken_IsBoughtOnceAndRenewedInItsLastThird(t *testing.T) {
	w := setup(t)
	first := accessToken(t, w)
	require.Equal(t, first, accessToken(t, w))
	w.Clock.Advance(80 * time.Minute)
	require.Equal(t, first, accessToken(t, w), "a third of its life is left")
	require.Equal(t, 1, w.Sim.CallCount(pathComponentToken))

	w.Clock.Advance(time.Second)
	second := accessToken(t, w)
	require.NotEqual(t, first, second)
	require.Equal(t, second, accessToken(t, w))
	require.Equal(t, 2, w.Sim.CallCount(pathComponentToken))

	c := get(t, w)
	require.Equal(t, w.Clock.Now().Add(2*time.Hour), *c.AccessTokenExpiresAt)
	require.Equal(t, w.Clock.Now(), *c.AccessTokenRenewedAt)
	require.Zero(t, count(t, w, `SELECT count(*) FROM component_tokens WHERE encode(access_token_sealed, 'escape') LIKE '%' || $1 || '%'`, second))
}

func TestAccessToken_LivesAsLongAsWeChatSays(t *testing.T) {
	settings := simulator.DefaultSettings()
	settings.TokenLifetimeSeconds = 600
	w := setup(t, factory.WorldOptions{Settings: &settings})
	accessToken(t, w)
	require.Equal(t, w.Clock.Now().Add(10*time.Minute), *get(t, w).AccessTokenExpiresAt)
	w.Clock.Advance(401 * time.Second)
	accessToken(t, w)
	require.Equal(t, 2, w.Sim.CallCount(pathComponentToken))
}

func TestAccessToken_FailsWithoutATicketAndAsksNothing(t *testing.T) {
	w := setup(t, factory.WorldOptions{NoTicket: true})
	_, err := w.Components.AccessToken(t.Context(), w.ComponentAppID)
	require.ErrorIs(t, err, component.ErrNoTicket)
	require.Zero(t, w.Sim.CallCount(pathComponentToken))
	require.Contains(t, get(t, w).Health.LastError.Message, "component_verify_ticket")

	storeNewTicket(t, w)
	require.NotEmpty(t, accessToken(t, w), "a new ticket is tried at once, though the clock stands still")
	require.Nil(t, get(t, w).Health.LastError)

	_, err = w.Components.AccessToken(t.Context(), "wxunknown")
	require.ErrorIs(t, err, component.ErrUnknownComponent)
}

func TestAccessToken_UsesThePreviousTicketWhenTheNewestIsRefused(t *testing.T) {
	w := setup(t)
	w.Clock.Advance(10 * time.Minute)
	require.NoError(t, w.Components.StoreTicket(t.Context(), ticket(w, "ticket@@@nonsense", w.Clock.Now())))
	require.NotEmpty(t, accessToken(t, w))
	require.Equal(t, 2, w.Sim.CallCount(pathComponentToken))
}

func TestAccessToken_UsesNoPreviousTicketOlderThanTwelveHours(t *testing.T) {
	w := setup(t)
	w.Clock.Advance(12 * time.Hour)
	require.NoError(t, w.Components.StoreTicket(t.Context(), ticket(w, "ticket@@@nonsense", w.Clock.Now())))
	_, err := w.Components.AccessToken(t.Context(), w.ComponentAppID)
	var refused *wechat.Error
	require.ErrorAs(t, err, &refused)
	require.NotErrorIs(t, err, component.ErrNoTicket, "there is a ticket, and WeChat calls it wrong, not old")
	require.Equal(t, 1, w.Sim.CallCount(pathComponentToken))
}

func TestAccessToken_SaysThatPushesStoppedWhenTheTicketIsOld(t *testing.T) {
	w := setup(t)
	w.Clock.Advance(12*time.Hour + time.Second)
	_, err := w.Components.AccessToken(t.Context(), w.ComponentAppID)
	require.ErrorIs(t, err, component.ErrNoTicket)
	var refused *wechat.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, refused.Code, get(t, w).Health.LastError.Code)
	require.NotEmpty(t, get(t, w).Health.LastError.Advice)
}

func TestAccessToken_HandsOutTheOldOneWhenRenewalFails(t *testing.T) {
	w := setup(t)
	first := accessToken(t, w)
	inject(t, w, simulator.Fault{Path: pathComponentToken, Status: 502})
	w.Clock.Advance(90 * time.Minute)
	for range 5 {
		require.Equal(t, first, accessToken(t, w))
	}
	require.Equal(t, 2, w.Sim.CallCount(pathComponentToken), "while the old one lives nobody waits for the next try")
	require.Equal(t, w.Clock.Now(), get(t, w).Health.LastError.At)

	w.Clock.Advance(30 * time.Minute)
	_, err := w.Components.AccessToken(t.Context(), w.ComponentAppID)
	var broken *wechat.TransportError
	require.ErrorAs(t, err, &broken, "it is dead now")

	w.Sim.ClearFaults()
	w.Clock.Advance(time.Second)
	require.NotEqual(t, first, accessToken(t, w))
	require.Nil(t, get(t, w).Health.LastError)
}

func TestAccessToken_FailureIsSharedAndNotRepeatedForASecond(t *testing.T) {
	w := setup(t)
	inject(t, w, simulator.Fault{Path: pathComponentToken, Code: -1})
	var callers errgroup.Group
	for range 200 {
		callers.Go(func() error {
			_, err := w.Components.AccessToken(t.Context(), w.ComponentAppID)
			return err
		})
	}
	var refused *wechat.Error
	require.ErrorAs(t, callers.Wait(), &refused)
	require.Equal(t, 1, w.Sim.CallCount(pathComponentToken))

	w.Clock.Advance(999 * time.Millisecond)
	_, err := w.Components.AccessToken(t.Context(), w.ComponentAppID)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 1, w.Sim.CallCount(pathComponentToken))
	w.Clock.Advance(time.Millisecond)
	_, err = w.Components.AccessToken(t.Context(), w.ComponentAppID)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 2, w.Sim.CallCount(pathComponentToken))
}

func TestAccessToken_AWrongSecretDoesNotUseUpTheDailyLimit(t *testing.T) {
	w := setup(t)
	inject(t, w, simulator.Fault{Path: pathComponentToken, Code: 40125})
	for range 600 {
		_, err := w.Components.AccessToken(t.Context(), w.ComponentAppID)
		require.Error(t, err)
		w.Clock.Advance(time.Second)
	}
	require.Less(t, w.Sim.CallCount(pathComponentToken), 20, "in ten minutes")

	w.Sim.ClearFaults()
	params := ours(w)
	params.Name = "somebody corrected something"
	_, err := w.Components.Register(t.Context(), w.Platform, params)
	require.NoError(t, err)
	require.NotEmpty(t, accessToken(t, w), "what was corrected is tried at once")
}

func TestAccessToken_IsRenewedOnceAcrossProcesses(t *testing.T) {
	w := setup(t)
	first := accessToken(t, w)
	w.Clock.Advance(2 * time.Hour)
	other := w.Process(t)
	// Slow enough that all callers are there before the first has its answer.
	inject(t, w, simulator.Fault{Path: pathComponentToken, LatencyMS: 100})

	var mu sync.Mutex
	tokens := map[string]int{}
	var callers errgroup.Group
	for i := range 400 {
		process := []*factory.World{w, other}[i%2]
		callers.Go(func() error {
			token, err := process.Components.AccessToken(t.Context(), w.ComponentAppID)
			mu.Lock()
			defer mu.Unlock()
			tokens[token]++
			return err
		})
	}
	require.NoError(t, callers.Wait())
	require.Len(t, tokens, 1)
	require.NotContains(t, tokens, first)
	require.Equal(t, 2, w.Sim.CallCount(pathComponentToken))
}

func TestAccessToken_ComesToTheOthersWhenTheFirstCallerGoesAway(t *testing.T) {
	w := setup(t)
	inject(t, w, simulator.Fault{Path: pathComponentToken, Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := w.Components.AccessToken(ctx, w.ComponentAppID)
		first <- err
	}()
	require.Eventually(t, func() bool { return w.Sim.Hanging() == 1 }, patience, time.Millisecond)
	second := make(chan error, 1)
	go func() {
		_, err := w.Components.AccessToken(t.Context(), w.ComponentAppID)
		second <- err
	}()
	cancel()
	require.ErrorIs(t, <-first, context.Canceled)
	w.Sim.ClearFaults()
	require.NoError(t, <-second)
	require.Equal(t, 1, w.Sim.CallCount(pathComponentToken))
}

// preAuth makes a call that needs a component_access_token, and counts how often it is tried.
func preAuth(w *factory.World, tries *int) func(ctx context.Context, cat string) error {
	return func(ctx context.Context, cat string) error {
		*tries++
		_, err := w.WeChat.CreatePreAuthCode(ctx, cat, w.ComponentAppID)
		return err
	}
}

func TestCall_RenewsOnceAndTriesOnceMoreWhenTheTokenIsRefused(t *testing.T) {
	for _, code := range []int{40001, 40014, 42001, 42006} {
		w := factory.NewWorld(t)
		accessToken(t, w)
		inject(t, w, simulator.Fault{Path: pathPreAuthCode, Code: code, Times: 1})
		tries := 0
		require.NoError(t, w.Components.Call(t.Context(), w.ComponentAppID, preAuth(w, &tries)), code)
		require.Equal(t, 2, tries, code)
		require.Equal(t, 2, w.Sim.CallCount(pathComponentToken), code)
	}
}

func TestCall_NeverTriesMoreThanTwice(t *testing.T) {
	w := setup(t)
	inject(t, w, simulator.Fault{Path: pathPreAuthCode, Code: 40001})
	tries := 0
	var refused *wechat.Error
	require.ErrorAs(t, w.Components.Call(t.Context(), w.ComponentAppID, preAuth(w, &tries)), &refused)
	require.Equal(t, 40001, refused.Code)
	require.Equal(t, 2, tries)
	require.Equal(t, 2, w.Sim.CallCount(pathComponentToken))
}

func TestCall_LeavesOtherRefusalsAlone(t *testing.T) {
	w := setup(t)
	inject(t, w, simulator.Fault{Path: pathPreAuthCode, Code: 61004})
	tries := 0
	require.Error(t, w.Components.Call(t.Context(), w.ComponentAppID, preAuth(w, &tries)))
	require.Equal(t, 1, tries)
	require.Equal(t, 1, w.Sim.CallCount(pathComponentToken))
}

func TestCall_DoesNotRenewWhatSomebodyElseRenewedMeanwhile(t *testing.T) {
	w := setup(t)
	other := w.Process(t)
	accessToken(t, w)
	var seen []string
	err := w.Components.Call(t.Context(), w.ComponentAppID, func(ctx context.Context, cat string) error {
		seen = append(seen, cat)
		if len(seen) == 1 {
			tries := 0
			inject(t, w, simulator.Fault{Path: pathPreAuthCode, Code: 40001, Times: 1})
			require.NoError(t, other.Components.Call(ctx, w.ComponentAppID, preAuth(w, &tries)))
			return &wechat.Error{Code: 40001}
		}
		return nil
	})
	require.NoError(t, err)
	require.Len(t, seen, 2)
	require.NotEqual(t, seen[0], seen[1])
	require.Equal(t, 2, w.Sim.CallCount(pathComponentToken), "one purchase, one renewal")
}

func TestCall_SaysWhyNoOtherTokenCouldBeHad(t *testing.T) {
	w := setup(t)
	accessToken(t, w)
	inject(t, w, simulator.Fault{Path: pathPreAuthCode, Code: 40001})
	inject(t, w, simulator.Fault{Path: pathComponentToken, Code: 61004})
	tries := 0
	var refused *wechat.Error
	require.ErrorAs(t, w.Components.Call(t.Context(), w.ComponentAppID, preAuth(w, &tries)), &refused)
	require.Equal(t, 61004, refused.Code, "the token that was refused is not tried again")
	require.Equal(t, 1, tries)
}

func TestWarm_RenewsBeforeCallersHaveToWait(t *testing.T) {
	w := setup(t)
	require.NoError(t, w.Components.Sweep(t.Context()))
	require.Equal(t, 1, w.Sim.CallCount(pathComponentToken), "there was none")
	require.NoError(t, w.Components.Sweep(t.Context()))
	w.Clock.Advance(74 * time.Minute)
	require.NoError(t, w.Components.Sweep(t.Context()))
	require.Equal(t, 1, w.Sim.CallCount(pathComponentToken))
	w.Clock.Advance(time.Minute)
	require.NoError(t, w.Components.Sweep(t.Context()))
	require.Equal(t, 2, w.Sim.CallCount(pathComponentToken))
}

func TestWarm_LeavesAFailingComponentAloneForLongerEachTime(t *testing.T) {
	w := setup(t)
	inject(t, w, simulator.Fault{Path: pathComponentToken, Code: 61004})
	for range 60 * 60 / 5 {
		_ = w.Components.Sweep(t.Context()) // reports the failure each time that it tried
		w.Clock.Advance(5 * time.Second)
	}
	require.Less(t, w.Sim.CallCount(pathComponentToken), 14, "in an hour")
	require.Greater(t, w.Sim.CallCount(pathComponentToken), 5)
	w.Sim.ClearFaults()
	require.NotEmpty(t, accessToken(t, w), "who needs a token does not wait for that")
}

func TestWarm_AsksNothingWithoutATicket(t *testing.T) {
	w := setup(t, factory.WorldOptions{NoTicket: true})
	require.NoError(t, w.Components.Sweep(t.Context()))
	require.Nil(t, get(t, w).Health.LastError)
}

func TestFailures_NameNoSecret(t *testing.T) {
	w := setup(t)
	token := accessToken(t, w)
	w.Clock.Advance(3 * time.Hour)
	var texts string
	for _, fault := range []simulator.Fault{{Code: 40125}, {Status: 502}, {Garbage: true}, {Drop: true}, {Code: 61006}} {
		fault.Path = pathComponentToken
		inject(t, w, fault)
		_, err := w.Components.AccessToken(t.Context(), w.ComponentAppID)
		require.Error(t, err)
		texts += err.Error() + get(t, w).Health.LastError.Message
		w.Sim.ClearFaults()
		w.Clock.Advance(time.Hour)
	}
	current, _ := ticketsOf(t, w)
	for _, s := range []string{token, current, w.Sim.Component().AppSecret, w.Sim.Component().EncodingAESKey} {
		require.NotContains(t, texts, s)
		require.NotContains(t, w.Logs.String(), s)
	}
}
