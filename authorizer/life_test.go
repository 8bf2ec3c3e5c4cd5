package authorizer_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// life is one account on its way through whatever can happen to it, and what must be true of it.
type life struct {
	*testing.T
	w         *factory.World
	processes []*factory.World
	account   authorizer.Account
	live      bool // the merchant lets us act for the account
	known     bool // and if not, we have found out
}

// TestLife_ARevokedAccountNeverCallsAndALiveOneAlwaysCan lets accounts authorize, change their sets, revoke, and their
// tokens expire, rotate and get lost in every order, in two processes.
func TestLife_ARevokedAccountNeverCallsAndALiveOneAlwaysCan(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) {
		s.RotateOnRenew, s.RotateOnReauthorize, s.OverlapSeconds, s.RefreshTokenOverlapSeconds = true, true, 0, 0
		s.TicketLifetimeSeconds = 1 << 30
	}))
	w.StartJobs(t)
	other := w.Process(t)
	tenantID := factory.Tenant(t, w).ID
	var lives atomic.Int64
	rapid.Check(t, func(r *rapid.T) {
		l := &life{T: t, w: w, processes: []*factory.World{w, other}, live: true}
		l.account = factory.Account(t, w, factory.AccountOptions{TenantID: tenantID})
		lives.Add(1)
		r.Repeat(map[string]func(*rapid.T){
			"":          l.check,
			"authorize": l.authorize,
			"update":    l.update,
			"revoke":    l.revoke,
			"renew":     l.renew,
			"expire":    func(*rapid.T) { w.Sim.ExpireTokens(l.account.AppID) },
			"supersede": func(*rapid.T) { w.Sim.SupersedeTokens(l.account.AppID) },
			"rotate":    l.rotate,
			"crash":     l.crash,
			"wait": func(r *rapid.T) {
				w.Clock.Advance(time.Duration(rapid.IntRange(1, 150).Draw(r, "minutes")) * time.Minute)
			},
		})
	})
	t.Logf("%d lives", lives.Load())
}

// process is whichever of the two acts.
func (l *life) process(r *rapid.T) *factory.World {
	return l.processes[rapid.IntRange(0, len(l.processes)-1).Draw(r, "process")]
}

func (l *life) authorize(r *rapid.T) {
	code, err := l.w.Sim.Authorize(l.account.AppID, 1, 2, 3)
	require.NoError(r, err)
	l.push(r, simulator.Event{InfoType: simulator.Authorized, AuthorizationCode: code})
	l.live, l.known = true, false
}

// update changes what is granted, as a merchant who scans again does; one who has revoked cannot.
func (l *life) update(r *rapid.T) {
	if !l.live {
		return
	}
	sets := rapid.SampledFrom([][]int{{1, 2}, {1, 2, 3}, {2, 100}}).Draw(r, "sets")
	code, err := l.w.Sim.SetPermissionSets(l.account.AppID, sets...)
	require.NoError(r, err)
	l.push(r, simulator.Event{InfoType: simulator.UpdateAuthorized, AuthorizationCode: code})
}

// revoke takes the authorization back; the push that says so may be lost.
func (l *life) revoke(r *rapid.T) {
	if !l.live {
		return
	}
	require.NoError(r, l.w.Sim.Revoke(l.account.AppID))
	l.live = false
	if rapid.Bool().Draw(r, "push arrives") {
		l.w.Clock.Advance(2 * time.Second) // WeChat's times are in whole seconds
		l.push(r, simulator.Event{InfoType: simulator.Unauthorized})
		l.known = true
	}
}

func (l *life) renew(r *rapid.T) {
	_, err := l.process(r).Authorizers.RenewNow(l.Context(), l.w.Platform, l.account.TenantID, l.account.AppID)
	require.Equal(r, l.live, err == nil, "%v", err)
	l.known = !l.live
}

// rotate makes WeChat take another refresh token from now on than the one it gave us.
func (l *life) rotate(r *rapid.T) {
	if l.live {
		_, err := l.w.Sim.ReplaceRefreshToken(l.account.AppID)
		require.NoError(r, err)
	}
}

// crash lets WeChat act, and its answer get lost on the way, as it is when a process dies over it.
func (l *life) crash(r *rapid.T) {
	id, err := l.w.Sim.Inject(simulator.Fault{Path: pathRenew, AppID: l.account.AppID, Applied: true, Drop: true, Times: 1})
	require.NoError(r, err)
	l.w.Sim.ExpireTokens(l.account.AppID)
	var tokens []string
	err = l.process(r).Authorizers.Call(l.Context(), l.account.ID, readBlacklist(l.w, &tokens))
	require.Error(r, err)
	l.w.Sim.ClearFaults(id)
	l.w.Clock.Advance(2 * time.Minute) // longer than callers are told of a failure
}

// check is what must be true after each step.
func (l *life) check(r *rapid.T) {
	l.w.Clock.Advance(time.Second)
	before := len(l.w.Sim.CallsTo(pathBlacklist))
	var tokens []string
	err := l.process(r).Authorizers.Call(l.Context(), l.account.ID, readBlacklist(l.w, &tokens))
	if l.live {
		require.NoError(r, err, "a live account can always be acted for")
		return
	}
	var state *authorizer.AccountStateError
	require.True(r, errors.As(err, &state), "%v", err)
	require.Equal(r, authorizer.StateRevoked, state.State)
	if l.known {
		require.Equal(r, before, len(l.w.Sim.CallsTo(pathBlacklist)), "nothing is sent on behalf of an account that is known to have revoked")
	}
	l.known = true
	require.Zero(r, count(l.T, l.w, `SELECT count(*) FROM authorizer_tokens WHERE authorizer_id = $1`, l.account.ID), "its tokens are gone")
}

func (l *life) push(r *rapid.T, event simulator.Event) {
	event.ComponentAppID, event.AuthorizerAppID = l.w.ComponentAppID, l.account.AppID
	require.NoError(r, l.w.Sim.Push(l.Context(), event))
	require.Eventually(r, func() bool {
		return count(l.T, l.w, `SELECT count(*) FROM component_events WHERE processed_at IS NULL`) == 0
	}, patience, time.Millisecond)
	require.NotEqual(r, uuid.Nil, l.account.ID)
}
