package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

const (
	pathInfo = "/cgi-bin/component/api_get_authorizer_info"
	pathList = "/cgi-bin/component/api_get_authorizer_list"
)

// accessToken is what other systems of a merchant are handed.
type accessToken struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
}

// rotating makes WeChat as hard as it can be: every renewal ends the access token and the refresh token before it at once.
func rotating(s *simulator.Settings) {
	s.RotateOnRenew, s.OverlapSeconds, s.RefreshTokenOverlapSeconds = true, 0, 0
}

// connectMany has many accounts authorize us, by push, and gives them to the tenant, whose systems may be handed tokens.
func (b *bundle) connectMany(n int) []string {
	b.t.Helper()
	b.handOut()
	appids, events := make([]string, n), make([]simulator.Event, n)
	for i := range n {
		appids[i] = b.addAccount(1)
		code, err := b.sim.Authorize(appids[i], 1, 2)
		require.NoError(b.t, err)
		events[i] = simulator.Event{InfoType: simulator.Authorized, AuthorizerAppID: appids[i], AuthorizationCode: code}
	}
	require.NoError(b.t, b.sim.Push(b.t.Context(), events...))
	for _, appid := range appids {
		claim := fmt.Sprintf("/v1/unclaimed-authorizers/%s/claim", appid)
		eventually(b.t, appid+" is ours", func() bool {
			return b.post(claim, map[string]string{"tenant_id": b.tenant}).status == http.StatusOK
		})
	}
	eventually(b.t, "the profiles are read", func() bool {
		return b.count(`SELECT count(*) FROM authorizers WHERE profile_read_at IS NULL`) == 0
	})
	return appids
}

// handOut lets the tenant's systems be handed access tokens.
func (b *bundle) handOut() {
	b.t.Helper()
	b.send(request{method: http.MethodPatch, url: "/v1/tenants/" + b.tenant, key: b.key, body: `{"token_handout":true}`}).is(200)
}

// expire ends all access tokens, by WeChat's books and by ours.
func (b *bundle) expire(appids []string) {
	b.t.Helper()
	b.sim.ExpireTokens(appids...)
	_, err := b.db.Exec(b.t.Context(), `
		UPDATE authorizer_tokens SET access_token_expires_at = now() - interval '1 second', renewed_at = now() - interval '2 hours', renew_after = now()`)
	require.NoError(b.t, err)
}

// ask asks a process for an account's access token.
func (b *bundle) ask(p *process, appid string) (accessToken, error) {
	a, err := b.try(request{method: http.MethodGet, url: p.url + b.account(appid) + "/access-token", key: b.key})
	if err != nil {
		return accessToken{}, err
	}
	if a.status != http.StatusOK {
		return accessToken{}, fmt.Errorf("%s: %d %s", appid, a.status, a.body)
	}
	var got accessToken
	a.into(&got)
	return got, nil
}

// renewalsOf counts the calls that renewed, by account and errcode.
func (b *bundle) renewals() (perAccount map[string]int, refused int) {
	perAccount = map[string]int{}
	for _, call := range b.sim.CallsTo(pathAuthorizerToken) {
		if call.Code == 0 {
			perAccount[call.AppID]++
		} else {
			refused++
		}
	}
	return perAccount, refused
}

// Five hundred accounts whose tokens end together, two processes with their sweeps, a thousand callers at once, and a
// WeChat that ends a refresh token with each use.
func TestFiveHundredAccountsExpireTogether(t *testing.T) {
	t.Parallel()
	const accounts, expiries = 500, 2
	b := setup(t)
	require.NoError(t, b.sim.Change(rotating))
	appids := b.connectMany(accounts)
	processes := []*process{b.steward, serve(t, b.env)}

	for range expiries {
		b.sim.ResetCalls()
		b.expire(appids)
		// One renewal hangs: nobody waits for it but those who need that account.
		hung := appids[rand.IntN(accounts)]
		fault, err := b.sim.Inject(simulator.Fault{Path: pathAuthorizerToken, AppID: hung, Hang: true})
		require.NoError(t, err)

		var all, unhindered sync.WaitGroup
		var mu sync.Mutex
		tokens := map[string][]string{}
		for _, p := range processes {
			for _, appid := range appids {
				call := func() {
					got, err := b.ask(p, appid)
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
						return
					}
					tokens[appid] = append(tokens[appid], got.AccessToken)
				}
				if appid == hung {
					all.Go(call)
				} else {
					unhindered.Go(call)
				}
			}
		}
		unhindered.Wait()
		b.sim.ClearFaults(fault)
		all.Wait()

		perAccount, refused := b.renewals()
		require.Zero(t, refused, "no refresh token was used twice")
		require.Len(t, perAccount, accounts)
		for _, appid := range appids {
			require.Equal(t, 1, perAccount[appid], "renewals of %s", appid)
			require.Len(t, tokens[appid], len(processes))
			require.Equal(t, tokens[appid][0], tokens[appid][1], "both processes hand out the one token")
		}
	}
	require.Zero(t, b.count(`SELECT count(*) FROM alerts`))
}

func TestKilledOverARenewal(t *testing.T) {
	t.Parallel()

	t.Run("AfterWeChatAnsweredAndBeforeTheCommit/TheNextLookFindsTheRotatedToken", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		require.NoError(t, b.sim.Change(rotating))
		appid := b.connectMany(1)[0]
		killWhileBlocked(t, b, appid, "authorizer_tokens")
		perAccount, _ := b.renewals()
		require.Equal(t, 1, perAccount[appid], "WeChat has renewed")

		b.serve()
		requireHealthy(t, b, []string{appid})
		require.Equal(t, []int{0, 61023, 0}, codes(b.sim.CallsTo(pathAuthorizerToken))[:3], "the token that we had is over, the one read back works")
	})

	t.Run("AfterTheCommitAndBeforeTheCallerIsAnswered/TheTokenIsThere", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		require.NoError(t, b.sim.Change(rotating))
		appid := b.connectMany(1)[0]
		killWhileBlocked(t, b, appid, "audit_entries")

		b.serve()
		_, err := b.ask(b.steward, appid)
		require.NoError(t, err)
		require.Equal(t, []int{0}, codes(b.sim.CallsTo(pathAuthorizerToken)), "it was renewed once")
	})
}

// A reconciliation that is killed while it reads, and again while it draws conclusions, ends after the next start, and
// has lost and doubled nothing.
func TestKilledDuringAReconciliation(t *testing.T) {
	t.Parallel()
	const known, unknown = 2, 5
	b := setup(t)
	appids := b.connectMany(known + unknown)
	for _, appid := range appids[known:] { // as in a database of yesterday
		_, err := b.db.Exec(t.Context(), `
			WITH gone AS (SELECT id FROM authorizers WHERE appid = $1), codes AS (DELETE FROM authorization_codes WHERE authorizer_id IN (SELECT id FROM gone))
			DELETE FROM authorizer_tokens WHERE authorizer_id IN (SELECT id FROM gone)`, appid)
		require.NoError(t, err)
		_, err = b.db.Exec(t.Context(), `DELETE FROM authorizers WHERE appid = $1`, appid)
		require.NoError(t, err)
	}
	killed := func(path string, call int, begin func()) {
		done := make(chan struct{})
		b.afterCalls(path, call, func() {
			b.steward.kill()
			close(done)
		})
		begin()
		select {
		case <-done:
		case <-time.After(patience):
			require.FailNow(t, "it was never there to be killed", path)
		}
	}
	var made struct{ ID, Status string }
	killed(pathList, 1, func() {
		b.post("/v1/components/"+b.component+"/reconciliations", struct{}{}).is(202).into(&made)
	})
	killed(pathInfo, 2, func() { b.serve() })
	b.sim.BeforeAnswer(nil)
	b.serve()

	var got struct {
		Status, Error                   string
		Listed, Added, Restored, Absent int
	}
	eventually(t, "it is done", func() bool {
		b.get("/v1/components/" + b.component + "/reconciliations/" + made.ID).is(200).into(&got)
		return got.Status == "done" || got.Status == "failed"
	})
	require.Equal(t, "done", got.Status, got.Error)
	require.Equal(t, []int{known + unknown, unknown, 0, 0}, []int{got.Listed, got.Added, got.Restored, got.Absent})
	require.Equal(t, known+unknown, b.count(`SELECT count(*) FROM authorizers WHERE state = 'active'`))
	require.Equal(t, unknown, b.count(`SELECT count(*) FROM authorizers WHERE tenant_id IS NULL`))
	requireHealthy(t, b, appids[:known])
}

// killWhileBlocked has a caller ask for an account's token, which is over, and kills the process when it has WeChat's
// answer and is about to write to that table.
func killWhileBlocked(t *testing.T, b *bundle, appid, table string) {
	t.Helper()
	b.sim.ResetCalls()
	b.expire([]string{appid})
	tx, err := b.db.Begin(t.Context())
	require.NoError(t, err)
	locked := make(chan error, 1)
	b.afterCalls(pathAuthorizerToken, 1, func() {
		// Others may still lock rows, and nobody can write.
		_, err := tx.Exec(context.WithoutCancel(t.Context()), `LOCK TABLE `+table+` IN SHARE MODE`)
		locked <- err
	})
	called := make(chan error, 1)
	go func() {
		_, err := b.ask(b.steward, appid)
		called <- err
	}()
	require.NoError(t, <-locked)
	eventually(t, "the process is about to write", func() bool {
		return b.count(`SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::regclass`, table) > 0
	})
	b.steward.kill()
	require.Error(t, <-called, "nobody answered")
	require.NoError(t, tx.Rollback(t.Context()))
}

// requireHealthy looks at accounts as a merchant's systems and as staff see them: their tokens can be had, WeChat takes
// them, they can be renewed, and none needs the merchant.
func requireHealthy(t *testing.T, b *bundle, appids []string) {
	t.Helper()
	for _, appid := range appids {
		eventually(t, appid+" has a token", func() bool {
			_, err := b.ask(b.steward, appid)
			return err == nil
		})
		var a struct {
			State  string
			Health struct{ Status string }
		}
		eventually(t, appid+" can be renewed by hand", func() bool {
			got := b.post(b.account(appid)+"/renew", struct{}{})
			return got.status == http.StatusOK && got.into(&a).status == http.StatusOK
		})
		require.Equal(t, "active", a.State)
		require.Equal(t, "ok", a.Health.Status)
		require.Equal(t, 1, b.block(appid, b.sim.FollowersOf(appid)).Counts.Done)
	}
	require.Zero(t, b.count(`SELECT count(*) FROM alerts WHERE kind IN ('needs_reauthorization', 'revoked')`), "no merchant was needed")
}

// Two processes are killed a hundred times each, at random, while tokens of some seconds' life are renewed all the time and
// WeChat takes its time to answer what it has done already.
func TestTwoHundredKillsLoseNoAccount(t *testing.T) {
	t.Parallel()
	const accounts, kills, together = 12, 200, 2
	b := setup(t)
	appids := b.connectMany(accounts)
	require.NoError(t, b.sim.Change(func(s *simulator.Settings) {
		rotating(s)
		s.TokenLifetimeSeconds = 6
	}))
	_, err := b.sim.Inject(simulator.Fault{Path: pathAuthorizerToken, Applied: true, LatencyMS: 100})
	require.NoError(t, err)
	b.expire(appids)
	_, err = b.db.Exec(t.Context(), `UPDATE component_tokens SET renew_after = now(), expires_at = now()`)
	require.NoError(t, err)
	b.steward.kill()

	renewed := [2]chan struct{}{make(chan struct{}), nil}
	b.sim.BeforeAnswer(func(call simulator.Call) {
		if call.Path == pathAuthorizerToken && call.Code == 0 {
			select {
			case renewed[0] <- struct{}{}:
			default:
			}
		}
	})
	var group sync.WaitGroup
	for range together {
		group.Go(func() {
			for life := range kills / together {
				p := serve(t, b.env)
				ctx, stop := context.WithCancel(t.Context())
				var callers sync.WaitGroup
				for n := range 6 {
					callers.Go(func() {
						for i := n; ctx.Err() == nil; i++ {
							_, _ = b.ask(p, appids[i%accounts])
						}
					})
				}
				// Every other one dies when WeChat has just renewed a token, and takes its time to say so.
				select {
				case <-renewed[life%2]:
				case <-time.After(time.Duration(rand.IntN(300)) * time.Millisecond):
				}
				p.kill()
				stop()
				callers.Wait()
			}
		})
	}
	group.Wait()
	perAccount, refused := b.renewals()
	t.Logf("%d kills, %d renewals, %d refused and healed", kills, total(perAccount), refused)
	require.Positive(t, total(perAccount), "tokens were renewed meanwhile")
	require.Positive(t, refused, "and some were lost over it, and healed")

	b.sim.ClearFaults()
	b.serve()
	requireHealthy(t, b, appids)
}

func total(counts map[string]int) (sum int) {
	for _, n := range counts {
		sum += n
	}
	return sum
}
