package blacklist

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/wechat"
)

const (
	codeListSize    = 40032 // too many openids in one call, or none
	codeMinuteQuota = 45011
)

// pause says how long a lane rests, and why. Nothing that it holds is lost meanwhile.
type pause struct {
	until         *time.Time // nil: see awaitsAccount
	awaitsAccount bool       // until the account can do it again: the merchant authorizes us, WeChat lifts a restriction
	reason        string     // for people
	errcode       *int       // WeChat's, where it refused
	rid           string
	failures      int // pauses in a row for trouble of the account's own, this one included
}

// failure is what went wrong, as people and support get to read it.
type failure struct {
	text    string
	errcode *int // WeChat's, where it refused
	rid     string
}

func failureOf(err error) failure {
	var refused *wechat.Error
	var unreachable *wechat.TransportError
	var ended *unclean
	var broken *brokenError
	var f failure
	if errors.As(err, &refused) {
		f = failure{text: "WeChat refused: " + refused.Message, errcode: &refused.Code, rid: refused.RID}
	}
	reason, isAccount := accountTrouble(err)
	switch {
	case isAccount:
		f.text = reason
	case refused != nil:
	case errors.As(err, &ended):
		f.text = ended.text
	case errors.As(err, &broken):
		f.text = broken.Error()
	case errors.As(err, &unreachable):
		f.text = "WeChat could not be reached, or gave no readable answer."
	default:
		f.text = "Steward itself could not make the call; its log says why."
	}
	return f
}

// pauseAfter decides how long to rest after err, which a call gave even when it was made again. failures counts the pauses
// before this one since WeChat last answered properly.
func pauseAfter(err error, failures int, now time.Time) pause {
	f := failureOf(err)
	p := pause{reason: f.text, errcode: f.errcode, rid: f.rid, failures: failures + 1}
	if _, is := accountTrouble(err); is {
		p.awaitsAccount = true
		return p
	}
	rest := func(d time.Duration) pause {
		until := now.Add(d + rand.N(d/5)) // jitter: lanes that fell together need not rise together
		p.until = &until
		return p
	}
	if broken, is := errors.AsType[*brokenError](err); is {
		p.failures = failures // nothing was tried
		return rest(broken.pause)
	}
	switch wechat.ClassOf(err) {
	case wechat.ClassQuota:
		if *f.errcode == codeMinuteQuota {
			return rest(time.Minute)
		}
		until := wechat.QuotaReset(now)
		p.until = &until
		return p
	case wechat.ClassOperator, wechat.ClassComponent, wechat.ClassToken:
		return rest(growing(time.Minute, failures, 15*time.Minute))
	}
	return rest(growing(5*time.Second, failures, 5*time.Minute))
}

// accountTrouble tells whether err is about the account: only a change of the account makes a further call worth while.
func accountTrouble(err error) (string, bool) {
	var state *authorizer.AccountStateError
	var missing *authorizer.PermissionMissingError
	switch {
	case errors.As(err, &state):
		return state.Error(), true
	case errors.As(err, &missing):
		return missing.Error(), true
	}
	switch wechat.ClassOf(err) {
	case wechat.ClassReauthorize, wechat.ClassPermission, wechat.ClassSuspended:
		var refused *wechat.Error
		errors.As(err, &refused)
		return refused.Advice(), true
	}
	return "", false
}

// growing doubles d for each failure before, up to limit.
func growing(d time.Duration, failures int, limit time.Duration) time.Duration {
	for range failures {
		if d *= 2; d >= limit {
			return limit
		}
	}
	return d
}

// accountSeen is everything about an account that decides whether WeChat lets us blacklist for it.
const accountSeen = `concat_ws('/', a.state, a.permission_sets, extract(epoch FROM a.authorized_at), a.verify_type, a.account_status)`

// lookAtAccount remembers what the account is like before it is used, so that a later change shows. So does a batch that is cancelled.
func (l *lane) lookAtAccount(ctx context.Context) error {
	return l.service.pool.QueryRow(ctx, `
		SELECT `+accountSeen+`, l.withdrawals FROM authorizers a JOIN blacklist_lanes l ON l.tenant_id = a.tenant_id AND l.authorizer_id = a.id
		WHERE a.tenant_id = $1 AND a.id = $2`, l.tenantID, l.authorizerID).Scan(&l.accountSeen, &l.withdrawals)
}
