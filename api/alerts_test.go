package api_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/token"
)

// raise opens an alert as the packages that notice breaks do.
func (b *bundle) raise(t *testing.T, kind alert.Kind, about alert.Subject) {
	t.Helper()
	require.NoError(t, alert.Raise(t.Context(), b.Pool, kind, about, token.Failure{
		Code: 45009, Message: "reach max api daily quota limit", RID: "6123-45-67", Advice: "Wait.", At: b.Clock.Now(),
	}))
}

func (b *bundle) clear(t *testing.T, kind alert.Kind, about alert.Subject) {
	t.Helper()
	require.NoError(t, alert.Clear(t.Context(), b.Pool, about, b.Clock.Now(), kind))
}

func of(account authorizer.Account) alert.Subject {
	return alert.Subject{ComponentAppID: account.ComponentAppID, AuthorizerID: account.ID}
}

func TestAlerts(t *testing.T) {
	t.Parallel()

	t.Run("BreakIsRaisedOnceAndClearedWhenMended", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{account: factory.AccountOptions{NickName: "茶馆"}})
		require.Empty(t, b.get(t, b.tenantPath("/alerts"))["data"])
		b.raise(t, alert.RenewalFailing, of(b.account))
		b.Clock.Advance(time.Minute)
		b.raise(t, alert.RenewalFailing, of(b.account))
		res := b.do(t, request{path: b.tenantPath("/alerts")})
		shown := res.json(t)["data"].([]any)[0].(map[string]any)
		want := `{"id":%q,"kind":"renewal_failing","component_appid":%q,"tenant_id":%q,"appid":%q,"nick_name":"茶馆","raised_at":%q,
			"last_seen_at":"2026-03-02T08:31:00Z","cleared_at":%s,"errcode":45009,"rid":"6123-45-67","message":"reach max api daily quota limit","advice":"Wait."}`
		page := func(clearedAt string) string {
			row := fmt.Sprintf(want, shown["id"], b.ComponentAppID, b.tenantID, b.account.AppID, began, clearedAt)
			return `{"data":[` + row + `],"next_cursor":null}`
		}
		require.JSONEq(t, page("null"), res.body)
		require.JSONEq(t, res.body, b.do(t, request{path: "/v1/alerts", key: b.platform}).body)

		b.Clock.Advance(time.Minute)
		b.clear(t, alert.RenewalFailing, of(b.account))
		require.JSONEq(t, page(`"2026-03-02T08:32:00Z"`), b.do(t, request{path: b.tenantPath("/alerts")}).body)
		b.raise(t, alert.RenewalFailing, of(b.account))
		require.Len(t, b.get(t, b.tenantPath("/alerts"))["data"], 2, "a new break is a new alert")
	})

	t.Run("RevocationIsOne", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		b.revoke(t)
		page := b.get(t, b.tenantPath("/alerts?open=true"))["data"].([]any)
		require.Len(t, page, 1)
		shown := page[0].(map[string]any)
		require.Equal(t, "revoked", shown["kind"])
		require.Equal(t, b.account.AppID, shown["appid"])
		require.Equal(t, "2026-03-02T08:30:01Z", shown["raised_at"])
		require.Nil(t, shown["errcode"])
		require.NotEmpty(t, shown["message"])
		require.Contains(t, shown["advice"], "connect link")
	})

	t.Run("TenantSeesItsOwnAccountsOnly", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		other := factory.Tenant(t, b.World)
		_, stranger := b.newKeyOf(t, other.ID, tenant.KeyParams{})
		theirs := factory.Account(t, b.World, factory.AccountOptions{TenantID: other.ID})
		unclaimed := factory.Account(t, b.World, factory.AccountOptions{})
		component := alert.Subject{ComponentAppID: b.ComponentAppID}
		b.raise(t, alert.RenewalFailing, of(b.account))
		b.raise(t, alert.Limited, of(theirs))
		b.raise(t, alert.TokenContested, of(unclaimed))
		b.raise(t, alert.TicketLate, component)

		require.Equal(t, []string{"renewal_failing"}, b.walk(t, "", b.tenantPath("/alerts"), 50, "kind"))
		require.Equal(t, []string{"limited"}, b.walk(t, stranger, "/v1/tenants/"+other.ID.String()+"/alerts", 50, "kind"))
		require.Equal(t, []string{"limited"}, b.walk(t, b.platform, "/v1/tenants/"+other.ID.String()+"/alerts", 50, "kind"))
		b.do(t, request{path: "/v1/alerts"}).problem(t, http.StatusForbidden, "platform-only")
		b.do(t, request{path: b.tenantPath("/alerts"), key: stranger}).problem(t, http.StatusNotFound, "not-found")

		all := b.do(t, request{path: "/v1/alerts", key: b.platform}).json(t)["data"].([]any)
		require.Len(t, all, 4)
		ticket, contested := all[0].(map[string]any), all[1].(map[string]any)
		require.Equal(t, "ticket_late", ticket["kind"], "newest first")
		for _, member := range []string{"tenant_id", "appid", "nick_name", "cleared_at"} {
			require.Nil(t, ticket[member], member)
		}
		require.Equal(t, unclaimed.AppID, contested["appid"])
		require.Nil(t, contested["tenant_id"])

		// Its alerts go with an account.
		_, err := b.Authorizers.Claim(t.Context(), b.Platform, b.ComponentAppID, unclaimed.AppID, b.tenantID)
		require.NoError(t, err)
		require.Equal(t, []string{"token_contested", "renewal_failing"}, b.walk(t, "", b.tenantPath("/alerts"), 50, "kind"))
	})
}

func TestAlertList(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	for i := range 5 {
		b.Clock.Advance(time.Second)
		b.raise(t, alert.RenewalFailing, of(b.account))
		if i < 4 {
			b.clear(t, alert.RenewalFailing, of(b.account))
		}
	}
	b.raise(t, alert.TokenContested, of(b.account))

	for name, list := range map[string]struct{ key, path string }{
		"Tenant": {"", b.tenantPath("/alerts")}, "Platform": {b.platform, "/v1/alerts"},
	} {
		t.Run(name+"/CursorsWalkAllPages", func(t *testing.T) {
			t.Parallel()
			all := b.walk(t, list.key, list.path, 200, "id")
			require.Len(t, all, 6)
			for _, limit := range []int{1, 2, 5, 6} {
				require.Equal(t, all, b.walk(t, list.key, list.path, limit, "id"), limit)
			}
			require.Equal(t, all[:2], b.walk(t, list.key, list.path+"?open=true", 1, "id"))
			require.Equal(t, all[2:], b.walk(t, list.key, list.path+"?open=false", 3, "id"))
		})

		t.Run(name+"/BadParametersAreRefused", func(t *testing.T) {
			t.Parallel()
			for query, pointer := range map[string]string{
				"open=maybe": "query:open", "open=": "query:open", "open=true&open=false": "query:open", "limit=0": "query:limit", "limit=201": "query:limit",
			} {
				p := b.do(t, request{key: list.key, path: list.path + "?" + query}).problem(t, http.StatusUnprocessableEntity, "invalid-request")
				require.Equal(t, pointer, (*p.Errors)[0].Pointer, query)
			}
			for _, cursor := range []string{"nonsense", b.get(t, b.tenantPath("/audit?limit=1"))["next_cursor"].(string) + "x"} {
				b.do(t, request{key: list.key, path: list.path + "?cursor=" + cursor}).problem(t, http.StatusBadRequest, "invalid-cursor")
			}
		})
	}

	t.Run("OfTenantThatDoesNotExistIsNotFound", func(t *testing.T) {
		t.Parallel()
		b.do(t, request{key: b.platform, path: "/v1/tenants/" + uuid.NewString() + "/alerts"}).problem(t, http.StatusNotFound, "not-found")
	})
}
