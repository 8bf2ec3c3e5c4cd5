package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestComponents(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})
	register := func(body map[string]any) reply {
		return b.do(t, request{method: "POST", path: "/v1/components", key: b.platform, body: body})
	}
	wanted := map[string]any{
		"appid": "wx00000000000000aa", "name": "第二平台", "appsecret": b.secret("an-app-secret"), "token": b.secret("a-callback-token"),
		"encoding_aes_key": b.secret(strings.Repeat("C", 43)),
	}
	res := register(wanted)
	require.Equal(t, http.StatusOK, res.status, res.body)
	want := `{"appid":"wx00000000000000aa","name":%q,"event_url":"https://steward.test/wechat/wx00000000000000aa/events",
		"message_url":"https://steward.test/wechat/wx00000000000000aa/messages/$APPID$","ticket_received_at":null,"access_token_expires_at":null,
		"access_token_renewed_at":null,"last_error":null,"created_at":%q}`
	require.JSONEq(t, fmt.Sprintf(want, "第二平台", began), res.body)

	list := b.do(t, request{path: "/v1/components", key: b.platform})
	require.Len(t, list.json(t)["data"], 2)
	require.Nil(t, list.json(t)["next_cursor"])
	for _, secret := range []string{"an-app-secret", "a-callback-token", strings.Repeat("C", 43)} {
		require.NotContains(t, list.body+res.body, secret)
	}

	wanted["name"] = "Renamed"
	wanted["appsecret"] = b.secret("another-app-secret")
	require.JSONEq(t, fmt.Sprintf(want, "Renamed", began), register(wanted).body)
	delete(wanted, "name")
	require.Equal(t, "Renamed", register(wanted).json(t)["name"], "no name: as it was")

	wanted["appid"] = " wx1"
	p := register(wanted).problem(t, http.StatusUnprocessableEntity, "invalid-request")
	require.Equal(t, []string{"/appid: must have letters, digits, hyphens and underscores only"}, pointers(p))
}

func TestComponentWithError(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})
	_, err := b.Sim.Inject(simulator.Fault{Path: "/cgi-bin/component/api_component_token", Code: 40125, Text: "invalid appsecret"})
	require.NoError(t, err)
	link := b.post(t, http.StatusCreated, b.tenantPath("/connect-links"), nil)["url"].(string)
	page := b.do(t, request{path: strings.TrimPrefix(link, factory.PublicURL), key: "none"})
	require.Equal(t, http.StatusBadGateway, page.status)

	component := b.do(t, request{path: "/v1/components", key: b.platform}).json(t)["data"].([]any)[0].(map[string]any)
	last := component["last_error"].(map[string]any)
	require.EqualValues(t, 40125, last["errcode"])
	require.Equal(t, began, last["at"])
	require.Contains(t, last["advice"], "AppSecret")
	require.NotEmpty(t, last["rid"])
}
