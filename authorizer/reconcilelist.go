package authorizer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/wechat"
)

// mostReadings is how often the list is read from its beginning before it is believed to contradict itself for good.
const mostReadings = 3

// progress is how far the list has been read.
type progress struct {
	readings     int // how often it was begun
	nextOffset   int
	listed       int // appids so far, each once
	total        int // the most that WeChat has said since the list was last begun
	listComplete bool
}

// readPage reads and stages the next page of the list.
func (r *reconciler) readPage(ctx context.Context) error {
	s := r.service
	var page wechat.AuthorizerList
	err := s.components.Call(ctx, r.componentAppID, func(ctx context.Context, cat string) (err error) {
		page, err = s.wechat.AuthorizerList(ctx, cat, r.componentAppID, r.nextOffset, wechat.MaxAuthorizerList)
		return err
	})
	if err != nil {
		return fmt.Errorf("read WeChat's list of authorizers: %w", err)
	}
	s.components.Works(ctx, r.componentAppID)
	p := r.progress
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		added, err := r.stage(ctx, tx, page.Items)
		if err != nil {
			return err
		}
		p.listed, p.nextOffset, p.total = p.listed+added, p.nextOffset+len(page.Items), max(p.total, page.Total)
		if len(page.Items) == 0 || p.nextOffset >= page.Total {
			if err := r.endOfList(ctx, tx, &p, page); err != nil {
				return err
			}
		}
		return r.update(ctx, tx, `readings = $3, next_offset = $4, listed = $5, total = $6, list_complete = $7, `+renewLease,
			p.readings, p.nextOffset, p.listed, p.total, p.listComplete)
	})
	if errors.Is(err, errIncomplete) {
		return err
	}
	if err != nil {
		return fmt.Errorf("store a page of WeChat's list of authorizers: %w", err)
	}
	r.progress, r.failures = p, 0
	return nil
}

// stage stores a page apart from our accounts and returns how many of its appids are new: rows shift from page to page
// while accounts come and go.
func (r *reconciler) stage(ctx context.Context, tx pgx.Tx, items []wechat.AuthorizerListItem) (int, error) {
	appids, sealed, times := make([]string, len(items)), make([][]byte, len(items)), make([]*time.Time, len(items))
	for i, item := range items {
		appids[i] = item.AppID
		if !item.AuthorizedAt.IsZero() {
			times[i] = &item.AuthorizedAt
		}
		if item.RefreshToken == "" {
			continue
		}
		var err error
		if sealed[i], err = r.service.box.Seal(secret.New(item.RefreshToken), r.place(item.AppID)); err != nil {
			return 0, err
		}
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO reconciliation_accounts (reconciliation_id, appid, refresh_token_sealed, authorized_at)
		SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::timestamptz[]) ON CONFLICT DO NOTHING`, r.id, appids, sealed, times)
	return int(tag.RowsAffected()), err
}

func (r *reconciler) place(appid string) secret.Place {
	return secret.Place{Table: "reconciliation_accounts", Column: "refresh_token", Row: r.id.String() + "/" + appid}
}

// endOfList decides whether the list is whole. One that has fewer accounts than WeChat said, at whatever page of it, is
// not: an account that left while it was read has let another slip through between two pages. It is read again.
func (r *reconciler) endOfList(ctx context.Context, tx pgx.Tx, p *progress, last wechat.AuthorizerList) error {
	if p.listed >= p.total && len(last.Items) <= last.Total {
		p.listComplete = true
		return r.compare(ctx, tx)
	}
	if p.readings >= mostReadings {
		r.progress = *p
		return fmt.Errorf("%w: %d accounts, says WeChat, and it lists %d, however often it is asked", errIncomplete, p.total, p.listed)
	}
	r.service.logger.InfoContext(ctx, "WeChat's list of authorizers changed while it was read; reading it again",
		"component", r.componentAppID, "listed", p.listed, "total", p.total)
	*p = progress{readings: p.readings + 1}
	return r.discard(ctx, tx)
}

// compare draws the conclusions from the whole list that need no further question to WeChat: most accounts are where they
// should be. Those of ours that are absent have their profiles read first of all; WeChat's answer to that is what counts.
func (r *reconciler) compare(ctx context.Context, tx pgx.Tx) error {
	now := r.service.now().UTC()
	_, err := tx.Exec(ctx, `
		UPDATE reconciliation_accounts l SET settled_at = $3
		WHERE l.reconciliation_id = $1 AND (l.appid = ANY ($4) OR EXISTS (
			SELECT FROM authorizers a WHERE a.component_appid = $2 AND a.appid = l.appid AND a.state IN ('active', 'limited')))`,
		r.id, r.componentAppID, now, releaseTestAppIDs)
	if err != nil {
		return err
	}
	// Who authorized us since reading began may well be missing. Whoever's row is locked authorizes or revokes right now.
	tag, err := tx.Exec(ctx, `
		UPDATE authorizers SET profile_due_at = least(profile_due_at, $3) WHERE id IN (
			SELECT a.id FROM authorizers a
			WHERE a.component_appid = $2 AND a.state IN ('active', 'limited') AND a.authorized_at < $4
				AND NOT EXISTS (SELECT FROM reconciliation_accounts l WHERE l.reconciliation_id = $1 AND l.appid = a.appid)
			FOR NO KEY UPDATE SKIP LOCKED)`,
		r.id, r.componentAppID, now, r.startedAt)
	if err != nil {
		return err
	}
	return r.update(ctx, tx, `absent = $3`, tag.RowsAffected())
}
