package simulator_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

func inject(t *testing.T, w *world, f simulator.Fault) string {
	t.Helper()
	id, err := w.sim.Inject(f)
	require.NoError(t, err)
	return id
}

func TestFaults(t *testing.T) {
	t.Parallel()
	blockA := list("oSim_A")
	t.Run("ErrcodeForTheNextCalls", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		inject(t, w, simulator.Fault{Path: pathBlock, Code: -1, Times: 2})
		codes := []int{}
		for range 3 {
			codes = append(codes, w.business(pathBlock, aat, blockA).code())
		}
		require.Equal(t, []int{-1, -1, 0}, codes)
		require.Zero(t, w.business(pathBlacklist, aat, "{}").code(), "other paths are spared")
		require.Empty(t, w.sim.Faults())
		calls := w.sim.CallsTo(pathBlock)
		require.Equal(t, []string{"errcode", "errcode", ""}, []string{calls[0].Fault, calls[1].Fault, calls[2].Fault})
		require.Equal(t, 1, w.sim.QuotaUsed(shop, pathBlock), "a fault spends no quota")
	})
	t.Run("EveryNthCallAfterSome", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		id := inject(t, w, simulator.Fault{Code: 45009, Text: "reach max", Skip: 1, Every: 3})
		codes := []int{}
		for range 8 {
			codes = append(codes, w.business(pathBlacklist, aat, "{}").code())
		}
		require.Equal(t, []int{0, 0, 0, 45009, 0, 0, 45009, 0}, codes)
		require.Len(t, w.sim.Faults(), 1)
		w.sim.ClearFaults(id)
		require.Empty(t, w.sim.Faults())
	})
	t.Run("OneAccountOnly", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		require.NoError(t, w.sim.AddAccount(simulator.Account{AppID: other}))
		a, b, cat := w.authorize(shop), w.authorize(other), w.cat()
		inject(t, w, simulator.Fault{AppID: shop, Code: -1})
		require.Equal(t, -1, w.business(pathBlacklist, a.access, "{}").code())
		require.Zero(t, w.business(pathBlacklist, b.access, "{}").code())
		require.Equal(t, -1, w.renew(cat, a.refresh).code(), "component calls about it as well")
		require.Zero(t, w.asComponent(pathPreAuthCode, cat, nil).code())
	})
	t.Run("TakesEffectAndThenFails", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		inject(t, w, simulator.Fault{Path: pathBlock, Code: -1, Times: 1})
		require.Equal(t, -1, w.business(pathBlock, aat, blockA).code())
		require.Empty(t, w.sim.Blacklisted(shop), "without Applied nothing happens")
		inject(t, w, simulator.Fault{Path: pathBlock, Code: -1, Times: 1, Applied: true})
		require.Equal(t, -1, w.business(pathBlock, aat, blockA).code())
		require.Equal(t, []string{"oSim_A"}, w.sim.Blacklisted(shop))
	})
	t.Run("BrokenAnswers", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		path := pathBlacklist + "?access_token=" + aat
		inject(t, w, simulator.Fault{Status: 502, Times: 1})
		status, body := w.raw(http.MethodPost, path, "{}")
		require.Equal(t, http.StatusBadGateway, status)
		require.Contains(t, body, "<html>")
		inject(t, w, simulator.Fault{Garbage: true, Times: 1})
		status, body = w.raw(http.MethodPost, path, "{}")
		require.Equal(t, http.StatusOK, status)
		require.False(t, json.Valid([]byte(body)))
		inject(t, w, simulator.Fault{Drop: true, Times: 1})
		resp, err := w.server.Client().Post(w.server.URL+path, "application/json", strings.NewReader("{}"))
		if err == nil {
			require.NoError(t, resp.Body.Close())
		}
		require.Error(t, err)
		calls := w.sim.CallsTo(pathBlacklist)
		require.Equal(t, []int{502, 200, 0}, []int{calls[0].Status, calls[1].Status, calls[2].Status})
	})
	t.Run("LatencyDelays", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		inject(t, w, simulator.Fault{LatencyMS: 30, Times: 1})
		started := time.Now()
		require.Zero(t, w.business(pathBlacklist, aat, "{}").code())
		require.GreaterOrEqual(t, time.Since(started), 30*time.Millisecond)
		require.Equal(t, "latency", w.sim.CallsTo(pathBlacklist)[0].Fault)
	})
	t.Run("RefusesWhatDoesNothingOrCannotBe", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		for _, f := range []simulator.Fault{
			{}, {Path: pathBlock}, {Path: "/cgi-bin/typo", Code: -1}, {Code: -1, Times: -1}, {Status: 99}, {Form: &simulator.Form{ErrMsg: "loud"}},
		} {
			_, err := w.sim.Inject(f)
			require.Error(t, err, "%+v", f)
		}
	})
}

func TestHangingCalls(t *testing.T) {
	t.Parallel()
	// call blocks oSim_A in the background.
	call := func(ctx context.Context, w *world, aat string) (wait func() error) {
		done := make(chan error, 1)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.server.URL+pathBlock+"?access_token="+aat, strings.NewReader(`{"openid_list":["oSim_A"]}`))
		require.NoError(w.t, err)
		go func() {
			resp, err := w.server.Client().Do(req)
			if err == nil {
				err = resp.Body.Close()
			}
			done <- err
		}()
		return func() error { return <-done }
	}
	hanging := func(w *world, n int) {
		w.t.Helper()
		require.Eventually(w.t, func() bool { return w.sim.Hanging() == n }, 60*time.Second, time.Millisecond)
	}
	t.Run("GoOnWhenReleased", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		inject(t, w, simulator.Fault{Path: pathBlock, Hang: true})
		first := call(t.Context(), w, aat)
		hanging(w, 1)
		require.Empty(t, w.sim.Blacklisted(shop))
		w.sim.Release()
		require.NoError(t, first())
		require.Equal(t, []string{"oSim_A"}, w.sim.Blacklisted(shop))
		second := call(t.Context(), w, aat)
		hanging(w, 1)
		w.sim.ClearFaults()
		require.NoError(t, second())
	})
	t.Run("AreAbandonedWithoutEffectUnlessApplied", func(t *testing.T) {
		t.Parallel()
		for _, applied := range []bool{false, true} {
			w := setup(t)
			aat := w.authorize(shop).access
			inject(t, w, simulator.Fault{Path: pathBlock, Hang: true, Applied: applied})
			ctx, giveUp := context.WithCancel(t.Context())
			wait := call(ctx, w, aat)
			hanging(w, 1)
			giveUp()
			require.ErrorIs(t, wait(), context.Canceled)
			hanging(w, 0)
			require.Eventually(t, func() bool { return w.sim.CallCount(pathBlock) == 1 }, 60*time.Second, time.Millisecond)
			require.Equal(t, "abandoned", w.sim.CallsTo(pathBlock)[0].Fault)
			require.Equal(t, applied, len(w.sim.Blacklisted(shop)) == 1)
		}
	})
	t.Run("EndWithClose", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		inject(t, w, simulator.Fault{Path: pathBlock, Hang: true})
		wait := call(t.Context(), w, aat)
		hanging(w, 1)
		w.sim.Close()
		require.NoError(t, wait())
	})
}

func TestForms(t *testing.T) {
	t.Parallel()
	w := setup(t)
	aat := w.authorize(shop).access
	form := func(f simulator.Form) (contentType string, a answer, rid string) {
		t.Helper()
		w.change(func(s *simulator.Settings) { s.Answer = f })
		resp, err := w.server.Client().Post(w.server.URL+pathBlock+"?access_token="+aat, "application/json", strings.NewReader("{}"))
		require.NoError(t, err)
		defer func() { require.NoError(t, resp.Body.Close()) }()
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&a))
		calls := w.sim.Calls()
		return resp.Header.Get("Content-Type"), a, calls[len(calls)-1].RID
	}
	for shape, want := range map[string]string{
		"": "TEXT rid: RID", simulator.FormRID: "TEXT rid: RID", simulator.FormComma: "TEXT, rid: RID", simulator.FormPlain: "TEXT",
		simulator.FormHint: "TEXT hint: [HINT]", simulator.FormHintRID: "TEXT hint: [HINT] rid: RID",
	} {
		contentType, a, rid := form(simulator.Form{ErrMsg: shape})
		require.Equal(t, "application/json; encoding=utf-8", contentType)
		want = strings.NewReplacer("TEXT", "invalid openid list size", "RID", rid, "HINT", rid[len(rid)-8:]).Replace(want)
		require.Equal(t, answer{"errcode": 40032.0, "errmsg": want}, a)
	}
	contentType, a, _ := form(simulator.Form{ContentType: "text/plain", CodeAsString: true, ExtraFields: true})
	require.Equal(t, "text/plain", contentType)
	require.Equal(t, "40032", a["errcode"])
	require.NotNil(t, a["simulator_extra"])
	require.Equal(t, "0", w.business(pathBlock, aat, list("oSim_A"))["errcode"])
	require.NotContains(t, w.business(pathBlacklist, aat, "{}"), "errcode", "no errcode becomes none")
	inject(t, w, simulator.Fault{Path: pathBlacklist, Form: &simulator.Form{ContentType: "text/html"}, Times: 1})
	require.NotContains(t, w.business(pathBlacklist, aat, "{}"), "simulator_extra", "the form of a fault wins")
	require.Equal(t, 1.0, w.business(pathBlacklist, aat, "{}")["total"])
}

func TestHooks(t *testing.T) {
	t.Parallel()
	t.Run("ActAfterTheThirdCall", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		w.sim.ResetCalls()
		w.sim.BeforeAnswer(func(c simulator.Call) {
			if c.Path == pathBlock && w.sim.CallCount(pathBlock) == 3 {
				w.sim.ExpireTokens(c.AppID)
			}
		})
		codes := []int{}
		for _, openid := range []string{"oSim_A", "oSim_B", "oSim_C", "oSim_D"} {
			codes = append(codes, w.business(pathBlock, aat, list(openid)).code())
		}
		require.Equal(t, []int{0, 0, 0, 42001}, codes)
		require.Len(t, w.sim.Blacklisted(shop), 3)
	})
	t.Run("ActBeforeACallIsLookedAt", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		var seen simulator.Call
		var err error
		w.sim.BeforeCall(func(c simulator.Call) { seen, err = c, w.sim.Revoke(shop) })
		require.Equal(t, 40001, w.business(pathBlock, aat, list("oSim_A")).code())
		require.NoError(t, err)
		require.Equal(t, shop, seen.AppID)
		w.sim.BeforeCall(func(simulator.Call) { _, err = w.sim.Inject(simulator.Fault{Code: -1, Times: 1}) })
		require.Equal(t, -1, w.business(pathBlock, aat, list("oSim_A")).code(), "a fault of this moment meets this call")
		require.NoError(t, err)
		w.sim.BeforeCall(nil)
		require.Equal(t, 40001, w.business(pathBlock, aat, list("oSim_A")).code())
	})
}

func TestCalls(t *testing.T) {
	t.Parallel()
	t.Run("AreRecorded", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		tokens, cat := w.authorize(shop), w.cat()
		w.sim.ResetCalls()
		require.Empty(t, w.sim.Calls())
		w.business(pathBlock, tokens.access, `{"openid_list":["oNobody"]}`)
		w.renew(cat, tokens.refresh)
		c := w.sim.Calls()
		require.Len(t, c, 2)
		require.Equal(t, simulator.Call{
			ID: c[0].ID, Time: time.Unix(1_700_000_000, 0), Method: http.MethodPost, Path: pathBlock, QueryKeys: []string{"access_token"},
			Body: []byte(`{"openid_list":["oNobody"]}`), AppID: shop, ComponentAppID: componentAppID, Code: 40003, Status: 200, RID: c[0].RID,
		}, c[0])
		require.Equal(t, shop, c[1].AppID)
		require.Equal(t, componentAppID, c[1].ComponentAppID)
	})
	t.Run("AreBounded", func(t *testing.T) {
		t.Parallel()
		w := setup(t, func(c *simulator.Config) { c.CallLimit = 3 })
		aat := w.authorize(shop).access
		for range 10 {
			w.business(pathBlacklist, aat, "{}")
		}
		require.Len(t, w.sim.Calls(), 3)
		require.Equal(t, 10, w.sim.CallCount(pathBlacklist))
		ids := []int{}
		for _, c := range w.sim.Calls() {
			ids = append(ids, c.ID)
		}
		require.IsIncreasing(t, ids)
	})
}

func TestConcurrentCallers(t *testing.T) {
	t.Parallel()
	const callers = 1000
	sim := simulator.New(simulator.Config{})
	t.Cleanup(sim.Close)
	require.NoError(t, sim.AddAccount(simulator.Account{AppID: shop, FollowerCount: callers}))
	w := &world{t: t, sim: sim, server: httptest.NewServer(sim)}
	t.Cleanup(w.server.Close)
	aat := w.authorize(shop).access
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			req := httptest.NewRequest(http.MethodPost, pathBlock+"?access_token="+aat, strings.NewReader(`{"openid_list":["`+simulator.OpenID(shop, i)+`"]}`))
			sim.ServeHTTP(httptest.NewRecorder(), req)
			if i%100 == 0 {
				sim.AdvanceClock(time.Millisecond)
				_ = sim.Settings()
			}
		})
	}
	all.Wait()
	require.Len(t, sim.Blacklisted(shop), callers)
	require.Equal(t, callers, sim.CallCount(pathBlock))
}
