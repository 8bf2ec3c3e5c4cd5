package authorizer_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// scanned is a merchant who has just confirmed WeChat's consent page behind a link of ours.
type scanned struct {
	tenantID             uuid.UUID
	state, preAuth, code string
	appid                string
}

func scan(t *testing.T, w *factory.World, params authorizer.ConnectLinkParams, o factory.AccountOptions) scanned {
	t.Helper()
	s := scanned{tenantID: factory.Tenant(t, w).ID, appid: factory.AddToWeChat(t, w, o)}
	s.state = factory.LinkState(t, w, s.tenantID, params)
	s.preAuth = preAuthCode(t, w, s.state)
	s.code = authorize(t, w, s.appid, s.preAuth)
	return s
}

func finish(t *testing.T, w *factory.World, s scanned) authorizer.Account {
	t.Helper()
	account, link, err := w.Authorizers.FinishConnectLink(t.Context(), s.state, s.code)
	require.NoError(t, err)
	require.Equal(t, s.tenantID, link.TenantID)
	require.Equal(t, account.ID, link.AuthorizerID)
	require.NotNil(t, link.UsedAt)
	return account
}

func requireConnected(t *testing.T, w *factory.World, s scanned) authorizer.Account {
	t.Helper()
	account := byAppID(t, w, s.appid)
	require.Equal(t, s.tenantID, account.TenantID)
	require.Equal(t, authorizer.StateActive, account.State)
	require.Equal(t, []int{1, 2, 3}, account.PermissionSets)
	require.NotEmpty(t, account.NickName, "the profile was read")
	require.NotEmpty(t, tokenOf(t, w, account))
	require.Equal(t, 1, w.Sim.CallCount(pathQueryAuth), "a code is exchanged once")
	require.Equal(t, 1, count(t, w, `SELECT count(*) FROM authorizers`))
	require.Equal(t, 1, count(t, w, `SELECT count(*) FROM connect_links WHERE used_at IS NOT NULL AND authorizer_id = $1`, account.ID))
	require.Len(t, audited(t, w, "authorizer.authorize"), 1)
	return account
}

func TestAuthorize_RedirectFirst(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.CodeOnce = true }))
	w.StartJobs(t)
	s := scan(t, w, authorizer.ConnectLinkParams{ReturnURL: "https://shop.example/done"}, factory.AccountOptions{})
	account := finish(t, w, s)
	require.Equal(t, s.appid, account.AppID)
	push(t, w, authorized(s.appid, s.code, s.preAuth))
	require.Equal(t, []string{""}, processed(t, w, 1))
	requireConnected(t, w, s)
	entry := audited(t, w, "authorizer.authorize")[0]
	require.Equal(t, s.tenantID.String(), entry["tenant_id"])
	require.Equal(t, "merchant", entry["actor"])
	_, link, err := w.Authorizers.FinishConnectLink(t.Context(), s.state, s.code)
	require.NoError(t, err)
	require.Equal(t, "https://shop.example/done", link.ReturnURL)
}

func TestAuthorize_PushFirst(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.CodeOnce = true }))
	w.StartJobs(t)
	s := scan(t, w, authorizer.ConnectLinkParams{}, factory.AccountOptions{})
	push(t, w, authorized(s.appid, s.code, s.preAuth), authorized(s.appid, s.code, s.preAuth))
	require.Equal(t, []string{""}, processed(t, w, 1), "the same push twice is one event")
	requireConnected(t, w, s)
	finish(t, w, s)
	requireConnected(t, w, s)
}

func TestAuthorize_RedirectAndPushAtOnce(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.CodeOnce = true }))
	other := w.Process(t)
	w.StartJobs(t)
	other.StartJobs(t)
	s := scan(t, w, authorizer.ConnectLinkParams{}, factory.AccountOptions{})
	inject(t, w, simulator.Fault{Path: pathQueryAuth, LatencyMS: 50})

	var all errgroup.Group
	for i := range 20 {
		process := []*factory.World{w, other}[i%2]
		all.Go(func() error {
			if i%4 < 2 {
				ev := authorized(s.appid, s.code, s.preAuth)
				ev.CreatedAt = w.Clock.Now().Add(time.Duration(i) * time.Second) // not the same push, the same authorization
				return w.Sim.Push(t.Context(), ev)
			}
			_, _, err := process.Authorizers.FinishConnectLink(t.Context(), s.state, s.code)
			return err
		})
	}
	require.NoError(t, all.Wait())
	processed(t, w, 10)
	requireConnected(t, w, s)
}

func TestAuthorize_UnknownPreAuthCodeLandsUnclaimedUntilTheRedirectClaimsIt(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	s := scan(t, w, authorizer.ConnectLinkParams{}, factory.AccountOptions{})
	push(t, w, authorized(s.appid, s.code, "preauthcode@@@of-somebody-else"))
	processed(t, w, 1)
	account := byAppID(t, w, s.appid)
	require.Equal(t, uuid.Nil, account.TenantID)
	require.Equal(t, authorizer.StateActive, account.State)
	page, err := w.Authorizers.Unclaimed(t.Context(), w.Platform, authorizer.PageParams{})
	require.NoError(t, err)
	require.Len(t, page.Accounts, 1)

	finish(t, w, s)
	requireConnected(t, w, s)
	require.Len(t, audited(t, w, "authorizer.claim"), 1)
}

func TestFinishConnectLink_SameCodeSameAnswerAnotherCodeRefused(t *testing.T) {
	w := setup(t)
	s := scan(t, w, authorizer.ConnectLinkParams{}, factory.AccountOptions{})
	secondPreAuth := preAuthCode(t, w, s.state)
	first := finish(t, w, s)
	require.Equal(t, first, finish(t, w, s))

	other := factory.AddToWeChat(t, w, factory.AccountOptions{})
	_, _, err := w.Authorizers.FinishConnectLink(t.Context(), s.state, authorize(t, w, other, secondPreAuth))
	require.ErrorIs(t, err, authorizer.ErrLinkUsed)
	require.Equal(t, 1, w.Sim.CallCount(pathQueryAuth))

	_, link, err := w.Authorizers.FinishConnectLink(t.Context(), s.state, "")
	var invalid *authorizer.InvalidLinkError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, s.tenantID, link.TenantID)
}

func TestFinishConnectLink_TwoAccountsAtOnceConnectOne(t *testing.T) {
	w := setup(t)
	s := scan(t, w, authorizer.ConnectLinkParams{}, factory.AccountOptions{})
	other := factory.AddToWeChat(t, w, factory.AccountOptions{})
	otherCode := authorize(t, w, other, preAuthCode(t, w, s.state))
	inject(t, w, simulator.Fault{Path: pathQueryAuth, LatencyMS: 50})

	answers := make(chan error, 2)
	for _, code := range []string{s.code, otherCode} {
		go func() {
			_, _, err := w.Authorizers.FinishConnectLink(t.Context(), s.state, code)
			answers <- err
		}()
	}
	first, second := <-answers, <-answers
	if first != nil {
		first, second = second, first
	}
	require.NoError(t, first)
	require.ErrorIs(t, second, authorizer.ErrLinkUsed)
	require.Equal(t, 1, count(t, w, `SELECT count(*) FROM authorizers WHERE tenant_id = $1`, s.tenantID))
}

func TestFinishConnectLink_RefusalByWeChatLeavesTheLinkUsable(t *testing.T) {
	w := setup(t)
	s := scan(t, w, authorizer.ConnectLinkParams{}, factory.AccountOptions{})
	_, _, err := w.Authorizers.FinishConnectLink(t.Context(), s.state, "queryauthcode@@@wrong")
	var refused *wechat.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 61009, refused.Code)
	require.NotContains(t, err.Error(), "queryauthcode")
	finish(t, w, s)
}

func TestFinishConnectLink_ABrowserVouchesForNoAccount(t *testing.T) {
	// Whoever makes a link for somebody else's account and sends a made-up code must not be given that account.
	w := setup(t)
	unclaimed := factory.Account(t, w, factory.AccountOptions{})
	state := factory.LinkState(t, w, factory.Tenant(t, w).ID, authorizer.ConnectLinkParams{AppID: unclaimed.AppID})
	_, _, err := w.Authorizers.FinishConnectLink(t.Context(), state, "queryauthcode@@@made-up")
	var refused *wechat.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, uuid.Nil, again(t, w, unclaimed).TenantID)
}

func TestFinishConnectLink_GoesOnWhenTheBrowserGoesAway(t *testing.T) {
	w := setup(t)
	s := scan(t, w, authorizer.ConnectLinkParams{}, factory.AccountOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	w.Sim.BeforeAnswer(func(c simulator.Call) {
		if c.Path == pathQueryAuth {
			cancel()
		}
	})
	_, _, err := w.Authorizers.FinishConnectLink(ctx, s.state, s.code)
	require.ErrorIs(t, err, context.Canceled)
	requireConnected(t, w, s)
}

func TestFinishConnectLink_AnotherAccountThanTheLinksIsNotGivenAway(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	wrong := factory.AddToWeChat(t, w, factory.AccountOptions{})
	right := factory.AddToWeChat(t, w, factory.AccountOptions{})
	owner := factory.Tenant(t, w)
	state := factory.LinkState(t, w, owner.ID, authorizer.ConnectLinkParams{AppID: right})
	code := authorize(t, w, wrong, preAuthCode(t, w, state))
	for range 2 {
		_, _, err := w.Authorizers.FinishConnectLink(t.Context(), state, code)
		var unexpected *authorizer.UnexpectedAccountError
		require.ErrorAs(t, err, &unexpected)
		require.Equal(t, right, unexpected.Expected)
		require.Equal(t, wrong, unexpected.Got)
	}
	require.Equal(t, uuid.Nil, byAppID(t, w, wrong).TenantID)

	// Pushed, it is no different.
	preAuth := preAuthCode(t, w, state)
	push(t, w, authorized(wrong, authorize(t, w, wrong, preAuth, 1, 2), preAuth))
	require.Contains(t, processed(t, w, 1)[0], "this link is for account "+right)
	require.Equal(t, uuid.Nil, byAppID(t, w, wrong).TenantID)
	require.Equal(t, []int{1, 2}, byAppID(t, w, wrong).PermissionSets, "the authorization itself is kept")

	account, _, err := w.Authorizers.FinishConnectLink(t.Context(), state, authorize(t, w, right, preAuthCode(t, w, state)))
	require.NoError(t, err, "the link still serves the right account")
	require.Equal(t, owner.ID, account.TenantID)
}

func TestFinishConnectLink_AnAccountOfAnotherTenantStaysThere(t *testing.T) {
	w := setup(t)
	theirs := active(t, w)
	mine := factory.Tenant(t, w, factory.TenantOptions{Name: "Mine"})
	state := factory.LinkState(t, w, mine.ID, authorizer.ConnectLinkParams{})
	before := tokenOf(t, w, theirs)

	_, _, err := w.Authorizers.FinishConnectLink(t.Context(), state, authorize(t, w, theirs.AppID, preAuthCode(t, w, state), 1, 2, 15))
	var taken *authorizer.AccountTakenError
	require.ErrorAs(t, err, &taken)
	require.NotContains(t, err.Error(), theirs.TenantID.String())

	after := again(t, w, theirs)
	require.Equal(t, theirs.TenantID, after.TenantID)
	require.Equal(t, []int{1, 2, 15}, after.PermissionSets)
	require.NotEqual(t, before, tokenOf(t, w, theirs), "its owner has the new token")
	page, err := w.Authorizers.ListConnectLinks(t.Context(), w.Platform, mine.ID, authorizer.PageParams{})
	require.NoError(t, err)
	require.Nil(t, page.Links[0].UsedAt)
}

func TestFinishConnectLink_SurvivesAProfileThatCannotBeRead(t *testing.T) {
	w := setup(t)
	s := scan(t, w, authorizer.ConnectLinkParams{}, factory.AccountOptions{NickName: "Tea House"})
	inject(t, w, simulator.Fault{Path: pathInfo, Status: 502})
	account := finish(t, w, s)
	require.Equal(t, authorizer.StateActive, account.State)
	require.Nil(t, account.ProfileReadAt)

	w.Sim.ClearFaults()
	w.StartJobs(t)
	require.NoError(t, w.Authorizers.Sweep(t.Context()))
	require.Eventually(t, func() bool { return again(t, w, account).NickName == "Tea House" }, patience, 10*time.Millisecond)
}

func TestAuthorize_AnAccountWithoutRefreshTokenIsNotActive(t *testing.T) {
	w := setup(t)
	s := scan(t, w, authorizer.ConnectLinkParams{}, factory.AccountOptions{Sim: func(a *simulator.Account) { a.NoAPI = true }})
	account := finish(t, w, s)
	require.Equal(t, authorizer.StateNeedsReauthorization, account.State)
	require.Contains(t, account.StateReason, "no refresh token")
	_, err := w.Authorizers.Token(t.Context(), account.ID)
	var state *authorizer.AccountStateError
	require.ErrorAs(t, err, &state)
	require.Zero(t, w.Sim.CallCount(pathRenew))
}

func TestAuthorize_TheReleaseTestAccountsAreNotKept(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	const testAccount = "wx570bc396a51b8ff8"
	require.True(t, authorizer.IsReleaseTestAccount(testAccount))
	s := scan(t, w, authorizer.ConnectLinkParams{}, factory.AccountOptions{AppID: testAccount})
	push(t, w, authorized(testAccount, s.code, s.preAuth))
	require.Contains(t, processed(t, w, 1)[0], "release test")
	for range 2 {
		_, _, err := w.Authorizers.FinishConnectLink(t.Context(), s.state, s.code)
		var unexpected *authorizer.UnexpectedAccountError
		require.ErrorAs(t, err, &unexpected)
	}
	require.Zero(t, count(t, w, `SELECT count(*) FROM authorizers`))
	require.Equal(t, 1, w.Sim.CallCount(pathQueryAuth))
}
