package authorizer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestCall_HandsOutATokenThatWorks(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	var tokens []string
	require.NoError(t, w.Authorizers.Call(t.Context(), account.ID, readBlacklist(w, &tokens)))
	require.Equal(t, []string{tokenOf(t, w, account)}, tokens)
}

func TestCall_RenewsOnceAndTriesOnceMoreWhenTheTokenIsRefused(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	for i, code := range []int{40001, 40014, 42001} {
		inject(t, w, simulator.Fault{Path: pathBlacklist, Code: code, Times: 1})
		var tokens []string
		require.NoError(t, w.Authorizers.Call(t.Context(), account.ID, readBlacklist(w, &tokens)), code)
		require.Len(t, tokens, 2, code)
		require.NotEqual(t, tokens[0], tokens[1], code)
		require.Equal(t, i+1, w.Sim.CallCount(pathRenew), code)
	}
}

func TestCall_EndlessRefusalOfTheTokenIsExactlyTwoCalls(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	inject(t, w, simulator.Fault{Path: pathBlacklist, Code: 40001})
	var tokens []string
	err := w.Authorizers.Call(t.Context(), account.ID, readBlacklist(w, &tokens))
	var refused *wechat.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 40001, refused.Code)
	require.Len(t, tokens, 2)
	require.Equal(t, 1, w.Sim.CallCount(pathRenew))
	require.Equal(t, authorizer.StateActive, again(t, w, account).State, "another system fetches tokens; the merchant did nothing")
}

func TestCall_DoesNotRenewWhatSomebodyElseRenewedMeanwhile(t *testing.T) {
	w := setup(t)
	other := w.Process(t)
	account := active(t, w)
	var seen []string
	err := w.Authorizers.Call(t.Context(), account.ID, func(ctx context.Context, token string) error {
		seen = append(seen, token)
		if len(seen) == 1 {
			inject(t, w, simulator.Fault{Path: pathBlacklist, Code: 40001, Times: 1})
			var tokens []string
			require.NoError(t, other.Authorizers.Call(ctx, account.ID, readBlacklist(w, &tokens)))
			return &wechat.Error{Code: 40001}
		}
		return nil
	})
	require.NoError(t, err)
	require.Len(t, seen, 2)
	require.Equal(t, 1, w.Sim.CallCount(pathRenew))
}

func TestCall_ARefusedTokenIsNotTriedAgainWhenNoOtherCanBeHad(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	w.Sim.SupersedeTokens(account.AppID)
	inject(t, w, simulator.Fault{Path: pathRenew, Status: 502})
	var tokens []string
	err := w.Authorizers.Call(t.Context(), account.ID, readBlacklist(w, &tokens))
	var broken *wechat.TransportError
	require.ErrorAs(t, err, &broken)
	require.Len(t, tokens, 1)
	require.Equal(t, authorizer.StateActive, again(t, w, account).State)
}

func TestCall_ARevocationIsConfirmedAndThenMarked(t *testing.T) {
	for _, code := range []int{40001, 61003} {
		w := factory.NewWorld(t, settings(func(s *simulator.Settings) { s.RevokedCode = code }))
		account := active(t, w)
		require.NoError(t, w.Sim.Revoke(account.AppID))
		var tokens []string
		err := w.Authorizers.Call(t.Context(), account.ID, readBlacklist(w, &tokens))
		var state *authorizer.AccountStateError
		require.ErrorAs(t, err, &state, code)
		require.Equal(t, authorizer.StateRevoked, state.State)
		require.Len(t, tokens, 1)
		require.Equal(t, authorizer.StateRevoked, again(t, w, account).State)
	}
}

func TestCall_ARevocationThatARenewalDisprovesIsNotMarked(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	inject(t, w, simulator.Fault{Path: pathBlacklist, Code: 61003})
	var tokens []string
	err := w.Authorizers.Call(t.Context(), account.ID, readBlacklist(w, &tokens))
	var refused *wechat.Error
	require.ErrorAs(t, err, &refused)
	require.Len(t, tokens, 1)
	require.Equal(t, authorizer.StateActive, again(t, w, account).State)
}

func TestCall_AMissingPermissionHasTheSetsReadAgain(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	w.StartJobs(t)
	_, err := w.Sim.SetPermissionSets(account.AppID, 1)
	require.NoError(t, err)
	for range 3 {
		var tokens []string
		err = w.Authorizers.Call(t.Context(), account.ID, readBlacklist(w, &tokens))
		var refused *wechat.Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, 61007, refused.Code)
		require.Len(t, tokens, 1)
	}
	require.Eventually(t, func() bool { return len(again(t, w, account).PermissionSets) == 1 }, patience, 10*time.Millisecond)
	require.Equal(t, authorizer.StateActive, again(t, w, account).State)
	entry := audited(t, w, "authorizer.permissions")[0]
	require.Equal(t, []any{1.0}, entry["permission_sets"])
	require.Equal(t, []any{1.0, 2.0, 3.0}, entry["permission_sets_before"])
	require.LessOrEqual(t, w.Sim.CallCount(pathInfo), 2, "not once per refused call")
}

func TestCall_ASuspendedAccountIsLimited(t *testing.T) {
	for _, code := range []int{48004, 50002} {
		w := factory.NewWorld(t)
		account := active(t, w)
		inject(t, w, simulator.Fault{Path: pathBlacklist, Code: code})
		var tokens []string
		err := w.Authorizers.Call(t.Context(), account.ID, readBlacklist(w, &tokens))
		var refused *wechat.Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, code, refused.Code)
		after := again(t, w, account)
		require.Equal(t, authorizer.StateLimited, after.State)
		require.Contains(t, after.StateReason, refused.Message)
		require.Len(t, audited(t, w, "authorizer.state"), 1)
	}
}

func TestCall_LeavesOtherErrorsAlone(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	for _, code := range []int{-1, 40003, 45009, 61004} {
		inject(t, w, simulator.Fault{Path: pathBlacklist, Code: code, Times: 1})
		var tokens []string
		require.Error(t, w.Authorizers.Call(t.Context(), account.ID, readBlacklist(w, &tokens)))
		require.Len(t, tokens, 1)
	}
	own := errors.New("the caller's own")
	require.ErrorIs(t, w.Authorizers.Call(t.Context(), account.ID, func(context.Context, string) error { return own }), own)
	require.Equal(t, authorizer.StateActive, again(t, w, account).State)
	require.Zero(t, w.Sim.CallCount(pathRenew))
}
