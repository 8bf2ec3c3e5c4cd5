package main_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestSharedList(t *testing.T) {
	t.Parallel()

	t.Run("HoldsOnAnAccountThatComesLaterAndWhenSomebodyFollowsLater", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		require.NoError(t, b.sim.SetCallbackURLs("", b.eventURL(), b.front.url+"/wechat/"+b.component+"/messages/$APPID$"))
		list := b.newList()
		b.post(list+"/persons", map[string]any{"unionids": []string{"uPerson0", "uStranger"}, "reason": "fake vouchers"}).is(202)
		later := b.connectKnown(3)
		eventually(t, "who follows is blocked", func() bool { return len(b.sim.Blacklisted(later)) == 1 })
		require.Equal(t, []string{simulator.OpenID(later, 0)}, b.sim.Blacklisted(later))

		require.NoError(t, b.sim.AddFollowers(later, "oStrangerOnThisAccount"))
		require.NoError(t, b.sim.SetUnionID(later, "oStrangerOnThisAccount", "uStranger"))
		_, err := b.sim.PushMessage(t.Context(), later, simulator.Message{From: "oStrangerOnThisAccount", MsgType: "event", Event: "subscribe"})
		require.NoError(t, err)
		eventually(t, "the stranger is blocked", func() bool { return len(b.sim.Blacklisted(later)) == 2 })
		require.Contains(t, b.sim.Blacklisted(later), "oStrangerOnThisAccount")

		b.send(request{method: http.MethodDelete, url: list + "?reason=settled", key: b.key}).is(204)
		eventually(t, "all are unblocked", func() bool { return len(b.sim.Blacklisted(later)) == 0 })
	})

	t.Run("LosesAndDoublesNothingWhateverIsKilled", func(t *testing.T) {
		t.Parallel()
		const accounts, people, kills = 2, 60, 12
		b := setup(t)
		appids, unionids := make([]string, accounts), make([]string, people)
		for i := range appids {
			appids[i] = b.connectKnown(people)
		}
		for n := range unionids {
			unionids[n] = fmt.Sprintf("uPerson%d", n)
		}
		list := b.newList()
		places := func(blocked int) func() bool {
			return func() bool {
				for _, appid := range appids {
					if len(b.sim.Blacklisted(appid)) != blocked {
						return false
					}
				}
				return b.count(`SELECT count(*) FROM blacklist_batches WHERE ended_at IS NULL`) == 0
			}
		}
		b.post(list+"/persons", map[string]any{"unionids": unionids}).is(202)
		b.killed(kills)
		eventually(t, "all are blocked", places(people))
		require.Equal(t, accounts*people, b.count(`SELECT count(*) FROM blacklist_items`), "each was asked for once")

		b.send(request{method: http.MethodDelete, url: list, key: b.key}).is(204)
		b.killed(kills)
		eventually(t, "all are unblocked", places(0))
		require.Equal(t, 2*accounts*people, b.count(`SELECT count(*) FROM blacklist_items`))
		eventually(t, "nothing is kept of them", func() bool { return b.count(`SELECT count(*) FROM blacklist_list_persons`) == 0 })
	})
}

// newList makes a shared list and returns its path.
func (b *bundle) newList() string {
	b.t.Helper()
	var list struct{ ID string }
	b.post("/v1/tenants/"+b.tenant+"/lists", map[string]any{"name": "swindlers"}).is(201).into(&list)
	return "/v1/tenants/" + b.tenant + "/lists/" + list.ID
}

// connectKnown connects an account whose followers have the unionids uPerson0 and on, and waits until they are known.
func (b *bundle) connectKnown(followers int) (appid string) {
	b.t.Helper()
	appid, openids := b.connect(followers, "1", "2")
	for n := range openids {
		require.NoError(b.t, b.sim.SetUnionID(appid, simulator.OpenID(appid, n), fmt.Sprintf("uPerson%d", n)))
	}
	b.send(request{method: http.MethodPut, url: b.account(appid) + "/followers/directory", key: b.key, body: `{"enabled":true,"unionids":true}`}).is(200)
	eventually(b.t, "the followers are known", func() bool {
		return b.count(`SELECT count(*) FROM followers f JOIN authorizers a ON a.id = f.authorizer_id WHERE a.appid = $1 AND f.unionid IS NOT NULL`, appid) == followers
	})
	return appid
}

// killed kills the process again and again, and leaves one that lives.
func (b *bundle) killed(kills int) {
	b.t.Helper()
	for range kills {
		time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
		b.steward.kill()
		b.serve()
	}
}
