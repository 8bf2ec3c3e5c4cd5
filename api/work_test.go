package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestWork_IsHeldAndResumed(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{FollowerCount: 5}})
	require.Equal(t, "idle", b.get(t, b.accountPath("/blacklist/work"))["status"])
	held := b.post(t, http.StatusOK, b.accountPath("/blacklist/hold"), map[string]any{"reason": "名单有误"})
	require.Equal(t, map[string]any{
		"appid": b.account.AppID, "status": "held", "since": began, "by": "shop (tenant_key)", "until": nil, "reason": "名单有误",
		"errcode": nil, "rid": "", "advice": "", "synced_at": nil, "paused_batches": 0.0, "paused": []any{},
	}, held)
	batch := b.post(t, http.StatusAccepted, b.accountPath("/blacklist/block"), map[string]any{"openids": b.openids(5)})
	require.Equal(t, "paused", batch["status"], "it is taken, and waits")
	require.Contains(t, batch["pause_reason"], "名单有误")

	b.start(t)
	require.Equal(t, "running", b.post(t, http.StatusOK, b.accountPath("/blacklist/resume"), map[string]any{})["status"])
	require.Eventually(t, func() bool { return b.get(t, b.tenantPath("/batches/"+batch["id"].(string)))["status"] == "done" }, patience, 20*time.Millisecond)
	require.Eventually(t, func() bool { return b.get(t, b.accountPath("/blacklist/work"))["status"] == "idle" }, patience, 20*time.Millisecond)
}

func TestQuota_IsWhatWeChatSays(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{FollowerCount: 5}})
	require.NoError(t, b.Sim.SetQuota(b.account.AppID, pathBlock, simulator.Quota{Daily: 500}))
	quotas := b.get(t, b.accountPath("/blacklist/quota"))["data"].([]any)
	require.Len(t, quotas, 3)
	require.Equal(t, map[string]any{"path": pathBlock, "known": true, "daily_limit": 500.0, "used": 0.0, "remain": 500.0}, quotas[1])
}
