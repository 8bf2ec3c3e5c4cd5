package blacklist

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/tenant"
)

const (
	// pullEvery is how often WeChat's list is read by itself. WeChat tells nobody when a merchant blocks somebody by hand.
	pullEvery = 6 * time.Hour
	// routinePulls is how many one sweep begins.
	routinePulls = 20
)

// nextPull is when to read the list again: some minutes earlier or later than the rest, so that accounts do not stay together.
func nextPull(now time.Time) time.Time {
	return now.Add(pullEvery - pullEvery/12 + rand.N(pullEvery/6))
}

// pullSooner is what becomes of pull_due_at when a push gave reason to doubt our copy: WeChat's list is read soon, but not
// every few minutes, however often pushes look wrong. now is the name of the argument that holds the time.
func pullSooner(now string) string {
	return `least(pull_due_at, greatest(` + now + `::timestamptz + interval '1 minute', synced_at + interval '30 minutes'))`
}

// dueLane is a lane whose list is to be read.
type dueLane struct {
	laneID
	AppID string
}

// startPulls begins the pulls that are due, of accounts that ever had blacklist work and can have it now.
func (s *Service) startPulls(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `
		SELECT l.tenant_id, l.authorizer_id, a.appid FROM blacklist_lanes l JOIN authorizers a ON a.tenant_id = l.tenant_id AND a.id = l.authorizer_id
		WHERE l.pull_due_at <= $1 AND NOT l.awaits_account AND a.state = 'active' AND a.permission_sets && ARRAY[2, 100]
		ORDER BY l.pull_due_at LIMIT $2`, s.now(), routinePulls)
	if err != nil {
		return fmt.Errorf("find due pulls: %w", err)
	}
	due, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d dueLane, err error) {
		return d, row.Scan(&d.TenantID, &d.AuthorizerID, &d.AppID)
	})
	if err != nil {
		return fmt.Errorf("find due pulls: %w", err)
	}
	return each(ctx, s, due, s.startDuePull)
}

func (s *Service) startDuePull(ctx context.Context, tx pgx.Tx, due dueLane) error {
	now := s.now()
	tag, err := tx.Exec(ctx, `
		UPDATE blacklist_lanes SET pull_due_at = $4 WHERE tenant_id = $1 AND authorizer_id = $2 AND pull_due_at <= $3`,
		due.TenantID, due.AuthorizerID, now, nextPull(now))
	if err != nil || tag.RowsAffected() == 0 {
		return err // another process was faster
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	account := authorizer.Account{ID: due.AuthorizerID, TenantID: due.TenantID, AppID: due.AppID}
	_, err = s.beginPull(ctx, tx, tenant.System("blacklist"), due.TenantID, id, account)
	return err
}
