package api_test

import (
	"net/http"
	"strings"
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
	require.Equal(t, map[string]any{
		"openid": "nobody", "unionid": "", "why": "unknown", "appid": nil,
		"advice": "No directory of followers knows it: turn the directories of the accounts on, or name the account to try as assume_appid.",
	}, routed["unrouted"].([]any)[2])

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

func TestRoute_TakesUnionIDsAndPreviews(t *testing.T) {
	t.Parallel()
	b := setup(t, options{account: factory.AccountOptions{FollowerCount: 2}})
	for _, statement := range []string{
		`INSERT INTO follower_directories (tenant_id, authorizer_id, enabled, unionids, changed_at, changed_by) SELECT tenant_id, id, true, true, now(), 'test' FROM authorizers WHERE appid = $1`,
		`INSERT INTO followers (tenant_id, authorizer_id, openid, unionid, following, changed_at, seq) SELECT tenant_id, id, 'o-ann', 'ann', true, now(), 1 FROM authorizers WHERE appid = $1`,
	} {
		_, err := b.Pool.Exec(t.Context(), statement, b.account.AppID)
		require.NoError(t, err)
	}
	for _, action := range []string{"block", "unblock"} {
		body := map[string]any{"unionids": []any{"ann", "nobody"}, "openids": []any{"o-ann"}, "dry_run": true}
		preview := b.post(t, http.StatusOK, b.tenantPath("/blacklist/"+action), body)
		nobody := map[string]any{
			"openid": "", "unionid": "nobody", "why": "unknown", "appid": nil,
			"advice": "No directory of followers knows anybody with this unionid: have unionids kept in the directories of the accounts, or ask by openid.",
		}
		require.Equal(t, map[string]any{
			"dry_run": true, "action": action, "accounts": []any{map[string]any{"authorizer_appid": b.account.AppID, "openids": 1.0}}, "unrouted": []any{nobody},
		}, preview)
		delete(body, "dry_run")
		delete(body, "openids")
		routed := b.post(t, http.StatusAccepted, b.tenantPath("/blacklist/"+action), body)
		require.Len(t, routed["batches"], 1)
		require.Equal(t, []any{nobody}, routed["unrouted"])
	}
}

func TestRoute_PointsToWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	for pointer, body := range map[string]map[string]any{
		"":            {"reason": "spam"},
		"/unionids":   {"unionids": []any{}, "openids": []any{"o1"}},
		"/unionids/1": {"unionids": []any{"u1", strings.Repeat("u", 129)}},
		"/unionids/0": {"unionids": []any{7}},
		"/openids/0":  {"openids": []any{nil}, "unionids": []any{"u1"}},
	} {
		p := b.do(t, request{method: "POST", path: b.tenantPath("/blacklist/block"), body: body}).problem(t, http.StatusUnprocessableEntity, "invalid-request")
		if pointer != "" {
			require.Equal(t, pointer, (*p.Errors)[0].Pointer)
		}
	}
	require.NotNil(t, b.do(t, request{
		method: "POST", path: b.tenantPath("/authorizers/" + b.account.AppID + "/blacklist/block"), body: map[string]any{"openids": []any{"o1"}, "unionids": []any{"u1"}},
	}).problem(t, http.StatusUnprocessableEntity, "invalid-request").Errors, "an account by name takes openids only")
}
