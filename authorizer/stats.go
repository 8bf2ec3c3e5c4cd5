package authorizer

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/token"
)

// Stats is how the accounts of all components stand, in figures.
type Stats struct {
	States  map[State]int              // accounts in each state
	Failing map[token.HealthStatus]int // accounts with a token that cannot be renewed: HealthFailing and HealthExhausted
	Due     int                        // tokens that a sweep would have renewed by now
}

// Stats returns the figures. It is the program's own measure, names nobody, and so takes no principal.
func (s *Service) Stats(ctx context.Context) (Stats, error) {
	stats := Stats{States: map[State]int{StateActive: 0, StateNeedsReauthorization: 0, StateRevoked: 0, StateLimited: 0}}
	rows, err := s.pool.Query(ctx, `SELECT state, count(*) FROM authorizers GROUP BY state`)
	if err != nil {
		return Stats{}, fmt.Errorf("count accounts: %w", err)
	}
	var state State
	var n int
	_, err = pgx.ForEachRow(rows, []any{&state, &n}, func() error {
		stats.States[state] = n
		return nil
	})
	if err != nil {
		return Stats{}, fmt.Errorf("count accounts: %w", err)
	}
	// Apart, so that each has an index.
	var failing, exhausted int
	err = s.pool.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE t.failures < $1), count(*) FILTER (WHERE t.failures >= $1)
		FROM authorizer_tokens t JOIN authorizers a ON a.id = t.authorizer_id
		WHERE t.failures > 0 AND a.state IN ('active', 'limited')`, token.ExhaustedFailures).Scan(&failing, &exhausted)
	if err != nil {
		return Stats{}, fmt.Errorf("count accounts that fail: %w", err)
	}
	stats.Failing = map[token.HealthStatus]int{token.HealthFailing: failing, token.HealthExhausted: exhausted}
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM authorizer_tokens WHERE renew_after <= $1`, s.now().UTC()).Scan(&stats.Due)
	if err != nil {
		return Stats{}, fmt.Errorf("count tokens that are due: %w", err)
	}
	return stats, nil
}
