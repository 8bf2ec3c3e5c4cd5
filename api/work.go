package api

import (
	"context"

	"github.com/wechat-steward/steward/blacklist"
)

func (s *server) GetBlacklistWork(ctx context.Context, req GetBlacklistWorkRequestObject) (GetBlacklistWorkResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	work, err := s.Blacklist.GetWork(ctx, principalOf(ctx), tenantID, req.Appid)
	if err != nil {
		return nil, err
	}
	return GetBlacklistWork200JSONResponse(workFrom(work)), nil
}

func (s *server) HoldBlacklistWork(ctx context.Context, req HoldBlacklistWorkRequestObject) (HoldBlacklistWorkResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	work, err := s.Blacklist.Hold(ctx, principalOf(ctx), tenantID, req.Appid, orZero(orZero(req.Body).Reason))
	if err != nil {
		return nil, err
	}
	return HoldBlacklistWork200JSONResponse(workFrom(work)), nil
}

func (s *server) ResumeBlacklistWork(ctx context.Context, req ResumeBlacklistWorkRequestObject) (ResumeBlacklistWorkResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	work, err := s.Blacklist.Resume(ctx, principalOf(ctx), tenantID, req.Appid)
	if err != nil {
		return nil, err
	}
	return ResumeBlacklistWork200JSONResponse(workFrom(work)), nil
}

func workFrom(w blacklist.Work) BlacklistWork {
	return BlacklistWork{
		Appid: w.AppID, Status: BlacklistWorkStatus(w.Status), Since: stampOrNil(w.Since), By: w.By, Until: stampOrNil(w.Until),
		Reason: w.Reason, Errcode: w.ErrCode, Rid: w.RID, Advice: w.Advice, SyncedAt: stampOrNil(w.SyncedAt),
		PausedBatches: w.PausedBatches, Paused: mapSlice(w.Paused, pausedBatchFrom),
	}
}

func pausedBatchFrom(b blacklist.PausedBatch) PausedBatch {
	return PausedBatch{BatchID: b.ID.String(), Since: stamp(b.At), By: b.By, Reason: b.Reason, Pending: b.Pending}
}

func (s *server) GetBlacklistQuota(ctx context.Context, req GetBlacklistQuotaRequestObject) (GetBlacklistQuotaResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	quotas, err := s.Blacklist.Quotas(ctx, principalOf(ctx), tenantID, req.Appid)
	if err != nil {
		return nil, err
	}
	return GetBlacklistQuota200JSONResponse{Data: mapSlice(quotas, quotaFrom)}, nil
}

func quotaFrom(q blacklist.CallQuota) CallQuota {
	return CallQuota{Path: q.Path, Known: q.Known, DailyLimit: q.DailyLimit, Used: q.Used, Remain: q.Remain}
}
