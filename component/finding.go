package component

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/wechat-steward/steward/token"
	"github.com/wechat-steward/steward/wechat"
)

const (
	// quotaLow: less than a fifth left of the quota for tokens is worth a look.
	quotaLow = 5
	// Clocks: tokens are renewed minutes before they end, so seconds do no harm.
	skewNoted = 30 * time.Second
	skewBad   = 5 * time.Minute
)

// aboutSecret tells whether api_component_token answers code for the AppSecret's sake.
func aboutSecret(code int) bool {
	return slices.Contains([]int{40001, 40125, 40243, 41004}, code)
}

// aboutAddress tells whether WeChat answers code for the sake of the address that a call comes from.
func aboutAddress(code int) bool {
	return slices.Contains([]int{40090, 40164, 45035, 61004}, code) || code >= 89501 && code <= 89507
}

// on is a time as people read it.
func on(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

func (x examination) ticket() Check {
	c := Check{Name: CheckTicket, Status: CheckFail, Remedy: x.watched.cause(x.appID, x.now).Advice}
	age := x.watched.age(x.now).Round(time.Second)
	switch {
	case !x.watched.hasTicket:
		c.Reason = fmt.Sprintf("WeChat has pushed none since the component was registered, %s ago.", age)
	case x.watched.refusal != nil:
		c.Reason = fmt.Sprintf("The newest is %s old, and WeChat takes none of those that it pushed: %s.", age, x.watched.refusal.Message)
		c.Code, c.RID = x.watched.refusal.Code, x.watched.refusal.RID
	case age > ticketLife:
		c.Reason = fmt.Sprintf("The newest is %s old and no longer valid.", age)
	case age >= ticketLate:
		c.Status, c.Reason = CheckWarn, fmt.Sprintf("The newest is %s old, and WeChat pushes one about every ten minutes.", age)
	default:
		c.Status, c.Reason, c.Remedy = CheckOK, fmt.Sprintf("The newest is %s old.", age), ""
	}
	if x.watched.requested.IsZero() {
		c.Reason += " WeChat was never asked to push tickets again."
	} else {
		c.Reason += fmt.Sprintf(" WeChat was last asked to push tickets again on %s.", on(x.watched.requested))
	}
	return c
}

// renewalFailure is why the latest renewal of the access token failed; nil: it did not.
func (x examination) renewalFailure() *token.Failure {
	if x.noToken != nil {
		return new(token.NewFailure(x.noToken, x.now))
	}
	return x.component.Health.LastError
}

func (x examination) appSecret() Check {
	c := Check{Name: CheckAppSecret}
	failure := x.renewalFailure()
	switch {
	case failure != nil && aboutSecret(failure.Code):
		c.Status, c.Code, c.RID, c.Remedy = CheckFail, failure.Code, failure.RID, failure.Advice
		c.Reason = fmt.Sprintf("WeChat refused it on %s: %s.", on(failure.At), failure.Message)
	case x.noToken == nil && x.component.AccessTokenRenewedAt != nil:
		c.Status, c.Reason = CheckOK, fmt.Sprintf("WeChat took it on %s, when it gave the access token that is in use.", on(*x.component.AccessTokenRenewedAt))
	case errors.Is(x.noToken, ErrNoTicket):
		c.Status, c.Reason = CheckUnknown, "It cannot be tried without a ticket that WeChat takes."
	default:
		c.Status, c.Reason = CheckUnknown, fmt.Sprintf("It could not be tried: %v.", x.noToken)
	}
	return c
}

func (x examination) ipWhitelist() Check {
	c := Check{Name: CheckIPWhitelist, Status: CheckUnknown, Reason: "No call was made that could tell, since there is no access token to make it with."}
	for _, err := range x.calls() {
		refusal, isRefusal := errors.AsType[*wechat.Error](err)
		switch {
		case isRefusal && aboutAddress(refusal.Code):
			return addressRefused(token.NewFailure(refusal, x.now))
		case err == nil, isRefusal && !TokenRefused(err):
			c.Status, c.Reason = CheckOK, "WeChat takes calls from this machine."
		case c.Status != CheckOK:
			c.Reason = "No call was answered that could tell: " + err.Error() + "."
		}
	}
	// Another process, on another machine, may have tried to renew.
	if last := x.component.Health.LastError; c.Status == CheckOK && last != nil && aboutAddress(last.Code) {
		c = addressRefused(*last)
		c.Status, c.Reason = CheckWarn, "WeChat takes calls from this machine now. "+c.Reason
	}
	return c
}

// calls are how those calls ended that tell about our address.
func (x examination) calls() []error {
	var all []error
	if refusal, ok := errors.AsType[*wechat.Error](x.noToken); ok && aboutAddress(refusal.Code) {
		all = append(all, x.noToken)
	}
	for _, q := range x.quotas {
		all = append(all, q.err)
	}
	return all
}

func addressRefused(failure token.Failure) Check {
	c := Check{Name: CheckIPWhitelist, Status: CheckFail, Remedy: failure.Advice, Code: failure.Code, RID: failure.RID}
	from := "the address that a call came from"
	if addr, ok := addressIn(failure.Message); ok {
		from = addr.String()
		c.Remedy += " The address is " + from + "."
	}
	c.Reason = fmt.Sprintf("WeChat refused %s on %s: %s.", from, on(failure.At), failure.Message)
	return c
}

// addressIn finds the IP address that WeChat names in a message: "… requestIP: 203.0.113.9 rid: …".
func addressIn(message string) (netip.Addr, bool) {
	for _, word := range strings.FieldsFunc(message, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;[]()", r) }) {
		if addr, err := netip.ParseAddr(strings.Trim(word, ".")); err == nil {
			return addr.Unmap(), true
		}
	}
	return netip.Addr{}, false
}

func (x examination) componentToken() Check {
	c := Check{Name: CheckComponentToken}
	health := x.component.Health
	if x.noToken != nil {
		failure := x.renewalFailure()
		c.Status, c.Code, c.RID, c.Remedy = CheckFail, failure.Code, failure.RID, failure.Advice
		c.Reason = "There is none: " + failure.Message + "."
		switch {
		case errors.Is(x.noToken, ErrNoTicket):
			c.Remedy = "It comes with the next ticket: see there."
		case c.Remedy == "":
			c.Remedy = "Check that this machine reaches WeChat: name resolution, firewall, proxy, and STEWARD_WECHAT_API_URL."
		}
		return c
	}
	c.Reason = fmt.Sprintf("It was given on %s and lives until %s.", on(*x.component.AccessTokenRenewedAt), on(*x.component.AccessTokenExpiresAt))
	asked := x.quotas[0].err
	refusal, isRefusal := errors.AsType[*wechat.Error](asked)
	switch {
	case TokenRefused(asked):
		c.Status, c.Code, c.RID, c.Remedy = CheckFail, refusal.Code, refusal.RID, adviceContested
		c.Reason += fmt.Sprintf(" WeChat refuses it all the same: %s.", refusal.Message)
	case health.LastError != nil:
		c.Status, c.Code, c.RID, c.Remedy = CheckWarn, health.LastError.Code, health.LastError.RID, health.LastError.Advice
		c.Reason += fmt.Sprintf(" The last %d renewals failed, the latest on %s: %s. The next try is on %s.",
			health.Attempts, on(health.LastError.At), health.LastError.Message, on(*health.NextAttemptAt))
	case asked != nil && !isRefusal:
		c.Status = CheckUnknown
		c.Reason += fmt.Sprintf(" It could not be tried: %v.", asked)
	default:
		c.Status = CheckOK
	}
	return c
}

func (x examination) quota() Check {
	c := Check{Name: CheckQuota, Status: CheckOK}
	if x.noToken != nil {
		failure := x.renewalFailure()
		c.Status, c.Reason = CheckUnknown, "It cannot be read without an access token."
		if failure.Code == 45009 {
			c.Status, c.Code, c.RID, c.Remedy = CheckFail, failure.Code, failure.RID, failure.Advice
			c.Reason = "None is left for api_component_token: " + failure.Message + "."
		}
		return c
	}
	for _, q := range x.quotas {
		part := q.check()
		c.Reason = strings.TrimSpace(c.Reason + " " + part.Reason)
		if worse(part.Status, c.Status) {
			c.Status, c.Remedy, c.Code, c.RID = part.Status, part.Remedy, part.Code, part.RID
		}
	}
	return c
}

func (q quotaAnswer) check() Check {
	const remedy = "Find out what fetches so many tokens, a second installation perhaps. The quota comes back at midnight in China, and the Open Platform console can clear it ten times a month."
	refusal, isRefusal := errors.AsType[*wechat.Error](q.err)
	switch {
	case isRefusal && (refusal.Code == 76003 || refusal.Code == 76021):
		return Check{Status: CheckUnknown, Reason: "WeChat has no figures for " + q.api + ".", Code: refusal.Code, RID: refusal.RID}
	case isRefusal:
		return Check{Status: CheckUnknown, Reason: fmt.Sprintf("WeChat does not tell about %s: %s.", q.api, refusal.Message), Code: refusal.Code, RID: refusal.RID}
	case q.err != nil:
		return Check{Status: CheckUnknown, Reason: fmt.Sprintf("WeChat could not be asked about %s: %v.", q.api, q.err)}
	case q.quota.DailyLimit <= 0:
		return Check{Status: CheckUnknown, Reason: "WeChat names no limit for " + q.api + "."}
	}
	c := Check{Status: CheckOK, Reason: fmt.Sprintf("%s: %d of %d used today, %d left.", q.api, q.quota.Used, q.quota.DailyLimit, q.quota.Remain)}
	switch {
	case q.quota.Remain <= 0:
		c.Status, c.Remedy = CheckFail, remedy
	case q.quota.Remain*quotaLow < q.quota.DailyLimit:
		c.Status, c.Remedy = CheckWarn, remedy
	}
	return c
}

// worse orders what a check that has parts makes of them.
func worse(a, b CheckStatus) bool {
	order := []CheckStatus{CheckOK, CheckUnknown, CheckWarn, CheckFail}
	return slices.Index(order, a) > slices.Index(order, b)
}

func (x examination) clock() Check {
	c := Check{Name: CheckClock, Status: CheckOK}
	note := func(skew time.Duration, reason string) {
		c.Reason += reason
		status := CheckOK
		switch {
		case skew.Abs() > skewBad:
			status = CheckFail
		case skew.Abs() > skewNoted:
			status = CheckWarn
		}
		if worse(status, c.Status) {
			c.Status, c.Remedy = status, "Set the clocks of this machine and of the database's by NTP: the ends of tokens, links and keys go by them."
		}
	}
	note(x.databaseSkew, "This machine's clock is "+compared(x.databaseSkew)+" the database's")
	if x.skew != nil {
		note(*x.skew, " and "+compared(*x.skew)+" WeChat's.")
	} else {
		c.Reason += "; WeChat did not tell its time."
		if worse(CheckUnknown, c.Status) {
			c.Status = CheckUnknown
		}
	}
	if x.ticketDelay != nil {
		order := "after"
		if *x.ticketDelay < 0 {
			order = "before"
		}
		note(*x.ticketDelay, fmt.Sprintf(" The newest ticket came %s %s WeChat made it.", x.ticketDelay.Abs().Round(time.Second), order))
	}
	return c
}

// compared says how a clock stands to another one.
func compared(skew time.Duration) string {
	switch skew = skew.Round(time.Second); {
	case skew > 0:
		return fmt.Sprintf("%s ahead of", skew)
	case skew < 0:
		return fmt.Sprintf("%s behind", -skew)
	default:
		return "in step with"
	}
}

func (x examination) secondInstallation() Check {
	c := Check{Name: CheckSecondInstallation, Status: CheckOK, Remedy: adviceContested}
	times, last := x.component.Health.RefusedEarly, x.component.Health.RefusedEarlyAt
	if last == nil || x.now.Sub(*last) >= contestedKept {
		times = 0
	}
	switch {
	case times >= contestedAfter:
		c.Status, c.Reason = CheckFail, fmt.Sprintf("WeChat refused %d component access tokens in a row before their time, the latest on %s.", times, on(*last))
	case times > 0:
		c.Status, c.Reason = CheckWarn, fmt.Sprintf("WeChat refused a component access token before its time on %s.", on(*last))
	default:
		c.Reason = "In the last 24 hours WeChat refused no component access token before its time."
	}
	switch {
	case x.contested > 0:
		c.Reason += fmt.Sprintf(" Accounts whose tokens end before their time too: %d.", x.contested)
		if c.Status == CheckOK {
			c.Status = CheckWarn
		}
	default:
		c.Reason += " No account shows it."
	}
	if c.Status == CheckOK {
		c.Remedy = ""
	}
	return c
}
