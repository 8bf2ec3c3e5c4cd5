package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNotes(t *testing.T) {
	t.Parallel()

	t.Run("StandWhereverReasonsDo", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		batch := b.post(t, http.StatusAccepted, b.accountPath("/blacklist/block"), map[string]any{"openids": []string{"oA"}, "reason": "spam", "note": "Ticket 7: 垃圾"})
		require.Equal(t, "Ticket 7: 垃圾", batch["note"])
		res := b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block?reason=rude&note=none"), body: "openid,reason,note\noB,,called us names\n", header: asCSV()})
		require.Equal(t, http.StatusAccepted, res.status, res.body)
		require.Equal(t, "none", res.json(t)["note"])

		list := b.get(t, b.accountPath("/blacklist?actual=any&note=TICKET"))["data"].([]any)
		require.Len(t, list, 1)
		require.Equal(t, "Ticket 7: 垃圾", list[0].(map[string]any)["note"])
		require.Contains(t, b.do(t, request{path: b.accountPath("/blacklist/export?actual=any&format=ndjson&note=names")}).body, `"note":"called us names"`)
		for _, path := range []string{b.accountPath("/blacklist/oB/history"), b.tenantPath("/batches/" + res.json(t)["id"].(string) + "/items")} {
			one := b.get(t, path)["data"].([]any)[0].(map[string]any)
			require.Equal(t, []any{"rude", "called us names"}, []any{one["reason"], one["note"]})
		}
		routed := b.post(t, http.StatusAccepted, b.tenantPath("/blacklist/block"),
			map[string]any{"openids": []string{"oC"}, "note": "wherever", "assume_appid": b.account.AppID})
		require.Equal(t, "wherever", routed["batches"].([]any)[0].(map[string]any)["note"])
	})

	t.Run("TooLongIsRefused", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		long := strings.Repeat("x", 1001)
		p := b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block"), body: map[string]any{"openids": []string{"oA"}, "note": long}}).
			problem(t, http.StatusUnprocessableEntity, "invalid-request")
		require.Equal(t, "/note", (*p.Errors)[0].Pointer)
		p = b.do(t, request{method: "POST", path: b.accountPath("/blacklist/unblock?note=" + long), body: "oA\n", header: asCSV()}).
			problem(t, http.StatusUnprocessableEntity, "invalid-request")
		require.Equal(t, "query:note", (*p.Errors)[0].Pointer)
	})
}
