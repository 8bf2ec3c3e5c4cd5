package authorizer_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestReceive_RevocationWipesTheTokensAndKeepsTheHistory(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	account := active(t, w)
	require.NoError(t, w.Sim.Revoke(account.AppID))
	push(t, w, unauthorized(account.AppID))
	require.Equal(t, []string{""}, processed(t, w, 1))

	after := again(t, w, account)
	require.Equal(t, authorizer.StateRevoked, after.State)
	require.Equal(t, w.Clock.Now(), *after.RevokedAt)
	require.Equal(t, account.TenantID, after.TenantID)
	require.Equal(t, account.NickName, after.NickName)
	require.Equal(t, account.AuthorizedAt, after.AuthorizedAt)
	require.Zero(t, count(t, w, `SELECT count(*) FROM authorizer_tokens`))
	require.Len(t, audited(t, w, "authorizer.revoke"), 1)
	require.Zero(t, w.Sim.CallCount(pathInfo), "a later revocation needs no confirmation")

	_, err := w.Authorizers.Token(t.Context(), account.ID)
	var state *authorizer.AccountStateError
	require.ErrorAs(t, err, &state)
	require.Equal(t, authorizer.StateRevoked, state.State)

	w.Clock.Advance(time.Second)
	push(t, w, unauthorized(account.AppID))
	processed(t, w, 2)
	require.Len(t, audited(t, w, "authorizer.revoke"), 1, "revoked once")
	require.Equal(t, w.Clock.Now(), *again(t, w, account).RevokedAt)
}

func TestReceive_UpdateReadsThePermissionSetsAgain(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	account := active(t, w)
	before := tokenOf(t, w, account)
	code, err := w.Sim.SetPermissionSets(account.AppID, 1, 15)
	require.NoError(t, err)
	push(t, w, simulator.Event{InfoType: simulator.UpdateAuthorized, AuthorizerAppID: account.AppID, AuthorizationCode: code})
	require.Equal(t, []string{""}, processed(t, w, 1))

	after := again(t, w, account)
	require.Equal(t, []int{1, 15}, after.PermissionSets)
	require.Equal(t, account.TenantID, after.TenantID)
	require.NotEqual(t, before, tokenOf(t, w, account))
	entry := audited(t, w, "authorizer.authorize")[1]
	require.Equal(t, []any{1.0, 2.0, 3.0}, entry["permission_sets_before"])
	require.Equal(t, []any{1.0, 15.0}, entry["permission_sets"])
}

func TestReceive_ARepeatedPushIsTakenUpAlthoughTheFirstOnesJobDied(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	require.NoError(t, w.Sim.Revoke(account.AppID))
	event := unauthorized(account.AppID)
	event.CreatedAt = w.Clock.Now()
	push(t, w, event)
	_, err := w.Pool.Exec(t.Context(), `UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = ARRAY['dead']
		WHERE kind = 'authorization_event'`)
	require.NoError(t, err)

	w.StartJobs(t)
	push(t, w, event)
	require.Equal(t, 1, count(t, w, `SELECT count(*) FROM river_job WHERE kind = 'authorization_event'`), "too early to doubt it")
	w.Clock.Advance(5 * time.Second)
	push(t, w, event)
	processed(t, w, 1)
	require.Equal(t, authorizer.StateRevoked, again(t, w, account).State)
	require.Equal(t, 1, count(t, w, `SELECT count(*) FROM component_events`))
}

func TestReceive_AnOlderRevocationDoesNotUndoANewerAuthorization(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	account := active(t, w)
	revokedAt := w.Clock.Now()
	require.NoError(t, w.Sim.Revoke(account.AppID))
	w.Clock.Advance(time.Minute)
	push(t, w, authorized(account.AppID, authorize(t, w, account.AppID, "", 1, 2), ""))
	processed(t, w, 1)

	late := unauthorized(account.AppID)
	late.CreatedAt = revokedAt
	push(t, w, late)
	require.Contains(t, processed(t, w, 2)[1], "authorized us since")
	require.Equal(t, authorizer.StateActive, again(t, w, account).State)
	require.NotEmpty(t, tokenOf(t, w, account))
}

func TestReceive_ARevocationInTheSecondOfTheAuthorizationIsBelievedIfWeChatConfirmsIt(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	account := factory.Account(t, w, factory.AccountOptions{TenantID: factory.Tenant(t, w).ID})
	require.NoError(t, w.Sim.Revoke(account.AppID))
	push(t, w, unauthorized(account.AppID))
	require.Equal(t, []string{""}, processed(t, w, 1))
	require.Equal(t, authorizer.StateRevoked, again(t, w, account).State)
}

func TestReceive_AnAuthorizationFromBeforeARevocationIsLeftAlone(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	account := active(t, w)
	late := authorized(account.AppID, authorize(t, w, account.AppID, "", 1, 2), "")
	late.CreatedAt = w.Clock.Now()
	w.Clock.Advance(time.Minute)
	push(t, w, unauthorized(account.AppID))
	processed(t, w, 1)

	push(t, w, late)
	require.Contains(t, processed(t, w, 2)[1], "took this authorization back")
	require.Equal(t, authorizer.StateRevoked, again(t, w, account).State)
	require.Zero(t, w.Sim.CallCount(pathQueryAuth))
}

func TestReceive_ARevocationProcessedTooLateIsUndoneByTheNewerAuthorization(t *testing.T) {
	// Redirect at 10:02, revocation of 10:01 by a clock that runs before ours, push of 10:02: whatever comes when, it is active.
	w := setup(t)
	w.StartJobs(t)
	account := active(t, w)
	require.NoError(t, w.Sim.Revoke(account.AppID))
	old := unauthorized(account.AppID)
	old.CreatedAt = w.Clock.Now().Add(time.Minute)
	state := factory.LinkState(t, w, account.TenantID, authorizer.ConnectLinkParams{})
	preAuth := preAuthCode(t, w, state)
	code := authorize(t, w, account.AppID, preAuth, 1, 2)
	_, _, err := w.Authorizers.FinishConnectLink(t.Context(), state, code)
	require.NoError(t, err)
	push(t, w, old)
	processed(t, w, 1)
	require.Equal(t, authorizer.StateRevoked, again(t, w, account).State)

	newer := authorized(account.AppID, code, preAuth)
	newer.CreatedAt = w.Clock.Now().Add(2 * time.Minute)
	push(t, w, newer)
	processed(t, w, 2)
	require.Equal(t, authorizer.StateActive, again(t, w, account).State)
	require.NotEmpty(t, tokenOf(t, w, account))
	require.Equal(t, 1, w.Sim.CallCount(pathQueryAuth))
}

// exchangeAndCrash lets WeChat answer an exchange that is then stored nowhere.
func exchangeAndCrash(t *testing.T, w *factory.World, code string) {
	t.Helper()
	require.NoError(t, w.Components.Call(t.Context(), w.ComponentAppID, func(ctx context.Context, cat string) error {
		_, err := w.WeChat.QueryAuth(ctx, cat, w.ComponentAppID, code)
		return err
	}))
}

func TestReceive_ACodeThatSomebodyExchangedBeforeACrashLosesNothing(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.CodeOnce = true }))
	s := scan(t, w, authorizer.ConnectLinkParams{}, factory.AccountOptions{})
	exchangeAndCrash(t, w, s.code)

	w.StartJobs(t)
	push(t, w, authorized(s.appid, s.code, s.preAuth))
	require.Equal(t, []string{""}, processed(t, w, 1))
	account := byAppID(t, w, s.appid)
	require.Equal(t, s.tenantID, account.TenantID)
	require.Equal(t, authorizer.StateActive, account.State)
	require.Equal(t, []int{1, 2, 3}, account.PermissionSets)
	require.NotEmpty(t, tokenOf(t, w, account))
	require.Equal(t, account.ID, finish(t, w, s).ID, "and the browser gets its answer")
}

func TestReceive_AnExpiredCodeLeavesGoodTokensAlone(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	account := active(t, w)
	before := tokenOf(t, w, account)
	code := authorize(t, w, account.AppID, "", 1, 2)
	exchangeAndCrash(t, w, code)
	late := authorized(account.AppID, code, "")
	late.CreatedAt = w.Clock.Now()
	w.Clock.Advance(70 * time.Minute)
	push(t, w, late)
	require.Equal(t, []string{""}, processed(t, w, 1))
	require.Equal(t, []int{1, 2}, again(t, w, account).PermissionSets)
	require.Equal(t, before, tokenOf(t, w, account))
}

func TestReceive_AnEventWithoutCodeIsReadBackFromTheProfile(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	appid := factory.AddToWeChat(t, w, factory.AccountOptions{})
	exchangeAndCrash(t, w, authorize(t, w, appid, "", 1, 2))
	raw := []byte(`<xml><AppId>wx0000000000000001</AppId><CreateTime>1772440200</CreateTime><InfoType>authorized</InfoType><AuthorizerAppid>` + appid + `</AuthorizerAppid></xml>`)
	ev, err := wechat.ParseEvent(raw)
	require.NoError(t, err)
	require.NoError(t, w.Authorizers.Receive(t.Context(), ev, raw))
	require.Equal(t, []string{""}, processed(t, w, 1))
	require.NotEmpty(t, tokenOf(t, w, byAppID(t, w, appid)))
}

func TestReceive_ACodeThatIsNoGoodIsNotTriedForEver(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	appid := factory.AddToWeChat(t, w, factory.AccountOptions{})
	push(t, w, authorized(appid, "queryauthcode@@@nonsense", ""))
	require.Contains(t, processed(t, w, 1)[0], "61009")
	require.Zero(t, count(t, w, `SELECT count(*) FROM authorizers`))
}

func TestReceive_AFailureIsNotedAndTriedAgain(t *testing.T) {
	w := setup(t)
	s := scan(t, w, authorizer.ConnectLinkParams{}, factory.AccountOptions{})
	inject(t, w, simulator.Fault{Path: pathQueryAuth, Code: -1, Times: 1})
	w.StartJobs(t)
	push(t, w, authorized(s.appid, s.code, s.preAuth))
	require.Eventually(t, func() bool {
		return count(t, w, `SELECT count(*) FROM component_events WHERE last_error LIKE '%-1%' OR processed_at IS NOT NULL`) == 1
	}, patience, time.Millisecond)
	require.Equal(t, []string{""}, processed(t, w, 1))
	require.Equal(t, s.tenantID, byAppID(t, w, s.appid).TenantID)
	require.Equal(t, 2, w.Sim.CallCount(pathQueryAuth))
}

func TestReceive_UnknownEventsAreKeptAndLeftAlone(t *testing.T) {
	w := setup(t)
	push(t, w, simulator.Event{InfoType: "notify_3rd_wxa_auth", AuthorizerAppID: "wx00000000000000aa"})
	processed(t, w, 1)
	require.Zero(t, count(t, w, `SELECT count(*) FROM river_job`))
}

func TestReceive_TicketsGoToTheComponent(t *testing.T) {
	w := setup(t, factory.WorldOptions{NoTicket: true})
	require.NoError(t, w.Sim.PushTicket(t.Context()))
	require.Zero(t, count(t, w, `SELECT count(*) FROM component_events`))
	_, err := w.Components.AccessToken(t.Context(), w.ComponentAppID)
	require.NoError(t, err)
}

func TestReceive_StoresEventAndJobTogetherOrNotAtAll(t *testing.T) {
	w := setup(t)
	raw := []byte(`<xml><AppId>wxunknown</AppId><CreateTime>1772440200</CreateTime><InfoType>unauthorized</InfoType><AuthorizerAppid>wx1</AuthorizerAppid></xml>`)
	ev, err := wechat.ParseEvent(raw)
	require.NoError(t, err)
	require.ErrorIs(t, w.Authorizers.Receive(t.Context(), ev, raw), component.ErrUnknownComponent)
	_, err = w.Pool.Exec(t.Context(), `ALTER TABLE river_job RENAME TO river_job_away`)
	require.NoError(t, err)
	require.Error(t, w.Sim.Push(t.Context(), unauthorized("wx1")))
	require.Zero(t, count(t, w, `SELECT count(*) FROM component_events`))
	_, err = w.Pool.Exec(t.Context(), `ALTER TABLE river_job_away RENAME TO river_job`)
	require.NoError(t, err)
	push(t, w, unauthorized("wx1"))
	require.Equal(t, 1, count(t, w, `SELECT count(*) FROM river_job WHERE kind = 'authorization_event'`))
	w.StartJobs(t)
	require.Equal(t, []string{"we have no such account"}, processed(t, w, 1))
}
