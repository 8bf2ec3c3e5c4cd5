package blacklist

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

// CallQuota is how often one of the blacklist calls may still be made for an account today.
type CallQuota struct {
	Path  string // of WeChat's API
	Known bool   // WeChat has figures for it
	wechat.Quota
}

// codeNoQuota and codeNoSuchPath: WeChat keeps no figures for a path.
const (
	codeNoQuota    = 76021
	codeNoSuchPath = 76003
)

// Quotas asks WeChat how often the blacklist calls of an account may still be made today: to read, to block, to unblock. What
// Steward calls counts against the merchant's own quota. It fails like [Service.StartPull], and with what WeChat answered.
func (s *Service) Quotas(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string) ([]CallQuota, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistRead); err != nil {
		return nil, err
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, appid)
	if err != nil {
		return nil, fmt.Errorf("read quotas: %w", err)
	}
	if err := s.authorizers.Check(ctx, p, account, authorizer.OpBlacklist); err != nil {
		return nil, fmt.Errorf("read quotas: %w", err)
	}
	var quotas []CallQuota
	for _, path := range []string{wechat.PathBlacklist, wechat.PathBatchBlacklist, wechat.PathBatchUnblacklist} {
		quota := CallQuota{Path: path, Known: true}
		err := s.authorizers.Call(ctx, account.ID, func(ctx context.Context, token string) (err error) {
			quota.Quota, err = s.wechat.Quota(ctx, token, path)
			return err
		})
		if refused, ok := errors.AsType[*wechat.Error](err); ok && (refused.Code == codeNoQuota || refused.Code == codeNoSuchPath) {
			quota.Known, err = false, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read quotas: %w", err)
		}
		quotas = append(quotas, quota)
	}
	return quotas, nil
}
