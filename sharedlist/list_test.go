package sharedlist_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/sharedlist"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestLists(t *testing.T) {
	t.Parallel()
	b := setup(t, 2)
	b.start(t)
	stranger := factory.Key(t, b.World, factory.KeyOptions{TenantID: factory.Tenant(t, b.World).ID})
	reader := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.BlacklistRead}})
	ctx := context.Background()

	t.Run("TellWhichAccountsTheyCoverAndWhatToDo", func(t *testing.T) {
		_, accounts, err := b.lists.Get(ctx, b.key, b.tenantID, b.list.ID)
		require.NoError(t, err)
		require.Len(t, accounts, 2)
		require.Equal(t, sharedlist.DirectoryOff, accounts[0].Coverage)
		require.Contains(t, accounts[0].Coverage.Advice(), "turn on the account's directory")
		b.know(t, 0)
		_, accounts, err = b.lists.Get(ctx, b.key, b.tenantID, b.list.ID)
		require.NoError(t, err)
		for _, a := range accounts {
			want := sharedlist.DirectoryOff
			if a.AppID == b.accounts[0].AppID {
				want = sharedlist.Covered
			}
			require.Equal(t, want, a.Coverage)
		}
	})

	t.Run("TellOfAccountsForWhichWeChatGivesNoUnionIDs", func(t *testing.T) {
		b := setup(t, 1)
		for n := range 10 {
			require.NoError(t, b.Sim.SetUnionID(b.accounts[0].AppID, b.openid(0, n), ""))
		}
		b.start(t)
		_, err := b.followers.SetDirectory(ctx, b.key, b.tenantID, b.accounts[0].AppID, follower.Settings{Enabled: true, UnionIDs: new(true)})
		require.NoError(t, err)
		b.eventually(t, "it is known", func() bool {
			require.NoError(t, b.followers.Sweep(ctx))
			_, accounts, err := b.lists.Get(ctx, b.key, b.tenantID, b.list.ID)
			require.NoError(t, err)
			return accounts[0].Coverage == sharedlist.NoUnionIDs
		})
	})

	t.Run("AreNotFoundByOthers", func(t *testing.T) {
		person := b.add(t, b.list, sharedlist.Addition{UnionIDs: []string{"uKnownToNobody"}})
		for name, act := range map[string]func(p tenant.Principal, tenantID uuid.UUID) error{
			"Get": func(p tenant.Principal, id uuid.UUID) error {
				_, _, err := b.lists.Get(ctx, p, id, b.list.ID)
				return err
			},
			"Update": func(p tenant.Principal, id uuid.UUID) error {
				_, err := b.lists.Update(ctx, p, id, b.list.ID, sharedlist.Params{})
				return err
			},
			"Delete": func(p tenant.Principal, id uuid.UUID) error { return b.lists.Delete(ctx, p, id, b.list.ID, "") },
			"Persons": func(p tenant.Principal, id uuid.UUID) error {
				_, err := b.lists.Persons(ctx, p, id, b.list.ID, sharedlist.PersonsParams{})
				return err
			},
			"Add": func(p tenant.Principal, id uuid.UUID) error {
				_, err := b.lists.Add(ctx, p, id, b.list.ID, sharedlist.Addition{UnionIDs: []string{"u"}})
				return err
			},
			"Person": func(p tenant.Principal, id uuid.UUID) error {
				_, _, err := b.lists.Person(ctx, p, id, b.list.ID, person)
				return err
			},
			"Remove": func(p tenant.Principal, id uuid.UUID) error { return b.lists.Remove(ctx, p, id, b.list.ID, person, "") },
		} {
			require.ErrorIs(t, act(stranger, b.tenantID), tenant.ErrNotFound, name)
			require.ErrorIs(t, act(stranger, stranger.TenantID), tenant.ErrNotFound, name)
		}
		_, err := b.lists.Create(ctx, reader, b.tenantID, sharedlist.Params{Name: new("x")})
		require.ErrorAs(t, err, new(*tenant.ScopeMissingError))
	})

	t.Run("TakeNoAccountOfAnotherTenant", func(t *testing.T) {
		theirs := factory.Account(t, b.World, factory.AccountOptions{TenantID: stranger.TenantID})
		_, err := b.lists.Add(ctx, b.key, b.tenantID, b.list.ID, sharedlist.Addition{OpenIDs: []string{"o1"}, AppID: theirs.AppID})
		require.ErrorIs(t, err, tenant.ErrNotFound)
	})

	t.Run("HoldEachPersonOnce", func(t *testing.T) {
		list := b.newList(t, "once")
		a := sharedlist.Addition{UnionIDs: []string{"u1", " u1", "", "u2"}, OpenIDs: []string{"o1"}, AppID: b.accounts[0].AppID}
		added, err := b.lists.Add(ctx, b.key, b.tenantID, list.ID, a)
		require.NoError(t, err)
		require.Equal(t, sharedlist.Added{Added: 3, Skipped: 2}, added)
		added, err = b.lists.Add(ctx, b.key, b.tenantID, list.ID, a)
		require.NoError(t, err)
		require.Equal(t, sharedlist.Added{Already: 3, Skipped: 2}, added)
		page, err := b.lists.Persons(ctx, b.key, b.tenantID, list.ID, sharedlist.PersonsParams{Limit: 2})
		require.NoError(t, err)
		require.Len(t, page.Persons, 2)
		rest, err := b.lists.Persons(ctx, b.key, b.tenantID, list.ID, sharedlist.PersonsParams{Cursor: page.Next})
		require.NoError(t, err)
		require.Len(t, rest.Persons, 1)
		require.Empty(t, rest.Next)
		found, err := b.lists.Persons(ctx, b.key, b.tenantID, list.ID, sharedlist.PersonsParams{Query: "o"})
		require.NoError(t, err)
		require.Len(t, found.Persons, 1)
		require.Equal(t, b.accounts[0].AppID, found.Persons[0].AuthorizerAppID)
	})

	t.Run("TakeOneNameOnce", func(t *testing.T) {
		_, err := b.lists.Create(ctx, b.key, b.tenantID, sharedlist.Params{Name: new(" swindlers ")})
		require.ErrorIs(t, err, sharedlist.ErrNameTaken)
		other := b.newList(t, "renamed")
		_, err = b.lists.Update(ctx, b.key, b.tenantID, other.ID, sharedlist.Params{Name: new("swindlers")})
		require.ErrorIs(t, err, sharedlist.ErrNameTaken)
		renamed, err := b.lists.Update(ctx, b.key, b.tenantID, other.ID, sharedlist.Params{Name: new("renamed again")})
		require.NoError(t, err)
		require.Equal(t, "they cheat", renamed.Reason)
	})

	t.Run("TakeTenThousandPeopleAtOnceAndNoMore", func(t *testing.T) {
		b := setup(t, 1)
		many := sharedlist.Addition{AppID: b.accounts[0].AppID}
		for i := range sharedlist.MaxPersonsAtOnce {
			many.OpenIDs = append(many.OpenIDs, simulator.OpenID(b.accounts[0].AppID, i))
		}
		added, err := b.lists.Add(ctx, b.key, b.tenantID, b.list.ID, many)
		require.NoError(t, err)
		require.Equal(t, sharedlist.MaxPersonsAtOnce, added.Added)
		b.sweep(t)
		read, _, err := b.lists.Get(ctx, b.key, b.tenantID, b.list.ID)
		require.NoError(t, err)
		require.Equal(t, sharedlist.MaxPersonsAtOnce, read.Persons)
		require.False(t, read.Working)
		require.Equal(t, sharedlist.MaxPersonsAtOnce, b.count(t, `blacklist_entries WHERE want = 'blocked' AND pending`))
		many.OpenIDs = append(many.OpenIDs, "one more")
		_, err = b.lists.Add(ctx, b.key, b.tenantID, b.list.ID, many)
		require.ErrorAs(t, err, new(*sharedlist.TooManyPersonsError))
		require.NoError(t, b.lists.Delete(ctx, b.key, b.tenantID, b.list.ID, ""))
		b.sweep(t)
		require.Zero(t, b.count(t, `blacklist_entries WHERE pending`))
		require.Zero(t, b.count(t, `blacklist_list_persons`))
	})
}
