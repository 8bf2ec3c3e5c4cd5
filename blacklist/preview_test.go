package blacklist_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

func (b *bundle) preview(t *testing.T, action blacklist.Action, openids ...string) blacklist.Preview {
	t.Helper()
	p, err := b.blacklist.Preview(t.Context(), b.key, b.tenantID, b.account.AppID, action, blacklist.Request{OpenIDs: openids})
	require.NoError(t, err)
	return p
}

func TestPreview(t *testing.T) {
	t.Parallel()

	t.Run("CountsEachOpenIDOnceAndWritesNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 20)
		other := *b
		other.account = factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, FollowerCount: 5})
		hold := b.holdable(t)
		b.start(t)
		b.ended(t, b.block(t, b.openids(0, 6)...).ID)
		b.ended(t, b.unblock(t, b.openids(4, 6)...).ID)
		other.ended(t, other.block(t, other.openids(0, 3)...).ID)
		b.ended(t, b.block(t, other.openid(2), "refused").ID) // WeChat has refused both, so it knows them here no better
		hold()
		b.unblock(t, b.openid(0))
		b.block(t, b.openid(6))

		before := written(t, b)
		given := append(b.openids(0, 10), b.openid(1), "\t"+b.openid(1), " ", "", strings.Repeat("o", 129), "a\x00b", "\xff")
		given = append(given, other.openids(1, 4)...)
		given = append(given, "refused")
		p := b.preview(t, blacklist.ActionBlock, given...)
		require.Equal(t, blacklist.Preview{
			AuthorizerAppID: b.account.AppID, Action: blacklist.ActionBlock, Total: len(given),
			Already: 3, WouldChange: 2, PendingOther: 2, Elsewhere: 2, Unknown: 5, Malformed: 3, Duplicates: 2, Blank: 2,
			ElsewhereFirst: []blacklist.Misplaced{{OpenID: other.openid(1), AppID: other.account.AppID}, {OpenID: other.openid(2), AppID: other.account.AppID}},
			MalformedFirst: []blacklist.Malformed{{Index: 14, Beginning: strings.Repeat("o", 128)}, {Index: 15, Beginning: "ab"}, {Index: 16}},
		}, p)
		u := b.preview(t, blacklist.ActionUnblock, b.openids(0, 6)...)
		require.Equal(t, []int{1, 3, 2}, []int{u.PendingOther, u.WouldChange, u.Already})
		require.Equal(t, before, written(t, b))
	})

	t.Run("TakesAHundredThousandAndNamesTheFirst", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 0)
		factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID})
		given := b.openids(0, blacklist.MaxOpenIDs)
		for i := range 1000 {
			given[i*7] = strings.Repeat("理", 50)
		}
		p := b.preview(t, blacklist.ActionBlock, given...)
		require.Equal(t, []int{1000, len(given) - 1000}, []int{p.Malformed, p.Unknown})
		require.Len(t, p.MalformedFirst, blacklist.MaxPreviewed)
		require.Equal(t, blacklist.Malformed{Index: 7, Beginning: strings.Repeat("理", 42)}, p.MalformedFirst[1])
	})

	t.Run("RefusesWhatTheRealThingRefuses", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		ask := func(p tenant.Principal, tenantID uuid.UUID, action blacklist.Action, req blacklist.Request) error {
			_, err := b.blacklist.Preview(t.Context(), p, tenantID, b.account.AppID, action, req)
			return err
		}
		now := b.Clock.Now()
		require.ErrorIs(t, ask(b.key, b.tenantID, blacklist.ActionBlock, blacklist.Request{Until: &now}), blacklist.ErrUntilPast)
		require.ErrorIs(t, ask(b.key, b.tenantID, blacklist.ActionUnblock, blacklist.Request{Until: &now}), blacklist.ErrUntilOnUnblock)
		var many *blacklist.TooManyOpenIDsError
		require.ErrorAs(t, ask(b.key, b.tenantID, blacklist.ActionBlock, blacklist.Request{OpenIDs: make([]string, blacklist.MaxOpenIDs+1)}), &many)
		reader := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.BlacklistRead}})
		var missing *tenant.ScopeMissingError
		require.ErrorAs(t, ask(reader, b.tenantID, blacklist.ActionBlock, blacklist.Request{}), &missing)
		other := factory.Tenant(t, b.World)
		stranger := factory.Key(t, b.World, factory.KeyOptions{TenantID: other.ID})
		require.ErrorIs(t, ask(stranger, b.tenantID, blacklist.ActionBlock, blacklist.Request{}), tenant.ErrNotFound)
		require.ErrorIs(t, ask(stranger, other.ID, blacklist.ActionBlock, blacklist.Request{}), tenant.ErrNotFound)
		b.account = factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, Sets: []int{1, 3}})
		var permission *authorizer.PermissionMissingError
		require.ErrorAs(t, ask(b.key, b.tenantID, blacklist.ActionBlock, blacklist.Request{}), &permission)
	})

	t.Run("KnowsNothingOfOtherTenants", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		other := *b
		other.tenantID = factory.Tenant(t, b.World).ID
		other.key = factory.Key(t, b.World, factory.KeyOptions{TenantID: other.tenantID})
		other.account = factory.Account(t, b.World, factory.AccountOptions{TenantID: other.tenantID, FollowerCount: 1})
		b.start(t)
		other.ended(t, other.block(t, other.openid(0)).ID)
		require.Equal(t, 1, b.preview(t, blacklist.ActionBlock, other.openid(0)).Unknown)
	})
}
