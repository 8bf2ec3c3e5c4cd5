package authorizer_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestToken_ARevocationThatWeChatConfirmsIsBelieved(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	require.NoError(t, w.Sim.Revoke(account.AppID))
	w.Clock.Advance(3 * time.Hour)
	_, err := w.Authorizers.Token(t.Context(), account.ID)
	var state *authorizer.AccountStateError
	require.ErrorAs(t, err, &state)
	require.Equal(t, authorizer.StateRevoked, state.State)
	var refused *wechat.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 61003, refused.Code)
	require.Equal(t, 1, w.Sim.CallCount(pathInfo), "asked in another way too")

	after := again(t, w, account)
	require.Equal(t, authorizer.StateRevoked, after.State)
	require.NotNil(t, after.RevokedAt)
	require.Zero(t, count(t, w, `SELECT count(*) FROM authorizer_tokens`))
	entry := audited(t, w, "authorizer.state")[0]
	require.Equal(t, []any{"active", "revoked", "system"}, []any{entry["state_before"], entry["state"], entry["actor"]})

	w.Sim.ResetCalls()
	_, err = w.Authorizers.Token(t.Context(), account.ID)
	require.ErrorAs(t, err, &state)
	require.Empty(t, w.Sim.Calls(), "nothing is asked of WeChat any more")
}

func TestToken_ARevocationThatWeChatDoesNotConfirmIsNot(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	w.Clock.Advance(3 * time.Hour)
	inject(t, w, simulator.Fault{Path: pathRenew, Code: 61003})
	_, err := w.Authorizers.Token(t.Context(), account.ID)
	var refused *wechat.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, authorizer.StateActive, again(t, w, account).State)
}

func TestToken_ALostRefreshTokenIsReadBackFromWeChat(t *testing.T) {
	for name, change := range map[string]func(*simulator.Settings){
		"FromTheProfile": func(s *simulator.Settings) { s.ListWithoutRefreshToken = true },
		"FromTheList":    func(s *simulator.Settings) { s.InfoWithoutRefreshToken = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, settings(change))
			account := active(t, w)
			right, err := w.Sim.ReplaceRefreshToken(account.AppID)
			require.NoError(t, err)
			w.Clock.Advance(3 * time.Hour)
			require.NotEmpty(t, tokenOf(t, w, account))
			require.Equal(t, right, refreshToken(t, w, account))
			require.Equal(t, authorizer.StateActive, again(t, w, account).State)
			require.Equal(t, 2, w.Sim.CallCount(pathRenew))
		})
	}
}

func TestToken_ALostRefreshTokenIsFoundOnTheSecondPageOfTheList(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.InfoWithoutRefreshToken = true }))
	account := active(t, w, factory.AccountOptions{AppID: "wxzzzzzzzzzzzzzzzz"})
	for range wechat.MaxAuthorizerList {
		authorize(t, w, factory.AddToWeChat(t, w, factory.AccountOptions{}), "", 1)
	}
	_, err := w.Sim.ReplaceRefreshToken(account.AppID)
	require.NoError(t, err)
	w.Clock.Advance(3 * time.Hour)
	require.NotEmpty(t, tokenOf(t, w, account))
}

func TestToken_ARefreshTokenLostForGoodNeedsTheMerchant(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.InfoWithoutRefreshToken, s.ListWithoutRefreshToken = true, true }))
	account := active(t, w)
	_, err := w.Sim.ReplaceRefreshToken(account.AppID)
	require.NoError(t, err)
	w.Clock.Advance(100 * time.Minute) // even while the old access token lives
	_, err = w.Authorizers.Token(t.Context(), account.ID)
	var state *authorizer.AccountStateError
	require.ErrorAs(t, err, &state)
	require.Equal(t, authorizer.StateNeedsReauthorization, state.State)
	after := again(t, w, account)
	require.Equal(t, authorizer.StateNeedsReauthorization, after.State)
	require.NotEmpty(t, after.StateReason)
	require.Equal(t, 61023, after.Health.LastError.Code)
	require.Equal(t, []int{1, 1, 1}, []int{w.Sim.CallCount(pathRenew), w.Sim.CallCount(pathInfo), w.Sim.CallCount(pathList)})

	state2 := factory.LinkState(t, w, account.TenantID, authorizer.ConnectLinkParams{AppID: account.AppID})
	_, _, err = w.Authorizers.FinishConnectLink(t.Context(), state2, authorize(t, w, account.AppID, preAuthCode(t, w, state2)))
	require.NoError(t, err)
	require.Equal(t, authorizer.StateActive, again(t, w, account).State)
	require.NotEmpty(t, tokenOf(t, w, account), "scanning again heals it")
}

func TestToken_ARefreshTokenThatIsRefusedTwiceIsGivenUp(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	_, err := w.Sim.ReplaceRefreshToken(account.AppID)
	require.NoError(t, err)
	inject(t, w, simulator.Fault{Path: pathRenew, Code: 61023})
	w.Clock.Advance(3 * time.Hour)
	_, err = w.Authorizers.Token(t.Context(), account.ID)
	var state *authorizer.AccountStateError
	require.ErrorAs(t, err, &state)
	require.Equal(t, authorizer.StateNeedsReauthorization, again(t, w, account).State)
	require.Equal(t, 2, w.Sim.CallCount(pathRenew), "the one read back is tried once")
}

func TestToken_TroubleWhileReadingTheRefreshTokenBackMarksNobody(t *testing.T) {
	for _, path := range []string{pathInfo, pathList} {
		w := factory.NewWorld(t, settings(func(s *simulator.Settings) { s.InfoWithoutRefreshToken = true }))
		account := active(t, w)
		_, err := w.Sim.ReplaceRefreshToken(account.AppID)
		require.NoError(t, err)
		inject(t, w, simulator.Fault{Path: path, Status: 502})
		w.Clock.Advance(3 * time.Hour)
		_, err = w.Authorizers.Token(t.Context(), account.ID)
		require.Error(t, err)
		require.Equal(t, authorizer.StateActive, again(t, w, account).State)
	}
}

func TestToken_AVerdictAboutOldTokensDoesNotMarkAnAccountThatAuthorizedAnew(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.InfoWithoutRefreshToken = true }))
	account := active(t, w)
	_, err := w.Sim.ReplaceRefreshToken(account.AppID)
	require.NoError(t, err)
	w.Clock.Advance(3 * time.Hour)
	// While WeChat's list, the last hope, is being read, the merchant scans again. The new tokens wait for the row's lock.
	state := factory.LinkState(t, w, account.TenantID, authorizer.ConnectLinkParams{})
	code := authorize(t, w, account.AppID, preAuthCode(t, w, state))
	require.NoError(t, w.Sim.Change(func(s *simulator.Settings) { s.ListWithoutRefreshToken = true }))
	finished := make(chan error, 1)
	var once sync.Once
	w.Sim.BeforeAnswer(func(c simulator.Call) {
		if c.Path != pathList {
			return
		}
		once.Do(func() {
			go func() {
				_, _, err := w.Authorizers.FinishConnectLink(context.WithoutCancel(t.Context()), state, code)
				finished <- err
			}()
			require.Eventually(t, func() bool { return w.Sim.CallCount(pathQueryAuth) == 1 }, patience, time.Millisecond)
		})
	})
	_, err = w.Authorizers.Token(t.Context(), account.ID)
	require.Error(t, err)
	require.NoError(t, <-finished)
	require.Equal(t, authorizer.StateActive, again(t, w, account).State)
	require.NotEmpty(t, tokenOf(t, w, account))
}
