package follower_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat"
)

// known is a bundle whose directory is on and has been synced, and whose jobs have stopped.
func known(t *testing.T, count int, unionids bool) *bundle {
	t.Helper()
	b := setup(t, count, 10_000)
	b.unionids(t, 0, count+10)
	stop, stopped := b.StartCancellable(t, follower.Queue, b.followers.AddWorkers)
	b.turn(t, true, unionids)
	if unionids {
		b.filled(t)
	} else {
		b.synced(t)
	}
	b.eventually(t, func() bool { return b.count(t, "river_job WHERE state IN ('running', 'available')") == 0 }, "the end of the jobs")
	stop()
	<-stopped
	b.Clock.Advance(time.Hour)
	return b
}

func TestReceive(t *testing.T) {
	t.Parallel()

	t.Run("SomebodyCame", func(t *testing.T) {
		t.Parallel()
		b := known(t, 2, false)
		b.receive(t, "subscribe", b.openid(5), b.Clock.Now())
		require.Contains(t, b.list(t), b.openid(5))
	})

	t.Run("SomebodyLeftAndOnlyTheOpenidStays", func(t *testing.T) {
		t.Parallel()
		b := known(t, 2, true)
		b.receive(t, "unsubscribe", b.openid(1), b.Clock.Now())
		require.Equal(t, b.openids(0, 1), b.list(t))
		require.Equal(t, 1, b.count(t, "followers WHERE NOT following AND unionid IS NULL AND NOT unionid_due"))
		persons, err := b.followers.Persons(t.Context(), b.Pool, b.tenantID, unionid(1))
		require.NoError(t, err)
		require.Empty(t, persons)
		found, err := b.followers.Find(t.Context(), b.key, b.tenantID, follower.Whom{OpenID: b.openid(1)})
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.False(t, found[0].Following)
	})

	t.Run("InAnyOrderAndTwiceItEndsAsTheLastOne", func(t *testing.T) {
		t.Parallel()
		b := known(t, 1, false)
		events := []struct {
			name string
			at   time.Duration
		}{{"subscribe", 0}, {"unsubscribe", 5 * time.Second}, {"subscribe", 9 * time.Second}, {"unsubscribe", 9 * time.Second}}
		start := b.Clock.Now().Add(-time.Minute)
		for n, order := range permutations(len(events)) {
			for last := range len(events) { // how many of the events there have been
				openid := fmt.Sprintf("oOrder-%d-%d", n, last)
				for _, i := range order {
					if i <= last {
						b.receive(t, events[i].name, openid, start.Add(events[i].at))
						b.receive(t, events[order[0]%(last+1)].name, openid, start.Add(events[order[0]%(last+1)].at))
					}
				}
				places, err := b.followers.Lookup(t.Context(), b.Pool, b.tenantID, []string{openid})
				require.NoError(t, err)
				require.Equal(t, events[last].name == "subscribe", places[openid][0].Following, "%v of %v", last, order)
			}
		}
	})

	t.Run("AnEventFromTheFutureDoesNotOutdoLaterOnes", func(t *testing.T) {
		t.Parallel()
		b := known(t, 1, false)
		b.receive(t, "subscribe", "oFuture", b.Clock.Now().Add(1000*time.Hour))
		b.Clock.Advance(time.Second)
		b.receive(t, "unsubscribe", "oFuture", b.Clock.Now())
		require.NotContains(t, b.list(t), "oFuture")
		b.Clock.Advance(time.Second)
		b.receive(t, "subscribe", "oFuture", time.Time{})
		require.Contains(t, b.list(t), "oFuture")
	})

	t.Run("WhatIsNotAboutTheDirectoryIsIgnored", func(t *testing.T) {
		t.Parallel()
		b := known(t, 1, false)
		other := factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID})
		good := wechat.Message{ToUserName: b.account.UserName, FromUserName: "oX", CreateTime: b.Clock.Now(), MsgType: "event", Event: "subscribe"}
		for name, c := range map[string]struct {
			component, appid string
			change           func(*wechat.Message)
		}{
			"Text":             {change: func(m *wechat.Message) { m.MsgType, m.Content = "text", "hello" }},
			"Scan":             {change: func(m *wechat.Message) { m.Event = "SCAN" }},
			"Nobody":           {change: func(m *wechat.Message) { m.FromUserName = "" }},
			"NoOpenid":         {change: func(m *wechat.Message) { m.FromUserName = fmt.Sprintf("%0200d", 1) }},
			"ForAnother":       {change: func(m *wechat.Message) { m.ToUserName = other.UserName }},
			"DirectoryOff":     {appid: other.AppID, change: func(m *wechat.Message) { m.ToUserName = other.UserName }},
			"UnknownAccount":   {appid: "wxnobody"},
			"AnotherComponent": {component: "wxnobody"},
		} {
			m := good
			if c.change != nil {
				c.change(&m)
			}
			component, appid := b.ComponentAppID, b.account.AppID
			if c.component != "" {
				component = c.component
			}
			if c.appid != "" {
				appid = c.appid
			}
			require.NoError(t, b.followers.Receive(t.Context(), component, appid, m), name)
			require.Equal(t, 1, b.count(t, "followers"), name)
		}
		require.NoError(t, b.followers.Receive(t.Context(), b.ComponentAppID, b.account.AppID, good))
		require.Equal(t, 2, b.count(t, "followers"))
	})

	t.Run("GivesUpBeforeWeChatDoes", func(t *testing.T) {
		t.Parallel()
		b := known(t, 1, false)
		tx, err := b.Pool.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
		_, err = tx.Exec(t.Context(), `SELECT FROM follower_directories FOR UPDATE`)
		require.NoError(t, err)
		began := time.Now()
		err = b.followers.Receive(t.Context(), b.ComponentAppID, b.account.AppID, wechat.Message{FromUserName: "oX", MsgType: "event", Event: "subscribe"})
		require.Error(t, err)
		require.Less(t, time.Since(began), patience)
	})

	t.Run("WhoIsBackIsAskedForTheUnionIDAgain", func(t *testing.T) {
		t.Parallel()
		b := known(t, 3, true)
		b.receive(t, "unsubscribe", b.openid(1), b.Clock.Now())
		b.Clock.Advance(time.Minute)
		b.receive(t, "subscribe", b.openid(1), b.Clock.Now())
		require.NoError(t, b.Sim.AddFollowers(b.account.AppID, b.openid(7)))
		b.receive(t, "subscribe", b.openid(7), b.Clock.Now())
		b.start(t)
		b.sweep(t)
		b.eventually(t, func() bool { return b.count(t, "followers WHERE unionid IS NOT NULL") == 4 }, "the unionids")
	})
}

// permutations returns all orders of the numbers below n.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{{}}
	}
	var all [][]int
	for _, shorter := range permutations(n - 1) {
		for at := range n {
			order := append(append(append([]int{}, shorter[:at]...), n-1), shorter[at:]...)
			all = append(all, order)
		}
	}
	return all
}
