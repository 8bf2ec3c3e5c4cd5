package component_test

import (
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

const (
	pathComponentToken = "/cgi-bin/component/api_component_token"
	pathPreAuthCode    = "/cgi-bin/component/api_create_preauthcode"
	pathStartTickets   = "/cgi-bin/component/api_start_push_ticket"
)

// patience is for things that take milliseconds, on a machine that may be busy.
const patience = 60 * time.Second

func setup(t *testing.T, opts ...factory.WorldOptions) *factory.World {
	t.Helper()
	t.Parallel()
	return factory.NewWorld(t, opts...)
}

// ours is what the simulator has of the component, as Register wants it.
func ours(w *factory.World) component.Params {
	c := w.Sim.Component()
	return component.Params{
		AppID: c.AppID, Name: "Steward", AppSecret: secret.New(c.AppSecret), Token: secret.New(c.Token), EncodingAESKey: secret.New(c.EncodingAESKey),
	}
}

func inject(t *testing.T, w *factory.World, f simulator.Fault) {
	t.Helper()
	_, err := w.Sim.Inject(f)
	require.NoError(t, err)
}

// push is what WeChat pushes for a component that has these callback keys.
func push(t *testing.T, p component.Params) wechat.Push {
	t.Helper()
	cipher, err := wechat.NewCipher(p.AppID, wechat.CallbackKey{Token: p.Token.Reveal(), EncodingAESKey: p.EncodingAESKey.Reveal()})
	require.NoError(t, err)
	sealed, err := cipher.Seal([]byte("<xml/>"), "1700000000", "nonce")
	require.NoError(t, err)
	return wechat.Push{
		MsgSignature: sealed.MsgSignature, Timestamp: sealed.Timestamp, Nonce: sealed.Nonce,
		Body: fmt.Appendf(nil, "<xml><AppId>%s</AppId><Encrypt>%s</Encrypt></xml>", p.AppID, sealed.Encrypt),
	}
}

// alerts are all of a kind, open and cleared, newest first.
func alerts(t *testing.T, w *factory.World, kind alert.Kind) []alert.Alert {
	t.Helper()
	service, err := alert.NewService(w.Pool)
	require.NoError(t, err)
	page, err := service.ListAll(t.Context(), w.Platform, alert.ListParams{})
	require.NoError(t, err)
	return slices.DeleteFunc(page.Alerts, func(a alert.Alert) bool { return a.Kind != kind })
}

// open are those alerts of a kind that are not cleared.
func open(t *testing.T, w *factory.World, kind alert.Kind) []alert.Alert {
	t.Helper()
	return slices.DeleteFunc(alerts(t, w, kind), func(a alert.Alert) bool { return a.ClearedAt != nil })
}

func ticket(w *factory.World, value string, created time.Time) wechat.TicketEvent {
	return wechat.TicketEvent{EventHeader: wechat.EventHeader{AppID: w.ComponentAppID, CreateTime: created}, Ticket: value}
}

// storeNewTicket stores a ticket that the simulator takes, made now.
func storeNewTicket(t *testing.T, w *factory.World) {
	t.Helper()
	value, err := w.Sim.IssueTicket(w.ComponentAppID)
	require.NoError(t, err)
	require.NoError(t, w.Components.StoreTicket(t.Context(), ticket(w, value, w.Clock.Now())))
}

func accessToken(t *testing.T, w *factory.World) string {
	t.Helper()
	token, err := w.Components.AccessToken(t.Context(), w.ComponentAppID)
	require.NoError(t, err)
	return token
}

func get(t *testing.T, w *factory.World) component.Component {
	t.Helper()
	c, err := w.Components.Get(t.Context(), w.Platform, w.ComponentAppID)
	require.NoError(t, err)
	return c
}

func count(t *testing.T, w *factory.World, sql string, args ...any) int {
	t.Helper()
	var n int
	require.NoError(t, w.Pool.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

// randomKey is an EncodingAESKey that nobody has.
func randomKey() string { return (rand.Text() + rand.Text())[:42] + "A" }
