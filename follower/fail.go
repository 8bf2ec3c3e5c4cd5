package follower

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/token"
	"github.com/wechat-steward/steward/wechat"
)

const (
	codeMinuteQuota = 45011
	// mostTries in a row that fail in a way that may pass, some forty minutes of them, end a sync.
	mostTries = 8
)

// errTooFewCalls: the account has calls left today, and not enough for its list.
var errTooFewCalls = errors.New("too few calls are left today")

// failure is what went wrong, as people and support get to read it.
type failure struct {
	text    string
	errcode *int // WeChat's, where it refused
	rid     string
}

func failureOf(err error) failure {
	var f failure
	refused, isRefusal := errors.AsType[*wechat.Error](err)
	if isRefusal {
		f = failure{text: "WeChat refused: " + refused.Message, errcode: &refused.Code, rid: refused.RID}
	}
	if state, ok := errors.AsType[*authorizer.AccountStateError](err); ok {
		f.text = state.Error()
		return f
	}
	if isRefusal {
		return f
	}
	if ended, ok := errors.AsType[*unclean](err); ok {
		return failure{text: ended.text}
	}
	if errors.Is(err, errTooFewCalls) {
		return failure{text: "The account has too few calls left today for its list of followers: reading begins tomorrow."}
	}
	if _, ok := errors.AsType[*wechat.TransportError](err); ok {
		return failure{text: "WeChat could not be reached, or gave no readable answer."}
	}
	return failure{text: "Steward itself could not go on; its log says why."}
}

// isAccountTrouble tells whether err is about the account: only a change of the account makes a further call worth while.
func isAccountTrouble(err error) bool {
	if _, ok := errors.AsType[*authorizer.AccountStateError](err); ok {
		return true
	}
	switch wechat.ClassOf(err) {
	case wechat.ClassReauthorize, wechat.ClassPermission, wechat.ClassSuspended:
		return true
	}
	return false
}

// retryAfter says when to try again after err, failures having come before it in a row; false: not at all. What waits for a
// quota counts as no failure.
func retryAfter(err error, failures int, now time.Time) (at time.Time, newFailures int, again bool) {
	switch class := wechat.ClassOf(err); {
	case errors.Is(err, errTooFewCalls):
		return wechat.QuotaReset(now), failures, true
	case class == wechat.ClassQuota:
		if *failureOf(err).errcode == codeMinuteQuota {
			return now.Add(time.Minute + rand.N(15*time.Second)), failures, true
		}
		return wechat.QuotaReset(now), failures, true
	case isAccountTrouble(err), class == wechat.ClassCaller:
		return time.Time{}, failures, false
	}
	next := token.Attempts{Failures: failures}.Failed(token.FaultAccount, now, token.LongestPassingPause, rand.Float64())
	return next.RenewAfter, next.Failures, next.Failures < mostTries
}

// failSync has the sync rest before the next try, begin anew, or end.
func (t *tender) failSync(ctx context.Context, st state, cause error) error {
	s, now := t.service, t.service.now()
	f := failureOf(cause)
	s.logger.WarnContext(ctx, "reading an account's followers is held up", "authorizer_id", t.AuthorizerID, "error", cause)
	at, failures, again := retryAfter(cause, st.failures, now)
	set, args := `sync_next_try_at = $6, sync_failures = $7`, []any{at, failures}
	if ended, ok := errors.AsType[*unclean](cause); ok && st.readings < mostReadings {
		s.logger.InfoContext(ctx, "reading an account's followers again from the beginning", "authorizer_id", t.AuthorizerID, "why", ended.text)
		set, args = `sync_status = 'queued', sync_phase = '', sync_cursor = ''`, nil
	} else if ok || !again {
		set, args = `sync_status = 'failed', sync_phase = '', sync_cursor = '', sync_ended_at = $6, next_sync_at = $7`, []any{now, s.nextSync()}
	}
	return t.fenced(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return t.set(ctx, tx, `sync_error = $3, sync_errcode = $4, sync_rid = $5, `+set, append([]any{f.text, f.errcode, f.rid}, args...)...)
	})
}

// failFill has the asking for unionids rest before the next try, or leaves it to the next sync.
func (t *tender) failFill(ctx context.Context, st state, cause error) error {
	t.service.logger.WarnContext(ctx, "asking for followers' unionids is held up", "authorizer_id", t.AuthorizerID, "error", cause)
	at, failures, again := retryAfter(cause, st.fillFailure, t.service.now())
	return t.fenced(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if !again {
			return t.set(ctx, tx, `fill_due = false`)
		}
		return t.set(ctx, tx, `fill_next_try_at = $3, fill_failures = $4`, at, failures)
	})
}
