package authorizer_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// missing makes an account that has authorized us, and whose code somebody exchanged, and of which we know nothing: as if
// our database were one of yesterday.
func missing(t *testing.T, w *factory.World, o ...factory.AccountOptions) string {
	t.Helper()
	var opts factory.AccountOptions
	if len(o) > 0 {
		opts = o[0]
	}
	appid := factory.AddToWeChat(t, w, opts)
	code := authorize(t, w, appid, "", opts.Sets...)
	cat, err := w.Components.AccessToken(t.Context(), w.ComponentAppID)
	require.NoError(t, err)
	_, err = w.WeChat.QueryAuth(t.Context(), cat, w.ComponentAppID, code)
	require.NoError(t, err)
	return appid
}

func start(t *testing.T, w *factory.World) authorizer.Reconciliation {
	t.Helper()
	r, err := w.Authorizers.StartReconciliation(t.Context(), w.Platform, w.ComponentAppID)
	require.NoError(t, err)
	return r
}

func look(t *testing.T, w *factory.World, id uuid.UUID) authorizer.Reconciliation {
	t.Helper()
	r, err := w.Authorizers.Reconciliation(t.Context(), w.Platform, w.ComponentAppID, id)
	require.NoError(t, err)
	return r
}

// over waits for the reconciliation's end and returns what came of it.
func over(t *testing.T, w *factory.World, id uuid.UUID) authorizer.Reconciliation {
	t.Helper()
	require.Eventually(t, func() bool { return look(t, w, id).EndedAt != nil }, patience, 10*time.Millisecond, "the reconciliation did not end")
	require.Zero(t, count(t, w, `SELECT count(*) FROM reconciliation_accounts`), "what was staged is gone")
	return look(t, w, id)
}

// reconciled starts one and returns what came of it.
func reconciled(t *testing.T, w *factory.World) authorizer.Reconciliation {
	t.Helper()
	r := over(t, w, start(t, w).ID)
	require.Equal(t, authorizer.ReconciliationDone, r.Status, r.Error)
	require.Empty(t, r.Error)
	return r
}

// failedTurns waits until so many turns in a row have failed.
func failedTurns(t *testing.T, w *factory.World, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		return count(t, w, `SELECT count(*) FROM reconciliations WHERE failures = $1 AND lease_holder = ''`, n) == 1
	}, patience, 10*time.Millisecond, "no turn failed")
}

// results are the numbers of a reconciliation.
type results struct{ Listed, Total, Added, Restored, Absent, Profiles int }

func resultsOf(r authorizer.Reconciliation) results {
	return results{r.Listed, r.Total, r.Added, r.Restored, r.Absent, r.Profiles}
}

func TestReconcile_AnAccountThatWeChatListsAndWeDoNotKnowAppearsAndCanBeClaimed(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	appid := missing(t, w, factory.AccountOptions{NickName: "Tea House", Sets: []int{1, 2}})
	at := w.Clock.Now()
	w.Clock.Advance(time.Hour)
	r := reconciled(t, w)
	require.Equal(t, results{Listed: 1, Total: 1, Added: 1}, resultsOf(r))
	require.NotNil(t, r.StartedAt)

	page, err := w.Authorizers.Unclaimed(t.Context(), w.Platform, authorizer.PageParams{})
	require.NoError(t, err)
	require.Len(t, page.Accounts, 1)
	account := page.Accounts[0]
	require.Equal(t, appid, account.AppID)
	require.Equal(t, authorizer.StateActive, account.State)
	require.Equal(t, "Tea House", account.NickName)
	require.Equal(t, []int{1, 2}, account.PermissionSets)
	require.Equal(t, at, account.AuthorizedAt, "when WeChat says that it did")
	var tokens []string
	require.NoError(t, w.Authorizers.Call(t.Context(), account.ID, readBlacklist(w, &tokens)))
	owner := factory.Tenant(t, w)
	claimed, err := w.Authorizers.Claim(t.Context(), w.Platform, w.ComponentAppID, appid, owner.ID)
	require.NoError(t, err)
	require.Equal(t, owner.ID, claimed.TenantID)

	entries := audited(t, w, "authorizer.authorize")
	require.Len(t, entries, 1)
	require.Equal(t, []any{"active", "system", nil}, []any{entries[0]["state"], entries[0]["actor"], entries[0]["tenant_id"]})
	require.Empty(t, audited(t, w, "authorizer.permissions"), "they did not change")
	require.EqualValues(t, 1, audited(t, w, "component.reconciled")[0]["added"])
	require.Zero(t, reconciled(t, w).Added, "it is known now")
}

func TestReconcile_TheRefreshTokenMayBeInTheListAlone(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.InfoWithoutRefreshToken = true }))
	w.StartJobs(t)
	appid := missing(t, w)
	require.Equal(t, 1, reconciled(t, w).Added)
	require.NotEmpty(t, tokenOf(t, w, byAppID(t, w, appid)))
}

func TestReconcile_AnAccountWhoseCodeIsStillUnderWayIsLeftToItsCode(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	appid := factory.AddToWeChat(t, w, factory.AccountOptions{})
	authorize(t, w, appid, "", 1, 2)
	require.Equal(t, results{Listed: 1, Total: 1}, resultsOf(reconciled(t, w)))
	require.Zero(t, count(t, w, `SELECT count(*) FROM authorizers`))

	w.Clock.Advance(time.Hour) // the code is dead, and never came
	require.Equal(t, 1, reconciled(t, w).Added)
	account := byAppID(t, w, appid)
	require.Equal(t, authorizer.StateNeedsReauthorization, account.State)
	require.NotEmpty(t, account.StateReason)
	require.Equal(t, results{Listed: 1, Total: 1}, resultsOf(reconciled(t, w)), "nothing can be restored either")
}

func TestReconcile_LeavesTheTokensOfAccountsThatAreInOrderAlone(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	account := active(t, w)
	first := tokenOf(t, w, account)
	require.Equal(t, results{Listed: 1, Total: 1, Profiles: 1}, resultsOf(reconciled(t, w)))
	require.Equal(t, first, tokenOf(t, w, account))
	require.Equal(t, []int{1, 0, 0}, []int{w.Sim.CallCount(pathList), w.Sim.CallCount(pathInfo), w.Sim.CallCount(pathRenew)})
}

func TestReconcile_NeverKeepsWeChatsTestAccounts(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	missing(t, w, factory.AccountOptions{AppID: "wx570bc396a51b8ff8"})
	require.Equal(t, results{Listed: 1, Total: 1}, resultsOf(reconciled(t, w)))
	require.Zero(t, count(t, w, `SELECT count(*) FROM authorizers`))
}

func TestReconcile_ListedIsNotAuthorized(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.ListRevoked = true }))
	w.StartJobs(t)
	known, unknown := active(t, w), missing(t, w)
	for _, appid := range []string{known.AppID, unknown} {
		require.NoError(t, w.Sim.Revoke(appid))
	}
	w.Clock.Advance(3 * time.Hour)
	_, err := w.Authorizers.Token(t.Context(), known.ID)
	require.Error(t, err)
	require.Equal(t, results{Listed: 2, Total: 2}, resultsOf(reconciled(t, w)))
	require.Equal(t, authorizer.StateRevoked, again(t, w, known).State)
	require.Equal(t, 1, count(t, w, `SELECT count(*) FROM authorizers`))
}

func TestReconcile_BringsBackWhatWasGivenUp(t *testing.T) {
	t.Run("ARevocationThatNeverWas", func(t *testing.T) {
		w := setup(t)
		w.StartJobs(t)
		account := revokedByMistake(t, w)
		r := reconciled(t, w)
		require.Equal(t, results{Listed: 1, Total: 1, Restored: 1, Profiles: 0}, resultsOf(r))
		requireUsable(t, w, account)
		require.Equal(t, "system", audited(t, w, "authorizer.authorize")[1]["actor"])
	})

	t.Run("ARefreshTokenThatIsInTheListAgain", func(t *testing.T) {
		w := setup(t)
		w.StartJobs(t)
		account := lost(t, w)
		require.Equal(t, results{Listed: 1, Total: 1}, resultsOf(reconciled(t, w)))
		require.NoError(t, w.Sim.Change(func(s *simulator.Settings) { s.ListWithoutRefreshToken = false }))
		require.Equal(t, 1, reconciled(t, w).Restored)
		requireUsable(t, w, account)
	})
}

func TestReconcile_AnAccountThatIsAbsentIsAskedAboutAndOnlyThenRevoked(t *testing.T) {
	w := setup(t)
	gone, hidden := active(t, w), active(t, w)
	require.NoError(t, w.Sim.Revoke(gone.AppID)) // and the push was lost
	odd := rewrite(t, w, pathList, func(fields map[string]any) {
		fields["total_count"], fields["list"] = 0, []any{}
	})
	odd.StartJobs(t)
	r := reconciled(t, odd)
	require.Equal(t, results{Absent: 2}, resultsOf(r))
	require.Equal(t, authorizer.StateActive, again(t, w, gone).State, "absence proves nothing")
	require.Zero(t, w.Sim.CallCount(pathInfo))
	require.Eventually(t, func() bool {
		sweep(t, odd)
		return again(t, w, gone).State == authorizer.StateRevoked && again(t, w, hidden).ProfileReadAt.Equal(w.Clock.Now())
	}, patience, 10*time.Millisecond, "within a few sweeps")
	require.Equal(t, authorizer.StateActive, again(t, w, hidden).State)
	require.NotEmpty(t, tokenOf(t, w, hidden))
}

func TestReconcile_AChangeOfPermissionSetsThatNobodyToldIsAuditedOnce(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	account := active(t, w)
	_, err := w.Sim.SetPermissionSets(account.AppID, 1, 3)
	require.NoError(t, err)
	require.Equal(t, 1, reconciled(t, w).Profiles)
	require.Equal(t, []int{1, 2, 3}, again(t, w, account).PermissionSets)
	w.Clock.Advance(10 * time.Minute)
	for range 2 {
		require.Eventually(t, func() bool {
			sweep(t, w)
			return again(t, w, account).ProfileReadAt.Equal(w.Clock.Now())
		}, patience, 10*time.Millisecond)
		w.Clock.Advance(time.Minute)
		require.Equal(t, 1, reconciled(t, w).Profiles)
		w.Clock.Advance(10 * time.Minute)
	}
	require.Equal(t, []int{1, 3}, again(t, w, account).PermissionSets)
	entries := audited(t, w, "authorizer.permissions")
	require.Len(t, entries, 1)
	require.Equal(t, []any{1., 2., 3.}, entries[0]["permission_sets_before"])
	require.Equal(t, []any{1., 3.}, entries[0]["permission_sets"])
	require.Equal(t, account.TenantID.String(), entries[0]["tenant_id"])
}

func TestProfile_WhatWasSaidBeforeTheAccountGrantedAnewIsNotStored(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	account := active(t, w)
	_, err := w.Pool.Exec(t.Context(), `UPDATE authorizers SET profile_due_at = created_at`)
	require.NoError(t, err)
	state := factory.LinkState(t, w, account.TenantID, authorizer.ConnectLinkParams{})
	preAuth := preAuthCode(t, w, state)
	once(w, pathInfo, 1, func() { // WeChat has told of the sets of before
		_, _, err := w.Authorizers.FinishConnectLink(context.WithoutCancel(t.Context()), state, authorize(t, w, account.AppID, preAuth, 2, 100))
		require.NoError(t, err)
	})
	sweep(t, w)
	finished(t, w, "read_profile", 1)
	require.Equal(t, []int{2, 100}, again(t, w, account).PermissionSets)
	require.Empty(t, audited(t, w, "authorizer.permissions"))
}

func TestReconcile_IsForThePlatformAndForComponentsThatAreThere(t *testing.T) {
	w := setup(t, factory.WorldOptions{FurtherComponents: []simulator.Component{{AppID: "wxsecondcomponent"}}})
	r := start(t, w)
	ask := func(p tenant.Principal, appid string, id uuid.UUID) []error {
		_, started := w.Authorizers.StartReconciliation(t.Context(), p, appid)
		_, one := w.Authorizers.Reconciliation(t.Context(), p, appid, id)
		_, all := w.Authorizers.Reconciliations(t.Context(), p, appid, authorizer.PageParams{})
		return []error{started, one, all}
	}
	for _, err := range ask(factory.Key(t, w, factory.KeyOptions{TenantID: factory.Tenant(t, w).ID}), w.ComponentAppID, r.ID) {
		require.ErrorIs(t, err, tenant.ErrPlatformOnly)
	}
	for _, err := range ask(w.Platform, "wxnobody", r.ID) {
		require.ErrorIs(t, err, component.ErrUnknownComponent)
	}
	require.ErrorIs(t, ask(w.Platform, "wxsecondcomponent", r.ID)[1], tenant.ErrNotFound, "it is the other one's")
	require.ErrorIs(t, ask(w.Platform, w.ComponentAppID, uuid.New())[1], tenant.ErrNotFound)
}

func TestReconcile_AComponentHasOneAtATime(t *testing.T) {
	w := setup(t)
	first := start(t, w)
	require.Equal(t, authorizer.ReconciliationQueued, first.Status)
	require.Equal(t, "platform (platform_key)", first.Actor)
	require.Equal(t, first.ID, start(t, w).ID)
	require.Equal(t, first.ID, start(t, w.Process(t)).ID)
	require.Equal(t, 1, jobs(t, w, "reconcile"))
	entries := audited(t, w, "component.reconcile")
	require.Len(t, entries, 1)
	require.Equal(t, []any{first.ID.String(), "platform_key"}, []any{entries[0]["reconciliation_id"], entries[0]["actor"]})
	w.StartJobs(t)
	over(t, w, first.ID)
	require.NotEqual(t, first.ID, start(t, w).ID)
}

func TestReconcile_IsListedNewestFirst(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	var ids []uuid.UUID
	for range 3 {
		ids = append([]uuid.UUID{reconciled(t, w).ID}, ids...)
	}
	var got []uuid.UUID
	for params := (authorizer.PageParams{Limit: 2}); ; {
		page, err := w.Authorizers.Reconciliations(t.Context(), w.Platform, w.ComponentAppID, params)
		require.NoError(t, err)
		for _, r := range page.Reconciliations {
			got = append(got, r.ID)
		}
		if params.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	require.Equal(t, ids, got)
	_, err := w.Authorizers.Reconciliations(t.Context(), w.Platform, w.ComponentAppID, authorizer.PageParams{Cursor: "nonsense"})
	require.ErrorIs(t, err, tenant.ErrInvalidCursor)
}

func TestReconcile_RefusalsOfThePlatformEndItSoonAndBlameNoAccount(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	account := active(t, w)
	inject(t, w, simulator.Fault{Path: pathList, Code: 61004})
	id := start(t, w).ID
	for n := 1; n < 3; n++ {
		failedTurns(t, w, n)
		waiting := look(t, w, id)
		require.Equal(t, authorizer.ReconciliationRunning, waiting.Status)
		require.Equal(t, 61004, waiting.Code)
		w.Clock.Advance(time.Minute)
		sweep(t, w)
	}
	r := over(t, w, id)
	require.Equal(t, authorizer.ReconciliationFailed, r.Status)
	require.Equal(t, 61004, r.Code)
	require.NotEmpty(t, r.RID)
	require.NotEmpty(t, r.Error)
	require.Contains(t, alerts(t, w, true), alert.PlatformRefused)
	require.Equal(t, authorizer.StateActive, again(t, w, account).State)

	w.Sim.ClearFaults()
	reconciled(t, w)
	require.NotContains(t, alerts(t, w, true), alert.PlatformRefused)
}

func TestReconcile_IsForgottenAfterThreeMonths(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.TicketLifetimeSeconds = 1 << 30 }))
	w.StartJobs(t)
	old := reconciled(t, w)
	sweep(t, w)
	require.Equal(t, old.ID, look(t, w, old.ID).ID)
	w.Clock.Advance(91 * 24 * time.Hour)
	_ = w.Authorizers.Sweep(t.Context()) // no ticket came in all that time, which it reports
	_, err := w.Authorizers.Reconciliation(t.Context(), w.Platform, w.ComponentAppID, old.ID)
	require.ErrorIs(t, err, tenant.ErrNotFound)
}
