package simulator_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestPushEvents(t *testing.T) {
	t.Parallel()
	t.Run("SendsInTheGivenOrderWithRepeats", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		code, err := w.sim.Authorize(shop)
		require.NoError(t, err)
		update, err := w.sim.SetPermissionSets(shop, 2)
		require.NoError(t, err)
		gone := simulator.Event{InfoType: simulator.Unauthorized, AuthorizerAppID: shop, CreatedAt: time.Unix(1_600_000_000, 0)}
		strange := simulator.Event{InfoType: "notify_third_fasteregister", Fields: map[string]string{"status": "0", "msg": "a]]>b"}}
		require.NoError(t, w.sim.Push(t.Context(),
			simulator.Event{AuthorizationCode: update}, simulator.Event{AuthorizationCode: code}, simulator.Event{AuthorizationCode: code}, gone, strange))
		require.Equal(t, []string{"updateauthorized", "authorized", "authorized", "unauthorized", "notify_third_fasteregister"}, w.receiver.infoTypes())
		p := w.receiver.pushes()
		require.Equal(t, map[string]string{"AppId": componentAppID, "CreateTime": "1600000000", "InfoType": "unauthorized", "AuthorizerAppid": shop}, p[3].fields)
		require.Equal(t, "a]]>b", p[4].fields["msg"])
		require.Equal(t, p[1].fields, p[2].fields)
		require.NotEqual(t, p[1].query.Get("msg_signature"), p[2].query.Get("msg_signature"), "duplicates are encrypted anew")
	})
	t.Run("DuplicatesWhereSettingsSaySo", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.change(func(s *simulator.Settings) { s.DuplicatePushes = 2 })
		require.NoError(t, w.sim.Push(t.Context(), simulator.Event{InfoType: simulator.Unauthorized, AuthorizerAppID: shop}))
		require.Len(t, w.receiver.pushes(), 3)
	})
	t.Run("TriesThreeTimesUntilExactlySuccess", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.receiver.reply(func(n int, _ push) (int, string) {
			return []int{http.StatusInternalServerError, http.StatusOK, http.StatusOK}[n-1], []string{"success", "success\n", "success"}[n-1]
		})
		require.NoError(t, w.sim.PushTicket(t.Context()))
		d := w.sim.Deliveries()
		require.Len(t, d, 3)
		require.Equal(t, []bool{false, false, true}, []bool{d[0].OK, d[1].OK, d[2].OK})
		require.Equal(t, []int{1, 2, 3}, []int{d[0].Try, d[1].Try, d[2].Try})
		require.Equal(t, http.StatusInternalServerError, d[0].Status)
		require.Contains(t, d[0].Message, "<InfoType><![CDATA[component_verify_ticket]]></InfoType>")
		p := w.receiver.pushes()
		require.Equal(t, p[0].query, p[2].query, "a repeated try is the same envelope")
		w.sim.ResetDeliveries()
		require.Empty(t, w.sim.Deliveries())
	})
	t.Run("GivesUpAfterThreeTries", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.receiver.reply(func(int, push) (int, string) { return http.StatusOK, "fail" })
		require.ErrorContains(t, w.sim.PushTicket(t.Context()), "component_verify_ticket")
		require.Len(t, w.receiver.pushes(), 3)
	})
	t.Run("GivesUpWaitingForAnAnswer", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.change(func(s *simulator.Settings) { s.PushTimeoutMS, s.PushTries = 50, 2 })
		asleep := make(chan struct{})
		w.receiver.reply(func(int, push) (int, string) {
			<-asleep
			return http.StatusOK, "success"
		})
		require.ErrorIs(t, w.sim.PushTicket(t.Context()), context.DeadlineExceeded)
		close(asleep)
		d := w.sim.Deliveries()
		require.Len(t, d, 2)
		require.Zero(t, d[1].Status)
		require.NotContains(t, d[1].Error, "signature", "the URL is not in the error")
	})
	t.Run("FollowsAChangeOfKey", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		require.NoError(t, w.sim.SetCallbackKey("", "othertoken", strings.Repeat("A", 43)))
		require.Error(t, w.sim.PushTicket(t.Context()), "the receiver knows the former key only")
		require.Equal(t, http.StatusForbidden, w.sim.Deliveries()[0].Status)
		require.NoError(t, w.sim.SetCallbackKey(componentAppID, "simtoken", "short"))
		require.ErrorContains(t, w.sim.PushTicket(t.Context()), "EncodingAESKey")
	})
	t.Run("NeedsAURL", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		require.NoError(t, w.sim.SetCallbackURLs("", "", ""))
		require.ErrorIs(t, w.sim.PushTicket(t.Context()), simulator.ErrNoCallbackURL)
		require.ErrorIs(t, w.sim.Push(t.Context(), simulator.Event{InfoType: simulator.Unauthorized}), simulator.ErrNoCallbackURL)
		_, err := w.sim.PushMessage(t.Context(), shop, simulator.Message{})
		require.ErrorIs(t, err, simulator.ErrNoCallbackURL)
		require.ErrorContains(t, w.sim.Push(t.Context(), simulator.Event{}), "no info type")
		require.ErrorIs(t, w.sim.SetCallbackURLs("wx9", "", ""), simulator.ErrUnknownComponent)
	})
}

func TestTickets(t *testing.T) {
	t.Parallel()
	tickets := func(w *world) func(n int) func() bool {
		return func(n int) func() bool { return func() bool { return len(w.receiver.pushes()) == n } }
	}
	t.Run("ComeAtOnceAndEveryTenMinutes", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		came := tickets(w)
		w.sim.StartTickets(t.Context())
		require.Eventually(t, came(1), 60*time.Second, 5*time.Millisecond)
		w.sim.AdvanceClock(10*time.Minute - time.Second)
		require.NoError(t, w.sim.SetCallbackURLs("", w.receiver.server.URL+"/elsewhere", "")) // wakes the ticker as well
		w.sim.AdvanceClock(time.Second)
		require.Eventually(t, came(2), 60*time.Second, 5*time.Millisecond)
		p := w.receiver.pushes()
		require.NotEqual(t, p[0].fields["ComponentVerifyTicket"], p[1].fields["ComponentVerifyTicket"])
		require.Equal(t, "1700000600", p[1].fields["CreateTime"], "not a second early")
		require.Equal(t, "/elsewhere", p[1].path)
		require.Zero(t, w.componentToken(p[0].fields["ComponentVerifyTicket"]).code())
		require.Zero(t, w.componentToken(p[1].fields["ComponentVerifyTicket"]).code())
	})
	t.Run("PauseUntilAskedFor", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		came := tickets(w)
		w.sim.StartTickets(t.Context())
		require.Eventually(t, came(1), 60*time.Second, 5*time.Millisecond)
		w.change(func(s *simulator.Settings) { s.TicketsPaused = true })
		w.sim.AdvanceClock(13 * time.Hour)
		a := w.do(http.MethodPost, pathStartTickets, `{"component_appid":"`+componentAppID+`","component_secret":"`+appSecret+`"}`)
		require.Zero(t, a.code())
		require.Eventually(t, came(2), 60*time.Second, 5*time.Millisecond)
		p := w.receiver.pushes()
		require.Equal(t, 61005, w.componentToken(p[0].fields["ComponentVerifyTicket"]).code())
		require.Zero(t, w.componentToken(p[1].fields["ComponentVerifyTicket"]).code())
	})
	t.Run("FailedPushIsRepeatedSoon", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		var up atomic.Bool
		w.receiver.reply(func(int, push) (int, string) {
			if up.Load() {
				return http.StatusOK, "success"
			}
			return http.StatusServiceUnavailable, ""
		})
		w.sim.StartTickets(t.Context())
		require.Eventually(t, tickets(w)(3), 60*time.Second, 5*time.Millisecond)
		up.Store(true)
		require.Eventually(t, func() bool {
			d := w.sim.Deliveries()
			return len(d) > 0 && d[len(d)-1].OK
		}, 20*time.Second, 5*time.Millisecond)
	})
	t.Run("CloseEndsThem", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.sim.StartTickets(context.Background())
		w.sim.Close() // returns only when the background is at rest
	})
}

func TestPushMessage(t *testing.T) {
	t.Parallel()
	t.Run("ReachesTheMessageURLOfTheAccount", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.authorize(shop)
		reply, err := w.sim.PushMessage(t.Context(), shop, simulator.Message{From: "oSim_A", Content: "你好", MsgID: 7})
		require.NoError(t, err)
		require.Equal(t, simulator.Reply{Delivered: true}, reply)
		_, err = w.sim.PushMessage(t.Context(), shop, simulator.Message{From: "oSim_F", MsgType: "event", Event: "subscribe", EventKey: "qrscene_1"})
		require.NoError(t, err)
		p := w.receiver.pushes()
		require.Equal(t, "/messages/"+shop, p[0].path)
		require.Equal(t, "oSim_A", p[0].query.Get("openid"))
		userName := w.sim.Accounts()[0].UserName
		require.Equal(t, map[string]string{
			"ToUserName": userName, "FromUserName": "oSim_A", "CreateTime": "1700000000", "MsgType": "text", "Content": "你好", "MsgId": "7",
		}, p[0].fields)
		require.Equal(t, map[string]string{
			"ToUserName": userName, "FromUserName": "oSim_F", "CreateTime": "1700000000", "MsgType": "event", "Event": "subscribe", "EventKey": "qrscene_1",
		}, p[1].fields)
	})
	t.Run("ReadsSealedReplies", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.authorize(shop)
		w.receiver.reply(func(n int, _ push) (int, string) {
			if n > 1 {
				return http.StatusOK, "nonsense"
			}
			sealed, err := w.receiver.cipher.Seal([]byte("<xml><Content>echo</Content></xml>"), "1700000000", "12345")
			if err != nil {
				return http.StatusInternalServerError, ""
			}
			return http.StatusOK, string(sealed.XML())
		})
		reply, err := w.sim.PushMessage(t.Context(), shop, simulator.Message{From: "oSim_A", Content: "hi"})
		require.NoError(t, err)
		require.Equal(t, "<xml><Content>echo</Content></xml>", string(reply.Content))
		_, err = w.sim.PushMessage(t.Context(), shop, simulator.Message{From: "oSim_A", Content: "hi"})
		require.ErrorContains(t, err, "neither empty")
	})
	t.Run("IsKeptBack", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		why := func() string {
			reply, err := w.sim.PushMessage(t.Context(), shop, simulator.Message{From: "oSim_A", Content: "hi"})
			require.NoError(t, err)
			require.False(t, reply.Delivered)
			return reply.Why
		}
		require.Equal(t, "the account does not authorize the component", why())
		w.authorize(shop, 2)
		require.Equal(t, "permission set 1 is not granted", why())
		w.authorize(shop, 1)
		require.NoError(t, w.sim.RemoteBlock(shop, "oSim_A"))
		require.Equal(t, "the user is blocked", why())
		require.Empty(t, w.receiver.pushes())
	})
}
