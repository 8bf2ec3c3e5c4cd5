package authorizer_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestCheck_EitherSetAllowsTheBlacklist(t *testing.T) {
	w := setup(t)
	for _, sets := range [][]int{{2}, {100}, {1, 2, 100}} {
		account := active(t, w, factory.AccountOptions{Sets: sets})
		require.NoError(t, w.Authorizers.Check(t.Context(), w.Platform, account, authorizer.OpBlacklist))
	}
	require.Zero(t, count(t, w, `SELECT count(*) FROM connect_links WHERE used_at IS NULL`))
}

func TestCheck_SaysWhichSetsAreGrantedWhichAreNeededAndWhereToGrantThem(t *testing.T) {
	w := setup(t)
	account := active(t, w, factory.AccountOptions{Sets: []int{1, 113}})
	caller := factory.Key(t, w, factory.KeyOptions{TenantID: account.TenantID, Scopes: []tenant.Scope{tenant.BlacklistWrite}})
	err := w.Authorizers.Check(t.Context(), caller, account, authorizer.OpBlacklist)
	var missing *authorizer.PermissionMissingError
	require.ErrorAs(t, err, &missing)
	require.Equal(t, account.AppID, missing.AppID)
	require.Equal(t, []authorizer.PermissionSetName{
		{ID: 1, NameZH: "消息管理权限", NameEN: "message management"}, {ID: 113, NameZH: "权限集 113", NameEN: "permission set 113"},
	}, missing.Granted)
	require.Equal(t, authorizer.PermissionSetName{ID: 2, NameZH: "用户管理权限", NameEN: "user management"}, missing.Needed[0])
	require.ErrorContains(t, err, "user management")
	require.NotContains(t, err.Error(), missing.ConnectURL)

	page, err := w.Authorizers.OpenConnectLink(t.Context(), strings.TrimPrefix(missing.ConnectURL, factory.PublicURL+"/connect/"))
	require.NoError(t, err)
	require.Equal(t, account.AppID, page.AppID)
	require.Equal(t, 1, count(t, w, `SELECT count(*) FROM connect_links WHERE expires_at = $1 AND tenant_id = $2 AND used_at IS NULL`,
		w.Clock.Now().Add(24*time.Hour), account.TenantID))
}

func TestCheck_GivesOutTheSameLinkUntilItIsUsedOrAnHourOld(t *testing.T) {
	w := setup(t)
	account := active(t, w, factory.AccountOptions{Sets: []int{1}})
	url := func() string {
		var missing *authorizer.PermissionMissingError
		require.ErrorAs(t, w.Authorizers.Check(t.Context(), w.Platform, account, authorizer.OpBlacklist), &missing)
		return missing.ConnectURL
	}
	first := url()
	require.Equal(t, first, url())
	state := strings.TrimPrefix(first, factory.PublicURL+"/connect/")
	_, _, err := w.Authorizers.FinishConnectLink(t.Context(), state, authorize(t, w, account.AppID, preAuthCode(t, w, state), 1))
	require.NoError(t, err)
	second := url()
	require.NotEqual(t, first, second)
	w.Clock.Advance(time.Hour)
	require.NotEqual(t, second, url())
}

func TestCheck_RefusesAccountsThatAreNotActive(t *testing.T) {
	w := setup(t)
	for _, state := range []authorizer.State{authorizer.StateNeedsReauthorization, authorizer.StateRevoked, authorizer.StateLimited} {
		account := active(t, w)
		_, err := w.Pool.Exec(t.Context(), `UPDATE authorizers SET state = $2, state_reason = 'because' WHERE id = $1`, account.ID, string(state))
		require.NoError(t, err)
		err = w.Authorizers.Check(t.Context(), w.Platform, again(t, w, account), authorizer.OpBlacklist)
		var refused *authorizer.AccountStateError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, state, refused.State)
		require.Equal(t, "because", refused.Reason)
		require.NotEmpty(t, refused.ConnectURL)
		require.NotContains(t, err.Error(), refused.ConnectURL)
	}
}

func TestCheck_KeepsTenantsApart(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	stranger := factory.Key(t, w, factory.KeyOptions{TenantID: factory.Tenant(t, w).ID})
	require.ErrorIs(t, w.Authorizers.Check(t.Context(), stranger, account, authorizer.OpBlacklist), tenant.ErrNotFound)
	account.TenantID = uuid.Nil
	require.ErrorIs(t, w.Authorizers.Check(t.Context(), stranger, account, authorizer.OpBlacklist), tenant.ErrNotFound)
}

func TestAccount_WarnsOfWhatMayGetInTheWayAndStopsNothing(t *testing.T) {
	w := setup(t)
	account := active(t, w, factory.AccountOptions{Unverified: true, Sim: func(a *simulator.Account) { a.VerifyType, a.AccountStatus = -1, 18 }})
	require.Equal(t, authorizer.StateActive, account.State)
	require.Len(t, account.Warnings, 2)
	require.Contains(t, account.Warnings[0], "not verified")
	require.NoError(t, w.Authorizers.Check(t.Context(), w.Platform, account, authorizer.OpBlacklist))
	require.Empty(t, active(t, w).Warnings)
}
