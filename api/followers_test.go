package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestFollowers(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{FollowerCount: 3}})
	path := b.accountPath("/followers/directory")
	require.JSONEq(t, fmt.Sprintf(`{"authorizer_appid":%q,"enabled":false,"unionids":false,"erasing":false,"events":true,"followers":null,
		"synced_at":null,"next_sync_at":null,"changed_at":null,"changed_by":"","sync":null}`, b.account.AppID), b.do(t, request{path: path}).body)
	b.do(t, request{path: b.accountPath("/followers")}).problem(t, http.StatusConflict, "directory-off")
	b.do(t, request{method: "POST", path: b.accountPath("/followers/sync")}).problem(t, http.StatusConflict, "directory-off")

	res := b.do(t, request{method: "PUT", path: path, body: map[string]any{"enabled": false, "unionids": true}})
	require.Equal(t, "/unionids", (*res.problem(t, http.StatusUnprocessableEntity, "invalid-request").Errors)[0].Pointer)
	require.NoError(t, b.Sim.SetUnionID(b.account.AppID, b.openids(1)[0], "uOne"))
	res = b.do(t, request{method: "PUT", path: path, body: map[string]any{"enabled": true, "unionids": true}})
	require.Equal(t, http.StatusOK, res.status, res.body)
	queued := res.json(t)
	require.Equal(t, began, queued["changed_at"])
	require.Equal(t, "shop (tenant_key)", queued["changed_by"])
	sync := map[string]any{
		"status": "queued", "requested_by": "shop (tenant_key)", "total": nil, "read": 0.0, "added": 0.0, "removed": 0.0, "paused_until": nil,
		"errcode": nil, "rid": "", "error": "", "advice": "", "asked_at": began, "started_at": nil, "ended_at": nil,
	}
	require.Equal(t, sync, queued["sync"])
	require.Equal(t, sync, b.post(t, http.StatusAccepted, b.accountPath("/followers/sync"), nil)["sync"], "it is under way")

	b.start(t)
	require.Eventually(t, func() bool {
		return b.do(t, request{path: b.tenantPath("/followers?unionid=uOne")}).body != `{"data":[]}`+"\n"
	}, patience, patience/1000)
	d := b.get(t, path)
	require.EqualValues(t, 3, d["followers"])
	require.Equal(t, began, d["synced_at"])
	require.Equal(t, "done", d["sync"].(map[string]any)["status"])

	first := map[string]any{"openid": b.openids(1)[0], "unionid": "uOne", "authorizer_appid": b.account.AppID, "following": true, "changed_at": began}
	require.Equal(t, map[string]any{"data": []any{first}}, b.get(t, b.tenantPath("/followers?openid="+b.openids(1)[0])))
	require.Equal(t, map[string]any{"data": []any{}}, b.get(t, b.tenantPath("/followers?openid=oNobody")))
	b.do(t, request{path: b.tenantPath("/followers")}).problem(t, http.StatusUnprocessableEntity, "invalid-request")
	b.do(t, request{path: b.tenantPath("/followers?openid=a&unionid=b")}).problem(t, http.StatusUnprocessableEntity, "invalid-request")

	page := b.get(t, b.accountPath("/followers?limit=2"))
	require.Len(t, page["data"], 2)
	require.Equal(t, began, page["synced_at"])
	page = b.get(t, b.accountPath("/followers?limit=2&cursor="+page["next_cursor"].(string)))
	require.Len(t, page["data"], 1)
	require.Nil(t, page["next_cursor"])
	require.Len(t, b.get(t, b.accountPath("/followers?q="+b.openids(3)[2]))["data"], 1)
	require.Empty(t, b.get(t, b.accountPath("/followers?q=%25"))["data"])
	b.do(t, request{path: b.accountPath("/followers?cursor=x")}).problem(t, http.StatusBadRequest, "invalid-cursor")
}

func TestMessageCallback_KeepsTheDirectoryOfFollowersCurrent(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{FollowerCount: 2}})
	c := b.callbacks(t)
	require.NoError(t, c.Sim.SetCallbackURLs(c.appid, c.url+"/wechat/"+c.appid+"/events", c.url+"/wechat/"+c.appid+"/messages/$APPID$"))
	push := func(m simulator.Message) {
		t.Helper()
		for range 2 {
			reply, err := c.Sim.PushMessage(t.Context(), c.account.AppID, m)
			require.NoError(t, err)
			require.True(t, reply.Delivered, reply.Why)
			require.Empty(t, reply.Content)
		}
	}
	came := simulator.Message{From: "oComes", MsgType: "event", Event: "subscribe", EventKey: "qrscene_1"}
	push(came)
	require.Zero(t, c.count(t, "followers"), "nobody has turned the directory on")
	res := c.do(t, request{method: "PUT", path: c.accountPath("/followers/directory"), body: map[string]any{"enabled": true}})
	require.Equal(t, http.StatusOK, res.status, res.body)
	push(came)
	push(simulator.Message{From: "oComes", Content: "hello"})
	push(simulator.Message{From: "oComes", MsgType: "event", Event: "CLICK"})
	list := c.get(t, c.accountPath("/followers"))["data"].([]any)
	require.Len(t, list, 1)
	require.Equal(t, "oComes", list[0].(map[string]any)["openid"])
	push(simulator.Message{From: "oComes", MsgType: "event", Event: "unsubscribe"})
	push(came)
	require.Empty(t, c.get(t, c.accountPath("/followers"))["data"], "what comes late changes nothing")
	found := c.get(t, c.tenantPath("/followers?openid=oComes"))["data"].([]any)
	require.Equal(t, false, found[0].(map[string]any)["following"])

	// Genuine, and not readable: WeChat would tell the follower that the account is out of order.
	acknowledged(t, c.do(t, c.sealed(t, "/messages/"+c.account.AppID, "<xml><MsgType></MsgType></xml>")))
	acknowledged(t, c.do(t, c.sealed(t, "/messages/"+c.account.AppID, uuid.NewString())))
	require.NotContains(t, c.Logs.String(), "oComes")
}
