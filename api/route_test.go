package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/factory"
)

func TestRoute_NamesWhatWentNowhere(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{FollowerCount: 2}})
	body := map[string]any{"openids": append(b.openids(2), "nobody"), "reason": "垃圾评论"}
	routed := b.post(t, http.StatusAccepted, b.tenantPath("/blacklist/block"), body)
	require.Empty(t, routed["batches"])
	require.Len(t, routed["unrouted"], 3, "no directory is on")
	require.Equal(t, map[string]any{"openid": "nobody", "why": "unknown", "appid": nil}, routed["unrouted"].([]any)[2])

	body["assume_appid"] = b.account.AppID
	routed = b.post(t, http.StatusAccepted, b.tenantPath("/blacklist/block"), body)
	require.Len(t, routed["batches"], 1)
	require.Empty(t, routed["unrouted"])
	require.Equal(t, b.account.AppID, routed["batches"].([]any)[0].(map[string]any)["authorizer_appid"])
	b.post(t, http.StatusAccepted, b.tenantPath("/blacklist/unblock"), map[string]any{"openids": []any{"nobody"}, "assume_appid": b.account.AppID})

	body["assume_appid"] = "wxnobody"
	require.Equal(t, http.StatusNotFound, b.do(t, request{method: "POST", path: b.tenantPath("/blacklist/block"), body: body}).status)
	require.Equal(t, http.StatusUnprocessableEntity, b.do(t, request{method: "POST", path: b.tenantPath("/blacklist/block"), body: map[string]any{"openids": []any{}}}).status)
}
