package authorizer

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/token"
)

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

const selectAccounts = `
	SELECT a.id, a.tenant_id, a.component_appid, a.appid, a.state, a.state_reason, a.state_changed_at,
		a.user_name, a.nick_name, a.head_img, a.alias, a.principal_name, a.signature, a.qrcode_url,
		a.service_type, a.verify_type, a.account_status, a.mini_program, a.profile_read_at,
		a.permission_sets, a.authorized_at, a.revoked_at, a.created_at, a.updated_at,
		t.access_token_expires_at, t.renewed_at, t.failures, t.failing_since, t.renew_after, t.last_error, t.refused_early, t.refused_early_at
	FROM authorizers a LEFT JOIN authorizer_tokens t ON t.authorizer_id = a.id`

func scanAccount(row pgx.CollectableRow) (Account, error) {
	var a Account
	var tenantID *uuid.UUID
	var failures, refusedEarly *int
	var since, renewAfter *time.Time
	var lastError []byte
	err := row.Scan(&a.ID, &tenantID, &a.ComponentAppID, &a.AppID, &a.State, &a.StateReason, &a.StateChangedAt,
		&a.UserName, &a.NickName, &a.HeadImg, &a.Alias, &a.PrincipalName, &a.Signature, &a.QRCodeURL,
		&a.ServiceType, &a.VerifyType, &a.AccountStatus, &a.MiniProgram, &a.ProfileReadAt,
		&a.PermissionSets, &a.AuthorizedAt, &a.RevokedAt, &a.CreatedAt, &a.UpdatedAt,
		&a.Token.ExpiresAt, &a.Token.RenewedAt, &failures, &since, &renewAfter, &lastError, &refusedEarly, &a.Health.RefusedEarlyAt)
	if err != nil {
		return Account{}, err
	}
	if tenantID != nil {
		a.TenantID = *tenantID
	}
	for _, at := range []*time.Time{&a.StateChangedAt, &a.AuthorizedAt, &a.CreatedAt, &a.UpdatedAt} {
		*at = at.UTC()
	}
	for _, at := range []**time.Time{&a.ProfileReadAt, &a.RevokedAt, &a.Token.ExpiresAt, &a.Token.RenewedAt, &a.Health.RefusedEarlyAt} {
		*at = utc(*at)
	}
	a.Warnings = warnings(a)
	attempts := token.Attempts{Since: orZero(since), RenewAfter: orZero(renewAfter)}
	if failures != nil {
		attempts.Failures, a.Health.RefusedEarly = *failures, *refusedEarly
	}
	a.Health.Describe(attempts)
	if failures == nil || (a.State != StateActive && a.State != StateLimited) {
		a.Health.Status, a.Health.NextAttemptAt = token.HealthBroken, nil
	}
	a.Health.LastError, err = token.ParseFailure(lastError)
	return a, err
}

// healthFilter selects accounts by how the renewals of their tokens go, as scanAccount tells it.
var healthFilter = map[token.HealthStatus]string{
	"":                    `true`,
	token.HealthOK:        `a.state IN ('active', 'limited') AND t.failures = 0`,
	token.HealthFailing:   `a.state IN ('active', 'limited') AND t.failures > 0 AND t.failures < @exhausted`,
	token.HealthExhausted: `a.state IN ('active', 'limited') AND t.failures >= @exhausted`,
	token.HealthBroken:    `(a.state NOT IN ('active', 'limited') OR t.failures IS NULL)`,
}

func utc(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	t := at.UTC()
	return &t
}

// nullable turns the nil UUID into SQL's NULL.
func nullable(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// hash is how codes and states are stored: they are long and random, so that plain SHA-256 gives nothing away.
func hash(code string) []byte {
	sum := sha256.Sum256([]byte(code))
	return sum[:]
}

func tokenPlace(column string, id uuid.UUID) secret.Place {
	return secret.Place{Table: "authorizer_tokens", Column: column, Row: id.String()}
}
