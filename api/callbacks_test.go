package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// callbacks are the tests' own WeChat, which pushes byte by byte as WeChat does.
type callbacks struct {
	*bundle
	cipher *wechat.Cipher
	appid  string
}

func (b *bundle) callbacks(t *testing.T) callbacks {
	t.Helper()
	c := b.Sim.Component()
	cipher, err := wechat.NewCipher(c.AppID, wechat.CallbackKey{Token: c.Token, EncodingAESKey: c.EncodingAESKey})
	require.NoError(t, err)
	return callbacks{b, cipher, c.AppID}
}

// sealed is a push on its way: a POST with the signature in the query.
func (c callbacks) sealed(t *testing.T, path, message string) request {
	t.Helper()
	s, err := c.cipher.Seal([]byte(message), fmt.Sprint(c.Clock.Now().Unix()), uuid.NewString()[:8])
	require.NoError(t, err)
	component := c.Sim.Component()
	query := url.Values{
		"signature": {wechat.Signature(component.Token, s.Timestamp, s.Nonce)}, "timestamp": {s.Timestamp}, "nonce": {s.Nonce},
		"encrypt_type": {"aes"}, "msg_signature": {s.MsgSignature},
	}
	return request{
		method: http.MethodPost, path: "/wechat/" + c.appid + path + "?" + query.Encode(), key: "none",
		body:   "<xml><AppId><![CDATA[" + c.appid + "]]></AppId><Encrypt><![CDATA[" + s.Encrypt + "]]></Encrypt></xml>",
		header: http.Header{"Content-Type": {"text/xml"}},
	}
}

func (c callbacks) event(infoType, rest string) string {
	return fmt.Sprintf("<xml><AppId><![CDATA[%s]]></AppId><CreateTime>%d</CreateTime><InfoType><![CDATA[%s]]></InfoType>%s</xml>",
		c.appid, c.Clock.Now().Unix(), infoType, rest)
}

// acknowledged is an answer that WeChat takes for one: exactly this.
func acknowledged(t *testing.T, res reply) {
	t.Helper()
	require.Equal(t, http.StatusOK, res.status, res.body)
	require.Equal(t, "success", res.body)
	require.True(t, strings.HasPrefix(res.header.Get("Content-Type"), "text/plain"), res.header)
	require.Empty(t, res.header.Get("Set-Cookie"))
}

func TestEventCallback(t *testing.T) {
	t.Parallel()

	t.Run("Ticket/StoredWhenAcknowledged", func(t *testing.T) {
		t.Parallel()
		c := setup(t, options{noAcount: true, world: factory.WorldOptions{NoTicket: true}}).callbacks(t)
		require.Nil(t, c.component(t)["ticket_received_at"])
		ticket, err := c.Sim.IssueTicket(c.appid)
		require.NoError(t, err)
		push := c.sealed(t, "/events", c.event("component_verify_ticket", "<ComponentVerifyTicket><![CDATA["+c.secret(ticket)+"]]></ComponentVerifyTicket>"))
		for range 5 {
			acknowledged(t, c.do(t, push))
		}
		require.Equal(t, began, c.component(t)["ticket_received_at"])
		require.Zero(t, c.count(t, "component_events"), "tickets are no events to keep")
		// It is the real one: a connect page needs it.
		link := c.post(t, http.StatusCreated, c.tenantPath("/connect-links"), nil)["url"].(string)
		require.Equal(t, http.StatusOK, c.do(t, request{path: strings.TrimPrefix(link, factory.PublicURL)}).status)
	})

	t.Run("Authorized/AccountComes", func(t *testing.T) {
		t.Parallel()
		c := setup(t, options{noAcount: true}).callbacks(t)
		c.start(t)
		appid := factory.AddToWeChat(t, c.World, factory.AccountOptions{NickName: "Tea House"})
		code, err := c.Sim.AuthorizeFor(simulator.Grant{ComponentAppID: c.appid, AppID: appid})
		require.NoError(t, err)
		push := c.sealed(t, "/events", c.event("authorized", "<AuthorizerAppid>"+appid+"</AuthorizerAppid><AuthorizationCode>"+c.secret(code)+
			"</AuthorizationCode><AuthorizationCodeExpiredTime>"+fmt.Sprint(c.Clock.Now().Add(time.Hour).Unix())+"</AuthorizationCodeExpiredTime>"))
		for range 5 {
			acknowledged(t, c.do(t, push))
		}
		require.Equal(t, 1, c.count(t, "component_events"))
		require.Eventually(t, func() bool {
			body := c.do(t, request{path: "/v1/unclaimed-authorizers", key: c.platform}).body
			return strings.Contains(body, appid) && strings.Contains(body, "Tea House")
		}, patience, 20*time.Millisecond)
	})

	t.Run("Unauthorized/AccountGoes", func(t *testing.T) {
		t.Parallel()
		c := setup(t, options{}).callbacks(t)
		c.start(t)
		c.Clock.Advance(time.Second)
		require.NoError(t, c.Sim.Revoke(c.account.AppID))
		acknowledged(t, c.do(t, c.sealed(t, "/events", c.event("unauthorized", "<AuthorizerAppid>"+c.account.AppID+"</AuthorizerAppid>"))))
		require.Eventually(t, func() bool { return c.get(t, c.accountPath(""))["state"] == "revoked" }, patience, 20*time.Millisecond)
	})

	t.Run("SamePushOverAndOver/OneRow", func(t *testing.T) {
		t.Parallel()
		c := setup(t, options{}).callbacks(t)
		message := c.event("unauthorized", "<AuthorizerAppid>"+c.account.AppID+"</AuthorizerAppid>")
		for range 5 {
			acknowledged(t, c.do(t, c.sealed(t, "/events", message))) // encrypted anew each time
		}
		require.Equal(t, 1, c.count(t, "component_events"))
		require.Equal(t, 1, c.count(t, "river_job WHERE kind = 'authorization_event'"))
	})

	t.Run("UnknownKind/KeptAndLeftAlone", func(t *testing.T) {
		t.Parallel()
		c := setup(t, options{noAcount: true}).callbacks(t)
		acknowledged(t, c.do(t, c.sealed(t, "/events", c.event("notify_third_fasteregister", "<status>0</status>"))))
		require.Equal(t, 1, c.count(t, "component_events WHERE processed_at IS NOT NULL"))
	})

	t.Run("FormerKeys/StillOpen", func(t *testing.T) {
		t.Parallel()
		c := setup(t, options{noAcount: true}).callbacks(t)
		own := c.Sim.Component()
		res := c.do(t, request{method: "POST", path: "/v1/components", key: c.platform, body: map[string]any{
			"appid": c.appid, "appsecret": own.AppSecret, "token": "another-token", "encoding_aes_key": strings.Repeat("B", 43),
		}})
		require.Equal(t, http.StatusOK, res.status, res.body)
		acknowledged(t, c.do(t, c.sealed(t, "/events", c.event("something", ""))))
	})
}

// component is what the API says about the world's component.
func (c callbacks) component(t *testing.T) map[string]any {
	t.Helper()
	return c.do(t, request{path: "/v1/components", key: c.platform}).json(t)["data"].([]any)[0].(map[string]any)
}

func TestForgedCallbacks(t *testing.T) {
	t.Parallel()
	c := setup(t, options{}).callbacks(t)
	message := c.event("unauthorized", "<AuthorizerAppid>"+c.account.AppID+"</AuthorizerAppid>")
	foreign, err := wechat.NewCipher("wxforeign", wechat.CallbackKey{Token: c.Sim.Component().Token, EncodingAESKey: c.Sim.Component().EncodingAESKey})
	require.NoError(t, err)
	jobs := c.count(t, "river_job")

	change := func(r request, name, value string) request {
		path, query, _ := strings.Cut(r.path, "?")
		values, err := url.ParseQuery(query)
		require.NoError(t, err)
		values.Set(name, value)
		r.path = path + "?" + values.Encode()
		return r
	}
	good := c.sealed(t, "/events", message)
	plain := good
	plain.body = message
	toOther := callbacks{c.bundle, foreign, c.appid}.sealed(t, "/events", message)
	unreadable := c.sealed(t, "/events", "<xml>")

	for name, w := range map[string]struct {
		push request
		code string
	}{
		"NoQuery":         {request{method: "POST", path: "/wechat/" + c.appid + "/events", key: "none", body: good.body}, "bad-signature"},
		"WrongSignature":  {change(good, "msg_signature", strings.Repeat("0", 40)), "bad-signature"},
		"OtherTimestamp":  {change(good, "timestamp", "1"), "bad-signature"},
		"OtherNonce":      {change(good, "nonce", "x"), "bad-signature"},
		"NotEncrypted":    {plain, "bad-envelope"},
		"Empty":           {request{method: "POST", path: good.path, key: "none", body: ""}, "bad-envelope"},
		"NoXML":           {request{method: "POST", path: good.path, key: "none", body: `{"Encrypt":"x"}`}, "bad-envelope"},
		"ForeignAppID":    {toOther, "bad-envelope"},
		"OnMessageURLToo": {request{method: "POST", path: "/wechat/" + c.appid + "/messages/" + c.account.AppID, key: "none", body: good.body}, "bad-signature"},
	} {
		t.Run(name+"/Refused", func(t *testing.T) {
			c.do(t, w.push).problem(t, http.StatusForbidden, w.code)
		})
	}

	t.Run("UnreadableThoughGenuine/RefusedAndLogged", func(t *testing.T) {
		c.do(t, unreadable).problem(t, http.StatusBadRequest, "unreadable-event")
		require.Contains(t, c.Logs.String(), "not a readable event")
	})

	t.Run("UnknownComponent/NotFound", func(t *testing.T) {
		for _, path := range []string{"/wechat/wxnobody/events", "/wechat/wxnobody/messages/" + c.account.AppID} {
			c.do(t, request{method: "POST", path: path, key: "none", body: good.body}).problem(t, http.StatusNotFound, "unknown-component")
			c.do(t, request{path: path + "?echostr=1", key: "none"}).problem(t, http.StatusNotFound, "unknown-component")
		}
	})

	t.Run("TooLarge/Refused", func(t *testing.T) {
		for _, length := range []int64{2 << 20, -1} {
			req := c.newRequest(t, good)
			req.Body, req.ContentLength = http.NoBody, length
			if length < 0 {
				req = c.newRequest(t, request{method: "POST", path: good.path, key: "none", body: strings.Repeat(" ", 2<<20)})
				req.ContentLength = -1
			}
			require.Equal(t, http.StatusRequestEntityTooLarge, c.serve(req).Code)
		}
	})

	require.Zero(t, c.count(t, "component_events"))
	require.Equal(t, jobs, c.count(t, "river_job"))
}

func TestMessageCallback(t *testing.T) {
	t.Parallel()
	c := setup(t, options{}).callbacks(t)
	message := fmt.Sprintf("<xml><ToUserName>gh_1</ToUserName><FromUserName>%s</FromUserName><CreateTime>%d</CreateTime><MsgType>text</MsgType><Content>%s</Content><MsgId>1</MsgId></xml>",
		c.secret("oSomebody-private"), c.Clock.Now().Unix(), c.secret("what a follower writes"))
	for range 5 {
		acknowledged(t, c.do(t, c.sealed(t, "/messages/"+c.account.AppID, message)))
	}
	require.Zero(t, c.count(t, "component_events"))

	require.NoError(t, c.Sim.SetCallbackURLs(c.appid, c.url+"/wechat/"+c.appid+"/events", c.url+"/wechat/"+c.appid+"/messages/$APPID$"))
	answer, err := c.Sim.PushMessage(t.Context(), c.account.AppID, simulator.Message{From: "oSomebody", Content: "hello"})
	require.NoError(t, err)
	require.True(t, answer.Delivered, answer.Why)
	require.NoError(t, c.Sim.PushTicket(t.Context()))
}

func TestVerifyURL(t *testing.T) {
	t.Parallel()
	c := setup(t, options{noAcount: true}).callbacks(t)
	for _, path := range []string{"/wechat/" + c.appid + "/events", "/wechat/" + c.appid + "/messages/wx1"} {
		query := url.Values{"timestamp": {"1700000000"}, "nonce": {"n"}, "echostr": {"5837<b>&2"}}
		query.Set("signature", wechat.Signature(c.Sim.Component().Token, "1700000000", "n"))
		res := c.do(t, request{path: path + "?" + query.Encode(), key: "none"})
		require.Equal(t, http.StatusOK, res.status, res.body)
		require.Equal(t, "5837<b>&2", res.body)
		require.True(t, strings.HasPrefix(res.header.Get("Content-Type"), "text/plain"), "the echo must not become a page")
		require.Equal(t, "nosniff", res.header.Get("X-Content-Type-Options"))

		query.Set("signature", strings.Repeat("a", 40))
		res = c.do(t, request{path: path + "?" + query.Encode(), key: "none"})
		res.problem(t, http.StatusForbidden, "bad-signature")
		require.NotContains(t, res.body, "5837")
		res = c.do(t, request{path: path, key: "none"})
		res.problem(t, http.StatusMethodNotAllowed, "method-not-allowed")
		require.Equal(t, "POST", res.header.Get("Allow"))
	}
}
