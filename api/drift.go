package api

import (
	"context"

	"github.com/wechat-steward/steward/blacklist"
)

func (s *server) AdoptDrift(ctx context.Context, req AdoptDriftRequestObject) (AdoptDriftResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	body := orZero(req.Body)
	n, err := s.Blacklist.Adopt(ctx, principalOf(ctx), tenantID, req.Appid, driftParams(body), orZero(body.Reason))
	if err != nil {
		return nil, err
	}
	return AdoptDrift200JSONResponse{Adopted: n}, nil
}

func (s *server) RestoreDrift(ctx context.Context, req RestoreDriftRequestObject) (RestoreDriftResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	body := orZero(req.Body)
	batches, err := s.Blacklist.Restore(ctx, principalOf(ctx), tenantID, req.Appid, driftParams(body), orZero(body.Reason))
	if err != nil {
		return nil, err
	}
	return RestoreDrift202JSONResponse{Batches: mapSlice(batches, batchFrom)}, nil
}

func driftParams(r DriftRequest) blacklist.DriftParams {
	return blacklist.DriftParams{Drift: blacklist.Drift(orZero(r.Drift)), OpenIDs: orZero(r.Openids)}
}
