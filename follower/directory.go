package follower

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

// SyncStatus is how far a sync is.
type SyncStatus string

// The statuses. Done and failed syncs have ended.
const (
	SyncQueued  SyncStatus = "queued"
	SyncRunning SyncStatus = "running"
	SyncPaused  SyncStatus = "paused" // it goes on by itself
	SyncDone    SyncStatus = "done"
	SyncFailed  SyncStatus = "failed" // the directory is as it was before
)

// Sync is one reading of WeChat's whole list of followers. Times are UTC; nil: not yet.
type Sync struct {
	Status  SyncStatus
	Actor   string // who asked for it: "name (kind)"
	Read    int    // openids read so far
	Total   *int   // how many WeChat says there are; nil: not asked yet
	Added   int    // people that the directory had not known as followers
	Removed int    // people that it had wrongly known as followers
	// What keeps it or has ended it, for people; what to do; and WeChat's errcode and rid if it refused.
	Error   string
	Advice  string
	ErrCode *int
	RID     string
	// PausedUntil is set while it is paused.
	PausedUntil *time.Time
	AskedAt     time.Time
	StartedAt   *time.Time
	EndedAt     *time.Time
}

// Ended tells whether the sync is over.
func (s Sync) Ended() bool { return s.EndedAt != nil }

// Directory is what is kept of an account's followers, and how that stands. Times are UTC; nil: never.
type Directory struct {
	AuthorizerID    uuid.UUID
	AuthorizerAppID string
	Enabled         bool
	// UnionIDs tells whether unionids are kept too.
	UnionIDs bool
	// Erasing: openids from before it was turned off are still being deleted. Nobody is shown them.
	Erasing bool
	// Events tells whether WeChat tells us of those who come and go: permission set 1 is granted. Otherwise only syncs do.
	Events bool
	// Followers is how many followed when WeChat's list was last read whole; nil: never.
	Followers  *int
	SyncedAt   *time.Time
	NextSyncAt *time.Time // when the next sync begins by itself
	ChangedAt  *time.Time // when it was last turned on or off
	ChangedBy  string
	Sync       *Sync // the last one; nil: none
}

// Settings say what is to be kept.
type Settings struct {
	// Enabled: openids are kept.
	Enabled bool
	// UnionIDs: unionids are kept too. nil: as it is; not, where the directory was off.
	UnionIDs *bool
}

// eventSet is the permission set without which WeChat pushes no events.
const eventSet = 1

// Directory returns an account's directory, turned on or not. It fails with [tenant.ErrNotFound] or
// *[tenant.ScopeMissingError].
func (s *Service) Directory(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string) (Directory, error) {
	if err := p.Authorize(tenantID, tenant.FollowersRead); err != nil {
		return Directory{}, err
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, appid)
	if err != nil {
		return Directory{}, fmt.Errorf("read directory: %w", err)
	}
	return s.readDirectory(ctx, s.pool, account)
}

// SetDirectory turns an account's directory on or off, or says whether it has unionids. Turned on, WeChat's list is read at
// once. Turned off, the openids are shown to nobody any more and deleted within minutes. It fails like
// [Service.Directory], with [ErrUnionIDsWithoutDirectory], and, when turning on, like [authorizer.Service.Check]; audited.
func (s *Service) SetDirectory(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, to Settings) (Directory, error) {
	if err := p.Authorize(tenantID, tenant.AuthorizersWrite); err != nil {
		return Directory{}, err
	}
	if !to.Enabled && to.UnionIDs != nil && *to.UnionIDs {
		return Directory{}, ErrUnionIDsWithoutDirectory
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, appid)
	if err != nil {
		return Directory{}, fmt.Errorf("set directory: %w", err)
	}
	if to.Enabled {
		if err := s.authorizers.Check(ctx, p, account, authorizer.OpFollowers); err != nil {
			return Directory{}, fmt.Errorf("set directory: %w", err)
		}
	}
	var d Directory
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := s.change(ctx, tx, p, account, to); err != nil {
			return err
		}
		d, err = s.readDirectory(ctx, tx, account)
		return err
	})
	if err != nil {
		return Directory{}, fmt.Errorf("set directory: %w", err)
	}
	return d, nil
}

// change brings the directory from what it is to what it is to be. Whoever works on it loses the lease and looks again.
func (s *Service) change(ctx context.Context, tx pgx.Tx, p tenant.Principal, account authorizer.Account, to Settings) error {
	now := s.now()
	if to.Enabled {
		_, err := tx.Exec(ctx, `INSERT INTO follower_directories (tenant_id, authorizer_id, changed_at, changed_by) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			account.TenantID, account.ID, now, p.Actor())
		if err != nil {
			return err
		}
	}
	var enabled, unionids bool
	err := tx.QueryRow(ctx, `SELECT enabled, unionids FROM follower_directories WHERE tenant_id = $1 AND authorizer_id = $2 FOR NO KEY UPDATE`,
		account.TenantID, account.ID).Scan(&enabled, &unionids)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // off, as it always was
	}
	if err != nil {
		return err
	}
	wantsUnionIDs := to.Enabled && unionids
	if to.UnionIDs != nil {
		wantsUnionIDs = *to.UnionIDs
	}
	if enabled == to.Enabled && unionids == wantsUnionIDs {
		return nil
	}
	action := "followers.change"
	switch {
	case !to.Enabled:
		action, err = "followers.disable", s.turnOff(ctx, tx, account)
	case !enabled:
		action, err = "followers.enable", s.turnOn(ctx, tx, p, account, wantsUnionIDs)
	default:
		err = s.setUnionIDs(ctx, tx, account, wantsUnionIDs)
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		UPDATE follower_directories SET changed_at = $3, changed_by = $4, `+freeLease+` WHERE tenant_id = $1 AND authorizer_id = $2`,
		account.TenantID, account.ID, now, p.Actor())
	if err != nil {
		return err
	}
	err = tenant.Audit(ctx, tx, p, now, tenant.Entry{
		TenantID: account.TenantID, Action: action, Target: "authorizer:" + account.AppID,
		Detail: map[string]any{"enabled": to.Enabled, "unionids": wantsUnionIDs},
	})
	if err != nil {
		return err
	}
	return s.giveTurn(ctx, tx, directoryID{account.TenantID, account.ID})
}

func (s *Service) turnOn(ctx context.Context, tx pgx.Tx, p tenant.Principal, account authorizer.Account, unionids bool) error {
	_, err := tx.Exec(ctx, `UPDATE follower_directories SET enabled = true, unionids = $3, next_sync_at = $4 WHERE tenant_id = $1 AND authorizer_id = $2`,
		account.TenantID, account.ID, unionids, s.nextSync())
	if err != nil {
		return err
	}
	return s.openSync(ctx, tx, directoryID{account.TenantID, account.ID}, p.Actor())
}

// turnOff has everything deleted. What was being turned on, read or asked for is so no more.
func (s *Service) turnOff(ctx context.Context, tx pgx.Tx, account authorizer.Account) error {
	_, err := tx.Exec(ctx, `
		UPDATE follower_directories SET enabled = false, unionids = false, chore = 'erase', followers = NULL, synced_at = NULL, next_sync_at = NULL,
			sync_status = '', sync_phase = '', sync_cursor = '', fill_due = false
		WHERE tenant_id = $1 AND authorizer_id = $2`, account.TenantID, account.ID)
	return err
}

// setUnionIDs has all unionids asked for or deleted. An erasure goes before both, and leaves nothing to do for them.
func (s *Service) setUnionIDs(ctx context.Context, tx pgx.Tx, account authorizer.Account, on bool) error {
	chore := "forget_unionids"
	if on {
		chore = "want_unionids"
	}
	_, err := tx.Exec(ctx, `
		UPDATE follower_directories SET unionids = $3, chore = CASE chore WHEN 'erase' THEN chore ELSE $4 END, fill_due = false
		WHERE tenant_id = $1 AND authorizer_id = $2`, account.TenantID, account.ID, on, chore)
	return err
}

// readDirectory reads an account's directory; one that was never turned on has no row.
func (s *Service) readDirectory(ctx context.Context, db Querier, account authorizer.Account) (Directory, error) {
	rows, err := db.Query(ctx, `
		SELECT enabled, unionids, chore = 'erase', followers, synced_at, next_sync_at, changed_at, changed_by,
			sync_status, CASE WHEN sync_next_try_at > $3 THEN sync_next_try_at END, sync_actor, sync_read, sync_total, sync_added, sync_removed, sync_error, sync_errcode, sync_rid,
			sync_asked_at, sync_started_at, sync_ended_at
		FROM follower_directories WHERE tenant_id = $1 AND authorizer_id = $2`, account.TenantID, account.ID, s.now())
	if err != nil {
		return Directory{}, fmt.Errorf("read directory: %w", err)
	}
	d, err := pgx.CollectExactlyOneRow(rows, scanDirectory)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Directory{}, fmt.Errorf("read directory: %w", err)
	}
	d.AuthorizerID, d.AuthorizerAppID = account.ID, account.AppID
	d.Events = slices.Contains(account.PermissionSets, eventSet)
	return d, nil
}

func scanDirectory(row pgx.CollectableRow) (Directory, error) {
	var d Directory
	var sync Sync
	var askedAt, pausedUntil *time.Time
	err := row.Scan(&d.Enabled, &d.UnionIDs, &d.Erasing, &d.Followers, &d.SyncedAt, &d.NextSyncAt, &d.ChangedAt, &d.ChangedBy,
		&sync.Status, &pausedUntil, &sync.Actor, &sync.Read, &sync.Total, &sync.Added, &sync.Removed, &sync.Error, &sync.ErrCode, &sync.RID,
		&askedAt, &sync.StartedAt, &sync.EndedAt)
	if err != nil {
		return Directory{}, err
	}
	d.SyncedAt, d.NextSyncAt, d.ChangedAt = utc(d.SyncedAt), utc(d.NextSyncAt), utc(d.ChangedAt)
	if sync.Status == "" {
		return d, nil
	}
	sync.AskedAt, sync.StartedAt, sync.EndedAt = askedAt.UTC(), utc(sync.StartedAt), utc(sync.EndedAt)
	if !sync.Ended() && pausedUntil != nil {
		sync.Status, sync.PausedUntil = SyncPaused, utc(pausedUntil)
	}
	switch {
	case sync.ErrCode != nil:
		sync.Advice = wechat.Advice(*sync.ErrCode)
	case sync.Status == SyncFailed:
		sync.Advice = "The next sync begins by itself, or start one; if it goes on failing, Steward's log says more."
	}
	d.Sync = &sync
	return d, nil
}
