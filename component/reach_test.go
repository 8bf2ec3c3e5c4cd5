package component_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
)

func TestDiagnose_CallbackURL(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Location", "http://steward.example/elsewhere?"+r.URL.RawQuery)
			rw.WriteHeader(status)
			_, _ = io.WriteString(rw, body)
		}
	}
	c := setupClinic(t)
	for _, tc := range []struct {
		name     string
		callback http.HandlerFunc // nil: ours
		url      string           // empty: the usual one
		status   component.CheckStatus
		says     string
	}{
		{"Ours", nil, "", component.CheckOK, "leads here"},
		{"OursOn443", nil, "http://steward.example:443/wechat/wx0000000000000001/events", component.CheckOK, "leads here"},
		{"Redirect", answer(302, ""), "", component.CheckFail, "302, a redirect"},
		{"OtherKeys", answer(403, ""), "", component.CheckFail, "callback token"},
		{"NotFound", answer(404, ""), "", component.CheckFail, "answers 404"},
		{"BadGateway", answer(502, ""), "", component.CheckFail, "answers 502"},
		{"SomeLoginPage", answer(200, "<html>"), "", component.CheckFail, "not with the echo"},
		{"UnknownName", nil, "http://nobody.example/", component.CheckFail, "no such host"},
		{"Loopback", nil, "http://127.0.0.1/wechat/wx0000000000000001/events", component.CheckWarn, "local"},
		{"PrivateAddress", nil, "http://10.1.2.3/wechat/wx0000000000000001/events", component.CheckWarn, "local"},
		{"Localhost", nil, "http://localhost:8080/wechat/wx0000000000000001/events", component.CheckWarn, "local"},
		{"OtherPort", nil, "http://steward.example:8080/wechat/wx0000000000000001/events", component.CheckWarn, "port 8080"},
		{"NoURL", nil, "steward.example", component.CheckFail, "no http or https URL"},
	} {
		c.callback = c.echo
		if tc.callback != nil {
			c.callback = tc.callback
		}
		url := publicURL
		if tc.url != "" {
			url = tc.url
		}
		check := c.diagnose(t, url)[component.CheckCallbackURL]
		require.Equal(t, tc.status, check.Status, "%s: %s", tc.name, check.Reason)
		require.Contains(t, check.Reason, tc.says, tc.name)
		require.NotContains(t, check.Reason, "signature=", tc.name)
	}
}

func TestDiagnose_CallbackURLOfAnotherSteward(t *testing.T) {
	c, another := setupClinic(t), factory.NewWorld(t)
	params := ours(another)
	newKeys(&params)
	_, err := another.Components.Register(t.Context(), another.Platform, params)
	require.NoError(t, err)
	another.Clock.Advance(24 * time.Hour)
	c.callback = (&clinic{World: another}).echo
	require.Equal(t, component.CheckFail, c.diagnose(t)[component.CheckCallbackURL].Status)
}
