package component_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// ticketsOf returns the current and the previous ticket as they are stored.
func ticketsOf(t *testing.T, w *factory.World) (current, previous string) {
	t.Helper()
	var a, b []byte
	require.NoError(t, w.Pool.QueryRow(t.Context(), `SELECT ticket_sealed, previous_ticket_sealed FROM components WHERE appid = $1`, w.ComponentAppID).Scan(&a, &b))
	open := func(sealed []byte, column string) string {
		if sealed == nil {
			return ""
		}
		plain, err := w.Box.Open(sealed, place(column, w.ComponentAppID))
		require.NoError(t, err)
		return plain.Reveal()
	}
	return open(a, "ticket"), open(b, "previous_ticket")
}

func TestStoreTicket_KeepsTheNewestAndTheOneBefore(t *testing.T) {
	w := setup(t, factory.WorldOptions{NoTicket: true})
	now := w.Clock.Now()
	for _, step := range []struct {
		name              string
		value             string
		created           time.Time
		current, previous string
	}{
		{"First", "ticket@@@1", now, "ticket@@@1", ""},
		{"FirstAgain", "ticket@@@1", now, "ticket@@@1", ""},
		{"Second", "ticket@@@2", now.Add(10 * time.Minute), "ticket@@@2", "ticket@@@1"},
		{"FirstOnceMore", "ticket@@@1", now, "ticket@@@2", "ticket@@@1"},
		{"SameValuePushedAnew", "ticket@@@2", now.Add(20 * time.Minute), "ticket@@@2", "ticket@@@1"},
		{"OlderThanThat", "ticket@@@0", now.Add(15 * time.Minute), "ticket@@@2", "ticket@@@1"},
		{"Empty", "", now.Add(time.Hour), "ticket@@@2", "ticket@@@1"},
		{"Third", "ticket@@@3", now.Add(30 * time.Minute), "ticket@@@3", "ticket@@@2"},
	} {
		require.NoError(t, w.Components.StoreTicket(t.Context(), ticket(w, step.value, step.created)), step.name)
		current, previous := ticketsOf(t, w)
		require.Equal(t, [2]string{step.current, step.previous}, [2]string{current, previous}, step.name)
	}
	require.NotNil(t, get(t, w).TicketReceivedAt)
	require.Zero(t, count(t, w, `SELECT count(*) FROM components WHERE encode(ticket_sealed, 'escape') LIKE '%ticket@@@%'`))

	foreign := ticket(w, "ticket@@@1", now)
	foreign.AppID = "wxunknown"
	require.ErrorIs(t, w.Components.StoreTicket(t.Context(), foreign), component.ErrUnknownComponent)
}

func TestStoreTicket_TakesATicketWithoutATime(t *testing.T) {
	w := setup(t, factory.WorldOptions{NoTicket: true})
	require.NoError(t, w.Components.StoreTicket(t.Context(), ticket(w, "ticket@@@1", time.Time{})))
	current, _ := ticketsOf(t, w)
	require.Equal(t, "ticket@@@1", current)
}

func TestStoreTicket_DoesNotWaitForARenewalThatHangs(t *testing.T) {
	w := setup(t)
	inject(t, w, simulator.Fault{Path: pathComponentToken, Hang: true})
	renewed := make(chan error, 1)
	go func() {
		_, err := w.Components.AccessToken(context.WithoutCancel(t.Context()), w.ComponentAppID)
		renewed <- err
	}()
	require.Eventually(t, func() bool { return w.Sim.Hanging() == 1 }, patience, time.Millisecond)

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // WeChat waits no longer for its answer
	defer cancel()
	require.NoError(t, w.Components.StoreTicket(ctx, ticket(w, "ticket@@@new", w.Clock.Now().Add(time.Minute))))
	w.Sim.ClearFaults()
	require.NoError(t, <-renewed)
}

func TestRequestTicket_MakesWeChatPushTickets(t *testing.T) {
	w := setup(t, factory.WorldOptions{NoTicket: true})
	require.NoError(t, w.Components.RequestTicket(t.Context(), w.Platform, w.ComponentAppID))
	require.Equal(t, 1, w.Sim.CallCount(pathStartTickets))
	require.NoError(t, w.Sim.Flush(t.Context()))
	require.NotEmpty(t, accessToken(t, w), "the pushed ticket serves")
	require.Equal(t, 1, count(t, w, `SELECT count(*) FROM audit_entries WHERE action = 'component.request_ticket'`))

	require.ErrorIs(t, w.Components.RequestTicket(t.Context(), w.Platform, "wxunknown"), component.ErrUnknownComponent)
	inject(t, w, simulator.Fault{Path: pathStartTickets, Code: 40125})
	var refused *wechat.Error
	require.ErrorAs(t, w.Components.RequestTicket(t.Context(), w.Platform, w.ComponentAppID), &refused)
}
