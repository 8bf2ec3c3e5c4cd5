package follower_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

func TestDirectory(t *testing.T) {
	t.Parallel()

	t.Run("IsOffUntilSomebodyTurnsItOn", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3, 10)
		b.receive(t, "subscribe", b.openid(9), b.Clock.Now())
		b.sweep(t)
		require.Equal(t, follower.Directory{AuthorizerID: b.account.ID, AuthorizerAppID: b.account.AppID, Events: true}, b.directory(t))
		_, err := b.followers.StartSync(t.Context(), b.key, b.tenantID, b.account.AppID)
		require.ErrorIs(t, err, follower.ErrDirectoryOff)
		_, err = b.followers.List(t.Context(), b.key, b.tenantID, b.account.AppID, follower.ListParams{})
		require.ErrorIs(t, err, follower.ErrDirectoryOff)
		require.False(t, b.turn(t, false, false).Enabled)
		require.Zero(t, b.count(t, "followers")+b.count(t, "follower_directories"))
		require.Empty(t, b.audited(t))
	})

	t.Run("SaysSinceWhenAndWhose", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3, 10)
		d := b.turn(t, true, true)
		require.True(t, d.Enabled && d.UnionIDs && d.Events)
		require.Equal(t, b.key.Actor(), d.ChangedBy)
		require.Equal(t, b.Clock.Now(), *d.ChangedAt)
		require.Nil(t, d.SyncedAt)
		require.Equal(t, d, b.turn(t, true, true))
		again, err := b.followers.SetDirectory(t.Context(), b.key, b.tenantID, b.account.AppID, follower.Settings{Enabled: true})
		require.NoError(t, err)
		require.True(t, again.UnionIDs, "what is not said stays as it is")
		require.Equal(t, []string{"followers.enable"}, b.audited(t), "the second time changes nothing")
	})

	t.Run("ForgetsEverybodyWhenItIsTurnedOff", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 30, 10)
		b.unionids(t, 0, 30)
		b.start(t)
		b.turn(t, true, true)
		b.filled(t)
		d := b.turn(t, false, false)
		require.False(t, d.Enabled)
		require.Nil(t, d.Followers)
		require.Nil(t, d.Sync)
		places, err := b.followers.Lookup(t.Context(), b.Pool, b.tenantID, b.openids(0, 30))
		require.NoError(t, err)
		require.Empty(t, places)
		found, err := b.followers.Find(t.Context(), b.key, b.tenantID, follower.Whom{OpenID: b.openid(1)})
		require.NoError(t, err)
		require.Empty(t, found, "before they are deleted")
		b.eventually(t, func() bool { return b.count(t, "followers")+b.count(t, "follower_sync_openids") == 0 }, "the end of all openids")
		require.Equal(t, []string{"followers.enable", "followers.disable"}, b.audited(t))
	})

	t.Run("MayBeTurnedOffWhileItIsSynced", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 30, 5)
		inside, goOn := b.hold(pathList, 4)
		b.start(t)
		b.turn(t, true, false)
		<-inside
		b.turn(t, false, false)
		close(goOn)
		b.sweep(t)
		b.eventually(t, func() bool {
			b.sweep(t)
			return b.count(t, "follower_sync_openids") == 0 && b.count(t, "river_job WHERE state IN ('running', 'available')") == 0
		}, "the end of all openids")
		require.Zero(t, b.count(t, "followers"))
		require.Nil(t, b.directory(t).Sync)
	})

	t.Run("MayBeTurnedOnAgainWhileItIsErased", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 30, 10)
		b.start(t)
		b.turn(t, true, false)
		b.synced(t)
		b.exec(t, `UPDATE follower_directories SET lease_holder = 'busy', lease_until = now() + interval '1 hour'`)
		b.exec(t, `INSERT INTO followers (tenant_id, authorizer_id, openid, following, seq, changed_at) VALUES ($1, $2, 'stale', true, 1, now())`, b.tenantID, b.account.ID)
		b.turn(t, false, false)
		b.turn(t, true, false)
		b.synced(t)
		require.Equal(t, b.openids(0, 30), b.list(t), "erased and read anew")
	})

	t.Run("IsNotOfferedWhereTheMerchantHasNotGrantedIt", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 0, 10)
		b.account = factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, Sets: []int{1, 3}})
		_, err := b.followers.SetDirectory(t.Context(), b.key, b.tenantID, b.account.AppID, follower.Settings{Enabled: true})
		var missing *authorizer.PermissionMissingError
		require.ErrorAs(t, err, &missing)
		require.Contains(t, err.Error(), "that follower work needs: 2 (user management)")
	})

	t.Run("CanBeTurnedOffWhateverHasBecomeOfTheAccount", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3, 10)
		b.start(t)
		b.turn(t, true, false)
		b.synced(t)
		b.exec(t, `UPDATE authorizers SET state = 'revoked', permission_sets = '{}'`)
		require.False(t, b.directory(t).Events)
		b.turn(t, false, false)
		b.eventually(t, func() bool { return b.count(t, "followers") == 0 }, "the end of all openids")
	})

	t.Run("KeepsNoUnionIDsWithoutOpenids", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3, 10)
		_, err := b.followers.SetDirectory(t.Context(), b.key, b.tenantID, b.account.AppID, follower.Settings{UnionIDs: new(true)})
		require.ErrorIs(t, err, follower.ErrUnionIDsWithoutDirectory)
	})
}

func TestDirectory_IsItsTenantsAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, 3, 10)
	b.unionids(t, 0, 3)
	b.start(t)
	b.turn(t, true, true)
	b.filled(t)
	other := factory.Tenant(t, b.World).ID
	stranger := factory.Key(t, b.World, factory.KeyOptions{TenantID: other})
	for _, tenantID := range []func() error{
		func() error {
			_, err := b.followers.Directory(t.Context(), stranger, b.tenantID, b.account.AppID)
			return err
		},
		func() error {
			_, err := b.followers.Directory(t.Context(), stranger, other, b.account.AppID)
			return err
		},
		func() error {
			_, err := b.followers.SetDirectory(t.Context(), stranger, other, b.account.AppID, follower.Settings{})
			return err
		},
		func() error {
			_, err := b.followers.StartSync(t.Context(), stranger, other, b.account.AppID)
			return err
		},
		func() error {
			_, err := b.followers.List(t.Context(), stranger, other, b.account.AppID, follower.ListParams{})
			return err
		},
		func() error {
			_, err := b.followers.Find(t.Context(), stranger, b.tenantID, follower.Whom{OpenID: b.openid(0)})
			return err
		},
	} {
		require.ErrorIs(t, tenantID(), tenant.ErrNotFound)
	}
	found, err := b.followers.Find(t.Context(), stranger, other, follower.Whom{OpenID: b.openid(0)})
	require.NoError(t, err)
	require.Empty(t, found)
	places, err := b.followers.Lookup(t.Context(), b.Pool, other, b.openids(0, 3))
	require.NoError(t, err)
	require.Empty(t, places)
	persons, err := b.followers.Persons(t.Context(), b.Pool, other, unionid(0))
	require.NoError(t, err)
	require.Empty(t, persons)
}
