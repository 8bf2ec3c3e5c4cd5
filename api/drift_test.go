package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/factory"
)

func TestDrift_IsListedAdoptedAndRestored(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{FollowerCount: 5}})
	b.start(t)
	openids := b.openids(5)
	b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block"), body: map[string]any{"openids": openids[:2]}, header: prefer("wait=30")})
	require.NoError(t, b.Sim.RemoteUnblock(b.account.AppID, openids[0]))
	require.NoError(t, b.Sim.RemoteBlock(b.account.AppID, openids[4]))
	b.do(t, request{method: "POST", path: b.accountPath("/blacklist/pull"), header: prefer("wait=30")})
	require.EqualValues(t, 2, b.get(t, b.accountPath("/blacklist?drift=any"))["total"])
	require.EqualValues(t, 1, b.get(t, b.accountPath("/blacklist?drift=unblocked_outside"))["total"])
	require.Equal(t, http.StatusUnprocessableEntity, b.do(t, request{path: b.accountPath("/blacklist?drift=sideways")}).status)

	require.EqualValues(t, 1, b.post(t, http.StatusOK, b.accountPath("/blacklist/adopt"), map[string]any{"openids": openids[4:], "reason": "商家已处理"})["adopted"])
	batches := b.post(t, http.StatusAccepted, b.accountPath("/blacklist/restore"), map[string]any{})["batches"].([]any)
	require.Len(t, batches, 1)
	id := batches[0].(map[string]any)["id"].(string)
	require.Eventually(t, func() bool { return b.get(t, b.tenantPath("/batches/"+id))["status"] == "done" }, patience, 20*time.Millisecond)
	require.EqualValues(t, 0, b.get(t, b.accountPath("/blacklist?drift=any"))["total"])
}
