package factory_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/internal/factory"
)

func TestAccount(t *testing.T) {
	t.Parallel()
	w := factory.NewWorld(t)

	t.Run("BelongsToItsTenantAndIsActive", func(t *testing.T) {
		t.Parallel()
		owner := factory.Tenant(t, w)
		account := factory.Account(t, w, factory.AccountOptions{TenantID: owner.ID, NickName: "Tea House", FollowerCount: 3})
		require.Equal(t, owner.ID, account.TenantID)
		require.Equal(t, authorizer.StateActive, account.State)
		require.Equal(t, "Tea House", account.NickName)
		require.Equal(t, []int{1, 2, 3}, account.PermissionSets)
		require.Len(t, w.Sim.FollowersOf(account.AppID), 3)
		token, err := w.Authorizers.Token(t.Context(), account.ID)
		require.NoError(t, err)
		require.NotEmpty(t, token)
	})

	t.Run("UnclaimedWhenItHasNoTenant", func(t *testing.T) {
		t.Parallel()
		account := factory.Account(t, w, factory.AccountOptions{})
		require.Zero(t, account.TenantID)
		require.Equal(t, authorizer.StateActive, account.State)
		require.WithinDuration(t, w.Clock.Now(), account.AuthorizedAt, time.Second)
	})
}
