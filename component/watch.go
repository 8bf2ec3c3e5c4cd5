package component

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/token"
)

const (
	// ticketLate: WeChat pushes a ticket about every ten minutes, and now and then leaves one out.
	ticketLate = 20 * time.Minute
	// requestEvery is how often WeChat is asked by itself to push tickets again; the first may take it ten minutes.
	requestEvery = 30 * time.Minute
)

// watched is what the watch over tickets goes by.
type watched struct {
	newest    time.Time // when the newest ticket came in, or, while none ever has, when the component was registered
	hasTicket bool
	requested time.Time      // when WeChat was last asked to push; zero: never
	refusal   *token.Failure // WeChat's refusal of the tickets that we have; nil: it took one, or was not asked since
}

func (w watched) age(now time.Time) time.Duration { return now.Sub(w.newest) }

// wanting tells whether another ticket is wanted by now.
func (w watched) wanting(now time.Time) bool {
	return w.refusal != nil || w.age(now) > ticketLate
}

// requestDue tells whether WeChat may be asked for one.
func (w watched) requestDue(now time.Time) bool {
	return w.requested.IsZero() || now.Sub(w.requested) >= requestEvery
}

// cause says what is wrong, for an alert.
func (w watched) cause(appid string, now time.Time) token.Failure {
	f := token.Failure{At: now, Advice: fmt.Sprintf("Check that the 授权事件接收URL at WeChat is this Steward's /wechat/%s/events, and that WeChat reaches it on port 80 or 443; "+
		"Steward asks WeChat by itself, every %d minutes, to push tickets again.", appid, requestEvery/time.Minute)}
	age := w.age(now).Round(time.Second)
	switch {
	case w.refusal != nil:
		f.Code, f.RID, f.Message = w.refusal.Code, w.refusal.RID, "WeChat takes none of the tickets that it pushed: "+w.refusal.Message
	case !w.hasTicket:
		f.Message = fmt.Sprintf("WeChat has pushed no ticket since the component was registered, %s ago.", age)
	default:
		f.Message = fmt.Sprintf("WeChat has pushed no ticket for %s; it should push one every ten minutes.", age)
	}
	return f
}

// watchTickets raises an alert where tickets stay away, and asks WeChat to push them again.
func (s *Service) watchTickets(ctx context.Context) error {
	// A refusal counts until a newer ticket is there; the next renewal will tell about that one.
	rows, err := s.pool.Query(ctx, `
		SELECT c.appid FROM components c JOIN component_tokens t ON t.component_appid = c.appid
		WHERE coalesce(c.ticket_received_at, c.created_at) < $1
			OR ((t.last_error->>'code')::integer = ANY ($2) AND t.failed_at >= c.ticket_received_at)`,
		s.now().UTC().Add(-ticketLate), ticketCodes())
	if err != nil {
		return fmt.Errorf("watch tickets: %w", err)
	}
	wanting, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("watch tickets: %w", err)
	}
	return each(wanting, func(appid string) error {
		if err := s.chaseTicket(ctx, appid); err != nil {
			return fmt.Errorf("watch the tickets of %s: %w", appid, err)
		}
		return nil
	})
}

// chaseTicket raises the alert of one component and, if this process is the one to do it, asks WeChat for a ticket.
func (s *Service) chaseTicket(ctx context.Context, appid string) error {
	now := s.now().UTC()
	var own credentials
	ask := false
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// Under the lock that a new ticket takes too: an alert is never raised after the ticket that clears it.
		w, err := readWatched(ctx, tx, appid, true)
		if err != nil || !w.wanting(now) {
			return err
		}
		if ask = w.requestDue(now); ask {
			if err := noteRequest(ctx, tx, appid, now); err != nil {
				return err
			}
			if own, err = s.readCredentials(ctx, tx, appid, false); err != nil {
				return err
			}
		}
		// Raised once; what WeChat answers to our request is added below and must not be written over.
		open, err := alert.CountOpen(ctx, tx, appid, alert.TicketLate)
		if err != nil || open > 0 {
			return err
		}
		return alert.Raise(ctx, tx, alert.TicketLate, alert.Subject{ComponentAppID: appid}, w.cause(appid, now))
	})
	if err != nil || !ask {
		return err
	}
	s.logger.WarnContext(ctx, "WeChat's tickets stay away; asking it to push them again", "component", appid)
	answer := s.wechat.StartPushTicket(ctx, appid, own.appSecret.Reveal())
	if answer != nil {
		s.logger.WarnContext(ctx, "asking WeChat to push tickets again failed", "component", appid, "error", answer)
	}
	return s.recordRequest(ctx, appid, answer)
}

// recordRequest keeps what WeChat answered when it was asked by itself for tickets.
func (s *Service) recordRequest(ctx context.Context, appid string, answer error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	now := s.now().UTC()
	detail := map[string]any{"errcode": 0}
	var failure token.Failure
	if answer != nil {
		failure = token.NewFailure(answer, now)
		detail = map[string]any{"errcode": failure.Code, "message": failure.Message, "rid": failure.RID}
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		w, err := readWatched(ctx, tx, appid, true)
		if err != nil {
			return err
		}
		if w.wanting(now) { // WeChat may have been quicker than its answer
			cause := w.cause(appid, now)
			if answer != nil {
				cause.Message += " Asked to push them again, it failed: " + failure.Message
				cause.Code, cause.RID = failure.Code, failure.RID
				if failure.Advice != "" {
					cause.Advice = failure.Advice
				}
			}
			if err := alert.Raise(ctx, tx, alert.TicketLate, alert.Subject{ComponentAppID: appid}, cause); err != nil {
				return err
			}
		}
		return tenant.Audit(ctx, tx, tenant.System("ticket watch"), now,
			tenant.Entry{Action: "component.request_ticket", Target: "component:" + appid, Detail: detail})
	})
}

// noteRequest keeps when WeChat was asked to push tickets.
func noteRequest(ctx context.Context, tx pgx.Tx, appid string, at time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE components SET ticket_requested_at = $2 WHERE appid = $1`, appid, at)
	return err
}

func readWatched(ctx context.Context, db querier, appid string, lock bool) (watched, error) {
	sql := `
		SELECT c.created_at, c.ticket_received_at, c.ticket_requested_at,
			CASE WHEN (t.last_error->>'code')::integer = ANY ($2) AND t.failed_at >= c.ticket_received_at THEN t.last_error END
		FROM components c JOIN component_tokens t ON t.component_appid = c.appid WHERE c.appid = $1`
	if lock {
		sql += ` FOR NO KEY UPDATE OF c`
	}
	var w watched
	var received, requested *time.Time
	var refusal []byte
	err := db.QueryRow(ctx, sql, appid, ticketCodes()).Scan(&w.newest, &received, &requested, &refusal)
	if errors.Is(err, pgx.ErrNoRows) {
		return watched{}, ErrUnknownComponent
	}
	if err != nil {
		return watched{}, err
	}
	if received != nil {
		w.newest, w.hasTicket = *received, true
	}
	if requested != nil {
		w.requested = *requested
	}
	w.refusal, err = token.ParseFailure(refusal)
	return w, err
}

// ticketCodes are the codes with which WeChat refuses a ticket.
func ticketCodes() []int { return []int{codeTicketExpired, codeTicketInvalid} }
