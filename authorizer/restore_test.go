package authorizer_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// lost makes an account whose refresh token WeChat does not take any more, and has no other for us.
func lost(t *testing.T, w *factory.World) authorizer.Account {
	t.Helper()
	account := active(t, w)
	require.NoError(t, w.Sim.Change(func(s *simulator.Settings) { s.InfoWithoutRefreshToken, s.ListWithoutRefreshToken = true, true }))
	_, err := w.Sim.ReplaceRefreshToken(account.AppID)
	require.NoError(t, err)
	w.Clock.Advance(3 * time.Hour)
	_, err = w.Authorizers.Token(t.Context(), account.ID)
	require.Error(t, err)
	require.Equal(t, authorizer.StateNeedsReauthorization, again(t, w, account).State)
	w.Sim.ResetCalls()
	return account
}

// revokedByMistake makes an account that we take for revoked, and that WeChat does not.
func revokedByMistake(t *testing.T, w *factory.World) authorizer.Account {
	t.Helper()
	account := active(t, w)
	_, err := w.Pool.Exec(t.Context(), `UPDATE authorizers SET state = 'revoked', revoked_at = $2 WHERE id = $1`, account.ID, w.Clock.Now())
	require.NoError(t, err)
	_, err = w.Pool.Exec(t.Context(), `DELETE FROM authorizer_tokens WHERE authorizer_id = $1`, account.ID)
	require.NoError(t, err)
	w.Clock.Advance(time.Minute)
	return account
}

func requireUsable(t *testing.T, w *factory.World, before authorizer.Account) {
	t.Helper()
	after := again(t, w, before)
	require.Equal(t, authorizer.StateActive, after.State)
	require.Empty(t, after.StateReason)
	require.Nil(t, after.RevokedAt)
	require.Equal(t, before.TenantID, after.TenantID, "it is still the tenant's")
	require.True(t, after.AuthorizedAt.After(before.AuthorizedAt), "whoever waits for the account sees that it changed")
	var tokens []string
	require.NoError(t, w.Authorizers.Call(t.Context(), before.ID, readBlacklist(w, &tokens)))
}

func TestRenewNow_BringsBackAnAccountOnceWeChatHasItsRefreshTokenAgain(t *testing.T) {
	for name, change := range map[string]func(*simulator.Settings){
		"InTheProfile": func(s *simulator.Settings) { s.InfoWithoutRefreshToken = false },
		"InTheList":    func(s *simulator.Settings) { s.ListWithoutRefreshToken = false },
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t)
			account := lost(t, w)
			require.Equal(t, []alert.Kind{alert.NeedsReauthorization}, accountAlerts(t, w, account))
			require.NoError(t, w.Sim.Change(change))
			key := factory.Key(t, w, factory.KeyOptions{TenantID: account.TenantID, Scopes: []tenant.Scope{tenant.AuthorizersWrite}})
			renewed, err := w.Authorizers.RenewNow(t.Context(), key, account.TenantID, account.AppID)
			require.NoError(t, err)
			require.Equal(t, authorizer.StateActive, renewed.State)
			requireUsable(t, w, account)
			require.Empty(t, accountAlerts(t, w, account))
			require.Equal(t, 1, w.Sim.CallCount(pathRenew))
			entries := audited(t, w, "authorizer.authorize")
			require.Equal(t, []any{"needs_reauthorization", "active", "tenant_key"},
				[]any{entries[1]["state_before"], entries[1]["state"], entries[1]["actor"]})
			entry := audited(t, w, "authorizer.renew")[0]
			require.Equal(t, []any{account.TenantID.String(), "tenant_key"}, []any{entry["tenant_id"], entry["actor"]})
			require.NotContains(t, entry, "error")
		})
	}
}

// accountAlerts returns the kinds of the open alerts about an account.
func accountAlerts(t *testing.T, w *factory.World, account authorizer.Account) []alert.Kind {
	t.Helper()
	service, err := alert.NewService(w.Pool)
	require.NoError(t, err)
	open := true
	page, err := service.List(t.Context(), w.Platform, account.TenantID, alert.ListParams{Open: &open})
	require.NoError(t, err)
	kinds := []alert.Kind{}
	for _, l := range page.Alerts {
		if l.AppID == account.AppID {
			kinds = append(kinds, l.Kind)
		}
	}
	return kinds
}

func TestRenewNow_ARefreshTokenThatWeChatRefusedOnAWhimIsTriedAgain(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.InfoWithoutRefreshToken, s.ListWithoutRefreshToken = true, true }))
	account := active(t, w)
	inject(t, w, simulator.Fault{Path: pathRenew, Code: 61023})
	w.Clock.Advance(3 * time.Hour)
	_, err := w.Authorizers.Token(t.Context(), account.ID)
	require.Error(t, err)
	require.Equal(t, authorizer.StateNeedsReauthorization, again(t, w, account).State)
	w.Sim.ClearFaults()
	_, err = w.Authorizers.RenewNow(t.Context(), w.Platform, account.TenantID, account.AppID)
	require.NoError(t, err)
	requireUsable(t, w, account)
}

func TestRenewNow_ATokenThatTheProfileHasWrongIsLookedUpInTheList(t *testing.T) {
	w := setup(t)
	account := lost(t, w)
	require.NoError(t, w.Sim.Change(func(s *simulator.Settings) { s.InfoWithoutRefreshToken, s.ListWithoutRefreshToken = false, false }))
	odd := rewrite(t, w, pathInfo, func(fields map[string]any) {
		fields["authorization_info"].(map[string]any)["authorizer_refresh_token"] = "refreshtoken@@@stale"
	})
	_, err := odd.Authorizers.RenewNow(t.Context(), w.Platform, account.TenantID, account.AppID)
	require.NoError(t, err)
	requireUsable(t, w, account)
}

func TestRenewNow_SaysWhereTheMerchantReconnectsWhatCannotBeBroughtBack(t *testing.T) {
	w := setup(t)
	account := lost(t, w)
	_, err := w.Authorizers.RenewNow(t.Context(), w.Platform, account.TenantID, account.AppID)
	var state *authorizer.AccountStateError
	require.ErrorAs(t, err, &state)
	require.Equal(t, authorizer.StateNeedsReauthorization, state.State)
	require.Contains(t, state.ConnectURL, factory.PublicURL+"/connect/")
	require.Equal(t, authorizer.StateNeedsReauthorization, again(t, w, account).State)
	require.Equal(t, []alert.Kind{alert.NeedsReauthorization}, accountAlerts(t, w, account))
	require.Contains(t, audited(t, w, "authorizer.renew")[0]["error"], "needs_reauthorization")
}

func TestRenewNow_ARevokedAccountStaysRevokedIfWeChatSaysSo(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	require.NoError(t, w.Sim.Revoke(account.AppID))
	w.Clock.Advance(3 * time.Hour)
	_, err := w.Authorizers.Token(t.Context(), account.ID)
	require.Error(t, err)
	w.Sim.ResetCalls()
	_, err = w.Authorizers.RenewNow(t.Context(), w.Platform, account.TenantID, account.AppID)
	var state *authorizer.AccountStateError
	require.ErrorAs(t, err, &state)
	require.Equal(t, authorizer.StateRevoked, again(t, w, account).State)
	require.Equal(t, []int{1, 0}, []int{w.Sim.CallCount(pathInfo), w.Sim.CallCount(pathRenew)}, "61003 is enough")
	require.Zero(t, count(t, w, `SELECT count(*) FROM authorizer_tokens`))
}

func TestRenewNow_ARevocationThatNeverWasIsUndone(t *testing.T) {
	w := setup(t)
	account := revokedByMistake(t, w)
	_, err := w.Authorizers.RenewNow(t.Context(), w.Platform, account.TenantID, account.AppID)
	require.NoError(t, err)
	requireUsable(t, w, account)
}

func TestRenewNow_TroubleAtWeChatChangesNothing(t *testing.T) {
	for _, path := range []string{pathInfo, pathList, pathRenew} {
		w := factory.NewWorld(t)
		account := lost(t, w)
		require.NoError(t, w.Sim.Change(func(s *simulator.Settings) { s.ListWithoutRefreshToken = false }))
		inject(t, w, simulator.Fault{Path: path, Code: -1, Times: 1})
		_, err := w.Authorizers.RenewNow(t.Context(), w.Platform, account.TenantID, account.AppID)
		var refused *wechat.Error
		require.ErrorAs(t, err, &refused, path)
		require.Equal(t, -1, refused.Code)
		require.Equal(t, authorizer.StateNeedsReauthorization, again(t, w, account).State)
		_, err = w.Authorizers.RenewNow(t.Context(), w.Platform, account.TenantID, account.AppID)
		require.NoError(t, err)
		requireUsable(t, w, account)
	}
}

func TestRenewNow_BringsAnAccountBackThoughItsCallerGoesAway(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.RotateOnRenew, s.RefreshTokenOverlapSeconds = true, 0 }))
	account := lost(t, w)
	require.NoError(t, w.Sim.Change(func(s *simulator.Settings) { s.InfoWithoutRefreshToken = false }))
	ctx, cancel := context.WithCancel(t.Context())
	w.Sim.BeforeAnswer(func(c simulator.Call) {
		if c.Path == pathRenew { // WeChat has rotated the refresh token, and nobody waits for the answer
			cancel()
		}
	})
	_, _ = w.Authorizers.RenewNow(ctx, w.Platform, account.TenantID, account.AppID)
	w.Sim.BeforeAnswer(nil)
	requireUsable(t, w, account)
	require.Equal(t, 1, w.Sim.CallCount(pathRenew))
	require.Len(t, audited(t, w, "authorizer.renew"), 1)
}

func TestRenewNow_TwoAtOnceBringAnAccountBackOnce(t *testing.T) {
	w := setup(t)
	account := lost(t, w)
	require.NoError(t, w.Sim.Change(func(s *simulator.Settings) { s.InfoWithoutRefreshToken = false }))
	inject(t, w, simulator.Fault{Path: pathRenew, LatencyMS: 100})
	done := make(chan error, 2)
	for _, process := range []*factory.World{w, w.Process(t)} {
		go func() {
			_, err := process.Authorizers.RenewNow(context.WithoutCancel(t.Context()), w.Platform, account.TenantID, account.AppID)
			done <- err
		}()
	}
	require.NoError(t, <-done)
	require.NoError(t, <-done)
	require.LessOrEqual(t, w.Sim.CallCount(pathRenew), 2, "the second may find the account back, and renew by hand")
	require.Len(t, audited(t, w, "authorizer.authorize"), 2)
	requireUsable(t, w, account)
}

func TestRenewNow_RenewsATokenThatWouldHaveServedLonger(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	first := tokenOf(t, w, account)
	renewed, err := w.Authorizers.RenewNow(t.Context(), w.Platform, account.TenantID, account.AppID)
	require.NoError(t, err)
	require.Equal(t, w.Clock.Now(), *renewed.Token.RenewedAt)
	require.NotEqual(t, first, tokenOf(t, w, account))
	require.Equal(t, 1, w.Sim.CallCount(pathRenew))
	require.Zero(t, renewed.Health.RefusedEarly, "nobody refused it")
}
