package simulator_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

// control calls the control API and wants it to succeed.
func (w *world) control(method, path, body string) answer {
	w.t.Helper()
	return w.do(method, "/__sim"+path, body)
}

func (w *world) refused(method, path, body string) (status int, reason string) {
	w.t.Helper()
	status, text := w.raw(method, "/__sim"+path, body)
	var a answer
	require.NoError(w.t, json.Unmarshal([]byte(text), &a), "%s", text)
	return status, a.text("error")
}

func TestControlAPI(t *testing.T) {
	t.Parallel()
	t.Run("AccountsFromTheFirstToTheLast", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		a := w.control("POST", "/accounts", `{"appid":"wxnew","nick_name":"New","follower_count":3,"followers":["oSim_Z"],"unionids":{"oSim_Z":"u1"},"blacklist":["oSim_Z"]}`)
		require.Equal(t, "New", a.text("nick_name"))
		require.EqualValues(t, 4, a["follower_count"])
		require.Equal(t, []string{"oSim_Z"}, w.sim.Blacklisted("wxnew"))

		a = w.control("POST", "/accounts/wxnew/authorize", `{"permission_sets":[1,2]}`)
		require.Equal(t, "authorized", a.text("event"))
		require.Equal(t, true, a.at("push", "delivered"))
		require.Equal(t, a.text("authorization_code"), w.receiver.pushes()[0].fields["AuthorizationCode"])
		a = w.control("POST", "/accounts/wxnew/authorize", `{"permission_sets":[1,2]}`)
		require.Empty(t, a.text("event"), "nothing changed, nothing pushed")
		a = w.control("POST", "/accounts/wxnew/permission-sets", `{"permission_sets":[1],"push":false}`)
		require.Equal(t, "updateauthorized", a.text("event"))
		require.Equal(t, false, a.at("push", "delivered"))
		sets, _ := w.sim.GrantedSets("wxnew")
		require.Equal(t, []int{1}, sets)
		require.Equal(t, true, w.control("POST", "/accounts/wxnew/revoke", "").at("push", "delivered"))
		require.Equal(t, []string{"authorized", "unauthorized"}, w.receiver.infoTypes())

		a = w.control("POST", "/accounts/wxnew/followers", `{"add":["oSim_Y"],"generate":10,"remove":["oSim_Z"],"unionids":{"oSim_Y":"u2"}}`)
		require.EqualValues(t, 11, a["total"])
		require.Len(t, w.control("GET", "/accounts/wxnew/followers", "")["openids"], 11)
		a = w.control("POST", "/accounts/wxnew/blacklist", `{"block":["oSim_X","oSim_Y"],"unblock":["oSim_Z"]}`)
		require.EqualValues(t, 2, a["total"])
		require.Equal(t, []any{"oSim_X", "oSim_Y"}, w.control("GET", "/accounts/wxnew/blacklist", "")["openids"])
		a = w.control("PATCH", "/accounts/wxnew", `{"account_status":19}`)
		require.EqualValues(t, 19, a["account_status"])
		require.Equal(t, "New", a.text("nick_name"), "what is left out stays")
		a = w.control("POST", "/accounts/"+shop+"/messages", `{"from":"oSim_A","content":"hi"}`)
		require.Equal(t, false, a["delivered"])
		require.Contains(t, a.text("why"), "does not authorize")
	})
	t.Run("MistakesAreExplained", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		for _, c := range []struct {
			method, path, body string
			status             int
			reason             string
		}{
			{"POST", "/faults", `{"path":"` + pathBlock + `","errcod":-1}`, 400, `unknown field "errcod"; known are: id, path, appid, skip`},
			{"POST", "/settings", `{"pagesize":2}`, 400, `unknown field "pagesize"; known are: page_size`},
			{"POST", "/settings", `{"answer":{"errmsgs":"rid"}}`, 400, `answer.errmsg`},
			{"POST", "/settings", `{"page_size":0}`, 400, "page_size is 0"},
			{"POST", "/settings", `{"revoked_code":1}`, 400, "revoked_code is 1; it must be one of [40001 61003 61007]"},
			{"POST", "/settings", `{"ip_whitelist":["here"]}`, 400, `"here" is neither`},
			{"POST", "/settings", `{"page_size":"2"}`, 400, "the body is not what this call takes"},
			{"POST", "/clock", `{"advance_seconds":-1}`, 400, "above zero"},
			{"POST", "/clock", `{"advance_seconds":1}{}`, 400, "after the JSON object"},
			{"POST", "/accounts", `{"appid":"` + shop + `"}`, 400, "is there already"},
			{"POST", "/accounts", `{"appid":"x"}`, 400, "must be wx"},
			{"PATCH", "/accounts/" + shop, `{"followers":["oSim_A"]}`, 400, "…/followers"},
			{"PATCH", "/accounts/" + shop, `{"appid":"wx2"}`, 400, "cannot be changed"},
			{"PATCH", "/accounts/wx9", `{"nick_name":"x"}`, 404, "unknown account: wx9"},
			{"POST", "/accounts/wx9/authorize", `{}`, 404, "unknown account: wx9"},
			{"POST", "/accounts/" + shop + "/authorize", `{"component_appid":"wx9"}`, 404, "unknown component: wx9"},
			{"POST", "/accounts/" + shop + "/authorize", `{"sets":[1]}`, 400, "known are: component_appid, pre_auth_code, permission_sets, push"},
			{"POST", "/accounts/" + shop + "/revoke", `{}`, 400, "does not authorize"},
			{"POST", "/accounts/" + shop + "/followers", `{"add":[" oSim_A"]}`, 400, "malformed"},
			{"POST", "/components/wx9", `{}`, 404, "unknown component"},
			{"POST", "/events", `{}`, 400, "events is empty"},
			{"GET", "/calls?limit=x", "", 400, "limit must be a number"},
			{"GET", "/nothing", "", 404, "has no GET /__sim/nothing"},
			{"PUT", "/clock", "", 404, "has no PUT /__sim/clock"},
		} {
			status, reason := w.refused(c.method, c.path, c.body)
			require.Equal(t, c.status, status, "%s %s: %s", c.method, c.path, reason)
			require.Contains(t, reason, c.reason)
		}
		require.Equal(t, simulator.DefaultSettings(), w.sim.Settings(), "a refused change changes nothing")
	})
	t.Run("ClockTokensFaultsAndSettings", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		aat := w.authorize(shop).access
		require.Equal(t, "2023-11-14T22:13:30Z", w.control("POST", "/clock", `{"advance_seconds":10}`).text("now"))
		require.Equal(t, time.Unix(1_700_000_010, 0), w.sim.Now())
		w.control("POST", "/expire-tokens", `{"appids":["wx9"]}`)
		require.Zero(t, w.business(pathBlacklist, aat, "{}").code())
		w.control("POST", "/expire-tokens", "")
		require.Equal(t, 42001, w.business(pathBlacklist, aat, "{}").code())
		w.control("POST", "/expire-tokens", `{"superseded":true}`)
		require.Equal(t, 40001, w.business(pathBlacklist, aat, "{}").code())

		id := w.control("POST", "/faults", `{"errcode":-1,"form":{"code_as_string":true}}`).text("id")
		require.Equal(t, "-1", w.business(pathBlacklist, aat, "{}")["errcode"])
		require.Len(t, w.control("GET", "/faults", "")["faults"], 1)
		w.control("POST", "/faults/release", "")
		w.control("DELETE", "/faults/"+id, "")
		require.Equal(t, 40001, w.business(pathBlacklist, aat, "{}").code())
		w.control("POST", "/faults", `{"errcode":-1}`)
		w.control("DELETE", "/faults", "")
		require.Empty(t, w.control("GET", "/faults", "")["faults"])

		a := w.control("POST", "/settings", `{"page_size":2,"answer":{"errmsg":"plain"}}`)
		require.EqualValues(t, 2, a["page_size"])
		require.EqualValues(t, 300, a["overlap_seconds"], "what is left out stays")
		require.Equal(t, a, w.control("GET", "/settings", ""))
		w.control("POST", "/quotas", `{"appid":"`+shop+`","path":"`+pathBlacklist+`","daily":1}`)
		aat = w.authorize(shop).access
		require.Zero(t, w.control("GET", "/faults", "")["hanging"])
		require.Equal(t, 45009, w.business(pathBlacklist, aat, "{}").code())
	})
	t.Run("PushesAndHeldEvents", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		require.Equal(t, true, w.control("POST", "/ticket", "")["delivered"])
		w.control("POST", "/settings", `{"hold_pushes":true}`)
		require.Equal(t, true, w.control("POST", "/accounts/"+shop+"/authorize", "").at("push", "held"))
		require.Equal(t, true, w.control("POST", "/accounts/"+shop+"/revoke", "").at("push", "held"))
		require.EqualValues(t, 2, w.control("GET", "/state", "")["held_events"])
		require.Equal(t, true, w.control("POST", "/events/release", `{"reverse":true}`)["delivered"])
		require.Equal(t, []string{"unauthorized", "authorized"}, w.receiver.infoTypes())
		require.Equal(t, true, w.control("POST", "/events", `{"events":[{"info_type":"strange","fields":{"a":"b"}}]}`)["delivered"])
		require.Len(t, w.control("GET", "/deliveries", "")["deliveries"], 4)
		w.control("DELETE", "/deliveries", "")
		w.control("POST", "/components/"+componentAppID, `{"event_url":"","message_url":""}`)
		a := w.control("POST", "/ticket", "")
		require.Equal(t, false, a["delivered"])
		require.Equal(t, "no callback URL is set", a.text("error"))
		require.Empty(t, w.control("GET", "/deliveries", "")["deliveries"])
	})
	t.Run("StateShowsNoSecrets", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		tokens := w.authorize(shop)
		w.business(pathBlock, tokens.access, list("oSim_A"))
		status, state := w.raw(http.MethodGet, "/__sim/state", "")
		require.Equal(t, http.StatusOK, status)
		for _, secret := range []string{tokens.access, tokens.refresh, appSecret, "simtoken", "ticket@@@"} {
			require.NotContains(t, state, secret)
		}
		a := w.control("GET", "/state", "")
		account := a["accounts"].([]any)[0].(map[string]any)
		require.EqualValues(t, 5, account["follower_count"])
		require.EqualValues(t, 1, account["blacklisted"])
		granted := account["authorizations"].([]any)[0].(map[string]any)
		require.Equal(t, "2023-11-15T00:13:20Z", granted["token_expires_at"])
		calls := w.control("GET", "/calls?path="+pathBlock+"&appid="+shop, "")
		require.EqualValues(t, 1, calls["total"])
		require.JSONEq(t, `{"openid_list":["oSim_A"]}`, calls["calls"].([]any)[0].(map[string]any)["body"].(string))
		require.Len(t, w.control("GET", "/calls?limit=1", "")["calls"], 1)
		require.EqualValues(t, 0, w.control("GET", "/calls?path=/x", "")["total"])
		w.control("DELETE", "/calls", "")
		require.Empty(t, w.sim.Calls())
	})
}
