package authorizer_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

func TestClaim_GivesAnUnclaimedAccountToATenantOnce(t *testing.T) {
	w := setup(t)
	account := factory.Account(t, w, factory.AccountOptions{})
	mine, theirs := factory.Tenant(t, w), factory.Tenant(t, w)
	for range 2 {
		claimed, err := w.Authorizers.Claim(t.Context(), w.Platform, w.ComponentAppID, account.AppID, mine.ID)
		require.NoError(t, err)
		require.Equal(t, mine.ID, claimed.TenantID)
	}
	require.Len(t, audited(t, w, "authorizer.claim"), 1)

	_, err := w.Authorizers.Claim(t.Context(), w.Platform, w.ComponentAppID, account.AppID, theirs.ID)
	var taken *authorizer.AccountTakenError
	require.ErrorAs(t, err, &taken)
	_, err = w.Authorizers.Claim(t.Context(), w.Platform, w.ComponentAppID, "wxunknown", mine.ID)
	require.ErrorIs(t, err, tenant.ErrNotFound)
	_, err = w.Authorizers.Claim(t.Context(), factory.Key(t, w, factory.KeyOptions{TenantID: mine.ID}), w.ComponentAppID, account.AppID, mine.ID)
	require.ErrorIs(t, err, tenant.ErrPlatformOnly)
}

func TestClaim_RefusesATenantThatIsNotThere(t *testing.T) {
	w := setup(t)
	account := factory.Account(t, w, factory.AccountOptions{})
	_, err := w.Authorizers.Claim(t.Context(), w.Platform, w.ComponentAppID, account.AppID, uuid.New())
	require.ErrorIs(t, err, tenant.ErrNotFound)
	require.Equal(t, uuid.Nil, again(t, w, account).TenantID)
}

func TestList_GoesPageByPageAndFilters(t *testing.T) {
	w := setup(t)
	owner := factory.Tenant(t, w)
	names := []string{"Tea House", "TEA Shop", "Book Shop", "100% Tea", "Noodles"}
	var all []string
	for _, name := range names {
		all = append(all, factory.Account(t, w, factory.AccountOptions{TenantID: owner.ID, NickName: name}).AppID)
	}
	factory.Account(t, w, factory.AccountOptions{TenantID: factory.Tenant(t, w).ID, NickName: "Somebody else's Tea"})
	slices.Sort(all)

	list := func(params authorizer.ListParams) (appids []string) {
		for {
			page, err := w.Authorizers.List(t.Context(), w.Platform, owner.ID, params)
			require.NoError(t, err)
			for _, a := range page.Accounts {
				appids = append(appids, a.AppID)
			}
			if page.Next == "" {
				return appids
			}
			params.Cursor = page.Next
		}
	}
	require.Equal(t, all, list(authorizer.ListParams{}))
	require.Equal(t, all, list(authorizer.ListParams{Limit: 2}))
	require.Len(t, list(authorizer.ListParams{Query: "tea"}), 3)
	require.Len(t, list(authorizer.ListParams{Query: "100%"}), 1)
	require.Equal(t, all[2:3], list(authorizer.ListParams{Query: all[2][2:]}))
	require.Len(t, list(authorizer.ListParams{State: authorizer.StateActive}), 5)
	require.Empty(t, list(authorizer.ListParams{State: authorizer.StateRevoked}))
	_, err := w.Authorizers.List(t.Context(), w.Platform, owner.ID, authorizer.ListParams{Cursor: tenant.EncodeCursor("a", "b")})
	require.ErrorIs(t, err, tenant.ErrInvalidCursor)
}

func TestAccounts_AreSeenByTheirOwnTenantOnly(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	mine := factory.Key(t, w, factory.KeyOptions{TenantID: account.TenantID, Scopes: []tenant.Scope{tenant.AuthorizersRead}})
	scopeless := factory.Key(t, w, factory.KeyOptions{TenantID: account.TenantID, Scopes: []tenant.Scope{tenant.BlacklistWrite}})
	stranger := factory.Key(t, w, factory.KeyOptions{TenantID: factory.Tenant(t, w).ID})

	got, err := w.Authorizers.Get(t.Context(), mine, account.TenantID, account.AppID)
	require.NoError(t, err)
	require.Equal(t, account, got)
	_, err = w.Authorizers.Get(t.Context(), stranger, account.TenantID, account.AppID)
	require.ErrorIs(t, err, tenant.ErrNotFound)
	_, err = w.Authorizers.Get(t.Context(), stranger, stranger.TenantID, account.AppID)
	require.ErrorIs(t, err, tenant.ErrNotFound)
	_, err = w.Authorizers.List(t.Context(), stranger, account.TenantID, authorizer.ListParams{})
	require.ErrorIs(t, err, tenant.ErrNotFound)
	var missing *tenant.ScopeMissingError
	_, err = w.Authorizers.Get(t.Context(), scopeless, account.TenantID, account.AppID)
	require.ErrorAs(t, err, &missing)
	_, err = w.Authorizers.Unclaimed(t.Context(), mine, authorizer.PageParams{})
	require.ErrorIs(t, err, tenant.ErrPlatformOnly)

	_, err = w.Authorizers.Find(t.Context(), scopeless, account.TenantID, account.AppID)
	require.NoError(t, err, "packages that act ask for their own scope")
	for _, tenantID := range []uuid.UUID{account.TenantID, stranger.TenantID, uuid.Nil} {
		_, err = w.Authorizers.Find(t.Context(), stranger, tenantID, account.AppID)
		require.ErrorIs(t, err, tenant.ErrNotFound)
	}
	_, err = w.Authorizers.FindByID(t.Context(), uuid.New())
	require.ErrorIs(t, err, tenant.ErrNotFound)
}

func TestDatabase_RefusesAnEmptyRefreshTokenEvenSealed(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	for _, column := range []string{"refresh_token_sealed", "access_token_sealed"} {
		_, err := w.Pool.Exec(t.Context(), `UPDATE authorizer_tokens SET `+column+` = $2 WHERE authorizer_id = $1`, account.ID, make([]byte, 33))
		require.ErrorContains(t, err, "_token_given")
	}
}

func TestListsOfATenantThatDoesNotExist(t *testing.T) {
	t.Parallel()
	w := factory.NewWorld(t)
	nobody := uuid.New()
	_, err := w.Authorizers.List(t.Context(), w.Platform, nobody, authorizer.ListParams{})
	require.ErrorIs(t, err, tenant.ErrNotFound)
	_, err = w.Authorizers.ListConnectLinks(t.Context(), w.Platform, nobody, authorizer.PageParams{})
	require.ErrorIs(t, err, tenant.ErrNotFound)
}
