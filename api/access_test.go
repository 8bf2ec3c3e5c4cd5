package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/sharedlist"
	"github.com/wechat-steward/steward/tenant"
)

// operation is one operation of openapi.yaml.
type operation struct {
	id, method, path string
	parameters       openapi3.Parameters
	body             *openapi3.Schema // nil: none
	platform         bool
}

// operations reads all operations of the contract, so that a new one is tested without anybody thinking of it.
func operations(t *testing.T) []operation {
	t.Helper()
	var all []operation
	for path, item := range loadSpec(t).Paths.Map() {
		for method, op := range item.Operations() {
			o := operation{
				id: op.OperationID, method: method, path: path, platform: slices.Contains(op.Tags, "platform"),
				parameters: append(slices.Clone(item.Parameters), op.Parameters...),
			}
			if op.RequestBody != nil {
				o.body = op.RequestBody.Value.Content.Get("application/json").Schema.Value
			}
			all = append(all, o)
		}
	}
	require.NotEmpty(t, all)
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.id, b.id) })
	return all
}

// request fills in the operation: ids of the path from ids, by parameter name, and everything that a body may have.
func (o operation) request(t *testing.T, ids map[string]string, key string) request {
	t.Helper()
	r := request{method: o.method, path: o.path, key: key}
	for _, p := range o.parameters {
		if p.Value.In != openapi3.ParameterInPath {
			continue
		}
		id, known := ids[p.Value.Name]
		require.True(t, known, "how is the parameter %s of %s filled in?", p.Value.Name, o.id)
		r.path = strings.ReplaceAll(r.path, "{"+p.Value.Name+"}", id)
	}
	if o.id == "findFollower" { // it wants one of two, which the contract cannot say
		r.path += "?openid=a"
	}
	if o.body != nil {
		r.body = example(t, "", &openapi3.SchemaRef{Value: o.body}, ids)
	}
	return r
}

// example makes a valid value with every field that the schema has.
func example(t *testing.T, name string, ref *openapi3.SchemaRef, ids map[string]string) any {
	t.Helper()
	schema := ref.Value
	if id, isID := ids[strings.TrimPrefix(name, "assume_")]; isID {
		return id
	}
	switch {
	case len(schema.Enum) > 0:
		return schema.Enum[0]
	case schema.Type.Is("object"):
		object := map[string]any{}
		for field, inner := range schema.Properties {
			object[field] = example(t, field, inner, ids)
		}
		return object
	case schema.Type.Is("array"):
		return []any{example(t, "", schema.Items, ids)}
	case schema.Format == "date-time":
		return "2099-01-01T00:00:00Z"
	case schema.Type.Is("integer"):
		return *schema.Min
	case schema.Type.Is("boolean"):
		return true
	case schema.Type.Is("string") && name == "return_url":
		return "https://shop.example.com/done"
	case schema.Type.Is("string"):
		return strings.Repeat("a", max(1, int(schema.MinLength)))
	}
	t.Fatalf("how is the field %s filled in?", name)
	return nil
}

// target is everything that a tenant has, and its component, by the names of the parameters.
func (b *bundle) target(t *testing.T) map[string]string {
	t.Helper()
	batch := b.post(t, http.StatusAccepted, b.accountPath("/blacklist/block"), map[string]any{"openids": b.openids(1)})
	pull := b.post(t, http.StatusAccepted, b.accountPath("/blacklist/pull"), nil)
	_, err := b.followers.SetDirectory(t.Context(), b.Platform, b.tenantID, b.account.AppID, follower.Settings{Enabled: true})
	require.NoError(t, err)
	key, _ := b.newKeyOf(t, b.tenantID, tenant.KeyParams{})
	listID, personID := b.newList(t, "a list")
	reconciliation := b.do(t, request{method: "POST", key: b.platform, path: "/v1/components/" + b.ComponentAppID + "/reconciliations"})
	require.Equal(t, http.StatusAccepted, reconciliation.status, reconciliation.body)
	return map[string]string{
		"tenant_id": b.tenantID.String(), "appid": b.account.AppID, "component_appid": b.ComponentAppID,
		"batch_id": batch["id"].(string), "pull_id": pull["id"].(string), "key_id": key.ID.String(),
		"reconciliation_id": reconciliation.json(t)["id"].(string), "key": "stw_unknown", "openid": b.openids(1)[0],
		"list_id": listID, "person_id": personID,
	}
}

// newList makes a shared list with somebody on it.
func (b *bundle) newList(t *testing.T, name string) (listID, personID string) {
	t.Helper()
	list, err := b.lists.Create(t.Context(), b.Platform, b.tenantID, sharedlist.Params{Name: &name})
	require.NoError(t, err)
	_, err = b.lists.Add(t.Context(), b.Platform, b.tenantID, list.ID, sharedlist.Addition{UnionIDs: []string{"uPerson"}})
	require.NoError(t, err)
	page, err := b.lists.Persons(t.Context(), b.Platform, b.tenantID, list.ID, sharedlist.PersonsParams{})
	require.NoError(t, err)
	return list.ID.String(), page.Persons[0].ID.String()
}

// open are the operations that ask for nothing but a key, with the status that a tenant's key gets.
var open = map[string]int{"getMe": http.StatusOK, "listTenants": http.StatusOK, "deleteSession": http.StatusNoContent}

func TestEveryOperation(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	ids := b.target(t)
	other := factory.Tenant(t, b.World)
	_, err := b.Tenants.Update(t.Context(), b.Platform, other.ID, tenant.UpdateParams{TokenHandout: new(true)})
	require.NoError(t, err)
	_, stranger := b.newKeyOf(t, other.ID, tenant.KeyParams{})
	revoked, revokedKey := b.newKeyOf(t, b.tenantID, tenant.KeyParams{})
	require.NoError(t, b.Tenants.RevokeKey(t.Context(), b.Platform, b.tenantID, revoked.ID))
	soon := b.Clock.Now().Add(time.Hour)
	expiredKey := b.newKey(t, tenant.KeyParams{ExpiresAt: &soon})
	b.Clock.Advance(time.Hour)

	for _, o := range operations(t) {
		t.Run(o.id+"/StrangersFindNothing", func(t *testing.T) {
			t.Parallel()
			if o.id == "createSession" {
				b.do(t, o.request(t, ids, "none")).problem(t, http.StatusUnauthorized, "unauthenticated")
				return
			}
			res := b.do(t, o.request(t, ids, stranger))
			switch {
			case o.platform:
				res.problem(t, http.StatusForbidden, "platform-only")
			case strings.Contains(o.path, "{tenant_id}"):
				res.problem(t, http.StatusNotFound, "not-found")
			default:
				require.Contains(t, open, o.id, "what may a stranger do here?")
				require.Equal(t, open[o.id], res.status)
				require.NotContains(t, res.body, b.tenantID.String())
			}
			for _, secret := range []string{b.account.NickName, b.account.PrincipalName} {
				require.NotContains(t, res.body, secret)
			}
		})

		t.Run(o.id+"/StrangersFindNothingUnderTheirOwnTenant", func(t *testing.T) {
			t.Parallel()
			if o.platform {
				return // shown above
			}
			mixed := map[string]string{}
			for name, id := range ids {
				mixed[name] = id
			}
			mixed["tenant_id"] = other.ID.String()
			if strings.Count(o.path, "{") > 1 {
				b.do(t, o.request(t, mixed, stranger)).problem(t, http.StatusNotFound, "not-found")
			}
			for _, p := range o.parameters {
				if o.id == "findFollower" {
					continue // an openid is no id of ours: whoever asks for one that the tenant does not know is told so
				}
				if id, isID := ids[p.Value.Name]; isID && p.Value.In == openapi3.ParameterInQuery {
					r := o.request(t, mixed, stranger)
					r.path += "?" + p.Value.Name + "=" + id
					b.do(t, r).problem(t, http.StatusNotFound, "not-found")
				}
			}
		})

		t.Run(o.id+"/IdsThatDoNotExistAreNotFoundEvenByPlatform", func(t *testing.T) {
			t.Parallel()
			code := "not-found"
			unknown := map[string]string{"key": "stw_unknown", "component_appid": b.ComponentAppID, "appid": factory.NewAppID(), "openid": "oNobody"}
			if strings.Contains(o.path, "{component_appid}") {
				code, unknown["component_appid"] = "unknown-component", factory.NewAppID()
			}
			for _, name := range []string{"tenant_id", "batch_id", "pull_id", "key_id", "reconciliation_id", "list_id", "person_id"} {
				unknown[name] = uuid.NewString()
			}
			if strings.Contains(o.path, "{") {
				b.do(t, o.request(t, unknown, b.platform)).problem(t, http.StatusNotFound, code)
			}
			for _, name := range []string{"tenant_id", "batch_id", "pull_id", "key_id", "reconciliation_id", "list_id", "person_id"} {
				unknown[name] = "no-uuid"
			}
			if strings.Contains(o.path, "{") {
				require.Equal(t, http.StatusNotFound, b.do(t, o.request(t, unknown, b.platform)).status)
			}
		})

		t.Run(o.id+"/NeedsKeyThatIsValid", func(t *testing.T) {
			t.Parallel()
			if o.id == "createSession" {
				return // shown above
			}
			for what, key := range map[string]string{
				"none": "none", "revoked": revokedKey, "expired": expiredKey, "unknown": "stw_" + strings.Repeat("A", 52), "no key of ours": "sesame",
			} {
				res := b.do(t, o.request(t, ids, key))
				require.Equal(t, http.StatusUnauthorized, res.status, what)
				res.problem(t, http.StatusUnauthorized, "unauthenticated")
				require.Equal(t, `Bearer realm="steward"`, res.header.Get("WWW-Authenticate"), what)
			}
		})
	}
}

// scopeOf is the scope that each operation on a tenant needs; "" is none.
var scopeOf = map[string]tenant.Scope{
	"getTenant":   "",
	"listApiKeys": tenant.KeysWrite, "createApiKey": tenant.KeysWrite, "revokeApiKey": tenant.KeysWrite,
	"listAudit":        tenant.AuditRead,
	"listConnectLinks": tenant.ConnectLinksWrite, "createConnectLink": tenant.ConnectLinksWrite,
	"listAuthorizers": tenant.AuthorizersRead, "getAuthorizer": tenant.AuthorizersRead, "listAlerts": tenant.AuthorizersRead,
	"renewAuthorizer": tenant.AuthorizersWrite, "getAccessToken": tenant.TokensRead,
	"getFollowerDirectory": tenant.FollowersRead, "syncFollowers": tenant.FollowersRead, "listFollowers": tenant.FollowersRead,
	"findFollower": tenant.FollowersRead, "setFollowerDirectory": tenant.AuthorizersWrite,
	"listBlacklist": tenant.BlacklistRead, "startPull": tenant.BlacklistRead, "getPull": tenant.BlacklistRead,
	"block": tenant.BlacklistWrite, "unblock": tenant.BlacklistWrite,
	"listBatches": tenant.BlacklistRead, "getBatch": tenant.BlacklistRead, "listBatchItems": tenant.BlacklistRead, "listHistory": tenant.BlacklistRead,
	"pauseBatch": tenant.BlacklistWrite, "resumeBatch": tenant.BlacklistWrite,
	"cancelBatch": tenant.BlacklistWrite, "retryBatch": tenant.BlacklistWrite, "undoBatch": tenant.BlacklistWrite,
	"getBlacklistWork": tenant.BlacklistRead, "getBlacklistQuota": tenant.BlacklistRead,
	"holdBlacklistWork": tenant.BlacklistWrite, "resumeBlacklistWork": tenant.BlacklistWrite,
	"routeBlock": tenant.BlacklistWrite, "routeUnblock": tenant.BlacklistWrite,
	"adoptDrift": tenant.BlacklistWrite, "restoreDrift": tenant.BlacklistWrite,
	"exportBlacklist": tenant.BlacklistRead, "exportBatchItems": tenant.BlacklistRead,
	"listSharedLists": tenant.BlacklistRead, "getSharedList": tenant.BlacklistRead,
	"listSharedPersons": tenant.BlacklistRead, "getSharedPerson": tenant.BlacklistRead,
	"createSharedList": tenant.BlacklistWrite, "updateSharedList": tenant.BlacklistWrite, "deleteSharedList": tenant.BlacklistWrite,
	"addSharedPersons": tenant.BlacklistWrite, "removeSharedPerson": tenant.BlacklistWrite,
}

func TestEveryOperationOnTenantNeedsItsScope(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	b.handOutTokens(t, true)
	ids := b.target(t)
	only, without := map[tenant.Scope]string{}, map[tenant.Scope]string{}
	for _, scope := range tenant.AllScopes() {
		only[scope] = b.newKey(t, tenant.KeyParams{Scopes: []tenant.Scope{scope}})
		rest := slices.DeleteFunc(tenant.AllScopes(), func(s tenant.Scope) bool { return s == scope })
		without[scope] = b.newKey(t, tenant.KeyParams{Scopes: rest})
	}
	for _, o := range operations(t) {
		if !strings.Contains(o.path, "{tenant_id}") || o.platform {
			continue
		}
		scope, known := scopeOf[o.id]
		require.True(t, known, "which scope does %s need?", o.id)
		if scope == "" {
			continue
		}
		t.Run(o.id+"/RefusedWithAllScopesButOne", func(t *testing.T) {
			t.Parallel()
			p := b.do(t, o.request(t, ids, without[scope])).problem(t, http.StatusForbidden, "scope-missing")
			require.Equal(t, fmt.Sprintf("This key lacks the scope %q. Use a key that has it, or have one made.", scope), p.Detail)
		})
		t.Run(o.id+"/AllowedWithThatScopeAlone", func(t *testing.T) {
			t.Parallel()
			own := maps.Clone(ids)
			if o.id == "deleteSharedList" || o.id == "removeSharedPerson" { // which others look at
				own["list_id"], own["person_id"] = b.newList(t, o.id)
			}
			r := o.request(t, own, only[scope])
			if o.id == "createApiKey" {
				r.body = map[string]any{"name": "no more than its maker may do", "scopes": []any{scope}}
			}
			if o.id == "updateSharedList" { // or it would have the name of the one that is created
				r.body = map[string]any{"reason": "a"}
			}
			res := b.do(t, r)
			if o.id == "retryBatch" || o.id == "undoBatch" { // there is nothing to do about the batch, which is hardly begun
				require.Equal(t, http.StatusConflict, res.status, res.body)
				return
			}
			require.Less(t, res.status, 300, res.body)
		})
	}
}
