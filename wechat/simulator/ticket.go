package simulator

import (
	"context"
	"errors"
	"time"
)

const (
	ticketInterval = 10 * time.Minute // of the simulator's clock
	// ticketRetry is real time: whoever starts a server and the simulator together need not wait ten minutes for the
	// first ticket, only because the simulator was faster.
	ticketRetry = 2 * time.Second
	// ticketPoll is real time: how soon a change of Config.Now is noticed.
	ticketPoll = time.Second
	// maxTickets bounds memory; WeChat's tickets of twelve hours are 72.
	maxTickets = 1000
)

// ticket is a component_verify_ticket.
type ticket struct {
	value  string
	issued time.Time
}

// IssueTicket makes a ticket that the component may use, and pushes nothing; an empty componentAppID is the first component.
func (s *Server) IssueTicket(componentAppID string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.findComponent(componentAppID)
	if err != nil {
		return "", err
	}
	return s.issueTicket(c), nil
}

func (s *Server) issueTicket(c *component) string {
	value := s.name("ticket@@@")
	if len(c.tickets) >= maxTickets {
		c.tickets = c.tickets[1:]
	}
	c.tickets = append(c.tickets, ticket{value: value, issued: s.now()})
	return value
}

// PushTicket pushes a fresh ticket to every component that has an EventURL. It fails if none has, or if one of them
// did not take it.
func (s *Server) PushTicket(ctx context.Context) error {
	s.mu.Lock()
	var due []*component
	for _, c := range s.components {
		if c.EventURL != "" {
			due = append(due, c)
		}
	}
	s.mu.Unlock()
	if len(due) == 0 {
		return ErrNoCallbackURL
	}
	return s.pushTickets(ctx, due)
}

func (s *Server) pushTickets(ctx context.Context, due []*component) error {
	var failed []error
	for _, c := range due {
		s.mu.Lock()
		e := Event{ComponentAppID: c.AppID, InfoType: VerifyTicket, Ticket: s.issueTicket(c)}
		s.mu.Unlock()
		failed = append(failed, s.Push(ctx, e))
	}
	return errors.Join(failed...)
}

// StartTickets pushes a ticket to every component at once and then every ten minutes of the simulator's clock, in the
// background, until ctx ends or the simulator is closed. A push that fails is repeated after some seconds.
// Settings.TicketsPaused holds them back.
func (s *Server) StartTickets(ctx context.Context) {
	s.mu.Lock()
	s.ticking++
	s.mu.Unlock()
	s.background.Go(func() {
		s.tickTickets(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ticking--
	})
}

func (s *Server) tickTickets(ctx context.Context) {
	ctx, cancel := s.untilClosed(ctx)
	defer cancel()
	next := map[*component]time.Time{} // when each gets its next ticket
	for ctx.Err() == nil {
		due, wake := s.dueTickets(next)
		pause := ticketPoll
		if err := s.pushTickets(ctx, due); err != nil {
			for _, c := range due {
				delete(next, c)
			}
			pause, wake = ticketRetry, nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// dueTickets returns the components that get a ticket now, and notes when they get the next one.
func (s *Server) dueTickets(next map[*component]time.Time) (due []*component, wake <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, c := range s.components {
		if c.EventURL == "" || s.settings.TicketsPaused {
			continue
		}
		if c.asked || !now.Before(next[c]) {
			due = append(due, c)
			next[c], c.asked = now.Add(ticketInterval), false
		}
	}
	return due, s.wake
}

// wakeTickets lets StartTickets look again. s.mu is held.
func (s *Server) wakeTickets() {
	close(s.wake)
	s.wake = make(chan struct{})
}

// askForTicket lets StartTickets push a ticket now; if it does not run, one ticket is pushed in the background. s.mu is held.
func (s *Server) askForTicket(c *component) {
	if s.ticking > 0 {
		c.asked = true
		s.wakeTickets()
		return
	}
	if c.EventURL == "" {
		return
	}
	s.inBackground(func(ctx context.Context) {
		if err := s.pushTickets(ctx, []*component{c}); err != nil {
			s.cfg.Logger.Warn("simulator: the ticket that was asked for was not taken", "component", c.AppID, "error", err)
		}
	})
}
