package authorizer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/token"
)

const (
	// settleChunk is how many accounts are looked at between two looks at the time.
	settleChunk = 100
	// codeLife is how long an authorization code can be exchanged. WeChat lists an account before its code has come to us.
	codeLife = time.Hour
	// profileChunk is how many rows of accounts are locked together for a moment.
	profileChunk = 1000
	// profileSpread is over how long the profiles are read.
	profileSpread = 10 * time.Minute
)

// settling is how far this turn has gone through the accounts that WeChat lists and that we do not have, or have given up.
type settling struct {
	after string // the last appid
	mu    sync.Mutex
	// trouble is the first failure of those that concern one account at a time.
	trouble error
}

// listedAccount is a staged line of WeChat's list.
type listedAccount struct {
	appID        string
	refresh      secret.String // empty: none
	authorizedAt time.Time     // zero: WeChat did not say
}

// settleSome sees to the next accounts, side by side. It returns false when there are none left, and fails if not all
// could be seen to.
func (r *reconciler) settleSome(ctx context.Context) (bool, error) {
	accounts, err := r.unsettled(ctx)
	if err != nil {
		return false, fmt.Errorf("read staged accounts: %w", err)
	}
	if len(accounts) == 0 {
		return false, r.trouble
	}
	s := r.service
	gate, err := s.gate(ctx, r.componentAppID)
	if err != nil {
		return false, err
	}
	failed := 0
	group, groupCtx := errgroup.WithContext(ctx)
	for _, account := range accounts {
		group.Go(func() error {
			leave, err := s.enter(groupCtx, gate)
			if err != nil {
				return err
			}
			defer leave()
			err = r.settle(groupCtx, account)
			if err == nil || faultOf(err) == token.FaultPlatform { // it would fail for all the others too
				return err
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			failed++
			if r.trouble == nil {
				r.trouble = err
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return false, err
	}
	if failed == len(accounts) {
		return false, r.trouble
	}
	r.after, r.failures = accounts[len(accounts)-1].appID, 0
	return true, nil
}

func (r *reconciler) unsettled(ctx context.Context) ([]listedAccount, error) {
	rows, err := r.service.pool.Query(ctx, `
		SELECT appid, refresh_token_sealed, authorized_at FROM reconciliation_accounts
		WHERE reconciliation_id = $1 AND settled_at IS NULL AND appid > $2 ORDER BY appid LIMIT $3`, r.id, r.after, settleChunk)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (listedAccount, error) {
		var l listedAccount
		var sealed []byte
		var at *time.Time
		if err := row.Scan(&l.appID, &sealed, &at); err != nil {
			return l, err
		}
		l.authorizedAt = orZero(at)
		if sealed == nil {
			return l, nil
		}
		var err error
		l.refresh, err = r.service.box.Open(sealed, r.place(l.appID))
		return l, err
	})
}

// settle sees to one account and notes so in the same transaction: whoever is killed loses nothing and repeats nothing.
// The lock on the line keeps a second worker waiting, who then finds it settled.
func (r *reconciler) settle(ctx context.Context, listed listedAccount) error {
	return r.service.withComponent(ctx, r.componentAppID, func(ctx context.Context, cat string) error {
		return pgx.BeginFunc(ctx, r.service.pool, func(tx pgx.Tx) error {
			var open bool
			err := tx.QueryRow(ctx, `SELECT settled_at IS NULL FROM reconciliation_accounts WHERE reconciliation_id = $1 AND appid = $2 FOR UPDATE`,
				r.id, listed.appID).Scan(&open)
			if err != nil && !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
			if !open {
				return nil
			}
			var added, restored int
			if err := r.see(ctx, tx, cat, listed, &added, &restored); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `UPDATE reconciliation_accounts SET settled_at = $3 WHERE reconciliation_id = $1 AND appid = $2`,
				r.id, listed.appID, r.service.now().UTC())
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `UPDATE reconciliations SET added = added + $2, restored = restored + $3 WHERE id = $1`, r.id, added, restored)
			return err
		})
	})
}

// see does what an account in WeChat's list asks for, and counts it.
func (r *reconciler) see(ctx context.Context, tx pgx.Tx, cat string, listed listedAccount, added, restored *int) error {
	s := r.service
	account, err := s.one(ctx, tx, `WHERE a.component_appid = $1 AND a.appid = $2 FOR NO KEY UPDATE OF a`, r.componentAppID, listed.appID)
	var done bool
	switch {
	case errors.Is(err, tenant.ErrNotFound):
		if done, err = r.add(ctx, tx, cat, listed); done {
			*added = 1
		}
	case err == nil && !account.State.alive():
		fromList := func(context.Context) (string, error) { return listed.refresh.Reveal(), nil }
		if done, err = s.restoreLocked(ctx, tx, cat, reconciling(), account, fromList); done {
			*restored = 1
		}
	}
	if err != nil && faultOf(err) == token.FaultAccount {
		// WeChat lists some accounts that it will not let us act for.
		s.logger.WarnContext(ctx, "WeChat lists an account, and refuses to tell about it", "appid", listed.appID, "error", err)
		return nil
	}
	return err
}

// add keeps an account that we did not know, if WeChat says that it authorizes us. It belongs to no tenant yet.
func (r *reconciler) add(ctx context.Context, tx pgx.Tx, cat string, listed listedAccount) (bool, error) {
	s, asked := r.service, r.service.now().UTC()
	info, err := s.wechat.AuthorizerInfo(ctx, cat, r.componentAppID, listed.appID)
	if err != nil {
		return false, err
	}
	refresh := cmp.Or(info.RefreshToken, listed.refresh.Reveal())
	if refresh == "" && asked.Sub(listed.authorizedAt) < codeLife {
		return false, nil // its code is still on the way to us, and the refresh token is born of the code
	}
	account, isNew, err := s.lockOrInsertAccount(ctx, tx, r.componentAppID, listed.appID)
	if err != nil || !isNew { // not new: the merchant was faster
		return false, err
	}
	g := grant{componentAppID: r.componentAppID, appID: listed.appID, listedAt: listed.authorizedAt, actor: reconciling()}
	_, err = s.keepGrant(ctx, tx, g, nil, account, true, granted{
		appID: listed.appID, refreshToken: refresh, sets: ids(info.PermissionSets), askedAt: asked, fromInfo: true,
	})
	if err != nil {
		return false, err
	}
	if account, err = s.one(ctx, tx, `WHERE a.id = $1`, account.ID); err != nil {
		return false, err
	}
	return true, s.storeProfile(ctx, tx, account, info)
}

// finish has the profiles of all accounts read anew, and ends the reconciliation.
func (r *reconciler) finish(ctx context.Context) error {
	s, now := r.service, r.service.now().UTC()
	for due := profileChunk; due == profileChunk; {
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
			if due, err = r.dueProfiles(ctx, tx, now); err != nil {
				return err
			}
			return r.update(ctx, tx, `profiles = profiles + $3, `+renewLease, due)
		})
		if err != nil {
			return fmt.Errorf("have profiles read: %w", err)
		}
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := r.discard(ctx, tx); err != nil {
			return err
		}
		err := r.update(ctx, tx, `status = 'done', ended_at = $3, failures = 0, errcode = 0, rid = '', error = '', `+freeLease, now)
		if err != nil {
			return err
		}
		done, err := readReconciliation(ctx, tx, r.componentAppID, r.id)
		if err != nil {
			return err
		}
		return tenant.Audit(ctx, tx, reconciling(), now, tenant.Entry{
			Action: "component.reconciled", Target: "component:" + r.componentAppID, Detail: map[string]any{
				"reconciliation_id": r.id, "listed": done.Listed, "added": done.Added, "restored": done.Restored, "absent": done.Absent, "profiles": done.Profiles,
			},
		})
	})
	if err != nil {
		return fmt.Errorf("end reconciliation: %w", err)
	}
	return nil
}

// dueProfiles has up to profileChunk profiles read within profileSpread, and returns how many. It leaves those alone that
// will be read by then anyway, that have been read since the reconciliation began, and whose account changes right now.
func (r *reconciler) dueProfiles(ctx context.Context, tx pgx.Tx, now time.Time) (int, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE authorizers SET profile_due_at = $3::timestamptz + random() * $4::interval WHERE id IN (
			SELECT id FROM authorizers
			WHERE component_appid = $1 AND state IN ('active', 'limited') AND profile_due_at > $3::timestamptz + $4::interval
				AND (profile_read_at < $2 OR profile_read_at IS NULL)
			LIMIT $5 FOR NO KEY UPDATE SKIP LOCKED)`, r.componentAppID, r.startedAt, now, profileSpread, profileChunk)
	return int(tag.RowsAffected()), err
}
