package main_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestTokens(t *testing.T) {
	t.Parallel()

	t.Run("AllExpireInTheMiddleOfABatch/OneRenewalOneRetry", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		appid, followers := b.connect(45, "1", "2")
		b.sim.ResetCalls()
		b.afterCalls(pathBlock, 2, func() { b.sim.ExpireTokens() })

		require.Equal(t, counts{Total: 45, Done: 45}, b.block(appid, followers).Counts)
		require.ElementsMatch(t, followers, b.sim.Blacklisted(appid))
		require.Equal(t, []int{0, 0, 42001, 0}, codes(b.sim.CallsTo(pathBlock)), "one retry")
		require.Equal(t, []int{42001, 0}, codes(b.sim.CallsTo(pathAuthorizerToken)), "one renewal, once our own token was new")
		require.Equal(t, []int{0}, codes(b.sim.CallsTo(pathComponentToken)))
	})

	t.Run("RotateAtEachRenewal/AndSurviveARestart", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		require.NoError(t, b.sim.Change(func(s *simulator.Settings) {
			s.RotateOnRenew, s.OverlapSeconds, s.RefreshTokenOverlapSeconds = true, 0, 0
		}))
		appid, followers := b.connect(6, "1", "2")
		b.sim.ResetCalls()
		for n, openid := range followers {
			if n == 3 {
				b.steward.stop()
				b.serve()
			}
			b.sim.ExpireTokens(appid)
			require.Equal(t, 1, b.block(appid, []string{openid}).Counts.Done)
		}
		require.Equal(t, []int{0, 0, 0, 0, 0, 0}, codes(b.sim.CallsTo(pathAuthorizerToken)))
		require.Equal(t, "active", b.active(appid).State)
	})

	t.Run("AnotherSystemFetchesThem/OneRenewalOneRetry", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		appid, followers := b.connect(1, "1", "2")
		b.sim.ResetCalls()
		b.sim.SupersedeTokens(appid)
		require.Equal(t, 1, b.block(appid, followers).Counts.Done)
		require.Equal(t, []int{40001, 0}, codes(b.sim.CallsTo(pathBlock)))
	})

	t.Run("LostRefreshTokenIsReadBack", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		appid, followers := b.connect(1, "1", "2")
		_, err := b.sim.ReplaceRefreshToken(appid)
		require.NoError(t, err)
		b.sim.ExpireTokens(appid)
		require.Equal(t, 1, b.block(appid, followers).Counts.Done)
	})
}

// Two processes, eight accounts whose tokens are over by their own books and by WeChat's, 400 callers at once, and both
// processes' sweeps: each token is renewed once.
func TestTwoProcessesRenewEachTokenOnce(t *testing.T) {
	t.Parallel()
	const accounts, callers = 8, 400
	b := setup(t)
	second := serve(t, b.env)
	appids, followers := make([]string, accounts), make([][]string, accounts)
	for n := range appids {
		appids[n], followers[n] = b.connect(callers/accounts, "1", "2")
	}
	b.sim.ResetCalls()
	b.sim.ExpireTokens(appids...)
	_, err := b.sim.Inject(simulator.Fault{Path: pathAuthorizerToken, Hang: true}) // renewals, until all are waiting for them
	require.NoError(t, err)
	_, err = b.db.Exec(t.Context(), `
		UPDATE authorizer_tokens SET access_token_expires_at = now() - interval '1 second', renewed_at = now() - interval '2 hours', renew_after = now()`)
	require.NoError(t, err)
	// A pull and a push of each account, one after the other, so that it is chance which of the processes takes which.
	for n, appid := range appids {
		b.post(b.account(appid)+"/blacklist/pull", struct{}{}).is(202)
		taken := `SELECT count(*) FROM blacklist_pulls WHERE lease_holder <> ''`
		eventually(t, "the pull is taken", func() bool { return b.count(taken) == n+1 })
		b.startBlock(appid, followers[n][:1])
		taken = `SELECT count(*) FROM blacklist_lanes WHERE lease_holder <> ''`
		eventually(t, "the push is taken", func() bool { return b.count(taken) == n+1 })
	}

	var group sync.WaitGroup
	var begun, failed atomic.Int32
	for n := range callers {
		group.Go(func() {
			appid, openid := appids[n%accounts], followers[n%accounts][n/accounts]
			r := request{
				method: http.MethodPost, key: b.key, header: map[string]string{"Prefer": "wait=25"},
				url: b.account(appid) + "/blacklist/block", body: `{"openids":["` + openid + `"]}`,
			}
			if n%4 == 3 { // a pull needs a token too
				r.url, r.body = b.account(appid)+"/blacklist/pull", ""
			}
			if n/accounts%2 == 1 {
				r.url = second.url + r.url
			}
			begun.Add(1)
			if a, err := b.try(r); err != nil || a.status != http.StatusOK {
				failed.Add(1)
				t.Logf("%s: %d %s %v", r.url, a.status, a.body, err)
			}
		})
	}
	eventually(t, "all call", func() bool { return begun.Load() == callers })
	b.sim.ClearFaults()
	group.Wait()
	require.Zero(t, failed.Load())
	for _, appid := range appids {
		renewals := 0
		for _, call := range b.sim.CallsTo(pathAuthorizerToken) {
			if call.AppID == appid {
				renewals++
			}
		}
		require.Equal(t, 1, renewals, "renewals of %s", appid)
	}
	require.Equal(t, accounts, b.sim.CallCount(pathAuthorizerToken))
	second.stop()
}

func codes(calls []simulator.Call) []int {
	list := make([]int, len(calls))
	for i, call := range calls {
		list[i] = call.Code
	}
	return list
}
