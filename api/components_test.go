package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/api"
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
	want := `{"appid":"wx00000000000000aa","name":%[1]q,"event_url":"https://steward.test/wechat/wx00000000000000aa/events",
		"message_url":"https://steward.test/wechat/wx00000000000000aa/messages/$APPID$","ticket_received_at":null,"ticket_requested_at":null,
		"previous_keys_until":null,"access_token_expires_at":null,"access_token_renewed_at":null,"last_error":null,
		"health":{"status":"ok","failing_since":null,"attempts":0,"next_attempt_at":%[2]q,"last_error":null,"refused_early":0,"refused_early_at":null},
		"created_at":%[2]q}`
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

func TestComponentCallbackKeys(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})
	ours := b.Sim.Component()
	path := "/v1/components/" + ours.AppID
	register := func(body map[string]any) reply {
		for name, value := range map[string]any{"appid": ours.AppID, "appsecret": ours.AppSecret, "token": "another", "encoding_aes_key": strings.Repeat("C", 43)} {
			if body[name] == nil {
				body[name] = value
			}
		}
		return b.do(t, request{method: "POST", path: "/v1/components", key: b.platform, body: body})
	}
	until := func(r reply) any {
		require.Equal(t, http.StatusOK, r.status, r.body)
		require.JSONEq(t, r.body, b.do(t, request{path: path, key: b.platform}).body)
		return r.json(t)["previous_keys_until"]
	}
	require.Nil(t, until(register(map[string]any{"token": ours.Token, "encoding_aes_key": ours.EncodingAESKey})), "nothing has changed")
	require.Equal(t, "2026-03-03T08:30:00Z", until(register(map[string]any{})), "a day, if nobody says otherwise")
	require.Equal(t, "2026-03-02T08:45:00Z", until(register(map[string]any{"previous_keys_until": "2026-03-02T16:45:00+08:00"})))

	for body, want := range map[string]string{
		"2026-03-02T08:29:59Z": "/previous_keys_until: lies in the past or more than 30 days ahead",
		"2026-05-01T00:00:00Z": "/previous_keys_until: lies in the past or more than 30 days ahead",
		"tomorrow":             "/previous_keys_until: must be a time as in RFC 3339, such as 2027-01-31T08:00:00Z",
	} {
		p := register(map[string]any{"previous_keys_until": body}).problem(t, http.StatusUnprocessableEntity, "invalid-request")
		require.Equal(t, []string{want}, pointers(p))
	}
	require.Equal(t, "2026-03-02T08:45:00Z", b.do(t, request{path: path, key: b.platform}).json(t)["previous_keys_until"])
	b.Clock.Advance(15 * time.Minute)
	require.NoError(t, b.Components.Sweep(t.Context()))
	require.Nil(t, b.do(t, request{path: path, key: b.platform}).json(t)["previous_keys_until"], "they have ended")
}

func TestRequestTicket(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true, world: factory.WorldOptions{NoTicket: true}})
	path := "/v1/components/" + b.ComponentAppID
	shown := func(member string) any { return b.do(t, request{path: path, key: b.platform}).json(t)[member] }
	ask := request{method: "POST", path: path + "/request-ticket", key: b.platform}
	require.Nil(t, shown("ticket_received_at"))
	require.Nil(t, shown("ticket_requested_at"))

	res := b.do(t, ask)
	require.Equal(t, http.StatusNoContent, res.status, res.body)
	require.Empty(t, res.body)
	require.NoError(t, b.Sim.Flush(t.Context()))
	require.Equal(t, began, shown("ticket_received_at"))
	require.Equal(t, began, shown("ticket_requested_at"))

	_, err := b.Sim.Inject(simulator.Fault{Path: "/cgi-bin/component/api_start_push_ticket", Code: 40125, Text: "invalid appsecret"})
	require.NoError(t, err)
	p := b.do(t, ask).problem(t, http.StatusBadGateway, "wechat-refused")
	require.Equal(t, 40125, *p.Errcode)
}

func TestDiagnosis(t *testing.T) {
	t.Parallel()
	diagnose := func(t *testing.T, b *bundle) (reply, map[string]map[string]any) {
		t.Helper()
		res := b.do(t, request{path: "/v1/components/" + b.ComponentAppID + "/diagnosis", key: b.platform})
		require.Equal(t, http.StatusOK, res.status, res.body)
		checks := map[string]map[string]any{}
		for _, check := range res.json(t)["checks"].([]any) {
			check := check.(map[string]any)
			checks[check["check"].(string)] = check
			require.NotEmpty(t, check["reason"])
		}
		return res, checks
	}

	t.Run("LooksAtEverythingAndFindsItsOwnCallback", func(t *testing.T) {
		t.Parallel()
		public := httptest.NewUnstartedServer(nil)
		url := "http://" + public.Listener.Addr().String()
		b := setup(t, options{noAcount: true, change: func(c *api.Config) { c.PublicURL = url + "/" }})
		public.Config.Handler = b.handler
		public.Start()
		t.Cleanup(public.Close)

		res, checks := diagnose(t, b)
		require.Equal(t, b.ComponentAppID, res.json(t)["appid"])
		require.Equal(t, began, res.json(t)["at"])
		require.Len(t, checks, 8)
		for _, name := range []string{"ticket", "app_secret", "ip_whitelist", "component_token", "quota", "second_installation"} {
			require.Equal(t, "ok", checks[name]["status"], "%s: %v", name, checks[name])
			require.Empty(t, checks[name]["remedy"])
			require.Nil(t, checks[name]["errcode"])
		}
		require.Equal(t, "warn", checks["callback_url"]["status"], "it is reached, and only from this machine")
		require.Contains(t, checks["callback_url"]["reason"], url+"/wechat/"+b.ComponentAppID+"/events leads here")
		require.NotContains(t, res.body, "signature=")
	})

	t.Run("SaysWhatIsWrongAndWhatToDo", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{noAcount: true, change: func(c *api.Config) { c.PublicURL = "http://127.0.0.1:1" }})
		_, err := b.Sim.Inject(simulator.Fault{Path: "/cgi-bin/component/api_component_token", Code: 40125, Text: "invalid appsecret"})
		require.NoError(t, err)
		res, checks := diagnose(t, b)
		require.Equal(t, "fail", checks["app_secret"]["status"])
		require.EqualValues(t, 40125, checks["app_secret"]["errcode"])
		require.NotEmpty(t, checks["app_secret"]["rid"])
		require.Contains(t, checks["app_secret"]["remedy"], "AppSecret")
		require.Equal(t, "fail", checks["callback_url"]["status"])
		require.NotEmpty(t, checks["callback_url"]["remedy"])
		require.NotContains(t, res.body, b.Sim.Component().AppSecret)
	})
}
