package token_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/token"
	"github.com/wechat-steward/steward/wechat"
)

var now = time.Date(2026, 3, 2, 8, 30, 0, 0, time.UTC)

// fresh is a token of two hours that was just renewed.
func fresh() token.Held { return token.Held{Version: 6}.Next("87_a", now, 2*time.Hour, 0) }

func TestHeld_DoesUntilAThirdOfItsLifeIsLeft(t *testing.T) {
	t.Parallel()
	held := fresh()
	require.True(t, held.Does(token.Want{}, now.Add(80*time.Minute)))
	require.False(t, held.Does(token.Want{}, now.Add(80*time.Minute+time.Second)))
	require.True(t, held.Serves(token.Want{}, now.Add(2*time.Hour-time.Second)), "in need it serves to its end")
	require.False(t, held.Serves(token.Want{}, now.Add(2*time.Hour)))
}

func TestHeld_TheOneThatWeChatRefusedNeverDoes(t *testing.T) {
	t.Parallel()
	held := fresh()
	require.False(t, held.Does(token.Want{Refused: held.Version}, now))
	require.False(t, held.Serves(token.Want{Refused: held.Version}, now))
	require.True(t, held.Does(token.Want{Refused: held.Version - 1}, now.Add(100*time.Minute)), "somebody has renewed it meanwhile")
}

func TestHeld_IsRefusedEarlyOnlyWhileItShouldLive(t *testing.T) {
	t.Parallel()
	held := fresh()
	require.True(t, held.RefusedEarly(token.Want{Refused: held.Version}, now.Add(time.Hour)))
	require.False(t, held.RefusedEarly(token.Want{Refused: held.Version}, now.Add(2*time.Hour)), "it has ended")
	require.False(t, held.RefusedEarly(token.Want{Refused: held.Version - 1}, now), "it was another")
	require.False(t, held.RefusedEarly(token.Want{Refused: held.Version, ByHand: true}, now), "nobody refused it")
}

func TestHeld_AHundredThousandAuthorizedInAnHourDoNotComeDueTogether(t *testing.T) {
	t.Parallel()
	const accounts = 100_000
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test that is the same each time
	perMinute := map[time.Time]int{}
	for range accounts {
		asked := now.Add(time.Duration(random.Int64N(int64(time.Hour))))
		held := token.Held{}.Next("87_a", asked, 2*time.Hour, random.Float64())
		for range 4 { // renewed on time, four times over
			held = held.Next("87_a", held.Attempts.RenewAfter, 2*time.Hour, random.Float64())
		}
		perMinute[held.Attempts.RenewAfter.Truncate(time.Minute)]++
	}
	busiest := 0
	for _, n := range perMinute {
		busiest = max(busiest, n)
	}
	require.Less(t, busiest, accounts/60*11/10, "no minute has more than those in which they came, but for chance")
}

func TestHeld_AllRenewedInOneInstantSpreadOverAnEighthOfTheLife(t *testing.T) {
	t.Parallel()
	first := token.Held{}.Next("87_a", now, 2*time.Hour, 1).Attempts.RenewAfter
	last := token.Held{}.Next("87_a", now, 2*time.Hour, 0).Attempts.RenewAfter
	require.Equal(t, 60*time.Minute, first.Sub(now))
	require.Equal(t, 75*time.Minute, last.Sub(now), "the sweep comes before callers have to renew, at 80 minutes")
}

func TestAttempts_PausesDoubleFromHalfAMinuteToSixHoursAndThenADay(t *testing.T) {
	t.Parallel()
	var attempts token.Attempts
	var pauses []time.Duration
	for range 15 {
		attempts = attempts.Failed(token.FaultAccount, now, token.LongestPause, 0)
		pauses = append(pauses, attempts.RenewAfter.Sub(now))
	}
	require.Equal(t, []time.Duration{
		30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute,
		64 * time.Minute, 128 * time.Minute, 256 * time.Minute, 6 * time.Hour, 6 * time.Hour, 6 * time.Hour, 24 * time.Hour, 24 * time.Hour,
	}, pauses)
	require.True(t, attempts.Exhausted())
}

func TestAttempts_NoOutageOfWeChatsExhaustsAnAccount(t *testing.T) {
	t.Parallel()
	for _, fault := range []token.Fault{token.FaultPassing, token.FaultPlatform} {
		var attempts token.Attempts
		at := now
		for range 10_000 {
			attempts = attempts.Failed(fault, at, token.LongestPause, 1)
			require.LessOrEqual(t, attempts.RenewAfter.Sub(at), token.LongestPassingPause*5/4)
			at = attempts.RenewAfter
		}
		require.False(t, attempts.Exhausted())
		require.Equal(t, now, attempts.Since)
	}
}

func TestAttempts_WantAnAlertForWhatIsTheAccountsOwnAndLasts(t *testing.T) {
	t.Parallel()
	attempts := token.Attempts{Failures: 2, Since: now}
	require.False(t, attempts.WantsAlert(token.FaultAccount, now))
	attempts.Failures = 3
	require.True(t, attempts.WantsAlert(token.FaultAccount, now))
	require.False(t, attempts.WantsAlert(token.FaultPassing, now.Add(59*time.Minute)))
	require.True(t, attempts.WantsAlert(token.FaultPassing, now.Add(time.Hour)))
	require.False(t, attempts.WantsAlert(token.FaultPlatform, now.Add(48*time.Hour)), "the component has an alert of its own")
}

func TestAttempts_APauseNeverShrinksBelowTheLadder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		attempts := token.Attempts{Failures: rapid.IntRange(0, 40).Draw(t, "failures")}
		fault := rapid.SampledFrom([]token.Fault{token.FaultPassing, token.FaultPlatform, token.FaultAccount}).Draw(t, "fault")
		next := attempts.Failed(fault, now, token.LongestPause, rapid.Float64Range(0, 1).Draw(t, "spread"))
		require.GreaterOrEqual(t, next.RenewAfter.Sub(now), 30*time.Second)
		require.LessOrEqual(t, next.RenewAfter.Sub(now), 30*time.Hour)
		require.GreaterOrEqual(t, next.Failures, attempts.Failures)
	})
}

func TestFaultOf_HoldsNothingAgainstAnAccountThatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	const path = "/cgi-bin/component/api_authorizer_token"
	for code, fault := range map[int]token.Fault{
		-1: token.FaultPassing, 61450: token.FaultPassing,
		61004: token.FaultPlatform, 61005: token.FaultPlatform, 61006: token.FaultPlatform, 40125: token.FaultPlatform,
		61011: token.FaultPlatform, 42001: token.FaultPlatform, 45009: token.FaultPlatform, 45011: token.FaultPlatform,
		61003: token.FaultAccount, 61023: token.FaultAccount, 40013: token.FaultAccount, 77777: token.FaultAccount,
	} {
		require.Equal(t, fault, token.FaultOf(&wechat.Error{Path: path, Code: code}), code)
	}
	require.Equal(t, token.FaultPassing, token.FaultOf(errors.New("connection reset")))
}

func TestPauses_TellOfTheLastFailureUntilItIsTimeOrSomethingHasChanged(t *testing.T) {
	t.Parallel()
	var pauses token.Pauses
	refused := &wechat.Error{Code: 61004}
	require.NoError(t, pauses.Recent("a", "1", now))
	pauses.Failed("a", "1", refused, now)
	require.Equal(t, refused, pauses.Recent("a", "1", now.Add(time.Second-1)))
	require.NoError(t, pauses.Recent("a", "1", now.Add(time.Second)))
	require.NoError(t, pauses.Recent("a", "2", now), "another ticket or secret is worth a try")
	require.NoError(t, pauses.Recent("b", "1", now))
	pauses.Failed("a", "1", refused, now)
	require.Error(t, pauses.Recent("a", "1", now.Add(2*time.Second-1)), "twice as long")
	pauses.Forget("a")
	require.NoError(t, pauses.Recent("a", "1", now))
}

func TestHealth_SaysHowRenewalsGo(t *testing.T) {
	t.Parallel()
	for failures, status := range map[int]token.HealthStatus{
		0: token.HealthOK, 1: token.HealthFailing, token.ExhaustedFailures - 1: token.HealthFailing, token.ExhaustedFailures: token.HealthExhausted,
	} {
		var health token.Health
		health.Describe(token.Attempts{Failures: failures, Since: now, RenewAfter: now.Add(time.Minute)})
		require.Equal(t, status, health.Status)
		require.Equal(t, now.Add(time.Minute), *health.NextAttemptAt)
	}
}

func TestFailure_KeepsWhatWeChatSaidAndNoSecret(t *testing.T) {
	t.Parallel()
	failure := token.NewFailure(&wechat.Error{Code: 61023, Message: "refresh_token is invalid", RID: "6553f100-1a2b3c4d-0badcafe"}, now)
	require.Equal(t, token.Failure{
		Code: 61023, Message: "refresh_token is invalid", RID: "6553f100-1a2b3c4d-0badcafe",
		Advice: "Ask the merchant to open a connect link and authorize the platform again.", At: now,
	}, failure)
	require.NotContains(t, token.Held{Value: secret.New("87_a")}.Value.String(), "87_a")
}
