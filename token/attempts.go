package token

import (
	"time"

	"github.com/wechat-steward/steward/wechat"
)

// The ladder of pauses between renewals that fail.
const (
	shortestPause = 30 * time.Second
	// LongestPause ends the ladder of an account that WeChat refuses.
	LongestPause = 6 * time.Hour
	// LongestPassingPause ends it where nothing is wrong with the account: once WeChat or the platform works again, its
	// accounts should soon do so too.
	LongestPassingPause = 10 * time.Minute
	// exhaustedPause is how often it is still tried after everybody would have given up.
	exhaustedPause = 24 * time.Hour
	// passingFailures is as far up the ladder as failures lead that pass by themselves: no outage of WeChat's, however
	// long, uses up what an account has.
	passingFailures = 6
	// ExhaustedFailures in a row take more than a day, and there is no use in trying as often as before.
	ExhaustedFailures = 14
	// alertFailures in a row, or passing ones for alertAfter, are worth a person's look.
	alertFailures = 3
	alertAfter    = time.Hour
)

// Fault says whose fault a failed renewal is.
type Fault int

// The faults.
const (
	FaultPassing  Fault = iota // nobody's: WeChat or the network failed
	FaultPlatform              // the component's: it fails for all accounts, and says nothing about any
	FaultAccount               // WeChat refuses this account's token
)

// FaultOf classes the error of a renewal. Quotas of renewals are the component's.
func FaultOf(err error) Fault {
	switch wechat.ClassOf(err) {
	case wechat.ClassRetry:
		return FaultPassing
	case wechat.ClassComponent, wechat.ClassOperator, wechat.ClassQuota:
		return FaultPlatform
	default:
		return FaultAccount
	}
}

// Attempts are the renewals that failed since the last one that succeeded.
type Attempts struct {
	Failures   int
	Since      time.Time // the first of them; zero: none
	RenewAfter time.Time // when the sweep tries next, also where none failed
}

// Failed adds a failure. Pauses double from half a minute to longest; spread, from 0 to 1, makes them up to a quarter
// longer, so that those who failed together do not come back together.
func (a Attempts) Failed(fault Fault, now time.Time, longest time.Duration, spread float64) Attempts {
	pause := min(shortestPause<<min(a.Failures, 10), longest)
	switch {
	case fault != FaultAccount:
		pause = min(pause, LongestPassingPause)
		a.Failures = max(a.Failures, min(a.Failures+1, passingFailures))
	default:
		a.Failures++
		if a.Exhausted() && longest == LongestPause {
			pause = exhaustedPause
		}
	}
	if a.Since.IsZero() {
		a.Since = now
	}
	a.RenewAfter = now.Add(pause + time.Duration(spread*float64(pause/4)))
	return a
}

// Exhausted tells whether WeChat has refused for so long that only one try a day is left, until somebody renews by hand or
// the account authorizes anew.
func (a Attempts) Exhausted() bool { return a.Failures >= ExhaustedFailures }

// WantsAlert tells whether the latest failure, of that kind, is worth a person's look.
func (a Attempts) WantsAlert(fault Fault, now time.Time) bool {
	switch fault {
	case FaultAccount:
		return a.Failures >= alertFailures
	case FaultPassing:
		return now.Sub(a.Since) >= alertAfter
	default:
		return false
	}
}
