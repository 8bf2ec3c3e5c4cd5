package component

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

// CheckName is what a [Check] looks at.
type CheckName string

// The checks of a diagnosis, in its order.
const (
	CheckCallbackURL        CheckName = "callback_url"        // whether the public address leads here
	CheckTicket             CheckName = "ticket"              // whether WeChat pushes tickets
	CheckAppSecret          CheckName = "app_secret"          // whether WeChat takes the AppSecret
	CheckIPWhitelist        CheckName = "ip_whitelist"        // whether WeChat takes calls from this machine
	CheckComponentToken     CheckName = "component_token"     // whether there is an access token, and renewals succeed
	CheckQuota              CheckName = "quota"               // how many tokens may still be fetched today
	CheckClock              CheckName = "clock"               // whether our clock is right
	CheckSecondInstallation CheckName = "second_installation" // whether somebody else fetches tokens too
)

// CheckStatus is how a check came out.
type CheckStatus string

// How checks come out.
const (
	CheckOK      CheckStatus = "ok"
	CheckWarn    CheckStatus = "warn"    // it works, and somebody should look at it
	CheckFail    CheckStatus = "fail"    // it does not work, or will soon work no more
	CheckUnknown CheckStatus = "unknown" // it could not be found out this time
)

// Check is one finding. It holds no secret.
type Check struct {
	Name   CheckName
	Status CheckStatus
	Reason string // what was found, English sentences with the figures
	Remedy string // what to do; empty where there is nothing to do
	Code   int    // WeChat's errcode; 0: it refused nothing
	RID    string // WeChat's request id of that refusal
}

// Diagnosis is what could be found out about a component at one moment.
type Diagnosis struct {
	AppID  string
	At     time.Time // UTC
	Checks []Check   // each once, in the order of the constants
}

// diagnosisTimeout bounds all of a diagnosis: whoever asks for one is waiting for it.
const diagnosisTimeout = 25 * time.Second

// Diagnose looks at everything that a component needs in order to work, from this machine. eventURL is its public
// 授权事件接收URL. It changes nothing, except that it renews the access token where any caller would have it renewed.
// Platform only; it fails with [ErrUnknownComponent], and not because something is wrong with the component.
func (s *Service) Diagnose(ctx context.Context, p tenant.Principal, appid, eventURL string) (Diagnosis, error) {
	if err := p.AuthorizePlatform(); err != nil {
		return Diagnosis{}, err
	}
	own, err := s.readCredentials(ctx, s.pool, appid, false)
	if err != nil {
		return Diagnosis{}, fmt.Errorf("diagnose component: %w", err)
	}
	bounded, cancel := context.WithTimeout(ctx, diagnosisTimeout)
	defer cancel()
	var both sync.WaitGroup
	var callback Check
	var said answers
	both.Go(func() { callback = s.tryCallback(bounded, own.token, eventURL) })
	both.Go(func() { said = s.askWeChat(bounded, appid) })
	both.Wait()
	x, err := s.examine(ctx, appid, said)
	if err != nil {
		return Diagnosis{}, fmt.Errorf("diagnose component: %w", err)
	}
	return Diagnosis{AppID: appid, At: x.now, Checks: []Check{
		callback, x.ticket(), x.appSecret(), x.ipWhitelist(), x.componentToken(), x.quota(), x.clock(), x.secondInstallation(),
	}}, nil
}

// The calls whose daily limits would stop everything.
const (
	pathComponentToken  = "/cgi-bin/component/api_component_token"  // a path
	pathAuthorizerToken = "/cgi-bin/component/api_authorizer_token" // a path
)

// answers is what WeChat said to the calls of a diagnosis.
type answers struct {
	noToken error          // why there was no access token to ask with; nil: there was one
	quotas  []quotaAnswer  // as far as there was an access token
	skew    *time.Duration // how far our clock is ahead of WeChat's; nil: not known
}

type quotaAnswer struct {
	api   string
	quota wechat.Quota
	err   error
}

// askWeChat gets an access token the way every caller does, and reads with it what is left of the quotas: cheap calls,
// which tell about the address that they come from as well.
func (s *Service) askWeChat(ctx context.Context, appid string) answers {
	// Somebody has perhaps just mended what failed: the answer shall not be one from before.
	s.pauses.Forget(appid)
	var mu sync.Mutex // a renewal that takes longer than we wait goes on, and tells of its call later
	var skew *time.Duration
	ctx = wechat.WithObserver(ctx, func(call wechat.Call) {
		mu.Lock()
		defer mu.Unlock()
		if !call.ServerTime.IsZero() {
			skew = new(s.now().Sub(call.ServerTime))
		}
	})
	var said answers
	for _, path := range []string{pathComponentToken, pathAuthorizerToken} {
		q := quotaAnswer{api: path[strings.LastIndex(path, "/")+1:]}
		q.err = s.Call(ctx, appid, func(ctx context.Context, cat string) (err error) {
			q.quota, err = s.wechat.Quota(ctx, cat, path)
			return err
		})
		if unavailable, ok := errors.AsType[*unavailableError](q.err); ok {
			said.noToken = unavailable.cause
			break
		}
		said.quotas = append(said.quotas, q)
	}
	mu.Lock()
	defer mu.Unlock()
	said.skew = skew
	return said
}

// examination is all that the checks go by.
type examination struct {
	answers
	appID     string
	now       time.Time
	component Component
	watched   watched
	contested int // accounts whose tokens end before their time

	databaseSkew time.Duration  // how far our clock is ahead of the database's
	ticketDelay  *time.Duration // from when WeChat made the newest ticket to when it came in, each by its own clock; nil: there is none
}

func (s *Service) examine(ctx context.Context, appid string, said answers) (examination, error) {
	x := examination{answers: said, appID: appid, now: s.now().UTC()}
	var err error
	if x.component, err = s.get(ctx, s.pool, appid); err != nil {
		return x, err
	}
	if x.watched, err = readWatched(ctx, s.pool, appid, false); err != nil {
		return x, err
	}
	if x.contested, err = alert.CountOpen(ctx, s.pool, appid, alert.TokenContested); err != nil {
		return x, err
	}
	var theirs time.Time
	var made, received *time.Time
	err = s.pool.QueryRow(ctx, `SELECT clock_timestamp(), ticket_created_at, ticket_received_at FROM components WHERE appid = $1`, appid).
		Scan(&theirs, &made, &received)
	if err != nil {
		return x, err
	}
	x.databaseSkew = s.now().Sub(theirs)
	if made != nil && received != nil {
		x.ticketDelay = new(received.Sub(*made))
	}
	return x, nil
}
