package authorizer

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/token"
)

// AccessToken is an access token for another system of the merchant's.
type AccessToken struct {
	Value     secret.String
	ExpiresAt time.Time // UTC; it may end earlier, if the merchant takes the authorization back
	ExpiresIn time.Duration
}

// HandOutToken gives an account's access token to another system, which so need not fetch tokens itself and end ours. It is
// always one that lives; mostly a third of its life at least is left. Audited, without the token. It fails with
// [tenant.ErrNotFound], *[tenant.ScopeMissingError], [tenant.ErrTokenHandoutOff] or like [Service.Token].
func (s *Service) HandOutToken(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string) (AccessToken, error) {
	if err := p.Authorize(tenantID, tenant.TokensRead); err != nil {
		return AccessToken{}, err
	}
	if err := tenant.HandsOutTokens(ctx, s.pool, tenantID); err != nil {
		return AccessToken{}, err
	}
	account, err := s.find(ctx, tenantID, appid)
	if err != nil {
		return AccessToken{}, err
	}
	held, err := s.token(ctx, account.ID, token.Want{})
	if err != nil {
		return AccessToken{}, err
	}
	now := s.now().UTC()
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		return tenant.Audit(ctx, tx, p, now, tenant.Entry{
			TenantID: tenantID, Action: "authorizer.hand_out_token", Target: account.target(),
			Detail: map[string]any{"component_appid": account.ComponentAppID, "expires_at": held.Expires.UTC()},
		})
	})
	if err != nil {
		return AccessToken{}, fmt.Errorf("hand out a token: %w", err)
	}
	return AccessToken{Value: held.Value, ExpiresAt: held.Expires.UTC(), ExpiresIn: held.Expires.Sub(now)}, nil
}
