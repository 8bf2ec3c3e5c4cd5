package api_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/api"
)

func TestOperations(t *testing.T) {
	t.Parallel()

	t.Run("Health/AlwaysOK", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true, change: func(c *api.Config) {
			c.Ready = func(context.Context) error {
				return errors.New("dial tcp db.internal:5432: password of steward is wrong")
			}
		}})
		res := b.do(t, request{path: "/healthz", key: "none"})
		require.Equal(t, http.StatusOK, res.status)
		require.JSONEq(t, `{"status":"ok"}`, res.body)
		res = b.do(t, request{path: "/readyz", key: "none"})
		require.Equal(t, http.StatusServiceUnavailable, res.status)
		require.JSONEq(t, `{"status":"not ready"}`, res.body)
		require.Contains(t, b.Logs.String(), "db.internal:5432", "the operator has to know")
	})

	t.Run("Ready/OKWhenReady", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true, change: func(c *api.Config) { c.Ready = func(context.Context) error { return nil } }})
		require.JSONEq(t, `{"status":"ok"}`, b.do(t, request{path: "/readyz", key: "none"}).body)
		other := setup(t, options{noAcount: true})
		require.JSONEq(t, `{"status":"ok"}`, other.do(t, request{path: "/readyz", key: "none"}).body)
	})

	t.Run("Metrics/NameRoutesAndNobody", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		b.get(t, b.accountPath("/blacklist"))
		b.do(t, request{path: b.tenantPath("/batches/" + uuid.NewString())})
		b.do(t, request{method: "PROPFIND", path: "/v1/me"})
		b.do(t, request{path: "/v1/nothing"})
		b.do(t, request{path: "/connect/some-state"})
		res := b.do(t, request{path: "/metrics", key: "none"})
		for _, line := range []string{
			`method="GET",route="/v1/tenants/:tenant_id/authorizers/:appid/blacklist",status="200"`,
			`method="GET",route="/v1/tenants/:tenant_id/batches/:batch_id",status="404"`,
			`method="other",route="/*",status="405"`, `method="GET",route="/*",status="404"`, `method="GET",route="/connect/:state",status="404"`,
		} {
			require.Contains(t, res.body, "steward_http_request_seconds_count{"+line+"} 1")
		}
		for _, secret := range []string{b.tenantID.String(), b.account.AppID, "PROPFIND", "some-state"} {
			require.NotContains(t, res.body, secret)
		}
	})
}
