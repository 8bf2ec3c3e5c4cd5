package component_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// reregister registers the component with other values, and returns them.
func reregister(t *testing.T, w *factory.World, from component.Params, change func(*component.Params)) component.Params {
	t.Helper()
	change(&from)
	_, err := w.Components.Register(t.Context(), w.Platform, from)
	require.NoError(t, err)
	from.PreviousKeysUntil = time.Time{}
	return from
}

func newKeys(p *component.Params) {
	p.Token, p.EncodingAESKey = secret.New("token-"+randomKey()[:8]), secret.New(randomKey())
}

func opens(t *testing.T, w *factory.World, p component.Params) error {
	t.Helper()
	_, err := w.Components.Open(t.Context(), p.AppID, push(t, p))
	return err
}

func TestPreviousKeys_AreTakenForADayAndThenErased(t *testing.T) {
	w := setup(t)
	former := ours(w)
	now := reregister(t, w, former, newKeys)
	end := w.Clock.Now().Add(24 * time.Hour)
	require.Equal(t, end, *get(t, w).PreviousKeysUntil)

	w.Clock.Advance(24*time.Hour - time.Microsecond)
	storeNewTicket(t, w)
	require.NoError(t, w.Components.Sweep(t.Context()))
	require.NoError(t, opens(t, w, former))
	w.Clock.Advance(time.Microsecond)
	require.ErrorIs(t, opens(t, w, former), wechat.ErrSignature, "though nobody swept yet")
	require.NoError(t, opens(t, w, now))

	const kept = `SELECT count(*) FROM components WHERE num_nonnulls(previous_token_sealed, previous_aes_key_sealed, previous_keys_until) > 0`
	require.Equal(t, 1, count(t, w, kept))
	require.NoError(t, w.Components.Sweep(t.Context()))
	require.Zero(t, count(t, w, kept))
	require.Nil(t, get(t, w).PreviousKeysUntil)
	require.NoError(t, opens(t, w, now))
}

func TestPreviousKeys_AreTakenUntilTheGivenEnd(t *testing.T) {
	w := setup(t)
	former := ours(w)
	end := w.Clock.Now().Add(time.Hour)
	reregister(t, w, former, func(p *component.Params) { newKeys(p); p.PreviousKeysUntil = end })
	require.Equal(t, end, *get(t, w).PreviousKeysUntil)
	w.Clock.Advance(time.Hour - time.Second)
	require.NoError(t, opens(t, w, former))
	w.Clock.Advance(time.Second)
	require.ErrorIs(t, opens(t, w, former), wechat.ErrSignature)
}

func TestPreviousKeys_EndEarlierOrLaterWhenAnOperatorSaysSo(t *testing.T) {
	w := setup(t)
	former := ours(w)
	current := reregister(t, w, former, newKeys)
	later := w.Clock.Now().Add(72 * time.Hour)
	for range 2 {
		reregister(t, w, current, func(p *component.Params) { p.PreviousKeysUntil = later })
	}
	require.Equal(t, later, *get(t, w).PreviousKeysUntil)
	reregister(t, w, current, func(p *component.Params) { p.AppSecret = secret.New("another-secret-" + randomKey()) })
	require.Equal(t, later, *get(t, w).PreviousKeysUntil, "something else changed")
	w.Clock.Advance(48 * time.Hour)
	require.NoError(t, opens(t, w, former))

	reregister(t, w, current, func(p *component.Params) { p.PreviousKeysUntil = w.Clock.Now() })
	require.ErrorIs(t, opens(t, w, former), wechat.ErrSignature)
	require.Equal(t, []string{"name,token,aes_key", "previous_keys_until", "appsecret", "appsecret,previous_keys_until"}, changes(t, w))
}

// changes are what each registration changed, in order.
func changes(t *testing.T, w *factory.World) (list []string) {
	t.Helper()
	require.NoError(t, w.Pool.QueryRow(t.Context(), `
		SELECT array_agg((SELECT string_agg(field, ',') FROM jsonb_array_elements_text(detail->'changed') field) ORDER BY id)
		FROM audit_entries WHERE action = 'component.update'`).Scan(&list))
	return list
}

func TestPreviousKeys_ThatHaveEndedDoNotComeBack(t *testing.T) {
	w := setup(t)
	former := ours(w)
	current := reregister(t, w, former, newKeys)
	w.Clock.Advance(24 * time.Hour)
	before := len(changes(t, w))
	reregister(t, w, current, func(p *component.Params) { p.PreviousKeysUntil = w.Clock.Now().Add(time.Hour) })
	require.ErrorIs(t, opens(t, w, former), wechat.ErrSignature)
	require.Len(t, changes(t, w), before, "there was no pair whose end could move")
}

func TestPreviousKeys_AnEndWithoutAChangeOfKeysMeansNothing(t *testing.T) {
	w := setup(t)
	params := ours(w)
	params.Name, params.PreviousKeysUntil = "", w.Clock.Now().Add(time.Hour)
	_, err := w.Components.Register(t.Context(), w.Platform, params)
	require.NoError(t, err)
	require.Nil(t, get(t, w).PreviousKeysUntil)
	require.Zero(t, count(t, w, `SELECT count(*) FROM audit_entries WHERE action = 'component.update'`))
}

func TestPreviousKeys_MixWithTheNewOnes(t *testing.T) {
	w := setup(t)
	former := ours(w)
	current := reregister(t, w, former, newKeys)
	mixed := current
	mixed.Token = former.Token
	require.NoError(t, opens(t, w, mixed), "signed with the old token, sealed with the new key")
	mixed = former
	mixed.Token = current.Token
	require.NoError(t, opens(t, w, mixed), "signed with the new token, sealed with the old key")
	w.Clock.Advance(24 * time.Hour)
	require.Error(t, opens(t, w, mixed))
}

func TestPreviousKeys_OfTwoChangesInARowAreTheLatestPair(t *testing.T) {
	w := setup(t)
	first := ours(w)
	second := reregister(t, w, first, newKeys)
	w.Clock.Advance(time.Hour)
	third := reregister(t, w, second, newKeys)
	require.Equal(t, w.Clock.Now().Add(24*time.Hour), *get(t, w).PreviousKeysUntil, "a day of its own")
	require.Error(t, opens(t, w, first))
	require.NoError(t, opens(t, w, second))
	require.NoError(t, opens(t, w, third))
}

func TestTwoComponents_TellTheirCallbacksApart(t *testing.T) {
	for name, sameKeys := range map[string]bool{"WithKeysOfTheirOwn": false, "WithTheSameKeys": true} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, factory.WorldOptions{FurtherComponents: []simulator.Component{{AppID: "wx00000000000000cc", Name: "Second"}}})
			one, other := ours(w), ours(w)
			other.AppID = "wx00000000000000cc"
			if !sameKeys {
				newKeys(&other)
			}
			_, err := w.Components.Register(t.Context(), w.Platform, other)
			require.NoError(t, err)
			require.NoError(t, w.Sim.SetCallbackKey(other.AppID, other.Token.Reveal(), other.EncodingAESKey.Reveal()))
			w.Clock.Advance(time.Second)
			require.NoError(t, w.Sim.PushTicket(t.Context()))
			stats, err := w.Components.Stats(t.Context())
			require.NoError(t, err)
			require.Len(t, stats, 2)
			for _, st := range stats {
				require.Zero(t, st.TicketAge, st.AppID)
			}

			for _, p := range []component.Params{one, other} {
				require.NoError(t, opens(t, w, p))
			}
			_, err = w.Components.Open(t.Context(), other.AppID, push(t, one))
			require.Error(t, err)
			_, err = w.Components.Open(t.Context(), one.AppID, push(t, other))
			require.Error(t, err)
		})
	}
}

func TestTwoComponents_ChangeTheirKeysApart(t *testing.T) {
	w := setup(t, factory.WorldOptions{FurtherComponents: []simulator.Component{{AppID: "wx00000000000000cc", Name: "Second"}}})
	one, other := ours(w), ours(w)
	other.AppID = "wx00000000000000cc"
	_, err := w.Components.Register(t.Context(), w.Platform, other)
	require.NoError(t, err)
	changed := reregister(t, w, other, newKeys)
	w.Clock.Advance(24 * time.Hour)
	require.ErrorIs(t, opens(t, w, other), wechat.ErrSignature)
	require.NoError(t, opens(t, w, changed))
	require.NoError(t, opens(t, w, one))
	require.Nil(t, get(t, w).PreviousKeysUntil)
}
