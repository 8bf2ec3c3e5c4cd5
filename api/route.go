package api

import (
	"context"

	"github.com/wechat-steward/steward/blacklist"
)

func (s *server) RouteBlock(ctx context.Context, req RouteBlockRequestObject) (RouteBlockResponseObject, error) {
	route := blacklist.RouteRequest{
		Request: blacklist.Request{
			OpenIDs: orZero(req.Body.Openids), Reason: orZero(req.Body.Reason), Note: orZero(req.Body.Note), Until: req.Body.Until, IdempotencyKey: orZero(req.Params.IdempotencyKey),
		},
		UnionIDs: orZero(req.Body.Unionids), AssumeAppID: orZero(req.Body.AssumeAppid),
	}
	if orZero(req.Body.DryRun) {
		preview, err := s.previewRoute(ctx, req.TenantID, blacklist.ActionBlock, route)
		return RouteBlock200JSONResponse(preview), err
	}
	routed, replayed, err := s.route(ctx, req.TenantID, blacklist.ActionBlock, route)
	if err != nil {
		return nil, err
	}
	return RouteBlock202JSONResponse{Body: routed, Headers: RouteBlock202ResponseHeaders{IdempotencyReplayed: replayed}}, nil
}

func (s *server) RouteUnblock(ctx context.Context, req RouteUnblockRequestObject) (RouteUnblockResponseObject, error) {
	route := blacklist.RouteRequest{
		Request: blacklist.Request{
			OpenIDs: orZero(req.Body.Openids), Reason: orZero(req.Body.Reason), Note: orZero(req.Body.Note), IdempotencyKey: orZero(req.Params.IdempotencyKey),
		},
		UnionIDs: orZero(req.Body.Unionids), AssumeAppID: orZero(req.Body.AssumeAppid),
	}
	if orZero(req.Body.DryRun) {
		preview, err := s.previewRoute(ctx, req.TenantID, blacklist.ActionUnblock, route)
		return RouteUnblock200JSONResponse(preview), err
	}
	routed, replayed, err := s.route(ctx, req.TenantID, blacklist.ActionUnblock, route)
	if err != nil {
		return nil, err
	}
	return RouteUnblock202JSONResponse{Body: routed, Headers: RouteUnblock202ResponseHeaders{IdempotencyReplayed: replayed}}, nil
}

func (s *server) route(ctx context.Context, tenant string, action blacklist.Action, req blacklist.RouteRequest) (Routed, *string, error) {
	tenantID, err := parseID(tenant)
	if err != nil {
		return Routed{}, nil, err
	}
	routed, replayed, err := s.Blacklist.Route(ctx, principalOf(ctx), tenantID, action, req)
	if err != nil {
		return Routed{}, nil, err
	}
	return Routed{Batches: mapSlice(routed.Batches, batchFrom), Unrouted: mapSlice(routed.Unrouted, unroutedFrom)}, replayedHeader(replayed), nil
}

func (s *server) previewRoute(ctx context.Context, tenant string, action blacklist.Action, req blacklist.RouteRequest) (RoutePreview, error) {
	tenantID, err := parseID(tenant)
	if err != nil {
		return RoutePreview{}, err
	}
	preview, err := s.Blacklist.PreviewRoute(ctx, principalOf(ctx), tenantID, action, req)
	if err != nil {
		return RoutePreview{}, err
	}
	return RoutePreview{
		DryRun: true, Action: RoutePreviewAction(action), Unrouted: mapSlice(preview.Unrouted, unroutedFrom),
		Accounts: mapSlice(preview.Accounts, func(s blacklist.Share) RouteShare { return RouteShare{AuthorizerAppid: s.AppID, Openids: s.OpenIDs} }),
	}, nil
}

func unroutedFrom(u blacklist.Unrouted) Unrouted {
	return Unrouted{Openid: u.OpenID, Unionid: u.UnionID, Advice: u.Advice(), Why: UnroutedWhy(u.Why), Appid: given(u.AppID)}
}
