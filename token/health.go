package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wechat-steward/steward/wechat"
)

// Failure is what WeChat, or the network, said when something failed. It is kept and shown; it is no Go error.
type Failure struct {
	Code    int       `json:"code"` // WeChat's errcode; 0: WeChat did not answer
	Message string    `json:"message"`
	RID     string    `json:"rid"`    // WeChat's request id, which its support asks for
	Advice  string    `json:"advice"` // one English sentence: what to do; empty where Code is 0
	At      time.Time `json:"at"`
}

// NewFailure describes err for keeping. It holds no secret, since the errors of package wechat hold none.
func NewFailure(err error, at time.Time) Failure {
	if refusal, ok := errors.AsType[*wechat.Error](err); ok {
		return Failure{Code: refusal.Code, Message: refusal.Message, RID: refusal.RID, Advice: refusal.Advice(), At: at}
	}
	return Failure{Message: err.Error(), At: at}
}

// ParseFailure reads what was kept as JSON; nil for an empty column.
func ParseFailure(kept []byte) (*Failure, error) {
	if kept == nil {
		return nil, nil
	}
	var f Failure
	if err := json.Unmarshal(kept, &f); err != nil {
		return nil, fmt.Errorf("read a kept failure: %w", err)
	}
	return &f, nil
}

// HealthStatus says how a token is doing.
type HealthStatus string

// How tokens are doing.
const (
	HealthOK        HealthStatus = "ok"
	HealthFailing   HealthStatus = "failing"   // renewals fail and are tried again by themselves
	HealthExhausted HealthStatus = "exhausted" // they failed for more than a day: tried once a day, and by hand
	HealthBroken    HealthStatus = "broken"    // nothing is tried any more: the merchant has to authorize again
)

// Health is how the renewals of a token go. Times are UTC; nil: never, or not planned.
type Health struct {
	Status        HealthStatus
	FailingSince  *time.Time
	Attempts      int // failures in a row
	NextAttemptAt *time.Time
	LastError     *Failure // nil after a renewal that succeeded
	// RefusedEarly is how often, of late, WeChat refused a token before its time although nobody here had renewed it:
	// another system fetches tokens too. RefusedEarlyAt is when it last did.
	RefusedEarly   int
	RefusedEarlyAt *time.Time
}

// Describe fills Status from the attempts so far.
func (h *Health) Describe(a Attempts) {
	h.Status, h.Attempts = HealthOK, a.Failures
	switch {
	case a.Exhausted():
		h.Status = HealthExhausted
	case a.Failures > 0:
		h.Status = HealthFailing
	}
	if !a.Since.IsZero() {
		since := a.Since.UTC()
		h.FailingSince = &since
	}
	if !a.RenewAfter.IsZero() {
		next := a.RenewAfter.UTC()
		h.NextAttemptAt = &next
	}
}
