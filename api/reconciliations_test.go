package api_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func (b *bundle) reconciliations() string {
	return "/v1/components/" + b.ComponentAppID + "/reconciliations"
}

// reconcile starts a reconciliation.
func (b *bundle) reconcile(t *testing.T) reply {
	t.Helper()
	res := b.do(t, request{method: "POST", path: b.reconciliations(), key: b.platform})
	require.Equal(t, http.StatusAccepted, res.status, res.body)
	return res
}

// reconciled starts a reconciliation and waits for its end.
func (b *bundle) reconciled(t *testing.T) reply {
	t.Helper()
	path := b.reconciliations() + "/" + b.reconcile(t).json(t)["id"].(string)
	var res reply
	require.Eventually(t, func() bool {
		res = b.do(t, request{path: path, key: b.platform})
		return res.json(t)["ended_at"] != nil
	}, patience, 20*time.Millisecond)
	return res
}

func TestReconciliations(t *testing.T) {
	t.Parallel()

	t.Run("AnswerAtOnceAndAgainWithTheSameOne", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true})
		res := b.reconcile(t)
		id := res.json(t)["id"].(string)
		require.JSONEq(t, fmt.Sprintf(`{"id":%q,"component_appid":%q,"status":"queued","requested_by":"staff (platform_key)","total":0,"listed":0,"added":0,
			"restored":0,"absent":0,"profiles":0,"errcode":null,"rid":"","error":"","advice":"","created_at":%q,"started_at":null,"ended_at":null}`,
			id, b.ComponentAppID, began), res.body)
		require.JSONEq(t, res.body, b.do(t, request{path: b.reconciliations() + "/" + id, key: b.platform}).body)
		require.Equal(t, id, b.reconcile(t).json(t)["id"])
		b.do(t, request{method: "POST", path: b.reconciliations(), key: b.platform, body: `{"full":true}`}).problem(t, http.StatusUnprocessableEntity, "invalid-request")
	})

	t.Run("BringUnknownAccountsToTheUnclaimedOnes", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		missed := factory.AddToWeChat(t, b.World, factory.AccountOptions{})
		code, err := b.Sim.Authorize(missed)
		require.NoError(t, err)
		cat, err := b.Components.AccessToken(t.Context(), b.ComponentAppID)
		require.NoError(t, err)
		_, err = b.WeChat.QueryAuth(t.Context(), cat, b.ComponentAppID, code) // by somebody else, or by us before a restore from a backup
		require.NoError(t, err)
		b.start(t)
		done := b.reconciled(t).json(t)
		require.Equal(t, "done", done["status"])
		require.EqualValues(t, 2, done["total"])
		require.EqualValues(t, 2, done["listed"])
		require.EqualValues(t, 1, done["added"])
		require.Equal(t, []string{missed}, b.walk(t, b.platform, "/v1/unclaimed-authorizers", 50, "appid"))
		claim := b.do(t, request{method: "POST", path: "/v1/unclaimed-authorizers/" + missed + "/claim", key: b.platform, body: map[string]any{"tenant_id": b.tenantID}})
		require.Equal(t, http.StatusOK, claim.status, claim.body)
	})

	t.Run("AreListedNewestFirstAndPerComponent", func(t *testing.T) {
		t.Parallel()
		const second = "wx00000000000second"
		b := setup(t, options{noAcount: true, world: factory.WorldOptions{FurtherComponents: []simulator.Component{{AppID: second}}}})
		other := b.do(t, request{method: "POST", path: "/v1/components/" + second + "/reconciliations", key: b.platform}).json(t)["id"].(string)
		b.start(t)
		var want []string
		for range 3 {
			b.Clock.Advance(time.Second)
			want = append([]string{b.reconciled(t).json(t)["id"].(string)}, want...)
		}
		for _, limit := range []int{1, 2, 3, 200} {
			require.Equal(t, want, b.walk(t, b.platform, b.reconciliations(), limit, "id"), limit)
		}
		require.Equal(t, []string{other}, b.walk(t, b.platform, "/v1/components/"+second+"/reconciliations", 50, "id"))
		for _, id := range []string{other, uuid.NewString(), "no-uuid"} {
			b.do(t, request{path: b.reconciliations() + "/" + id, key: b.platform}).problem(t, http.StatusNotFound, "not-found")
		}
		b.do(t, request{path: b.reconciliations() + "?cursor=x", key: b.platform}).problem(t, http.StatusBadRequest, "invalid-cursor")
		b.do(t, request{path: b.reconciliations(), key: b.key}).problem(t, http.StatusForbidden, "platform-only")
	})
}
