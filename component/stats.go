package component

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Stats is how a component stands, in figures that change by themselves.
type Stats struct {
	AppID string
	// TicketAge is how old the newest ticket is; while there is none, how long ago the component was registered.
	TicketAge time.Duration
	// TokenExpiresIn is how long the component_access_token still lives: below zero once it has ended, 0 while there is none.
	TokenExpiresIn time.Duration
}

// Stats returns the figures of all components by appid. It is the program's own measure and takes no principal.
func (s *Service) Stats(ctx context.Context) ([]Stats, error) {
	now := s.now().UTC()
	rows, err := s.pool.Query(ctx, `
		SELECT c.appid, coalesce(c.ticket_received_at, c.created_at), coalesce(t.expires_at, $1)
		FROM components c JOIN component_tokens t ON t.component_appid = c.appid ORDER BY c.appid`, now)
	if err != nil {
		return nil, fmt.Errorf("component figures: %w", err)
	}
	stats, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Stats, error) {
		var st Stats
		var newest, expires time.Time
		err := row.Scan(&st.AppID, &newest, &expires)
		st.TicketAge, st.TokenExpiresIn = now.Sub(newest), expires.Sub(now)
		return st, err
	})
	if err != nil {
		return nil, fmt.Errorf("component figures: %w", err)
	}
	return stats, nil
}
