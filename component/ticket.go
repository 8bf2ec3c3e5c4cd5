package component

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

// ticketLife is how long WeChat takes a component_verify_ticket.
const ticketLife = 12 * time.Hour

// StoreTicket keeps a component_verify_ticket; when it returns nil the ticket is durable, and WeChat may be answered.
// The former ticket is kept beside it. A ticket that WeChat made before the one we have is ignored, and the same push
// twice does no harm. It fails with [ErrUnknownComponent].
func (s *Service) StoreTicket(ctx context.Context, ev wechat.TicketEvent) error {
	if ev.Ticket == "" {
		return nil // a push of nothing must not replace something
	}
	now := s.now().UTC()
	created := ev.CreateTime
	if created.IsZero() {
		created = now
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		stored, err := s.readTickets(ctx, tx, ev.AppID, true)
		if err != nil {
			return err
		}
		if created.Before(stored.created) {
			return nil
		}
		// WeChat now and then pushes the same value anew: then the former ticket stays the former one.
		if !stored.current.IsEmpty() && stored.current.Reveal() != ev.Ticket {
			stored.previous, stored.previousCreated = stored.current, stored.created
		}
		stored.current, stored.created = secret.New(ev.Ticket), created
		if err := s.writeTickets(ctx, tx, ev.AppID, stored, now); err != nil {
			return err
		}
		return alert.Clear(ctx, tx, alert.Subject{ComponentAppID: ev.AppID}, now, alert.TicketLate)
	})
	if err != nil {
		return fmt.Errorf("store ticket: %w", err)
	}
	return nil
}

// RequestTicket asks WeChat to push tickets (again); the first comes within ten minutes. [Service.Sweep] does so by itself
// when tickets stay away. Platform only; audited.
func (s *Service) RequestTicket(ctx context.Context, p tenant.Principal, appid string) error {
	if err := p.AuthorizePlatform(); err != nil {
		return err
	}
	own, err := s.readCredentials(ctx, s.pool, appid, false)
	if err != nil {
		return fmt.Errorf("request ticket: %w", err)
	}
	if err := s.wechat.StartPushTicket(ctx, appid, own.appSecret.Reveal()); err != nil {
		return fmt.Errorf("request ticket: %w", err)
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		now := s.now().UTC()
		if err := noteRequest(ctx, tx, appid, now); err != nil {
			return err
		}
		return tenant.Audit(ctx, tx, p, now, tenant.Entry{Action: "component.request_ticket", Target: "component:" + appid})
	})
	if err != nil {
		return fmt.Errorf("request ticket: %w", err)
	}
	return nil
}

// tickets are the two newest; an empty one was never there.
type tickets struct {
	current, previous        secret.String
	created, previousCreated time.Time
}

func (s *Service) readTickets(ctx context.Context, db querier, appid string, lock bool) (tickets, error) {
	sql := `SELECT ticket_sealed, ticket_created_at, previous_ticket_sealed, previous_ticket_created_at FROM components WHERE appid = $1`
	if lock {
		sql += ` FOR NO KEY UPDATE`
	}
	var t tickets
	var current, previous []byte
	var created, previousCreated *time.Time
	err := db.QueryRow(ctx, sql, appid).Scan(&current, &created, &previous, &previousCreated)
	if errors.Is(err, pgx.ErrNoRows) {
		return tickets{}, ErrUnknownComponent
	}
	if err != nil {
		return tickets{}, err
	}
	if t.current, err = s.open(current, componentPlace(appid, "ticket")); err != nil {
		return tickets{}, err
	}
	if t.previous, err = s.open(previous, componentPlace(appid, "previous_ticket")); err != nil {
		return tickets{}, err
	}
	if created != nil {
		t.created = created.UTC()
	}
	if previousCreated != nil {
		t.previousCreated = previousCreated.UTC()
	}
	return t, nil
}

func (s *Service) writeTickets(ctx context.Context, tx pgx.Tx, appid string, t tickets, now time.Time) error {
	row := s.sealing(appid)
	row.put("ticket", t.current)
	row.put("previous_ticket", t.previous)
	if row.err != nil {
		return row.err
	}
	row.args["created"], row.args["previous_created"], row.args["now"] = t.created, nil, now
	if !t.previous.IsEmpty() {
		row.args["previous_created"] = t.previousCreated
	}
	_, err := tx.Exec(ctx, `
		UPDATE components SET ticket_sealed = @ticket, ticket_created_at = @created, ticket_received_at = @now,
			previous_ticket_sealed = @previous_ticket, previous_ticket_created_at = @previous_created, updated_at = @now
		WHERE appid = @appid`, row.args)
	return err
}
