package follower_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

func TestLookup(t *testing.T) {
	t.Parallel()

	t.Run("TellsWhoseOpenidsAreAndKnowsNothingOfOthers", func(t *testing.T) {
		t.Parallel()
		b := known(t, 3, false)
		b.receive(t, "unsubscribe", b.openid(2), b.Clock.Now())
		places, err := b.followers.Lookup(t.Context(), b.Pool, b.tenantID, []string{b.openid(0), "oNobody", b.openid(2), b.openid(0)})
		require.NoError(t, err)
		require.Equal(t, map[string][]follower.Place{
			b.openid(0): {{AuthorizerID: b.account.ID, Following: true}},
			b.openid(2): {{AuthorizerID: b.account.ID}},
		}, places)
		places, err = b.followers.Lookup(t.Context(), b.Pool, b.tenantID, nil)
		require.NoError(t, err)
		require.Empty(t, places)
	})

	t.Run("LooksOnEveryAccountHoweverManyThereAre", func(t *testing.T) {
		t.Parallel()
		for _, accounts := range []int{2, 16, 17, 40} {
			b := setup(t, 0, 10)
			ids := factory.ManyAccounts(t, factory.Bulk{
				Pool: b.Pool, Box: b.Box, ComponentAppID: b.ComponentAppID, TenantID: b.tenantID, Now: b.Clock.Now(), Count: accounts,
			})
			b.exec(t, `INSERT INTO follower_directories (tenant_id, authorizer_id, enabled, changed_at, changed_by) SELECT $1, unnest($2::uuid[]), true, now(), ''`, b.tenantID, ids)
			b.exec(t, `INSERT INTO followers (tenant_id, authorizer_id, openid, following, seq, changed_at) SELECT $1, id, 'o' || id, true, 1, now() FROM unnest($2::uuid[]) id`, b.tenantID, ids)
			openids := make([]string, len(ids))
			for i, id := range ids {
				openids[i] = "o" + id.String()
			}
			places, err := b.followers.Lookup(t.Context(), b.Pool, b.tenantID, openids)
			require.NoError(t, err)
			require.Len(t, places, accounts)
			for i, id := range ids {
				require.Equal(t, []follower.Place{{AuthorizerID: id, Following: true}}, places[openids[i]])
			}
		}
	})

	t.Run("FindsPersonsOnEveryAccountThatKeepsUnionIDs", func(t *testing.T) {
		t.Parallel()
		for _, accounts := range []int{1, 16, 17} {
			b := setup(t, 0, 10)
			ids := factory.ManyAccounts(t, factory.Bulk{
				Pool: b.Pool, Box: b.Box, ComponentAppID: b.ComponentAppID, TenantID: b.tenantID, Now: b.Clock.Now(), Count: accounts + 2,
			})
			b.exec(t, `INSERT INTO follower_directories (tenant_id, authorizer_id, enabled, unionids, changed_at, changed_by) SELECT $1, unnest($2::uuid[]), true, true, now(), ''`, b.tenantID, ids)
			b.exec(t, `
				INSERT INTO followers (tenant_id, authorizer_id, openid, unionid, following, seq, changed_at)
				SELECT $1, id, person || id, person, true, 1, now() FROM unnest($2::uuid[]) id, unnest(ARRAY['ann', 'bob']) person`, b.tenantID, ids)
			b.exec(t, `UPDATE follower_directories SET unionids = false WHERE authorizer_id = $1`, ids[0])
			b.exec(t, `UPDATE follower_directories SET enabled = false, unionids = false WHERE authorizer_id = $1`, ids[1])
			persons, err := b.followers.LookupPersons(t.Context(), b.Pool, b.tenantID, []string{"bob", "nobody", "ann", "bob"})
			require.NoError(t, err)
			require.Len(t, persons, 2)
			for person, on := range persons {
				var want []follower.At
				for _, id := range ids[2:] {
					want = append(want, follower.At{AuthorizerID: id, OpenID: person + id.String()})
				}
				require.ElementsMatch(t, want, on)
				require.True(t, slices.IsSortedFunc(on, func(a, b follower.At) int { return bytes.Compare(a.AuthorizerID[:], b.AuthorizerID[:]) }))
			}
		}
	})

	t.Run("KnowsBetweenWhichOpenidsEachAccountLies", func(t *testing.T) {
		t.Parallel()
		b := known(t, 5, false)
		spans, err := b.followers.Spans(t.Context(), b.Pool, b.tenantID, b.openid(1), b.openid(3)+"z")
		require.NoError(t, err)
		require.Equal(t, []follower.Span{{AuthorizerID: b.account.ID, First: b.openid(1), Last: b.openid(3)}}, spans)
		spans, err = b.followers.Spans(t.Context(), b.Pool, b.tenantID, b.openid(4)+"z", "zzz")
		require.NoError(t, err)
		require.Empty(t, spans)
		b.exec(t, `UPDATE follower_directories SET chore = 'erase'`)
		spans, err = b.followers.Spans(t.Context(), b.Pool, b.tenantID, "", "zzz")
		require.NoError(t, err)
		require.Empty(t, spans)
	})

	t.Run("SeesWhatItsTransactionSees", func(t *testing.T) {
		t.Parallel()
		b := known(t, 1, false)
		require.NoError(t, pgx.BeginFunc(t.Context(), b.Pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), `DELETE FROM followers`)
			require.NoError(t, err)
			places, err := b.followers.Lookup(t.Context(), tx, b.tenantID, b.openids(0, 1))
			require.Empty(t, places)
			return err
		}))
	})
}

func TestFind(t *testing.T) {
	t.Parallel()
	b := known(t, 1, false)
	for _, whom := range []follower.Whom{{}, {OpenID: "a", UnionID: "b"}} {
		_, err := b.followers.Find(t.Context(), b.key, b.tenantID, whom)
		require.ErrorIs(t, err, follower.ErrWhomToFind)
	}
	_, err := b.followers.Find(t.Context(), b.Platform, uuid.New(), follower.Whom{OpenID: "a"})
	require.ErrorIs(t, err, tenant.ErrNotFound)
	blind := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.AuthorizersRead}})
	_, err = b.followers.Find(t.Context(), blind, b.tenantID, follower.Whom{OpenID: "a"})
	var missing *tenant.ScopeMissingError
	require.ErrorAs(t, err, &missing)
}

func TestList_FindsWhatBeginsLikeThis(t *testing.T) {
	t.Parallel()
	b := known(t, 0, false)
	for _, openid := range []string{"oA", "oAb", "oAbc", "oB", "o%x", "o_"} {
		b.receive(t, "subscribe", openid, b.Clock.Now())
	}
	for query, want := range map[string][]string{
		"": {"o%x", "oA", "oAb", "oAbc", "oB", "o_"}, "oA": {"oA", "oAb", "oAbc"}, "oAbc": {"oAbc"}, "o%": {"o%x"}, "o_": {"o_"}, "x": {}, "O": {}, "o\U0010FFFF": {},
	} {
		page, err := b.followers.List(t.Context(), b.key, b.tenantID, b.account.AppID, follower.ListParams{Query: query})
		require.NoError(t, err)
		found := []string{}
		for _, f := range page.Followers {
			found = append(found, f.OpenID)
		}
		require.Equal(t, want, found, query)
	}
}
