package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/factory"
)

// ended waits until a batch has ended.
func (b *bundle) ended(t *testing.T, id any) map[string]any {
	t.Helper()
	var batch map[string]any
	require.Eventually(t, func() bool {
		batch = b.get(t, b.tenantPath("/batches/"+id.(string)))
		return batch["ended_at"] != nil
	}, patience, 20*time.Millisecond)
	return batch
}

func TestPauseBatch(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{FollowerCount: 5}})
	b.start(t)
	b.post(t, http.StatusOK, b.accountPath("/blacklist/hold"), map[string]any{})
	id := b.post(t, http.StatusAccepted, b.accountPath("/blacklist/block"), map[string]any{"openids": b.openids(5)})["id"].(string)
	paused := b.post(t, http.StatusOK, b.tenantPath("/batches/"+id+"/pause"), map[string]any{"reason": "名单有误"})
	require.Equal(t, []any{"paused", began, "shop (tenant_key)", "Paused by shop (tenant_key): 名单有误"},
		[]any{paused["status"], paused["paused_at"], paused["paused_by"], paused["pause_reason"]})
	require.Equal(t, paused, b.post(t, http.StatusOK, b.tenantPath("/batches/"+id+"/pause"), map[string]any{}))
	b.post(t, http.StatusOK, b.accountPath("/blacklist/resume"), map[string]any{})
	work := b.get(t, b.accountPath("/blacklist/work"))
	require.Equal(t, 1.0, work["paused_batches"])
	require.Equal(t, []any{map[string]any{"batch_id": id, "since": began, "by": "shop (tenant_key)", "reason": "名单有误", "pending": 5.0}}, work["paused"])

	resumed := b.post(t, http.StatusOK, b.tenantPath("/batches/"+id+"/resume"), map[string]any{})
	require.Equal(t, []any{nil, "", ""}, []any{resumed["paused_at"], resumed["paused_by"], resumed["pause_reason"]})
	require.Equal(t, "done", b.ended(t, id)["status"])
	require.Equal(t, http.StatusNotFound, b.do(t, request{method: "POST", path: b.tenantPath("/batches/x/pause"), body: map[string]any{}}).status)
	require.Equal(t, http.StatusUnprocessableEntity,
		b.do(t, request{method: "POST", path: b.tenantPath("/batches/" + id + "/resume"), body: map[string]any{"reason": strings.Repeat("x", 501)}}).status)
}

func TestCancelBatch(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{FollowerCount: 5}})
	id := b.post(t, http.StatusAccepted, b.accountPath("/blacklist/block"), map[string]any{"openids": b.openids(5)})["id"].(string)
	batch := b.post(t, http.StatusOK, b.tenantPath("/batches/"+id+"/cancel"), nil)
	require.Equal(t, "cancelled", batch["status"])
	require.EqualValues(t, 5, batch["counts"].(map[string]any)["cancelled"])
	require.Equal(t, began, batch["ended_at"])
	require.Equal(t, batch, b.post(t, http.StatusOK, b.tenantPath("/batches/"+id+"/cancel"), "{}"))
	require.Len(t, b.get(t, b.tenantPath("/batches/"+id+"/items?outcome=cancelled"))["data"], 5)
	b.start(t)
	res := b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block"), body: map[string]any{"openids": b.openids(1)}, header: prefer("wait=30")})
	require.Equal(t, "done", res.json(t)["status"])
	require.Equal(t, b.openids(1), b.Sim.Blacklisted(b.account.AppID))
}

func TestRetryAndUndoBatch(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{FollowerCount: 3}})
	path := func(id any, verb string) string { return b.tenantPath("/batches/" + id.(string) + "/" + verb) }
	first := b.post(t, http.StatusAccepted, b.accountPath("/blacklist/block"),
		map[string]any{"openids": append(b.openids(3), "nobody"), "reason": "spam", "until": "2027-01-01T00:00:00Z"})
	require.Nil(t, first["retry_of"])
	b.do(t, request{method: "POST", path: path(first["id"], "undo")}).problem(t, http.StatusConflict, "batch-not-ended")
	b.do(t, request{method: "POST", path: path(first["id"], "retry")}).problem(t, http.StatusConflict, "nothing-to-retry")
	b.start(t)
	b.ended(t, first["id"])

	key := http.Header{"Idempotency-Key": {"retry-1"}}
	res := b.do(t, request{method: "POST", path: path(first["id"], "retry"), header: key})
	require.Equal(t, http.StatusAccepted, res.status, res.body)
	require.Empty(t, res.header.Get("Idempotency-Replayed"))
	retried := b.ended(t, res.json(t)["id"])
	require.Equal(t, []any{first["id"], "spam", "2027-01-01T00:00:00Z", "block"}, []any{retried["retry_of"], retried["reason"], retried["until"], retried["action"]})
	require.EqualValues(t, 1, retried["counts"].(map[string]any)["failed"])
	res = b.do(t, request{method: "POST", path: path(first["id"], "retry"), body: "{}", header: key})
	require.Equal(t, http.StatusAccepted, res.status, res.body)
	require.Equal(t, "true", res.header.Get("Idempotency-Replayed"))
	require.Equal(t, retried["id"], res.json(t)["id"])
	b.do(t, request{method: "POST", path: path(first["id"], "undo"), header: key}).problem(t, http.StatusConflict, "idempotency-key-reused")

	undone := b.ended(t, b.post(t, http.StatusAccepted, path(first["id"], "undo"), `{"reason":"wrong list"}`)["id"])
	require.Equal(t, []any{first["id"], nil, "wrong list", "unblock"}, []any{undone["undo_of"], undone["retry_of"], undone["reason"], undone["action"]})
	require.EqualValues(t, 3, undone["counts"].(map[string]any)["done"])
	require.Empty(t, b.Sim.Blacklisted(b.account.AppID))
	b.do(t, request{method: "POST", path: path(first["id"], "undo")}).problem(t, http.StatusConflict, "nothing-to-undo")
	b.do(t, request{method: "POST", path: path(first["id"], "undo"), body: map[string]any{"reason": strings.Repeat("x", 501)}}).
		problem(t, http.StatusUnprocessableEntity, "invalid-request")

	b.Clock.Advance(400 * 24 * time.Hour)
	p := b.do(t, request{method: "POST", path: path(retried["id"], "retry"), key: b.platform}).problem(t, http.StatusUnprocessableEntity, "until-past")
	require.Nil(t, p.Errors)
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{FollowerCount: 3}})
	b.start(t)
	block := map[string]any{"openids": b.openids(1)}
	require.Equal(t, http.StatusOK, b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block"), body: block, header: prefer("wait=30")}).status)
	long := strings.Repeat("o", 129)
	for action, want := range map[string][]any{"block": {0.0, 1.0}, "unblock": {1.0, 0.0}} {
		preview := b.post(t, http.StatusOK, b.accountPath("/blacklist/"+action), map[string]any{"openids": append(b.openids(2), "", long, b.openids(1)[0]), "dry_run": true})
		counts := preview["counts"].(map[string]any)
		require.Equal(t, want, []any{counts["would_change"], counts["already"]})
		require.Equal(t, map[string]any{
			"dry_run": true, "action": action, "authorizer_appid": b.account.AppID, "elsewhere": []any{}, "wrong_lines": []any{},
			"malformed": []any{map[string]any{"index": 3.0, "beginning": long[:128]}},
			"counts": map[string]any{
				"total": 5.0, "would_change": want[0], "already": want[1], "unknown": 1.0, "pending_other": 0.0, "belongs_elsewhere": 0.0,
				"malformed": 1.0, "duplicates": 1.0, "blank": 1.0,
			},
		}, preview)
	}
	require.Equal(t, 1, b.count(t, "blacklist_batches"))
	for _, dryRun := range []any{false, "true", nil} {
		res := b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block"), body: map[string]any{"openids": []string{long}, "dry_run": dryRun}})
		res.problem(t, http.StatusUnprocessableEntity, "invalid-request")
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{FollowerCount: 1}})
	path := b.accountPath("/blacklist/" + b.openids(1)[0] + "/history")
	empty := b.get(t, path)
	require.Equal(t, map[string]any{"data": []any{}, "next_cursor": nil}, empty)
	first := b.post(t, http.StatusAccepted, b.accountPath("/blacklist/block"), map[string]any{"openids": b.openids(1), "reason": "spam"})
	second := b.post(t, http.StatusAccepted, b.accountPath("/blacklist/unblock"), map[string]any{"openids": b.openids(1)})
	page := b.get(t, path+"?limit=1")
	require.Equal(t, second["id"], page["data"].([]any)[0].(map[string]any)["batch_id"])
	page = b.get(t, path+"?cursor="+page["next_cursor"].(string))
	require.Equal(t, map[string]any{"data": []any{map[string]any{
		"at": began, "action": "block", "outcome": "superseded", "reason": "spam", "note": "", "until": nil, "by": "shop (tenant_key)", "batch_id": first["id"], "list_id": nil,
		"errcode": nil, "rid": "", "advice": "", "ended_at": began,
	}}, "next_cursor": nil}, page)
}
