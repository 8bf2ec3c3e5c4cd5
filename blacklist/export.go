package blacklist

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/tenant"
)

const (
	// mostTransfers is how many files come in and go out at a time: each holds a connection to the database for as long as
	// the other end takes.
	mostTransfers = 8
	// transferWait is how long one more file waits for its turn, transferWithin how long one may take.
	transferWait   = 20 * time.Second
	transferWithin = 15 * time.Minute
)

// ErrBusy is returned when so many files come in and go out already that another would have to wait long.
var ErrBusy = errors.New("too many files are being sent and received at this moment")

// transfer waits for its turn to send or receive a file. The caller calls done, whatever becomes of the file.
func (s *Service) transfer(ctx context.Context) (bounded context.Context, done func(), err error) {
	waiting, cancel := context.WithTimeout(ctx, transferWait)
	defer cancel()
	if err := s.transfers.Acquire(waiting, 1); err != nil {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		return nil, nil, ErrBusy
	}
	bounded, end := context.WithTimeout(ctx, transferWithin)
	return bounded, func() { end(); s.transfers.Release(1) }, nil
}

// Export calls each with every entry that params matches, by openid, all as of one moment. Limit and Cursor do not count.
// It keeps one entry in memory at a time. If each returns an error, that ends it and is returned.
//
// How many entries were handed out is noted in the audit trail, also if it was not all of them.
func (s *Service) Export(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, params ListParams, each func(Entry) error) error {
	if err := p.Authorize(tenantID, tenant.BlacklistRead); err != nil {
		return err
	}
	where, err := params.where()
	if err != nil {
		return err
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, appid)
	if err != nil {
		return fmt.Errorf("export blacklist: %w", err)
	}
	e := export{tenantID: tenantID, by: p, target: "authorizer:" + account.AppID, filters: params.filters()}
	err = handOut(ctx, s, e, each, scanEntry, `SELECT `+entryColumns+` FROM blacklist_entries WHERE `+where+` ORDER BY openid`,
		params.args(tenantID, account.ID))
	if err != nil {
		return fmt.Errorf("export blacklist: %w", err)
	}
	return nil
}

// ExportItems calls each with every item of a batch that has the outcome ("": every item), in the order of the request; else it
// is like [Service.Export].
func (s *Service) ExportItems(ctx context.Context, p tenant.Principal, tenantID, batchID uuid.UUID, outcome Outcome, each func(Item) error) error {
	if err := p.Authorize(tenantID, tenant.BlacklistRead); err != nil {
		return err
	}
	if err := outcome.check(); err != nil {
		return err
	}
	batch, err := s.GetBatch(ctx, p, tenantID, batchID)
	if err != nil {
		return fmt.Errorf("export items: %w", err)
	}
	e := export{tenantID: tenantID, by: p, target: "batch:" + batchID.String()}
	if outcome != "" {
		e.filters = map[string]any{"outcome": outcome}
	}
	scan := func(row pgx.CollectableRow) (Item, error) {
		_, it, err := scanItem(row, batch)
		return it, err
	}
	err = handOut(ctx, s, e, each, scan, `
		SELECT `+itemColumns+` FROM blacklist_items
		WHERE tenant_id = @tenant_id AND batch_id = @batch_id AND (@outcome = '' OR outcome = @outcome) ORDER BY seq`,
		pgx.NamedArgs{"tenant_id": tenantID, "batch_id": batchID, "outcome": outcome})
	if err != nil {
		return fmt.Errorf("export items: %w", err)
	}
	return nil
}

// export is who takes what out, for the audit trail.
type export struct {
	tenantID uuid.UUID
	by       tenant.Principal
	target   string
	filters  map[string]any
}

// handOut calls each with the rows of one query, as they come from the database, and audits how many there were.
func handOut[T any](ctx context.Context, s *Service, e export, each func(T) error, scan pgx.RowToFunc[T], query string, args pgx.NamedArgs) error {
	ctx, done, err := s.transfer(ctx)
	if err != nil {
		return err
	}
	defer done()
	count := 0
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := forEach(ctx, tx, &count, each, scan, query, args); err != nil {
			return err
		}
		return e.audit(ctx, tx, s.now(), count, true)
	})
	if err == nil || count == 0 {
		return err
	}
	// Whoever hangs up before the end has the entries that went out until then.
	store, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWithin)
	defer cancel()
	return errors.Join(err, pgx.BeginFunc(store, s.pool, func(tx pgx.Tx) error { return e.audit(store, tx, s.now(), count, false) }))
}

func forEach[T any](ctx context.Context, tx pgx.Tx, count *int, each func(T) error, scan pgx.RowToFunc[T], query string, args pgx.NamedArgs) error {
	rows, err := tx.Query(ctx, query, args)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		row, err := scan(rows)
		if err != nil {
			return err
		}
		*count++
		if err := each(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (e export) audit(ctx context.Context, tx pgx.Tx, now time.Time, count int, whole bool) error {
	detail := map[string]any{"count": count, "whole": whole}
	if len(e.filters) > 0 {
		detail["filters"] = e.filters
	}
	return tenant.Audit(ctx, tx, e.by, now, tenant.Entry{TenantID: e.tenantID, Action: "blacklist.export", Target: e.target, Detail: detail})
}
