package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

func TestSharedLists(t *testing.T) {
	t.Parallel()

	t.Run("FromThePersonToTheBlockAndBack", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{account: factory.AccountOptions{FollowerCount: 2}})
		b.start(t)
		list := b.post(t, http.StatusCreated, b.tenantPath("/lists"), map[string]any{"name": "骗子", "reason": "假券"})
		require.Equal(t, "骗子", list["name"])
		path := b.tenantPath("/lists/" + list["id"].(string))
		people := map[string]any{"openids": b.openids(1), "appid": b.account.AppID, "unionids": []string{"u1", "u1"}, "reason": "投诉 17"}
		require.Equal(t, map[string]any{"added": 2.0, "already": 0.0, "skipped": 1.0}, b.post(t, http.StatusAccepted, path+"/persons", people))
		require.Equal(t, map[string]any{"added": 0.0, "already": 2.0, "skipped": 1.0}, b.post(t, http.StatusAccepted, path+"/persons", people))

		found := b.get(t, path+"/persons?q="+b.openids(1)[0][:10])["data"].([]any)
		require.Len(t, found, 1)
		person := found[0].(map[string]any)
		require.Equal(t, []any{b.account.AppID, b.openids(1)[0], nil, "投诉 17"}, []any{person["appid"], person["openid"], person["unionid"], person["reason"]})
		personPath := path + "/persons/" + person["id"].(string)
		require.Empty(t, b.get(t, personPath)["places"])
		place := func() map[string]any {
			require.NoError(t, b.lists.Sweep(t.Context()))
			return b.get(t, personPath)["places"].([]any)[0].(map[string]any)
		}
		require.Eventually(t, func() bool { return place()["state"] == "blocked" }, patience, 20*time.Millisecond)
		batch := b.get(t, b.tenantPath("/batches/"+place()["batch_id"].(string)))
		require.Equal(t, list["id"], batch["list_id"])
		history := b.get(t, b.accountPath("/blacklist/"+b.openids(1)[0]+"/history"))["data"].([]any)
		require.Equal(t, list["id"], history[0].(map[string]any)["list_id"])

		details := b.get(t, path)
		require.Equal(t, 2.0, details["list"].(map[string]any)["persons"])
		account := details["accounts"].([]any)[0].(map[string]any)
		require.Equal(t, "directory_off", account["coverage"])
		require.NotEmpty(t, account["advice"])

		require.Equal(t, http.StatusNoContent, b.do(t, request{method: "DELETE", path: personPath + "?reason=settled"}).status)
		require.Equal(t, http.StatusNotFound, b.do(t, request{path: personPath}).status)
		require.Equal(t, http.StatusNotFound, b.do(t, request{method: "DELETE", path: personPath}).status)
		require.Eventually(t, func() bool {
			require.NoError(t, b.lists.Sweep(t.Context()))
			return len(b.Sim.Blacklisted(b.account.AppID)) == 0
		}, patience, 20*time.Millisecond)
		require.Equal(t, "信用", b.do(t, request{method: "PATCH", path: path, body: map[string]any{"name": "信用"}}).json(t)["name"])
		require.Len(t, b.get(t, b.tenantPath("/lists"))["data"], 1)
		require.Equal(t, http.StatusNoContent, b.do(t, request{method: "DELETE", path: path}).status)
		require.Empty(t, b.get(t, b.tenantPath("/lists"))["data"])
		require.Equal(t, http.StatusNotFound, b.do(t, request{path: path + "/persons"}).status)
	})

	t.Run("RefuseWhatCannotBe", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		list := b.post(t, http.StatusCreated, b.tenantPath("/lists"), map[string]any{"name": "骗子"})
		path := b.tenantPath("/lists/" + list["id"].(string))
		persons := path + "/persons"
		many := make([]string, 10_001)
		for name, w := range map[string]struct {
			method, path string
			body         any
			status       int
			code         string
			pointer      string
		}{
			"NameTaken":           {"POST", b.tenantPath("/lists"), map[string]any{"name": "骗子"}, 409, "list-name-taken", "/name"},
			"NoName":              {"POST", b.tenantPath("/lists"), map[string]any{"name": " "}, 422, "invalid-name", "/name"},
			"Nobody":              {"POST", persons, map[string]any{}, 422, "invalid-request", ""},
			"OpenIDsWithoutAppID": {"POST", persons, map[string]any{"openids": []string{"o1"}}, 422, "invalid-request", "/appid"},
			"AppIDWithoutOpenIDs": {"POST", persons, map[string]any{"unionids": []string{"u1"}, "appid": b.account.AppID}, 422, "invalid-request", "/appid"},
			"UnknownAccount":      {"POST", persons, map[string]any{"openids": []string{"o1"}, "appid": "wxnobody"}, 404, "not-found", ""},
			"TooMany":             {"POST", persons, map[string]any{"unionids": many}, 422, "invalid-request", "/unionids"},
			"TooManyTogether": {
				"POST", persons, map[string]any{"unionids": many[:6000], "openids": many[:6000], "appid": b.account.AppID}, 422, "invalid-request", "",
			},
			"NoText":       {"POST", persons, map[string]any{"unionids": []any{"u1", 2}}, 422, "invalid-request", "/unionids/1"},
			"TooLong":      {"POST", persons, map[string]any{"unionids": []any{"u1", strings.Repeat("长", 100)}}, 422, "invalid-request", "/unionids/1"},
			"UnknownList":  {"GET", b.tenantPath("/lists/0190b0a0-0000-7000-8000-000000000000"), nil, 404, "not-found", ""},
			"NoListID":     {"GET", b.tenantPath("/lists/x/persons"), nil, 404, "not-found", ""},
			"NoPersonID":   {"DELETE", persons + "/x", nil, 404, "not-found", ""},
			"WrongCursor":  {"GET", persons + "?cursor=x", nil, 400, "invalid-cursor", "query:cursor"},
			"WrongCursor2": {"GET", b.tenantPath("/lists?cursor=x"), nil, 400, "invalid-cursor", "query:cursor"},
		} {
			res := b.do(t, request{method: w.method, path: w.path, body: w.body})
			require.Equal(t, w.status, res.status, name)
			require.Equal(t, w.code, res.json(t)["code"], name)
			if w.pointer != "" {
				require.Equal(t, w.pointer, res.json(t)["errors"].([]any)[0].(map[string]any)["pointer"], name)
			}
		}
		require.Empty(t, b.get(t, persons)["data"], "nothing was stored")
	})

	t.Run("NeedTheScopesOfTheBlacklist", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		reader := b.newKey(t, tenant.KeyParams{Scopes: []tenant.Scope{tenant.BlacklistRead}})
		require.Equal(t, http.StatusOK, b.do(t, request{path: b.tenantPath("/lists"), key: reader}).status)
		res := b.do(t, request{method: "POST", path: b.tenantPath("/lists"), key: reader, body: map[string]any{"name": "x"}})
		require.Equal(t, "scope-missing", res.json(t)["code"])
	})
}
