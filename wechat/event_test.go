package wechat_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat"
)

func header(infoType string) wechat.EventHeader {
	return wechat.EventHeader{AppID: simAppID, InfoType: infoType, CreateTime: time.Unix(1700000000, 0).UTC()}
}

const authorizedXML = `<xml><AppId><![CDATA[wx0000000000000001]]></AppId><CreateTime>1700000000</CreateTime><InfoType><![CDATA[authorized]]></InfoType><AuthorizerAppid><![CDATA[wx00000000000000aa]]></AuthorizerAppid><AuthorizationCode><![CDATA[queryauthcode@@@sim-1]]></AuthorizationCode><AuthorizationCodeExpiredTime><![CDATA[1700003600]]></AuthorizationCodeExpiredTime><PreAuthCode><![CDATA[preauthcode@@@sim-1]]></PreAuthCode></xml>`

func authorized(infoType string, updated bool) wechat.AuthorizedEvent {
	return wechat.AuthorizedEvent{
		EventHeader: header(infoType), AuthorizerAppID: merchant, AuthorizationCode: code, PreAuthCode: "preauthcode@@@sim-1",
		CodeExpiresAt: time.Unix(1700003600, 0).UTC(), Updated: updated,
	}
}

func TestParseEvent(t *testing.T) {
	t.Parallel()
	other := `<xml><AppId>wx0000000000000001</AppId><CreateTime>1700000000</CreateTime><InfoType>notify_3rd_wxa_auth</InfoType><authorizer_appid>wx00000000000000aa</authorizer_appid><info><a>1</a></info></xml>`
	for name, tc := range map[string]struct {
		xml  string
		want wechat.Event
	}{
		"Ticket":           {vectors()[0].msg, wechat.TicketEvent{EventHeader: header("component_verify_ticket"), Ticket: ticket}},
		"Unauthorized":     {vectors()[1].msg, wechat.UnauthorizedEvent{EventHeader: header("unauthorized"), AuthorizerAppID: merchant}},
		"Authorized":       {authorizedXML, authorized("authorized", false)},
		"UpdateAuthorized": {strings.Replace(authorizedXML, "[authorized]", "[updateauthorized]", 1), authorized("updateauthorized", true)},
		"Unknown":          {other, wechat.UnknownEvent{EventHeader: header("notify_3rd_wxa_auth"), AuthorizerAppID: merchant, Raw: []byte(other)}},
		"UnknownBare":      {`<xml><InfoType>new</InfoType></xml>`, wechat.UnknownEvent{EventHeader: wechat.EventHeader{InfoType: "new"}, Raw: []byte(`<xml><InfoType>new</InfoType></xml>`)}},
		"AnyOrderAndBlanks": {
			"<xml>\n <ComponentVerifyTicket>\n ticket@@@sim-1 </ComponentVerifyTicket><InfoType> component_verify_ticket\n</InfoType><New/><CreateTime> 1700000000 </CreateTime><AppId>wx0000000000000001</AppId></xml>",
			wechat.TicketEvent{EventHeader: header("component_verify_ticket"), Ticket: ticket},
		},
		"TicketSurvivesABrokenTime": {
			`<xml><AppId>wx0000000000000001</AppId><CreateTime>soon</CreateTime><InfoType>component_verify_ticket</InfoType><ComponentVerifyTicket>ticket@@@sim-1</ComponentVerifyTicket></xml>`,
			wechat.TicketEvent{EventHeader: wechat.EventHeader{AppID: simAppID, InfoType: "component_verify_ticket"}, Ticket: ticket},
		},
		"AuthorizedWithoutCode": {
			`<xml><AppId>wx0000000000000001</AppId><CreateTime>1700000000</CreateTime><InfoType>authorized</InfoType><AuthorizerAppid>wx00000000000000aa</AuthorizerAppid></xml>`,
			wechat.AuthorizedEvent{EventHeader: header("authorized"), AuthorizerAppID: merchant},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := wechat.ParseEvent([]byte(tc.xml))
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.want.Header(), got.Header())
		})
	}
	t.Run("RawIsACopy", func(t *testing.T) {
		t.Parallel()
		raw := []byte(other)
		got, err := wechat.ParseEvent(raw)
		require.NoError(t, err)
		clear(raw)
		require.Equal(t, other, string(got.(wechat.UnknownEvent).Raw))
	})
}

func TestParseEvent_CodeExpiry(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]time.Time{
		"1700003600":           time.Unix(1700003600, 0).UTC(),
		"3600":                 time.Unix(1700003600, 0).UTC(),
		"600":                  time.Unix(1700000600, 0).UTC(),
		"1000000000":           time.Unix(2700000000, 0).UTC(),
		"1000000001":           time.Unix(1000000001, 0).UTC(),
		"0":                    {},
		"-1":                   {},
		"":                     {},
		"later":                {},
		"99999999999999":       {},
		"99999999999999999999": {},
	} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			got, err := wechat.ParseEvent([]byte(strings.Replace(authorizedXML, "1700003600", raw, 1)))
			require.NoError(t, err)
			require.Equal(t, want, got.(wechat.AuthorizedEvent).CodeExpiresAt)
		})
	}
	t.Run("RelativeToNothing", func(t *testing.T) {
		t.Parallel()
		xml := strings.NewReplacer("1700003600", "3600", "<CreateTime>1700000000</CreateTime>", "").Replace(authorizedXML)
		got, err := wechat.ParseEvent([]byte(xml))
		require.NoError(t, err)
		require.Zero(t, got.(wechat.AuthorizedEvent).CodeExpiresAt)
	})
}

func TestParseEvent_Refuses(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"Nothing":                "",
		"Text":                   "ticket@@@sim-1",
		"JSON":                   `{"InfoType":"component_verify_ticket","ComponentVerifyTicket":"ticket@@@sim-1"}`,
		"Truncated":              vectors()[0].msg[:150],
		"WrongClosingTag":        strings.Replace(authorizedXML, "</xml>", "<xml>", 1),
		"NoInfoType":             `<xml><ComponentVerifyTicket>ticket@@@sim-1</ComponentVerifyTicket></xml>`,
		"BlankInfoType":          `<xml><InfoType> </InfoType></xml>`,
		"TicketMissing":          `<xml><InfoType>component_verify_ticket</InfoType></xml>`,
		"AuthorizedByNobody":     `<xml><InfoType>authorized</InfoType><AuthorizationCode>queryauthcode@@@sim-1</AuthorizationCode></xml>`,
		"UnauthorizedByNobody":   `<xml><InfoType>unauthorized</InfoType></xml>`,
		"UndefinedEntity":        `<xml><InfoType>&ticket@@@sim-1;</InfoType></xml>`,
		"MessageOfAnotherPlanet": `<xml><MsgType>text</MsgType></xml>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := wechat.ParseEvent([]byte(raw))
			require.Equal(t, wechat.ErrEvent, err)
			require.NotContains(t, err.Error(), "@@@")
		})
	}
}

func TestParseMessage(t *testing.T) {
	t.Parallel()
	created := time.Unix(1700000000, 0).UTC()
	for name, tc := range map[string]struct {
		xml  string
		want wechat.Message
	}{
		"Text": {
			`<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[oSim_A]]></FromUserName><CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[ hi & <bye> ]]></Content><MsgId>24012345678901234</MsgId></xml>`,
			wechat.Message{ToUserName: "gh_0123456789ab", FromUserName: "oSim_A", CreateTime: created, MsgType: "text", Content: " hi & <bye> ", MsgID: 24012345678901234},
		},
		"Subscribe": {
			`<xml><ToUserName>gh_0123456789ab</ToUserName><FromUserName>oSim_A</FromUserName><CreateTime>1700000000</CreateTime><MsgType>event</MsgType><Event>subscribe</Event><EventKey>qrscene_1</EventKey><Ticket>t</Ticket></xml>`,
			wechat.Message{ToUserName: "gh_0123456789ab", FromUserName: "oSim_A", CreateTime: created, MsgType: "event", Event: "subscribe", EventKey: "qrscene_1"},
		},
		"Unsubscribe": {
			`<xml><FromUserName>oSim_A</FromUserName><MsgType>event</MsgType><Event>unsubscribe</Event><EventKey><![CDATA[]]></EventKey></xml>`,
			wechat.Message{FromUserName: "oSim_A", MsgType: "event", Event: "unsubscribe"},
		},
		"ReleaseTest": {
			`<xml><MsgType>text</MsgType><Content>TESTCOMPONENT_MSG_TYPE_TEXT</Content><MsgId>x</MsgId></xml>`,
			wechat.Message{MsgType: "text", Content: "TESTCOMPONENT_MSG_TYPE_TEXT"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := wechat.ParseMessage([]byte(tc.xml))
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
	for name, raw := range map[string]string{
		"Nothing": "", "NoMsgType": "<xml><Content>private words</Content></xml>", "Truncated": "<xml><MsgType>text</MsgType><Content>private words", "Event": vectors()[0].msg,
	} {
		t.Run("Refuses/"+name, func(t *testing.T) {
			t.Parallel()
			_, err := wechat.ParseMessage([]byte(raw))
			require.Equal(t, wechat.ErrEvent, err)
		})
	}
}

func FuzzParseEvent(f *testing.F) {
	for _, v := range vectors() {
		f.Add([]byte(v.msg))
	}
	for _, seed := range []string{
		authorizedXML, "", "<xml>", "<xml/>", `<xml><InfoType>x</InfoType></xml>`, `<?xml version="1.0"?><a><InfoType>unauthorized</InfoType><AuthorizerAppid>wx</AuthorizerAppid></a>`,
		`<xml><MsgType>event</MsgType><Event>subscribe</Event><CreateTime>-1</CreateTime></xml>`, `<!DOCTYPE x [<!ENTITY a "b">]><xml><InfoType>&a;</InfoType></xml>`,
		`<xml><InfoType>component_verify_ticket</InfoType><ComponentVerifyTicket><b>nested</b></ComponentVerifyTicket></xml>`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if ev, err := wechat.ParseEvent(raw); err != nil {
			require.Equal(t, wechat.ErrEvent, err)
			require.Nil(t, ev)
		} else {
			require.NotEmpty(t, ev.Header().InfoType)
			_, err := json.Marshal(ev) // dates that JSON cannot hold would fail here
			require.NoError(t, err)
		}
		if msg, err := wechat.ParseMessage(raw); err != nil {
			require.Equal(t, wechat.ErrEvent, err)
		} else {
			require.NotEmpty(t, msg.MsgType)
			_, err := json.Marshal(msg)
			require.NoError(t, err)
		}
	})
}
