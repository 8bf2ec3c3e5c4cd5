package follower

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/tenant"
)

const (
	// A sync begins by itself a day after the one before, syncSpread more or less, so that the accounts whose directories
	// were turned on together do not stay together.
	syncEvery  = 24 * time.Hour
	syncSpread = 2 * time.Hour
)

// nextSync is when a sync begins by itself after one that ends now.
func (s *Service) nextSync() time.Time {
	return s.now().Add(syncEvery - syncSpread + rand.N(2*syncSpread))
}

// StartSync has WeChat's whole list of followers read into the directory. An account has at most one sync under way: asking
// again answers with that one. It fails like [Service.Directory], like [authorizer.Service.Check], or with [ErrDirectoryOff].
//
// Reading is all it does at WeChat, so [tenant.FollowersRead] suffices.
func (s *Service) StartSync(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string) (Directory, error) {
	if err := p.Authorize(tenantID, tenant.FollowersRead); err != nil {
		return Directory{}, err
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, appid)
	if err != nil {
		return Directory{}, fmt.Errorf("sync followers: %w", err)
	}
	if err := s.authorizers.Check(ctx, p, account, authorizer.OpFollowers); err != nil {
		return Directory{}, fmt.Errorf("sync followers: %w", err)
	}
	var d Directory
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := s.requestSync(ctx, tx, p, account); err != nil {
			return err
		}
		d, err = s.readDirectory(ctx, tx, account)
		return err
	})
	if err != nil {
		return Directory{}, fmt.Errorf("sync followers: %w", err)
	}
	return d, nil
}

func (s *Service) requestSync(ctx context.Context, tx pgx.Tx, p tenant.Principal, account authorizer.Account) error {
	id := directoryID{account.TenantID, account.ID}
	var enabled, open bool
	err := tx.QueryRow(ctx, `
		SELECT enabled, sync_status IN ('queued', 'running') FROM follower_directories WHERE tenant_id = $1 AND authorizer_id = $2 FOR NO KEY UPDATE`,
		id.TenantID, id.AuthorizerID).Scan(&enabled, &open)
	if errors.Is(err, pgx.ErrNoRows) || (err == nil && !enabled) {
		return ErrDirectoryOff
	}
	if err != nil || open {
		return err
	}
	if err := s.openSync(ctx, tx, id, p.Actor()); err != nil {
		return err
	}
	if err := tenant.Audit(ctx, tx, p, s.now(), tenant.Entry{TenantID: id.TenantID, Action: "followers.sync", Target: "authorizer:" + account.AppID}); err != nil {
		return err
	}
	return s.giveTurn(ctx, tx, id)
}

// openSync makes a sync of a directory that has none under way and whose row the caller has locked.
func (s *Service) openSync(ctx context.Context, tx pgx.Tx, id directoryID, actor string) error {
	_, err := tx.Exec(ctx, `
		UPDATE follower_directories SET sync_status = 'queued', sync_phase = '', sync_cursor = '', sync_readings = 0, sync_read = 0, sync_total = NULL,
			sync_added = 0, sync_removed = 0, sync_failures = 0, sync_errcode = NULL, sync_rid = '', sync_error = '',
			sync_actor = $3, sync_asked_at = $4, sync_started_at = NULL, sync_ended_at = NULL, sync_next_try_at = '-infinity'
		WHERE tenant_id = $1 AND authorizer_id = $2`, id.TenantID, id.AuthorizerID, actor, s.now())
	return err
}
