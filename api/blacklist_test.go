package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/api"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

const (
	pathBlock = "/cgi-bin/tags/members/batchblacklist"
	pathList  = "/cgi-bin/tags/members/getblacklist"
)

// prefer is a call that waits.
func prefer(value string) http.Header { return http.Header{"Prefer": {value}} }

func TestBlock(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{FollowerCount: 50}})
	path := b.accountPath("/blacklist/block")

	// Before any job runs: a batch that waits.
	res := b.do(t, request{method: "POST", path: path, body: map[string]any{
		"openids": append(b.openids(3), " ", simulator.OpenID(b.account.AppID, 0), "nobody"), "reason": "垃圾评论", "until": "2027-01-01T08:00:00+08:00",
	}, header: prefer("wait=1")})
	require.Equal(t, http.StatusAccepted, res.status, res.body)
	require.Empty(t, res.header.Get("Idempotency-Replayed"))
	id := res.json(t)["id"].(string)
	queued := fmt.Sprintf(`{"id":%q,"action":"block","authorizer_appid":%q,"status":"queued",
		"counts":{"total":6,"pending":4,"done":0,"already":0,"failed":0,"superseded":0,"cancelled":0,"skipped":2},
		"reason":"垃圾评论","note":"","until":"2027-01-01T00:00:00Z","requested_by":"shop (tenant_key)","retry_of":null,"undo_of":null,"list_id":null,"pause_reason":"","paused_until":null,"paused_at":null,"paused_by":"",
		"created_at":%q,"started_at":null,"ended_at":null}`, id, b.account.AppID, began)
	require.JSONEq(t, queued, res.body)
	require.JSONEq(t, queued, b.do(t, request{path: b.tenantPath("/batches/" + id)}).body)
	entry := b.get(t, b.accountPath("/blacklist?actual=unknown&q=nobody"))["data"].([]any)[0]
	require.Equal(t, map[string]any{
		"openid": "nobody", "want": "blocked", "actual": nil, "pending": true, "reason": "垃圾评论", "note": "", "until": "2027-01-01T00:00:00Z", "wanted_by": "shop (tenant_key)",
		"wanted_at": began, "actual_at": nil, "batch_id": id, "errcode": nil, "rid": "", "advice": "",
	}, entry)

	b.start(t)
	require.Eventually(t, func() bool { return b.get(t, b.tenantPath("/batches/"+id))["status"] == "done" }, patience, 20*time.Millisecond)
	batch := b.get(t, b.tenantPath("/batches/"+id))
	require.Equal(t, map[string]any{
		"total": 6.0, "pending": 0.0, "done": 3.0, "already": 0.0, "failed": 1.0, "superseded": 0.0, "cancelled": 0.0, "skipped": 2.0,
	}, batch["counts"])
	require.Equal(t, began, batch["started_at"])
	require.Equal(t, began, batch["ended_at"])

	items := b.get(t, b.tenantPath("/batches/"+id+"/items"))["data"].([]any)
	require.Len(t, items, 4)
	require.Equal(t, map[string]any{
		"openid": b.openids(1)[0], "outcome": "done", "reason": "垃圾评论", "note": "", "errcode": nil, "rid": "", "advice": "", "ended_at": began,
	}, items[0])
	failed := b.get(t, b.tenantPath("/batches/"+id+"/items?outcome=failed"))["data"].([]any)[0].(map[string]any)
	require.Equal(t, "nobody", failed["openid"])
	require.EqualValues(t, 40003, failed["errcode"])
	require.NotEmpty(t, failed["rid"])
	require.NotEmpty(t, failed["advice"])

	page := b.get(t, b.accountPath("/blacklist"))
	require.EqualValues(t, 3, page["total"])
	require.Nil(t, page["synced_at"])
	require.ElementsMatch(t, b.openids(3), b.Sim.Blacklisted(b.account.AppID))

	// Unblock, and have the answer wait for the end.
	res = b.do(t, request{method: "POST", path: b.accountPath("/blacklist/unblock"), body: map[string]any{"openids": b.openids(1)}, header: prefer("wait=30")})
	require.Equal(t, http.StatusOK, res.status, res.body)
	require.Equal(t, "unblock", res.json(t)["action"])
	require.Equal(t, "done", res.json(t)["status"])
	require.ElementsMatch(t, b.openids(3)[1:], b.Sim.Blacklisted(b.account.AppID))
	require.EqualValues(t, 1, b.get(t, b.accountPath("/blacklist?actual=unblocked"))["total"])

	// A key that may only write hears what came of its own wish too.
	writer := b.newKey(t, tenant.KeyParams{Scopes: []tenant.Scope{tenant.BlacklistWrite}})
	res = b.do(t, request{method: "POST", path: path, key: writer, body: map[string]any{"openids": b.openids(1)}, header: prefer("wait=30")})
	require.Equal(t, http.StatusOK, res.status, res.body)
	b.do(t, request{path: b.tenantPath("/batches/" + res.json(t)["id"].(string)), key: writer}).problem(t, http.StatusForbidden, "scope-missing")
}

func TestPrefer(t *testing.T) {
	t.Parallel()

	t.Run("HeaderIsReadAsTheRFCHasIt", func(t *testing.T) {
		t.Parallel()
		for header, want := range map[string]time.Duration{
			"": 0, "wait=0": 0, "wait=5": 5 * time.Second, `wait="5"`: 5 * time.Second, "wait=5;foo": 5 * time.Second, "WAIT = 5": 5 * time.Second,
			"respond-async, wait=10": 10 * time.Second, "respond-async,wait=10": 10 * time.Second, "foo; wait=7": 7 * time.Second, "wait=5, wait=9": 5 * time.Second,
			"wait": 0, "wait=": 0, "wait=x": 0, "wait=-5": 0, "wait=1.5": 0, "wait=5s": 0, "waits=5": 0, "xwait=5": 0, "wait=+5": 0, ";;,,=": 0, "wait=٥": 0,
			"wait=60": time.Minute, "wait=61": time.Minute, "wait=100000": time.Minute, "wait=99999999999999999999999": time.Minute,
		} {
			require.Equal(t, want, api.WaitOf(&header), header)
		}
		require.Zero(t, api.WaitOf(nil))
	})

	t.Run("WithoutItEvenAnEndedBatchIsTakenOn", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		blanks := request{method: "POST", path: b.accountPath("/blacklist/block"), body: `{"openids":[" ",""]}`}
		for _, value := range []string{"", "wait=0", "garbage", "respond-async"} {
			blanks.header = prefer(value)
			res := b.do(t, blanks)
			require.Equal(t, http.StatusAccepted, res.status, value)
			require.Equal(t, "done", res.json(t)["status"])
		}
		for _, value := range []string{"wait=5", `wait="5"`, "wait=5;foo", "wait=99999999999999999999"} {
			blanks.header = prefer(value)
			require.Equal(t, http.StatusOK, b.do(t, blanks).status, value)
		}
	})

	t.Run("StoppingProcessEndsTheWait", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{account: factory.AccountOptions{FollowerCount: 3}})
		answered := make(chan reply, 2)
		for _, r := range []request{
			{method: "POST", path: b.accountPath("/blacklist/block"), body: map[string]any{"openids": b.openids(1)}, header: prefer("wait=60")},
			{method: "POST", path: b.accountPath("/blacklist/pull"), header: prefer("wait=60")},
		} {
			go func() { answered <- b.do(t, r) }()
		}
		require.Eventually(t, func() bool { return b.count(t, `blacklist_batches`)+b.count(t, `blacklist_pulls`) == 2 }, patience, 10*time.Millisecond)
		select {
		case res := <-answered:
			require.Fail(t, "answered without waiting", res.body)
		default:
		}
		b.stop()
		for range 2 {
			select {
			case res := <-answered:
				require.Equal(t, http.StatusAccepted, res.status)
				require.Equal(t, "queued", res.json(t)["status"])
			case <-time.After(patience):
				require.Fail(t, "still waiting")
			}
		}
	})
}

// count is how many rows a table has.
func (b *bundle) count(t *testing.T, table string) int {
	t.Helper()
	var n int
	require.NoError(t, b.Pool.QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&n))
	return n
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	block := func(path, key string, body any) reply {
		return b.do(t, request{method: "POST", path: b.accountPath(path), body: body, header: http.Header{"Idempotency-Key": {key}}})
	}
	first := block("/blacklist/block", "ticket-4711", `{"openids":["o1","o2"],"reason":"x"}`)
	require.Equal(t, http.StatusAccepted, first.status, first.body)
	require.Empty(t, first.header.Get("Idempotency-Replayed"))

	again := block("/blacklist/block", "ticket-4711", `{ "reason":"x", "openids":["o1", "o2"] }`)
	require.Equal(t, http.StatusAccepted, again.status)
	require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
	require.JSONEq(t, first.body, again.body)

	for what, res := range map[string]reply{
		"other openids": block("/blacklist/block", "ticket-4711", `{"openids":["o1"],"reason":"x"}`),
		"other reason":  block("/blacklist/block", "ticket-4711", `{"openids":["o1","o2"],"reason":"y"}`),
		"other until":   block("/blacklist/block", "ticket-4711", `{"openids":["o1","o2"],"reason":"x","until":"2099-01-01T00:00:00Z"}`),
		"other action":  block("/blacklist/unblock", "ticket-4711", `{"openids":["o1","o2"],"reason":"x"}`),
	} {
		p := res.problem(t, http.StatusConflict, "idempotency-key-reused")
		require.Equal(t, "header:Idempotency-Key", (*p.Errors)[0].Pointer, what)
		require.NotContains(t, res.body, "ticket-4711")
	}
	require.Equal(t, 1, b.count(t, "blacklist_batches"))

	other := block("/blacklist/block", strings.Repeat("k", 255), `{"openids":["o1","o2"],"reason":"x"}`)
	require.Equal(t, http.StatusAccepted, other.status)
	require.NotEqual(t, first.json(t)["id"], other.json(t)["id"])

	// Another tenant's keys are other keys.
	stranger := factory.Tenant(t, b.World)
	account := factory.Account(t, b.World, factory.AccountOptions{TenantID: stranger.ID})
	_, key := b.newKeyOf(t, stranger.ID, tenant.KeyParams{})
	res := b.do(t, request{
		method: "POST", path: "/v1/tenants/" + stranger.ID.String() + "/authorizers/" + account.AppID + "/blacklist/block", key: key,
		body: `{"openids":["o9"]}`, header: http.Header{"Idempotency-Key": {"ticket-4711"}},
	})
	require.Equal(t, http.StatusAccepted, res.status, res.body)

	b.Clock.Advance(24*time.Hour + time.Second)
	require.Equal(t, http.StatusAccepted, block("/blacklist/unblock", "ticket-4711", `{"openids":["o1"]}`).status, "a day later it is free again")
}

func TestBlacklistList(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	odd := strings.Repeat("<", 128) // six bytes each in a cursor's JSON
	b.post(t, http.StatusAccepted, b.accountPath("/blacklist/block"), map[string]any{"openids": []string{"oB", "oA2", "oC", odd, "oA1"}})
	path := b.accountPath("/blacklist?actual=any")

	t.Run("CursorsWalkAllPages", func(t *testing.T) {
		t.Parallel()
		for _, limit := range []int{1, 2, 5, 200} {
			require.Equal(t, []string{odd, "oA1", "oA2", "oB", "oC"}, b.walk(t, "", path, limit, "openid"), limit)
		}
	})

	t.Run("FiltersSelectAndTotalCountsThem", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, []string{"oA1", "oA2"}, b.walk(t, "", path+"&q=oA", 1, "openid"))
		page := b.get(t, path+"&q=oA&limit=1")
		require.EqualValues(t, 2, page["total"])
		require.NotNil(t, page["next_cursor"])
		require.Empty(t, b.get(t, b.accountPath("/blacklist"))["data"], "WeChat has blocked none of them yet")
	})

	t.Run("BatchItemsKeepTheOrderOfTheRequest", func(t *testing.T) {
		t.Parallel()
		batches := b.walk(t, "", b.tenantPath("/batches"), 1, "id")
		require.Len(t, batches, 1)
		for _, limit := range []int{1, 2, 5} {
			require.Equal(t, []string{"oB", "oA2", "oC", odd, "oA1"}, b.walk(t, "", b.tenantPath("/batches/"+batches[0]+"/items"), limit, "openid"))
		}
		require.Empty(t, b.walk(t, "", b.tenantPath("/batches/"+batches[0]+"/items?outcome=done"), 2, "openid"))
		require.Len(t, b.walk(t, "", b.tenantPath("/batches/"+batches[0]+"/items?outcome=pending"), 2, "openid"), 5)
	})
}

func TestBatchList(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	other := factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID})
	var want []string
	for i := range 5 {
		batch := b.post(t, http.StatusAccepted, b.accountPath("/blacklist/block"), map[string]any{"openids": []string{fmt.Sprint("o", i)}})
		want = append([]string{batch["id"].(string)}, want...)
	}
	single := b.post(t, http.StatusAccepted, b.tenantPath("/authorizers/"+other.AppID+"/blacklist/unblock"), `{"openids":["o1"]}`)["id"].(string)
	for _, limit := range []int{1, 2, 6, 200} {
		require.Equal(t, append([]string{single}, want...), b.walk(t, "", b.tenantPath("/batches"), limit, "id"), limit)
	}
	require.Equal(t, want, b.walk(t, "", b.tenantPath("/batches?appid="+b.account.AppID), 2, "id"))
	require.Equal(t, []string{single}, b.walk(t, "", b.tenantPath("/batches?appid="+other.AppID), 2, "id"))
	b.do(t, request{path: b.tenantPath("/batches?appid=wxnone")}).problem(t, http.StatusNotFound, "not-found")
}

func TestPull(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{FollowerCount: 5}})
	require.NoError(t, b.Sim.RemoteBlock(b.account.AppID, b.openids(2)...))
	path := b.accountPath("/blacklist/pull")

	res := b.do(t, request{method: "POST", path: path})
	require.Equal(t, http.StatusAccepted, res.status, res.body)
	id := res.json(t)["id"].(string)
	queued := fmt.Sprintf(`{"id":%q,"authorizer_appid":%q,"status":"queued","requested_by":"shop (tenant_key)","total":null,"read":0,"added":0,"removed":0,
		"errcode":null,"rid":"","error":"","advice":"","created_at":%q,"started_at":null,"ended_at":null}`, id, b.account.AppID, began)
	require.JSONEq(t, queued, res.body)
	require.JSONEq(t, queued, b.do(t, request{path: b.accountPath("/blacklist/pulls/" + id)}).body)
	require.Equal(t, id, b.post(t, http.StatusAccepted, path, `{}`)["id"], "one at a time")

	other := factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID})
	b.do(t, request{path: b.tenantPath("/authorizers/" + other.AppID + "/blacklist/pulls/" + id)}).problem(t, http.StatusNotFound, "not-found")
	b.do(t, request{path: b.accountPath("/blacklist/pulls/" + uuid.NewString())}).problem(t, http.StatusNotFound, "not-found")

	b.start(t)
	res = b.do(t, request{method: "POST", path: path, header: prefer("wait=30")})
	require.Equal(t, http.StatusOK, res.status, res.body)
	pull := res.json(t)
	require.Equal(t, "done", pull["status"])
	require.Equal(t, began, pull["ended_at"])
	page := b.get(t, b.accountPath("/blacklist"))
	require.EqualValues(t, 2, page["total"])
	require.Equal(t, began, page["synced_at"])
	entry := page["data"].([]any)[0].(map[string]any)
	require.Nil(t, entry["want"], "the merchant blocked by hand")
	require.Equal(t, "blocked", entry["actual"])
	require.Equal(t, began, entry["actual_at"])
	require.Nil(t, entry["batch_id"])
}

func TestPullThatFails(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	_, err := b.Sim.Inject(simulator.Fault{Path: pathList, Code: 48001, Text: "api unauthorized"})
	require.NoError(t, err)
	b.start(t)
	res := b.do(t, request{method: "POST", path: b.accountPath("/blacklist/pull"), header: prefer("wait=30")})
	require.Equal(t, http.StatusOK, res.status, res.body)
	pull := res.json(t)
	require.Equal(t, "failed", pull["status"])
	require.EqualValues(t, 48001, pull["errcode"])
	require.NotEmpty(t, pull["rid"])
	require.NotEmpty(t, pull["error"])
	require.NotEmpty(t, pull["advice"])
	require.Nil(t, b.get(t, b.accountPath("/blacklist"))["synced_at"])
}

func TestPausedBatch(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{FollowerCount: 3}})
	_, err := b.Sim.Inject(simulator.Fault{Path: pathBlock, Code: 45009, Text: "reach max api daily quota limit"})
	require.NoError(t, err)
	b.start(t)
	id := b.post(t, http.StatusAccepted, b.accountPath("/blacklist/block"), map[string]any{"openids": b.openids(2)})["id"].(string)
	require.Eventually(t, func() bool { return b.get(t, b.tenantPath("/batches/"+id))["status"] == "paused" }, patience, 20*time.Millisecond)
	batch := b.get(t, b.tenantPath("/batches/"+id))
	require.NotEmpty(t, batch["pause_reason"])
	require.NotNil(t, batch["paused_until"])
	require.Nil(t, batch["ended_at"])
}
