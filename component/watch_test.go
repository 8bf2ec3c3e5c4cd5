package component_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// setupSilent is a world whose WeChat pushes nothing, though it agrees to.
func setupSilent(t *testing.T, opts ...factory.WorldOptions) *factory.World {
	t.Helper()
	w := setup(t, opts...)
	for _, c := range w.Sim.Components() {
		require.NoError(t, w.Sim.SetCallbackURLs(c.AppID, "", ""))
	}
	return w
}

// sweep sweeps, whatever comes of the access token.
func sweep(t *testing.T, processes ...*factory.World) {
	t.Helper()
	for _, w := range processes {
		_ = w.Components.Sweep(t.Context())
	}
}

const audited = `SELECT count(*) FROM audit_entries WHERE action = 'component.request_ticket'`

func TestTicketWatch_SaysNothingWhileTicketsCome(t *testing.T) {
	w := setupSilent(t)
	for range 4 {
		storeNewTicket(t, w)
		w.Clock.Advance(20 * time.Minute)
		sweep(t, w)
	}
	require.Empty(t, alerts(t, w, alert.TicketLate))
	require.Zero(t, w.Sim.CallCount(pathStartTickets))
}

func TestTicketWatch_RaisesOneAlertAndAsksWeChatHalfHourly(t *testing.T) {
	w := setupSilent(t)
	other := w.Process(t)
	w.Clock.Advance(20*time.Minute + time.Second)
	late := w.Clock.Now()
	for _, asked := range []int{1, 1, 1, 2} {
		sweep(t, other, w, other)
		require.Equal(t, asked, w.Sim.CallCount(pathStartTickets))
		require.Len(t, alerts(t, w, alert.TicketLate), 1)
		w.Clock.Advance(10 * time.Minute)
	}
	require.Equal(t, late.Add(30*time.Minute), *get(t, w).TicketRequestedAt)
	require.Equal(t, 2, count(t, w, audited+` AND actor_kind = 'system' AND detail->>'errcode' = '0'`))
	raised := alerts(t, w, alert.TicketLate)[0]
	require.Equal(t, late, raised.RaisedAt)
	require.Contains(t, raised.Message, "50m1s")
	require.Contains(t, raised.Advice, "/wechat/"+w.ComponentAppID+"/events")
	require.Nil(t, raised.ClearedAt)

	storeNewTicket(t, w)
	require.Equal(t, w.Clock.Now(), *alerts(t, w, alert.TicketLate)[0].ClearedAt)
	sweep(t, w, other)
	require.Len(t, alerts(t, w, alert.TicketLate), 1)
	require.Equal(t, 2, w.Sim.CallCount(pathStartTickets))
}

func TestTicketWatch_GetsTicketsGoingAgain(t *testing.T) {
	w := setup(t)
	w.Clock.Advance(21 * time.Minute)
	require.NoError(t, w.Components.Sweep(t.Context()))
	require.NoError(t, w.Sim.Flush(t.Context()))
	require.Equal(t, w.Clock.Now(), *get(t, w).TicketReceivedAt)
	require.NotNil(t, alerts(t, w, alert.TicketLate)[0].ClearedAt)
}

func TestTicketWatch_CountsFromTheRegistrationWhileNoTicketEverCame(t *testing.T) {
	w := setupSilent(t, factory.WorldOptions{NoTicket: true})
	w.Clock.Advance(20 * time.Minute)
	require.NoError(t, w.Components.Sweep(t.Context()))
	require.Empty(t, alerts(t, w, alert.TicketLate))
	w.Clock.Advance(time.Second)
	require.NoError(t, w.Components.Sweep(t.Context()))
	require.Contains(t, open(t, w, alert.TicketLate)[0].Message, "since the component was registered, 20m1s ago")
	require.Equal(t, 1, w.Sim.CallCount(pathStartTickets))
}

func TestTicketWatch_AsksOnceHoweverManyProcessesSweepAtOnce(t *testing.T) {
	w := setupSilent(t)
	w.Clock.Advance(21 * time.Minute)
	processes := []*factory.World{w, w.Process(t), w.Process(t)}
	inject(t, w, simulator.Fault{Path: pathStartTickets, LatencyMS: 50})
	var sweeps errgroup.Group
	for i := range 12 {
		sweeps.Go(func() error { return processes[i%3].Components.Sweep(t.Context()) })
	}
	require.NoError(t, sweeps.Wait())
	require.Equal(t, 1, w.Sim.CallCount(pathStartTickets))
	require.Equal(t, 1, count(t, w, audited))
	require.Len(t, alerts(t, w, alert.TicketLate), 1)
}

func TestTicketWatch_TellsWhyWeChatWouldNot(t *testing.T) {
	w := setupSilent(t)
	inject(t, w, simulator.Fault{Path: pathStartTickets, Code: 61004})
	w.Clock.Advance(21 * time.Minute)
	require.NoError(t, w.Components.Sweep(t.Context()))
	sweep(t, w)
	raised := open(t, w, alert.TicketLate)[0]
	require.Equal(t, 61004, raised.Code)
	require.NotEmpty(t, raised.RID)
	require.Contains(t, raised.Message, "no ticket for 21m0s")
	require.Contains(t, raised.Message, "access clientip is not registered")
	require.Contains(t, raised.Advice, "IP whitelist")
	require.Contains(t, w.Logs.String(), "asking WeChat to push tickets again failed")
	require.Equal(t, 1, count(t, w, audited+` AND detail->>'errcode' = '61004' AND detail->>'rid' = $1`, raised.RID))

	w.Sim.ClearFaults()
	inject(t, w, simulator.Fault{Path: pathStartTickets, Status: 502})
	w.Clock.Advance(30 * time.Minute)
	require.NoError(t, w.Components.Sweep(t.Context()))
	raised = open(t, w, alert.TicketLate)[0]
	require.Zero(t, raised.Code)
	require.Contains(t, raised.Message, "502")
	require.NotEmpty(t, raised.Advice)
}

func TestTicketWatch_AsksAtOnceWhenWeChatTakesNoTicket(t *testing.T) {
	for _, code := range []int{61005, 61006} {
		w := factory.NewWorld(t)
		require.NoError(t, w.Sim.SetCallbackURLs(w.ComponentAppID, "", ""))
		w.Clock.Advance(time.Minute)
		storeNewTicket(t, w)
		w.Clock.Advance(time.Minute)
		inject(t, w, simulator.Fault{Path: pathComponentToken, Code: code})
		require.Error(t, w.Components.Sweep(t.Context()))
		require.Equal(t, 2, w.Sim.CallCount(pathComponentToken), "the previous ticket was tried")
		sweep(t, w)
		require.Equal(t, 1, w.Sim.CallCount(pathStartTickets))
		raised := open(t, w, alert.TicketLate)
		require.Len(t, raised, 1)
		require.Equal(t, code, raised[0].Code)
		require.NotEmpty(t, raised[0].RID)
		require.Contains(t, raised[0].Message, "takes none of the tickets")

		w.Sim.ClearFaults()
		w.Clock.Advance(time.Minute)
		storeNewTicket(t, w)
		require.Empty(t, open(t, w, alert.TicketLate))
		w.Clock.Advance(time.Minute)
		sweep(t, w)
		require.Len(t, alerts(t, w, alert.TicketLate), 1, "that refusal was about older tickets")
		require.Equal(t, 1, w.Sim.CallCount(pathStartTickets))
	}
}

func TestTicketWatch_LeavesTheLastTicketsAsTheyAre(t *testing.T) {
	w := setupSilent(t)
	w.Clock.Advance(time.Minute)
	storeNewTicket(t, w)
	current, previous := ticketsOf(t, w)
	require.NotEmpty(t, previous)
	w.Clock.Advance(21 * time.Minute)
	require.NoError(t, w.Components.Sweep(t.Context()))
	stillCurrent, stillPrevious := ticketsOf(t, w)
	require.Equal(t, [2]string{current, previous}, [2]string{stillCurrent, stillPrevious})
}

func TestTicketWatch_WaitsAfterARequestByHand(t *testing.T) {
	w := setupSilent(t)
	w.Clock.Advance(15 * time.Minute)
	require.NoError(t, w.Components.RequestTicket(t.Context(), w.Platform, w.ComponentAppID))
	require.Equal(t, w.Clock.Now(), *get(t, w).TicketRequestedAt)
	w.Clock.Advance(29 * time.Minute)
	sweep(t, w)
	require.Equal(t, 1, w.Sim.CallCount(pathStartTickets))
	require.Len(t, open(t, w, alert.TicketLate), 1, "late is late")
	w.Clock.Advance(time.Minute)
	sweep(t, w)
	require.Equal(t, 2, w.Sim.CallCount(pathStartTickets))
}

func TestTicketWatch_RaisesNothingAfterTheTicketThatCameMeanwhile(t *testing.T) {
	w := setupSilent(t)
	w.Clock.Advance(21 * time.Minute)
	inject(t, w, simulator.Fault{Path: pathStartTickets, Hang: true, Code: -1})
	swept := make(chan error, 1)
	go func() { swept <- w.Components.Sweep(t.Context()) }()
	require.Eventually(t, func() bool { return w.Sim.Hanging() == 1 }, patience, time.Millisecond)
	require.Len(t, open(t, w, alert.TicketLate), 1, "raised before WeChat answers")
	storeNewTicket(t, w)
	w.Sim.ClearFaults()
	require.NoError(t, <-swept)
	require.Empty(t, open(t, w, alert.TicketLate))
	require.Equal(t, 1, count(t, w, audited+` AND detail->>'errcode' = '-1'`))
}

func TestTicketWatch_LooksAfterEachComponentByItself(t *testing.T) {
	w := setupSilent(t, factory.WorldOptions{FurtherComponents: []simulator.Component{{AppID: "wx00000000000000cc", Name: "Second"}}})
	w.Clock.Advance(21 * time.Minute)
	storeNewTicket(t, w)
	sweep(t, w)
	raised := open(t, w, alert.TicketLate)
	require.Len(t, raised, 1)
	require.Equal(t, "wx00000000000000cc", raised[0].ComponentAppID)
	require.Equal(t, 1, w.Sim.CallCount(pathStartTickets))
}
