package authorizer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

const (
	// profileTimeout is how long a merchant who just authorized waits for the profile.
	profileTimeout = 10 * time.Second
	// profileJobTimeout is how long a job waits for it.
	profileJobTimeout = 40 * time.Second
	// Profiles are read anew once a day; those of restricted accounts more often, in case the restriction has ended.
	profileLife        = 24 * time.Hour
	limitedProfileLife = 6 * time.Hour
	// profilePause is how long a profile is good enough when WeChat refuses a call for lack of permission: a thousand
	// refused calls shall not read it a thousand times.
	profilePause = time.Minute
)

// Values of account_status. Source: WeChat's page 获取授权账号详情.
const (
	statusCancelled = 14
	statusBanned    = 16
	statusWarned    = 18
	statusFrozen    = 19
)

// limitedBy says why an account with that account_status is of no use; empty if it is.
func limitedBy(status *int) string {
	if status == nil {
		return ""
	}
	switch *status {
	case statusCancelled:
		return "the account has been cancelled (account_status 14)"
	case statusBanned:
		return "WeChat banned the account (account_status 16)"
	case statusFrozen:
		return "WeChat froze the account (account_status 19)"
	}
	return ""
}

func warnings(a Account) []string {
	var list []string
	if a.VerifyType != nil && *a.VerifyType < 0 {
		list = append(list, "WeChat has not verified this account; WeChat may refuse calls that need a verified account.")
	}
	if a.AccountStatus != nil && *a.AccountStatus == statusWarned {
		list = append(list, "WeChat has warned this account (account_status 18).")
	}
	return list
}

// readProfileOrLater reads the profile of an account that just authorized. Failing is no reason to fail the
// authorization: the sweep tries again.
func (s *Service) readProfileOrLater(ctx context.Context, id uuid.UUID) {
	ctx, cancel := context.WithTimeout(ctx, profileTimeout)
	defer cancel()
	if err := s.readProfile(ctx, id); err != nil {
		s.logger.WarnContext(ctx, "cannot read the profile of an account yet", "authorizer_id", id, "error", err)
	}
}

// readProfileLater has the profile read by a job, unless it just was.
func (s *Service) readProfileLater(ctx context.Context, id uuid.UUID) {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var stale bool
		err := tx.QueryRow(ctx, `SELECT profile_read_at IS NULL OR profile_read_at <= $2 FROM authorizers WHERE id = $1`,
			id, s.now().UTC().Add(-profilePause)).Scan(&stale)
		if err != nil || !stale {
			return err
		}
		_, err = s.jobs.InsertTx(ctx, tx, readProfileArgs{AuthorizerID: id}, oncePerArgs(profileAttempts))
		return err
	})
	if err != nil {
		s.logger.ErrorContext(ctx, "cannot have the permission sets of an account read again", "authorizer_id", id, "error", err)
	}
}

// readProfile reads what WeChat says about an account into its row: profile, permission sets, and whether it is
// restricted. Changes of the last two are audited.
func (s *Service) readProfile(ctx context.Context, id uuid.UUID) error {
	account, err := s.FindByID(ctx, id)
	if err != nil {
		return err
	}
	if account.State == StateRevoked {
		return nil
	}
	var info wechat.AuthorizerInfo
	err = s.components.Call(ctx, account.ComponentAppID, func(ctx context.Context, cat string) (err error) {
		info, err = s.wechat.AuthorizerInfo(ctx, cat, account.ComponentAppID, account.AppID)
		return err
	})
	if refusedWith(err, codeNotAuthorized) {
		// A renewal finds out whether that is so, and nothing else will do for a proof.
		_, err = s.pool.Exec(ctx, `UPDATE authorizer_tokens SET renew_after = $2 WHERE authorizer_id = $1 AND renew_after > $2`, id, s.now().UTC())
		return err
	}
	if err != nil {
		return fmt.Errorf("read the profile of %s: %w", account.AppID, err)
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		locked, err := s.one(ctx, tx, `WHERE a.id = $1 FOR NO KEY UPDATE OF a`, id)
		if err != nil {
			return err
		}
		if !slices.Equal(locked.PermissionSets, account.PermissionSets) {
			return nil // they changed since we asked, and what we were told may be from before
		}
		return s.storeProfile(ctx, tx, locked, info)
	})
	if err != nil {
		return fmt.Errorf("store the profile of %s: %w", account.AppID, err)
	}
	return nil
}

func (s *Service) storeProfile(ctx context.Context, tx pgx.Tx, account Account, info wechat.AuthorizerInfo) error {
	now := s.now().UTC()
	sets, why, life := ids(info.PermissionSets), limitedBy(&info.AccountStatus), profileLife
	if why != "" || account.State == StateLimited {
		life = limitedProfileLife
	}
	_, err := tx.Exec(ctx, `
		UPDATE authorizers SET user_name = @user_name, nick_name = @nick_name, head_img = @head_img, alias = @alias,
			principal_name = @principal_name, signature = @signature, qrcode_url = @qrcode_url, service_type = @service_type,
			verify_type = @verify_type, account_status = @account_status, mini_program = @mini_program,
			permission_sets = @sets, profile_read_at = @now, profile_due_at = @due, updated_at = @now
		WHERE id = @id`, pgx.NamedArgs{
		"id": account.ID, "user_name": info.UserName, "nick_name": info.NickName, "head_img": info.HeadImg, "alias": info.Alias,
		"principal_name": info.PrincipalName, "signature": info.Signature, "qrcode_url": info.QRCodeURL,
		"service_type": info.ServiceType, "verify_type": info.VerifyType, "account_status": info.AccountStatus,
		"mini_program": info.MiniProgram, "sets": sets, "now": now, "due": now.Add(life),
	})
	if err != nil {
		return err
	}
	system := tenant.System("profile")
	if !slices.Equal(sets, account.PermissionSets) {
		err := tenant.Audit(ctx, tx, system, now, tenant.Entry{
			TenantID: account.TenantID, Action: "authorizer.permissions", Target: account.target(),
			Detail: map[string]any{"permission_sets_before": account.PermissionSets, "permission_sets": sets},
		})
		if err != nil {
			return err
		}
	}
	switch {
	case why != "" && account.State == StateActive:
		return s.setState(ctx, tx, system, account, StateLimited, why, now, "authorizer.state")
	case why == "" && account.State == StateLimited:
		return s.setState(ctx, tx, system, account, StateActive, "", now, "authorizer.state")
	}
	return nil
}
