package simulator_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestBatch(t *testing.T) {
	t.Parallel()
	t.Run("BlocksAndUnblocksIdempotently", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		ok := answer{"errcode": 0.0, "errmsg": "ok"}
		require.Equal(t, ok, w.business(pathBlock, aat, list("oSim_B", "oSim_A", "oSim_B")), "duplicates are tolerated")
		require.Equal(t, ok, w.business(pathBlock, aat, list("oSim_A", "oSim_C")))
		require.Equal(t, []string{"oSim_A", "oSim_B", "oSim_C"}, w.sim.Blacklisted(shop), "the openids of one call in the order of their letters")
		require.Equal(t, ok, w.business(pathUnblock, aat, list("oSim_A", "oSim_E")), "not blocked, but a follower")
		require.Equal(t, []string{"oSim_B", "oSim_C"}, w.sim.Blacklisted(shop))
	})
	t.Run("RefusesListsOfTheWrongSizeOrName", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		many := make([]string, 21)
		for i := range many {
			many[i] = "oSim_A"
		}
		for name, c := range map[string]struct {
			body any
			code int
		}{
			"none":                   {list(), 40032},
			"21":                     {list(many...), 40032},
			"null":                   {`{"openid_list":null}`, 40032},
			"misspelt, as on a page": {`{"opened_list":["oSim_A"]}`, 40032},
			"capital":                {`{"Openid_list":["oSim_A"]}`, 40032},
			"absent":                 {`{}`, 40032},
			"numbers":                {`{"openid_list":[1]}`, 47001},
			"typographic quotes":     {`{“openid_list”:[“oSim_A”]}`, 47001},
			"no UTF-8":               {"{\"openid_list\":[\"\xff\"]}", 47001},
			"empty body":             {"", 44002},
			"leading space":          {list(" oSim_A"), 40003},
			"trailing return":        {list("oSim_A\r"), 40003},
			"quotes in the openid":   {list("“oSim_A”"), 40003},
			"empty openid":           {list(""), 40003},
			"unknown to everybody":   {list("oNobody"), 40003},
			"the first bad decides":  {list("oSim_A", "oNobody", ""), 40003},
		} {
			require.Equal(t, c.code, w.business(pathBlock, aat, c.body).code(), name)
			require.Equal(t, c.code, w.business(pathUnblock, aat, c.body).code(), name)
		}
		require.Empty(t, w.sim.Blacklisted(shop))
		require.Zero(t, w.business(pathBlock, aat, list(many[:20]...)).code())
	})
	t.Run("BadOpenIDSpoilsTheWholeBatchUnlessSettingsSayOtherwise", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		require.NoError(t, w.sim.AddAccount(simulator.Account{AppID: other, Followers: []string{"oForeign"}}))
		aat := w.authorize(shop).access
		require.Equal(t, 49003, w.business(pathBlock, aat, list("oSim_A", "oForeign", "oSim_B")).code())
		require.Empty(t, w.sim.Blacklisted(shop))
		w.change(func(s *simulator.Settings) { s.BatchPartial = true })
		require.Equal(t, 49003, w.business(pathBlock, aat, list("oSim_A", "oForeign", "oSim_B")).code())
		require.Equal(t, []string{"oSim_A", "oSim_B"}, w.sim.Blacklisted(shop))
	})
	t.Run("NonFollowersAreRefusedOrAccepted", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		require.NoError(t, w.sim.AddAccount(simulator.Account{AppID: other, Followers: []string{"oForeign"}}))
		aat := w.authorize(shop).access
		require.NoError(t, w.sim.RemoveFollowers(shop, "oSim_A"))
		require.Equal(t, 40003, w.business(pathBlock, aat, list("oSim_A")).code(), "has left")
		w.change(func(s *simulator.Settings) { s.AcceptNonFollowers = true })
		require.Zero(t, w.business(pathBlock, aat, list("oSim_A", "oNobody")).code())
		require.Equal(t, 49003, w.business(pathBlock, aat, list("oForeign")).code())
		require.Equal(t, 40003, w.business(pathBlock, aat, list("x")).code())
	})
	t.Run("WhoLeavesStaysBlockedAndCanBeUnblocked", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		require.Zero(t, w.business(pathBlock, aat, list("oSim_A")).code())
		require.NoError(t, w.sim.RemoveFollowers(shop, "oSim_A"))
		require.Equal(t, []string{"oSim_A"}, w.sim.Blacklisted(shop))
		require.Zero(t, w.business(pathBlock, aat, list("oSim_A")).code())
		require.Zero(t, w.business(pathUnblock, aat, list("oSim_A")).code())
		require.Empty(t, w.sim.Blacklisted(shop))
		require.Equal(t, 40003, w.business(pathUnblock, aat, list("oSim_A")).code())
	})
}

func TestGetBlacklist(t *testing.T) {
	t.Parallel()
	begin := func(openid string) map[string]any { return map[string]any{"begin_openid": openid} }
	t.Run("PagesAfterAnExclusiveCursor", func(t *testing.T) {
		t.Parallel()
		w := setup(t, func(c *simulator.Config) { c.PageSize = 2 })
		aat := w.authorize(shop).access
		require.NoError(t, w.sim.RemoteBlock(shop, w.sim.FollowersOf(shop)...))
		page := func(total, count int, next string, openids ...any) answer {
			a := answer{"total": float64(total), "count": float64(count), "next_openid": next}
			if len(openids) > 0 {
				a["data"] = map[string]any{"openid": openids}
			}
			return a
		}
		require.Equal(t, page(5, 2, "oSim_B", "oSim_A", "oSim_B"), w.business(pathBlacklist, aat, "{}"))
		require.Equal(t, page(5, 2, "oSim_B", "oSim_A", "oSim_B"), w.business(pathBlacklist, aat, `{"begin_openid":null}`))
		require.Equal(t, page(5, 2, "oSim_B", "oSim_A", "oSim_B"), w.business(pathBlacklist, aat, begin("")))
		require.Equal(t, page(5, 2, "oSim_B", "oSim_A", "oSim_B"), w.business(pathBlacklist, aat, `{"next_openid":"oSim_B"}`), "the misnamed cursor means nothing")
		require.Equal(t, page(5, 2, "oSim_D", "oSim_C", "oSim_D"), w.business(pathBlacklist, aat, begin("oSim_B")))
		require.Equal(t, page(5, 1, "oSim_E", "oSim_E"), w.business(pathBlacklist, aat, begin("oSim_D")))
		require.Equal(t, page(5, 0, ""), w.business(pathBlacklist, aat, begin("oSim_E")))
		require.NoError(t, w.sim.RemoteUnblock(shop, "oSim_B", "oSim_C"))
		require.Equal(t, page(3, 2, "oSim_E", "oSim_D", "oSim_E"), w.business(pathBlacklist, aat, begin("oSim_B")), "a cursor that vanished keeps its place")
		require.NoError(t, w.sim.RemoteBlock(shop, "oSim_B"))
		require.Equal(t, page(4, 0, ""), w.business(pathBlacklist, aat, begin("oSim_B")), "blocked again: at the end")
	})
	t.Run("RefusesCursors", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		require.NoError(t, w.sim.AddAccount(simulator.Account{AppID: other, Followers: []string{"oForeign"}}))
		aat := w.authorize(shop).access
		require.Equal(t, 49003, w.business(pathBlacklist, aat, begin("oForeign")).code())
		require.Equal(t, 40003, w.business(pathBlacklist, aat, begin(" oSim_A")).code())
		require.Equal(t, 40003, w.business(pathBlacklist, aat, begin("oNobody")).code())
		require.Equal(t, 40003, w.business(pathBlacklist, aat, begin("oSim_A")).code(), "a follower, but never blocked")
		require.Equal(t, 47001, w.business(pathBlacklist, aat, `{"begin_openid":5}`).code())
		require.Equal(t, 44002, w.business(pathBlacklist, aat, "").code())
	})
	t.Run("EmptyListHasThreeBodies", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		a := w.business(pathBlacklist, aat, "{}")
		require.Equal(t, answer{"total": 0.0, "count": 0.0, "next_openid": ""}, a)
		w.change(func(s *simulator.Settings) { s.EmptyList = simulator.EmptyArray })
		require.Equal(t, []any{}, w.business(pathBlacklist, aat, "{}").at("data", "openid"))
		w.change(func(s *simulator.Settings) { s.EmptyList = simulator.EmptyNull })
		a = w.business(pathBlacklist, aat, "{}")
		require.Contains(t, a, "data")
		require.Nil(t, a["data"])
	})
	t.Run("ShowsChangesAfterTheLag", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.change(func(s *simulator.Settings) { s.BlacklistLagSeconds = 30 })
		aat := w.authorize(shop).access
		require.NoError(t, w.sim.RemoteBlock(shop, "oSim_A", "oSim_B"))
		require.NoError(t, w.sim.RemoteUnblock(shop, "oSim_B"))
		require.Empty(t, w.business(pathBlacklist, aat, "{}").openids())
		require.Equal(t, []string{"oSim_A"}, w.sim.Blacklisted(shop), "what is so does not wait")
		w.sim.AdvanceClock(30 * time.Second)
		require.Equal(t, []string{"oSim_A"}, w.business(pathBlacklist, aat, "{}").openids())
		require.NoError(t, w.sim.RemoteUnblock(shop, "oSim_A"))
		require.Equal(t, []string{"oSim_A"}, w.business(pathBlacklist, aat, "{}").openids())
		require.Empty(t, w.sim.Blacklisted(shop))
		w.change(func(s *simulator.Settings) { s.BlacklistLagSeconds = 0 })
		require.Empty(t, w.business(pathBlacklist, aat, "{}").openids())
	})
	for _, size := range []int{2, 1000, 10000} {
		t.Run(fmt.Sprintf("FollowingTheCursorReadsAllWithPagesOf%d", size), func(t *testing.T) {
			t.Parallel()
			w := setup(t, func(c *simulator.Config) { c.PageSize = size })
			n := min(20*size, 25_000)
			blocked := make([]string, n)
			for i := range blocked {
				blocked[i] = simulator.OpenID(other, i)
			}
			require.NoError(t, w.sim.AddAccount(simulator.Account{AppID: other, Blacklist: blocked}))
			require.Equal(t, blocked, w.readBlacklist(w.authorize(other).access, n/size+2))
		})
	}
}

// readBlacklist follows the cursor to the end.
func (w *world) readBlacklist(aat string, maxPages int) []string {
	w.t.Helper()
	read, cursor := []string{}, ""
	for range maxPages {
		a := w.business(pathBlacklist, aat, map[string]any{"begin_openid": cursor})
		require.Zero(w.t, a.code())
		read = append(read, a.openids()...)
		if cursor = a.text("next_openid"); cursor == "" {
			return read
		}
	}
	require.Fail(w.t, "the list does not end")
	return nil
}

func TestLargeBlacklist(t *testing.T) {
	t.Parallel()
	const n = 300_000
	w := setup(t, func(c *simulator.Config) { c.PageSize = 10_000 })
	all := make([]string, n)
	for i := range all {
		all[i] = simulator.OpenID(other, i)
	}
	require.NoError(t, w.sim.AddAccount(simulator.Account{AppID: other, FollowerCount: n, Blacklist: all}))
	aat := w.authorize(other).access
	require.Len(t, w.readBlacklist(aat, n/10_000+2), n)
	// Gaps of every size, with the cursor inside: no entry may be lost to them.
	for _, until := range []int{n / 3, n / 2, n - 100} {
		require.NoError(t, w.sim.RemoteUnblock(other, all[:until]...))
		a := w.business(pathBlacklist, aat, map[string]any{"begin_openid": all[until/2]})
		require.EqualValues(t, n-until, a["total"])
		require.Equal(t, all[until], a.openids()[0])
	}
	require.Equal(t, all[n-100:], w.sim.Blacklisted(other))
	require.NoError(t, w.sim.RemoteBlock(other, all[0]))
	require.Equal(t, append(append([]string{}, all[n-100:]...), all[0]), w.readBlacklist(aat, 3))
}

func TestOpenID(t *testing.T) {
	t.Parallel()
	require.Len(t, simulator.OpenID(shop, 0), 28)
	require.True(t, strings.HasPrefix(simulator.OpenID(shop, 7), "o"))
	require.NotEqual(t, simulator.OpenID(shop, 1), simulator.OpenID(other, 1))
	require.Equal(t, simulator.OpenID(shop, 1), simulator.OpenID(shop, 1))
}
