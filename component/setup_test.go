package component_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
const patience = 20 * time.Second

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
