package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestPermission(t *testing.T) {
	t.Parallel()

	t.Run("RefusedBeforeAnyCallWhenSet2IsMissing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		appid, followers := b.connect(3, "1", "3")
		require.False(t, b.active(appid).CanBlacklist)

		for _, action := range []string{"block", "unblock"} {
			refused := b.post(b.account(appid)+"/blacklist/"+action, map[string]any{"openids": followers})
			require.Contains(t, []int{403, 409}, refused.status, "%s", refused.body)
			p := refused.problem()
			require.Equal(t, "permission-missing", p.Code)
			require.Equal(t, []int{1, 3}, ids(p.GrantedSets))
			require.Equal(t, []int{2, 100}, ids(p.NeededSets))
			for _, set := range append(p.GrantedSets, p.NeededSets...) {
				require.NotEmpty(t, set.NameZH)
				require.NotEmpty(t, set.NameEN)
			}
			require.Equal(t, "用户管理权限", p.NeededSets[0].NameZH)
			require.True(t, strings.HasPrefix(p.ConnectURL, b.front.url+"/connect/"), p.ConnectURL)
			require.Contains(t, b.consentLink(p.ConnectURL), "biz_appid="+appid, "the link is for this account")
		}
		require.Equal(t, "permission-missing", b.post(b.account(appid)+"/blacklist/pull", struct{}{}).problem().Code)
		require.Zero(t, b.sim.CallCount(pathBlock)+b.sim.CallCount(pathUnblock)+b.sim.CallCount(pathGetBlacklist))
		require.Zero(t, b.count(`SELECT count(*) FROM blacklist_batches`))
	})

	t.Run("GrantedLaterByUpdateauthorized", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		appid, followers := b.connect(3, "1", "3")
		require.Equal(t, "permission-missing", b.post(b.account(appid)+"/blacklist/block", map[string]any{"openids": followers}).problem().Code)

		code, err := b.sim.SetPermissionSets(appid, 1, 2, 3)
		require.NoError(t, err)
		require.NoError(t, b.sim.Push(t.Context(), simulator.Event{InfoType: simulator.UpdateAuthorized, AuthorizationCode: code}))
		eventually(t, "the new set is known", func() bool { return b.active(appid).CanBlacklist })
		require.Equal(t, 3, b.block(appid, followers).Counts.Done)
		require.ElementsMatch(t, followers, b.sim.Blacklisted(appid))
	})

	t.Run("GrantedLaterThroughTheLinkOfTheRefusal", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		appid, followers := b.connect(3, "1", "3")
		p := b.post(b.account(appid)+"/blacklist/block", map[string]any{"openids": followers}).problem()
		b.agree(b.consentLink(p.ConnectURL), appid, "1", "2", "3")
		eventually(t, "the new set is known", func() bool { return b.active(appid).CanBlacklist })
		require.Equal(t, 3, b.block(appid, followers).Counts.Done)
	})

	t.Run("Set100IsAsGoodAsSet2", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		appid, followers := b.connect(3, "1", "100")
		require.True(t, b.active(appid).CanBlacklist)
		require.Equal(t, 3, b.block(appid, followers).Counts.Done)
	})

	// WeChat counts in seconds and has its own clock: that it granted the set again may seem to have been before it
	// authorized us at all.
	for name, ahead := range map[string]time.Duration{"GrantedAgainLater": 5 * time.Second, "GrantedAgainInTheSameSecond": 0} {
		t.Run("TakenAwayInTheMiddleOfABatch/GoesOnWhen"+name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			appid, followers := b.connect(60, "1", "2")
			b.afterCalls(pathBlock, 1, func() {
				_, err := b.sim.SetPermissionSets(appid, 1)
				require.NoError(t, err)
			})
			made := b.startBlock(appid, followers)
			var got batch
			eventually(t, "the batch rests", func() bool {
				b.get("/v1/tenants/" + b.tenant + "/batches/" + made.ID).is(200).into(&got)
				return got.Status == "paused"
			})
			require.Equal(t, counts{Total: 60, Done: 20, Pending: 40}, got.Counts)
			require.NotEmpty(t, got.PauseReason)

			code, err := b.sim.SetPermissionSets(appid, 1, 2)
			require.NoError(t, err)
			require.NoError(t, b.sim.Push(t.Context(), simulator.Event{
				InfoType: simulator.UpdateAuthorized, AuthorizationCode: code, CreatedAt: time.Now().Add(ahead),
			}))
			require.Equal(t, counts{Total: 60, Done: 60}, b.ended(made.ID).Counts, "it goes on by itself")
			require.ElementsMatch(t, followers, b.sim.Blacklisted(appid))
		})
	}
}

func ids(sets []permissionSet) []int {
	list := make([]int, len(sets))
	for i, set := range sets {
		list[i] = set.ID
	}
	return list
}
