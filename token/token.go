// Package token holds what the access tokens that WeChat gives us have in common, the component's and the accounts': when
// one will do, when to renew it, how failed renewals back off, and what is said about them.
//
// It knows no database and calls nobody. Packages component and authorizer keep the tokens and renew them.
package token

import (
	"strconv"
	"time"

	"github.com/wechat-steward/steward/secret"
)

// DefaultLife is taken where WeChat does not say how long a token lives. WeChat's pages show 7200 seconds.
const DefaultLife = 2 * time.Hour

// Patience is how long a caller waits for a renewal while the old token lives: nobody who holds a token that works shall
// wait for a WeChat that hangs.
const Patience = 2 * time.Second

// Held is an access token as it is stored. The zero value is none.
type Held struct {
	Value    secret.String // empty: none
	Version  int64         // grows with each change
	Renewed  time.Time     // when it was asked for, by our clock
	Expires  time.Time
	Attempts Attempts // to renew it
}

// Want says which token will not do.
type Want struct {
	Refused int64 // the version that WeChat refused; 0: none
	Due     bool  // one that the sweep would renew will not do either
	ByHand  bool  // nobody refused the version in Refused, but somebody wants another
}

// Key tells apart those who cannot share a renewal of the token called name.
func (w Want) Key(name string) string {
	return name + "/" + strconv.FormatInt(w.Refused, 10) + "/" + strconv.FormatBool(w.Due)
}

// Lives tells whether WeChat should still take the token.
func (h Held) Lives(now time.Time) bool {
	return !h.Value.IsEmpty() && now.Before(h.Expires)
}

// Serves tells whether the token will do in need: if no other can be had.
func (h Held) Serves(w Want, now time.Time) bool {
	return h.Lives(now) && h.Version != w.Refused
}

// Does tells whether the token will do.
func (h Held) Does(w Want, now time.Time) bool {
	if !h.Serves(w, now) {
		return false
	}
	switch left := h.Expires.Sub(now); {
	case w.Refused != 0:
		return true
	case w.Due:
		return now.Before(h.Attempts.RenewAfter)
	case left >= h.Expires.Sub(h.Renewed)/3:
		return true
	default:
		// Renewals have been failing: no caller shall wait for the next try while the old token lives.
		return h.Attempts.Failures > 0 && now.Before(h.Attempts.RenewAfter)
	}
}

// RefusedEarly tells whether WeChat refused this very token although it should have lived on.
func (h Held) RefusedEarly(w Want, now time.Time) bool {
	return h.Version == w.Refused && !w.ByHand && h.Lives(now)
}

// Next is the token that takes this one's place: asked for at asked, valid for life (0: DefaultLife). A sweep renews it
// before callers have to, which is when a third of its life is left: five to twenty minutes earlier, where the life is two
// hours. spread, from 0 to 1, says where between the two, so that tokens which came together do not stay together.
func (h Held) Next(value string, asked time.Time, life time.Duration, spread float64) Held {
	if life <= 0 {
		life = DefaultLife
	}
	next := Held{Value: secret.New(value), Version: h.Version + 1, Renewed: asked, Expires: asked.Add(life)}
	next.Attempts.RenewAfter = next.Expires.Add(-life/3 - life/24 - time.Duration(spread*float64(life/8)))
	return next
}
