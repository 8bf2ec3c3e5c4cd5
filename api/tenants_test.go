package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

// began is when every world begins, as answers write it.
const began = "2026-03-02T08:30:00Z"

// walk reads a list to its end, limit rows a page, and returns the named member of each row.
func (b *bundle) walk(t *testing.T, key, path string, limit int, member string) []string {
	t.Helper()
	var all []string
	join := "?"
	if strings.Contains(path, "?") {
		join = "&"
	}
	for cursor := ""; ; {
		res := b.do(t, request{key: key, path: fmt.Sprintf("%s%slimit=%d&cursor=%s", path, join, limit, cursor)})
		require.Equal(t, http.StatusOK, res.status, res.body)
		page := res.json(t)
		rows := page["data"].([]any)
		require.LessOrEqual(t, len(rows), limit)
		for _, row := range rows {
			all = append(all, row.(map[string]any)[member].(string))
		}
		next, more := page["next_cursor"].(string)
		if !more {
			return all
		}
		require.Len(t, rows, limit, "only the last page may be short")
		require.NotEqual(t, cursor, next)
		cursor = next
	}
}

func TestTenants(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})

	t.Run("Create/AnswersWithTenant", func(t *testing.T) {
		t.Parallel()
		res := b.do(t, request{method: "POST", path: "/v1/tenants", key: b.platform, body: `{"name":" 荷花茶 Lotus "}`})
		require.Equal(t, http.StatusCreated, res.status)
		id := res.json(t)["id"].(string)
		want := `{"id":"` + id + `","name":"荷花茶 Lotus","status":"active","token_handout":false,"created_at":"` + began + `"}`
		require.JSONEq(t, want, res.body)
		require.JSONEq(t, want, b.do(t, request{path: "/v1/tenants/" + id, key: b.platform}).body)
	})

	t.Run("Create/LongestNameIsTaken", func(t *testing.T) {
		t.Parallel()
		res := b.do(t, request{method: "POST", path: "/v1/tenants", key: b.platform, body: map[string]any{"name": strings.Repeat("茶", 200)}})
		require.Equal(t, http.StatusCreated, res.status, res.body)
	})

	t.Run("List/TenantSeesItself", func(t *testing.T) {
		t.Parallel()
		page := b.get(t, "/v1/tenants")
		require.Len(t, page["data"], 1)
		require.Nil(t, page["next_cursor"])
		require.Equal(t, b.tenantID.String(), page["data"].([]any)[0].(map[string]any)["id"])
		require.Equal(t, page["data"].([]any)[0], any(b.get(t, b.tenantPath(""))))
	})
}

func TestUpdateTenant(t *testing.T) {
	t.Parallel()
	update := func(t *testing.T, b *bundle, body any) reply {
		t.Helper()
		return b.do(t, request{method: "PATCH", path: b.tenantPath(""), key: b.platform, body: body})
	}

	t.Run("ChangesWhatTheBodyHasAndLeavesTheRest", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		before := b.get(t, b.tenantPath(""))
		res := update(t, b, `{"name":" 荷花茶 "}`)
		require.Equal(t, http.StatusOK, res.status, res.body)
		require.JSONEq(t, fmt.Sprintf(`{"id":%q,"name":"荷花茶","status":"active","token_handout":false,"created_at":%q}`, b.tenantID, began), res.body)
		require.Equal(t, true, update(t, b, `{"token_handout":true}`).json(t)["token_handout"])
		after := b.get(t, b.tenantPath(""))
		require.Equal(t, "荷花茶", after["name"])
		require.Equal(t, true, after["token_handout"])

		entries := b.audited(t, "tenant.update")
		require.Len(t, entries, 2)
		require.Equal(t, "platform_key", entries[0]["actor_kind"])
		require.Equal(t, map[string]any{"name": "荷花茶", "name_before": before["name"], "token_handout": false, "token_handout_before": false}, entries[1]["detail"])
	})

	t.Run("WithNothingToChangeIsNoErrorAndNoEntry", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		before := b.get(t, b.tenantPath(""))
		for _, body := range []any{`{}`, `{"token_handout":false}`, map[string]any{"name": before["name"]}} {
			res := update(t, b, body)
			require.Equal(t, http.StatusOK, res.status, res.body)
			require.Equal(t, before, res.json(t))
		}
		require.Empty(t, b.audited(t, "tenant.update"))
	})

	t.Run("WrongBodiesChangeNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		before := b.get(t, b.tenantPath(""))
		for body, want := range map[string]string{
			`{"name":null}`: "/name: must not be null", `{"token_handout":null}`: "/token_handout: must not be null",
			`{"name":7}`: "/name: value must be a string", `{"token_handout":"true"}`: "/token_handout: value must be a boolean",
			`{"name":""}`: "/name: minimum string length is 1", `{"token_handout":true,"status":"suspended"}`: "/status: is no field of this request",
			`null`: ": must not be null", `[]`: ": value must be an object", ``: ": a body is required",
		} {
			p := update(t, b, body).problem(t, http.StatusUnprocessableEntity, "invalid-request")
			require.Equal(t, []string{want}, pointers(p), body)
		}
		update(t, b, map[string]any{"name": strings.Repeat("茶", 201)}).problem(t, http.StatusUnprocessableEntity, "invalid-request")
		update(t, b, `{"name":"  ","token_handout":true}`).problem(t, http.StatusUnprocessableEntity, "invalid-name")
		require.Equal(t, before, b.get(t, b.tenantPath("")))
	})

	t.Run("TenantMayNotChangeItself", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		b.do(t, request{method: "PATCH", path: b.tenantPath(""), body: `{"token_handout":true}`}).problem(t, http.StatusForbidden, "platform-only")
	})
}

func TestTenantList(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})
	want := []string{b.tenantID.String()}
	for range 6 {
		want = append(want, factory.Tenant(t, b.World).ID.String())
	}
	for _, limit := range []int{1, 2, 3, 7, 8, 200} {
		require.Equal(t, want, b.walk(t, b.platform, "/v1/tenants", limit, "id"), limit)
	}
	require.Len(t, b.do(t, request{path: "/v1/tenants", key: b.platform}).json(t)["data"], 7, "without a limit")

	other := b.do(t, request{path: b.tenantPath("/audit?limit=1"), key: b.platform})
	require.Equal(t, http.StatusOK, other.status)
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})
	path := b.tenantPath("/api-keys")

	t.Run("Create/ShowsKeyThisOnce", func(t *testing.T) {
		t.Parallel()
		res := b.do(t, request{method: "POST", path: path, body: `{"name":"shop backend","scopes":["blacklist:write","blacklist:read","blacklist:read"],"expires_at":"2027-01-01T08:00:00.123456789+08:00"}`})
		require.Equal(t, http.StatusCreated, res.status, res.body)
		made := res.json(t)
		id, key := made["id"].(string), b.secret(made["key"].(string))
		require.JSONEq(t, fmt.Sprintf(`{"id":%q,"name":"shop backend","prefix":%q,"scopes":["blacklist:read","blacklist:write"],"key":%q,
			"created_at":%q,"expires_at":"2027-01-01T00:00:00.123456Z"}`, id, key[:10], key, began), res.body)

		me := b.do(t, request{path: "/v1/me", key: key})
		require.JSONEq(t, fmt.Sprintf(`{"kind":"tenant_key","name":"shop backend","tenant_id":%q,"scopes":["blacklist:read","blacklist:write"]}`, b.tenantID), me.body)

		list := b.do(t, request{path: path})
		require.NotContains(t, list.body, key)
		row := rowOf(t, list, id)
		require.Equal(t, map[string]any{
			"id": id, "name": "shop backend", "prefix": key[:10], "scopes": []any{"blacklist:read", "blacklist:write"}, "created_by": "shop (tenant_key)",
			"created_at": began, "expires_at": "2027-01-01T00:00:00.123456Z", "last_used_at": began, "revoked_at": nil,
		}, row)
	})

	t.Run("Create/WithoutScopesMayDoWhatItsMakerMay", func(t *testing.T) {
		t.Parallel()
		maker := b.newKey(t, tenant.KeyParams{Scopes: []tenant.Scope{tenant.KeysWrite, tenant.AuditRead}})
		for _, body := range []string{`{"name":"x"}`, `{"name":"x","scopes":[]}`} {
			made := b.do(t, request{method: "POST", path: path, key: maker, body: body}).json(t)
			require.Equal(t, []any{"audit:read", "keys:write"}, made["scopes"])
			require.Nil(t, made["expires_at"])
		}
	})

	t.Run("Create/NobodyGivesWhatTheyDoNotHave", func(t *testing.T) {
		t.Parallel()
		maker := b.newKey(t, tenant.KeyParams{Scopes: []tenant.Scope{tenant.KeysWrite}})
		b.do(t, request{method: "POST", path: path, key: maker, body: `{"name":"x","scopes":["audit:read"]}`}).problem(t, http.StatusForbidden, "scope-missing")
	})

	t.Run("Create/ForTenantThatDoesNotExistIsNotFound", func(t *testing.T) {
		t.Parallel()
		b.do(t, request{method: "POST", path: "/v1/tenants/" + uuid.NewString() + "/api-keys", key: b.platform, body: `{"name":"x"}`}).
			problem(t, http.StatusNotFound, "not-found")
	})

	t.Run("Revoke/EndsKeyAtOnceAndTwiceIsNoError", func(t *testing.T) {
		t.Parallel()
		k, key := b.newKeyOf(t, b.tenantID, tenant.KeyParams{})
		for range 2 {
			res := b.do(t, request{method: "DELETE", path: path + "/" + k.ID.String()})
			require.Equal(t, http.StatusNoContent, res.status)
			require.Empty(t, res.body)
		}
		b.do(t, request{path: "/v1/me", key: key}).problem(t, http.StatusUnauthorized, "unauthenticated")
		require.Equal(t, began, rowOf(t, b.do(t, request{path: path}), k.ID.String())["revoked_at"])
	})
}

// rowOf is the row of a list with this id.
func rowOf(t *testing.T, list reply, id string) map[string]any {
	t.Helper()
	require.Equal(t, http.StatusOK, list.status, list.body)
	for _, row := range list.json(t)["data"].([]any) {
		if row := row.(map[string]any); row["id"] == id {
			return row
		}
	}
	require.Fail(t, "no such row", "%s in %s", id, list.body)
	return nil
}

func TestAudit(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})
	for range 5 {
		b.post(t, http.StatusCreated, b.tenantPath("/connect-links"), nil)
	}
	all := b.walk(t, "", b.tenantPath("/audit"), 200, "id")
	require.Len(t, all, 7, "the tenant, its key and five links")
	for _, limit := range []int{1, 3, 7} {
		require.Equal(t, all, b.walk(t, "", b.tenantPath("/audit"), limit, "id"), limit)
	}
	actions := b.walk(t, "", b.tenantPath("/audit"), 200, "action")
	require.Equal(t, "tenant.create", actions[6], "newest first")

	b.Clock.Advance(time.Second)
	res := b.do(t, request{method: "POST", path: b.tenantPath("/api-keys"), body: `{"name":"n","scopes":["audit:read"]}`, header: http.Header{"X-Request-Id": {"my-request"}}})
	made := res.json(t)
	entry := b.get(t, b.tenantPath("/audit?limit=1"))["data"].([]any)[0].(map[string]any)
	require.Equal(t, map[string]any{
		"id": entry["id"], "at": "2026-03-02T08:30:01Z", "actor_kind": "tenant_key", "actor_id": entry["actor_id"], "actor_name": "shop", "action": "api_key.create",
		"target": "api_key:" + made["id"].(string), "reason": "", "request_id": "my-request",
		"detail": map[string]any{"name": "n", "prefix": made["prefix"], "scopes": []any{"audit:read"}},
	}, entry)
}
