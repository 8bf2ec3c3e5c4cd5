package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

// Two processes are killed a hundred times each, at random, while twenty batches block and unblock the same people of
// five accounts, one upon the other.
func TestTwoHundredKillsLoseAndDoubleNoWish(t *testing.T) {
	t.Parallel()
	const accounts, people, batches, kills, together = 5, 120, 20, 200, 2
	b := setup(t)
	appids, followers := make([]string, accounts), make([][]string, accounts)
	for i := range appids {
		appids[i], followers[i] = b.connect(people, "1", "2")
	}
	b.steward.kill()
	var calls air
	b.sim.BeforeAnswer(calls.note)
	slow(t, b, pathBlock, 15*time.Millisecond)
	slow(t, b, pathUnblock, 15*time.Millisecond)

	wanted := make(chan int, batches)
	for n := range batches {
		wanted <- n
	}
	var group sync.WaitGroup
	for range together {
		group.Go(func() {
			for range kills / together {
				p := serve(t, b.env)
				select {
				case n := <-wanted:
					if !b.wishAt(p, n, appids[n%accounts], followers[n%accounts]) {
						wanted <- n // asked again with the same key, so it is one batch whether it was taken or not
					}
				default:
				}
				time.Sleep(time.Duration(rand.IntN(250)) * time.Millisecond)
				p.kill()
			}
		})
	}
	group.Wait()
	b.serve()
	for len(wanted) > 0 {
		n := <-wanted
		require.True(t, b.wishAt(b.steward, n, appids[n%accounts], followers[n%accounts]))
	}
	eventually(t, "all batches have ended", func() bool { return b.count(`SELECT count(*) FROM blacklist_batches WHERE ended_at IS NULL`) == 0 })

	require.Equal(t, batches, b.count(`SELECT count(*) FROM blacklist_batches`))
	require.Zero(t, b.count(`SELECT count(*) FROM blacklist_items WHERE outcome = 'pending'`), "each has an outcome")
	require.Zero(t, b.count(`SELECT count(*) FROM blacklist_batches b WHERE total - skipped <> (SELECT count(*) FROM blacklist_items i WHERE i.batch_id = b.id)`))
	for i, appid := range appids {
		var blocked []string
		require.NoError(t, b.db.QueryRow(t.Context(), `
			SELECT coalesce(array_agg(openid), '{}') FROM blacklist_entries e JOIN authorizers a ON a.id = e.authorizer_id
			WHERE a.appid = $1 AND e.want = 'blocked'`, appid).Scan(&blocked))
		require.ElementsMatch(t, blocked, b.sim.Blacklisted(appid), "WeChat has what was wanted")
		for _, openid := range followers[i] {
			require.True(t, follows(calls.of(appid, openid), b.wishes(openid)), "%s: %v after %v", openid, calls.of(appid, openid), b.wishes(openid))
		}
	}
	t.Logf("%d kills, %d calls", kills, b.sim.CallCount(pathBlock)+b.sim.CallCount(pathUnblock))
}

// wishAt asks a process, which may die over it, for the n-th batch, and tells whether it was taken.
func (b *bundle) wishAt(p *process, n int, appid string, openids []string) bool {
	action := []string{"block", "unblock"}[n/5%2]
	random := rand.New(rand.NewPCG(uint64(n), 1))
	some := slices.Clone(openids)
	random.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	body, err := json.Marshal(map[string]any{"openids": some[:len(some)/2], "reason": fmt.Sprint(n)})
	require.NoError(b.t, err)
	a, err := b.try(request{
		method: http.MethodPost, url: p.url + b.account(appid) + "/blacklist/" + action, key: b.key, body: string(body),
		header: map[string]string{"Idempotency-Key": fmt.Sprint("batch ", n)},
	})
	return err == nil && a.status == http.StatusAccepted
}

// wishes are what was wished for an openid, the first wish first.
func (b *bundle) wishes(openid string) (actions []string) {
	rows, err := b.db.Query(context.WithoutCancel(b.t.Context()), `
		SELECT b.action FROM blacklist_items i JOIN blacklist_batches b ON b.id = i.batch_id WHERE i.openid = $1 ORDER BY b.wish`, openid)
	require.NoError(b.t, err)
	actions, err = pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(b.t, err)
	return actions
}

// air keeps what WeChat was asked to do with whom, in the order in which it did.
type air struct {
	mu   sync.Mutex
	done map[string][]string
}

func (a *air) note(call simulator.Call) {
	action := map[string]string{pathBlock: "block", pathUnblock: "unblock"}[call.Path]
	if action == "" || call.Code != 0 {
		return
	}
	var body struct {
		List []string `json:"openid_list"`
	}
	_ = json.Unmarshal(call.Body, &body)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done == nil {
		a.done = map[string][]string{}
	}
	for _, openid := range body.List {
		key := call.AppID + "/" + openid
		a.done[key] = append(a.done[key], action)
	}
}

func (a *air) of(appid, openid string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.done[appid+"/"+openid]
}

// follows tells whether what was done went along with what was wished: some of the wishes, in their order, each done once
// or several times running.
func follows(done, wishes []string) bool {
	at := 0
	for _, action := range slices.Compact(slices.Clone(done)) {
		for at < len(wishes) && wishes[at] != action {
			at++
		}
		if at == len(wishes) {
			return false
		}
		at++
	}
	return true
}
