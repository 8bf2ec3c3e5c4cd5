package authorizer_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// handOut turns the hand-out of tokens on for the account's tenant, and returns the key of a system of theirs.
func handOut(t *testing.T, w *factory.World, account authorizer.Account) tenant.Principal {
	t.Helper()
	on := true
	_, err := w.Tenants.Update(t.Context(), w.Platform, account.TenantID, tenant.UpdateParams{TokenHandout: &on})
	require.NoError(t, err)
	return factory.Key(t, w, factory.KeyOptions{TenantID: account.TenantID, Scopes: []tenant.Scope{tenant.TokensRead}})
}

func TestHandOutToken_GivesATokenThatWorksAndSaysHowLong(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	key := handOut(t, w, account)
	got, err := w.Authorizers.HandOutToken(t.Context(), key, account.TenantID, account.AppID)
	require.NoError(t, err)
	require.Equal(t, tokenOf(t, w, account), got.Value.Reveal())
	require.Equal(t, *again(t, w, account).Token.ExpiresAt, got.ExpiresAt)
	require.Equal(t, 119*time.Minute, got.ExpiresIn)
	require.Zero(t, w.Sim.CallCount(pathRenew), "the one that is there serves")
	var tokens []string
	require.NoError(t, readBlacklist(w, &tokens)(t.Context(), got.Value.Reveal()))
}

func TestHandOutToken_IsOffUntilTheServiceProviderTurnsItOn(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	for _, p := range []tenant.Principal{w.Platform, factory.Key(t, w, factory.KeyOptions{TenantID: account.TenantID})} {
		_, err := w.Authorizers.HandOutToken(t.Context(), p, account.TenantID, account.AppID)
		require.ErrorIs(t, err, tenant.ErrTokenHandoutOff)
	}
	require.Empty(t, audited(t, w, "authorizer.hand_out_token"))
}

func TestHandOutToken_NeedsItsScopeAndKeepsTenantsApart(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	handOut(t, w, account)
	unable := factory.Key(t, w, factory.KeyOptions{TenantID: account.TenantID, Scopes: []tenant.Scope{tenant.AuthorizersRead, tenant.AuthorizersWrite}})
	_, err := w.Authorizers.HandOutToken(t.Context(), unable, account.TenantID, account.AppID)
	var missing *tenant.ScopeMissingError
	require.ErrorAs(t, err, &missing)
	require.Equal(t, tenant.TokensRead, missing.Scope)

	other := active(t, w)
	stranger := handOut(t, w, other)
	for _, ask := range []struct {
		tenantID uuid.UUID
		appid    string
	}{{account.TenantID, account.AppID}, {other.TenantID, account.AppID}, {uuid.Nil, account.AppID}, {other.TenantID, "wxnobody"}} {
		_, err := w.Authorizers.HandOutToken(t.Context(), stranger, ask.tenantID, ask.appid)
		require.ErrorIs(t, err, tenant.ErrNotFound)
	}
	require.Empty(t, audited(t, w, "authorizer.hand_out_token"))
}

func TestHandOutToken_IsAuditedWithoutTheToken(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	got, err := w.Authorizers.HandOutToken(t.Context(), handOut(t, w, account), account.TenantID, account.AppID)
	require.NoError(t, err)
	entries := audited(t, w, "authorizer.hand_out_token")
	require.Len(t, entries, 1)
	require.Equal(t, []any{account.TenantID.String(), "tenant_key"}, []any{entries[0]["tenant_id"], entries[0]["actor"]})
	var kept string
	require.NoError(t, w.Pool.QueryRow(t.Context(), `SELECT string_agg(e::text, ' ') FROM audit_entries e`).Scan(&kept))
	require.NotContains(t, kept, got.Value.Reveal())
	require.NotContains(t, w.Logs.String(), got.Value.Reveal())
	printed, err := json.Marshal(got)
	require.NoError(t, err)
	require.NotContains(t, string(printed), got.Value.Reveal())
}

func TestHandOutToken_RenewsOneThatIsAboutToEnd(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	key := handOut(t, w, account)
	first := tokenOf(t, w, account)
	w.Clock.Advance(85 * time.Minute)
	got, err := w.Authorizers.HandOutToken(t.Context(), key, account.TenantID, account.AppID)
	require.NoError(t, err)
	require.NotEqual(t, first, got.Value.Reveal())
	require.Equal(t, 2*time.Hour, got.ExpiresIn)
}

func TestHandOutToken_GivesTheOldOneWhileItLivesAndWeChatDoesNot(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	key := handOut(t, w, account)
	first := tokenOf(t, w, account)
	inject(t, w, simulator.Fault{Path: pathRenew, Status: 502})
	w.Clock.Advance(118 * time.Minute)
	got, err := w.Authorizers.HandOutToken(t.Context(), key, account.TenantID, account.AppID)
	require.NoError(t, err)
	require.Equal(t, first, got.Value.Reveal())
	require.Equal(t, time.Minute, got.ExpiresIn, "never longer than it lives")

	w.Clock.Advance(time.Minute)
	_, err = w.Authorizers.HandOutToken(t.Context(), key, account.TenantID, account.AppID)
	require.Error(t, err)
}

func TestHandOutToken_RefusesAnAccountThatRevoked(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	key := handOut(t, w, account)
	require.NoError(t, w.Sim.Revoke(account.AppID))
	w.Clock.Advance(90 * time.Minute)
	for range 2 { // when it comes out, and once it is known
		_, err := w.Authorizers.HandOutToken(t.Context(), key, account.TenantID, account.AppID)
		var state *authorizer.AccountStateError
		require.ErrorAs(t, err, &state)
		require.Equal(t, authorizer.StateRevoked, state.State)
	}
	require.Empty(t, audited(t, w, "authorizer.hand_out_token"))
}
