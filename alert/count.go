package alert

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// CountOpen returns how many alerts of a kind are open about a component and its accounts.
func CountOpen(ctx context.Context, db Querier, componentAppID string, kind Kind) (int, error) {
	rows, err := db.Query(ctx, `SELECT count(*) FROM alerts WHERE component_appid = $1 AND kind = $2 AND cleared_at IS NULL`, componentAppID, kind)
	if err != nil {
		return 0, fmt.Errorf("count alerts: %w", err)
	}
	n, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
	if err != nil {
		return 0, fmt.Errorf("count alerts: %w", err)
	}
	return n, nil
}

// Stats returns how many alerts of each kind are open; a kind that has none is not in it. It is the program's own measure,
// names nobody, and so takes no principal.
func (s *Service) Stats(ctx context.Context) (map[Kind]int, error) {
	rows, err := s.pool.Query(ctx, `SELECT kind, count(*) FROM alerts WHERE cleared_at IS NULL GROUP BY kind`)
	if err != nil {
		return nil, fmt.Errorf("count alerts: %w", err)
	}
	open := map[Kind]int{}
	var kind Kind
	var n int
	_, err = pgx.ForEachRow(rows, []any{&kind, &n}, func() error {
		open[kind] = n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count alerts: %w", err)
	}
	return open, nil
}
