package follower_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func unionid(n int) string { return fmt.Sprintf("uPerson%d", n) }

// unionids gives the account's followers unionids at WeChat.
func (b *bundle) unionids(t *testing.T, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		require.NoError(t, b.Sim.SetUnionID(b.account.AppID, b.openid(n), unionid(n)))
	}
}

// filled waits until nobody is left to be asked about.
func (b *bundle) filled(t *testing.T) {
	t.Helper()
	b.synced(t)
	b.eventually(t, func() bool { return b.count(t, "follower_directories WHERE fill_due") == 0 }, "the unionids")
}

func TestUnionIDs(t *testing.T) {
	t.Parallel()

	t.Run("AreAskedForAHundredAtATimeAfterASync", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 250, 10_000)
		b.unionids(t, 0, 250)
		b.start(t)
		b.turn(t, true, true)
		b.filled(t)
		require.Equal(t, 250, b.count(t, "followers WHERE unionid IS NOT NULL"))
		require.Equal(t, 3, b.Sim.CallCount(pathInfo))
		b.sync(t)
		b.filled(t)
		require.Equal(t, 3, b.Sim.CallCount(pathInfo), "nobody is asked about twice")
	})

	t.Run("AreNotAskedForUnlessTheyAreToBeKept", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5, 10_000)
		b.unionids(t, 0, 5)
		b.start(t)
		b.turn(t, true, false)
		b.filled(t)
		require.Zero(t, b.Sim.CallCount(pathInfo))
		b.turn(t, true, true)
		b.eventually(t, func() bool { return b.count(t, "followers WHERE unionid IS NOT NULL") == 5 }, "the unionids of those known before")
		b.turn(t, true, false)
		persons, err := b.followers.Persons(t.Context(), b.Pool, b.tenantID, unionid(1))
		require.NoError(t, err)
		require.Empty(t, persons)
		b.eventually(t, func() bool { return b.count(t, "followers WHERE unionid IS NOT NULL OR unionid_due") == 0 }, "the end of the unionids")
		require.Len(t, b.list(t), 5)
	})

	t.Run("OfAnAccountUnderNoOpenPlatformAccountAreAskedForOnceASync", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 250, 10_000)
		b.start(t)
		b.turn(t, true, true)
		b.filled(t)
		require.Equal(t, 1, b.Sim.CallCount(pathInfo))
		b.unionids(t, 0, 250) // now it is under one
		b.sync(t)
		b.filled(t)
		require.Equal(t, 250, b.count(t, "followers WHERE unionid IS NOT NULL"))
	})

	t.Run("OfOthersComeThoughWeChatRefusesOne", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 30, 10_000)
		b.unionids(t, 0, 30)
		b.exec(t, `INSERT INTO follower_directories (tenant_id, authorizer_id, enabled, unionids, fill_due, changed_at, changed_by)
			VALUES ($1, $2, true, true, true, now(), 'test')`, b.tenantID, b.account.ID)
		b.exec(t, `INSERT INTO followers (tenant_id, authorizer_id, openid, following, unionid_due, seq, changed_at)
			SELECT $1, $2, unnest($3::text[]), true, true, 1, now()`, b.tenantID, b.account.ID, append(b.openids(0, 30), "oNobody"))
		b.start(t)
		b.sweep(t)
		b.eventually(t, func() bool { return b.count(t, "follower_directories WHERE fill_due") == 0 }, "the unionids")
		require.Equal(t, 30, b.count(t, "followers WHERE unionid IS NOT NULL"))
		require.Equal(t, 1, b.count(t, "followers WHERE unionid IS NULL AND NOT unionid_due"))
	})

	t.Run("AreAskedForFewerAtATimeWhereWeChatWantsFewer", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 100, 10_000)
		b.unionids(t, 0, 100)
		b.inject(t, simulator.Fault{Path: pathInfo, Code: 40032, Times: 1})
		b.start(t)
		b.turn(t, true, true)
		b.filled(t)
		require.Equal(t, 100, b.count(t, "followers WHERE unionid IS NOT NULL"))
		var sizes []int
		for _, call := range b.Sim.CallsTo(pathInfo) {
			var body struct {
				Users []any `json:"user_list"`
			}
			require.NoError(t, json.Unmarshal(call.Body, &body))
			sizes = append(sizes, len(body.Users))
		}
		require.Equal(t, []int{100, 50, 50}, sizes)
	})

	t.Run("WaitForTheNextDayWhenTheQuotaIsUsedUpAndASyncDoesNot", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 250, 10_000)
		b.unionids(t, 0, 250)
		require.NoError(t, b.Sim.SetQuota(b.account.AppID, pathInfo, simulator.Quota{Daily: 2}))
		b.start(t)
		b.turn(t, true, true)
		b.eventually(t, func() bool { return b.count(t, "follower_directories WHERE fill_next_try_at > '2026-01-01'") == 1 }, "the pause")
		require.Equal(t, 200, b.count(t, "followers WHERE unionid IS NOT NULL"))
		calls := b.Sim.CallCount(pathInfo)
		b.sweep(t)
		require.Equal(t, calls, b.Sim.CallCount(pathInfo))
		b.later(t, 8*time.Hour)
		b.sweep(t)
		b.filled(t)
		require.Equal(t, 250, b.count(t, "followers WHERE unionid IS NOT NULL"))
	})

	t.Run("AreNotKeptOfSomebodyWhoLeftWhileWeChatWasAsked", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5, 10_000)
		b.unionids(t, 0, 5)
		b.once(pathInfo, 1, func() {
			b.receive(t, "unsubscribe", b.openid(2), b.Clock.Now())                 // we heard of it
			require.NoError(t, b.Sim.RemoveFollowers(b.account.AppID, b.openid(3))) // we did not
		})
		b.start(t)
		b.turn(t, true, true)
		b.filled(t)
		require.Equal(t, 3, b.count(t, "followers WHERE unionid IS NOT NULL"))
		require.Equal(t, 2, b.count(t, "followers WHERE NOT following"))
	})

	t.Run("TellWhereElseAPersonFollows", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 5, 10_000)
		b.unionids(t, 0, 5)
		first := b.account
		b.start(t)
		b.turn(t, true, true)
		b.filled(t)
		b.account = factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, FollowerCount: 3})
		b.unionids(t, 0, 3)
		b.turn(t, true, true)
		b.filled(t)
		second := b.account
		want := []string{first.AppID, second.AppID}
		if first.AppID > second.AppID {
			want = []string{second.AppID, first.AppID}
		}
		persons, err := b.followers.Persons(t.Context(), b.Pool, b.tenantID, unionid(2))
		require.NoError(t, err)
		require.Len(t, persons, 2)
		require.Equal(t, want, []string{persons[0].AuthorizerAppID, persons[1].AuthorizerAppID})
		found, err := b.followers.Find(t.Context(), b.key, b.tenantID, follower.Whom{OpenID: b.openid(2)})
		require.NoError(t, err)
		require.Equal(t, persons, found, "by the openid of one account")
		persons, err = b.followers.Persons(t.Context(), b.Pool, b.tenantID, unionid(4))
		require.NoError(t, err)
		require.Len(t, persons, 1)
		require.Equal(t, first.ID, persons[0].AuthorizerID)
	})
}
