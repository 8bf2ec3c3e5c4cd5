package api

import (
	"context"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/wechat"
)

func (s *server) StartReconciliation(ctx context.Context, req StartReconciliationRequestObject) (StartReconciliationResponseObject, error) {
	r, err := s.Authorizers.StartReconciliation(ctx, principalOf(ctx), req.ComponentAppid)
	if err != nil {
		return nil, err
	}
	return StartReconciliation202JSONResponse(reconciliationFrom(r)), nil
}

func (s *server) ListReconciliations(ctx context.Context, req ListReconciliationsRequestObject) (ListReconciliationsResponseObject, error) {
	page, err := s.Authorizers.Reconciliations(ctx, principalOf(ctx), req.ComponentAppid, authorizer.PageParams{
		Limit: limitOf(req.Params.Limit), Cursor: orZero(req.Params.Cursor),
	})
	if err != nil {
		return nil, err
	}
	return ListReconciliations200JSONResponse{
		Data: mapSlice(page.Reconciliations, reconciliationFrom), NextCursor: nextCursor(page.Next),
	}, nil
}

func (s *server) GetReconciliation(ctx context.Context, req GetReconciliationRequestObject) (GetReconciliationResponseObject, error) {
	id, err := parseID(req.ReconciliationID)
	if err != nil {
		return nil, err
	}
	r, err := s.Authorizers.Reconciliation(ctx, principalOf(ctx), req.ComponentAppid, id)
	if err != nil {
		return nil, err
	}
	return GetReconciliation200JSONResponse(reconciliationFrom(r)), nil
}

func reconciliationFrom(r authorizer.Reconciliation) Reconciliation {
	return Reconciliation{
		ID: r.ID.String(), ComponentAppid: r.ComponentAppID, Status: ReconciliationStatus(r.Status), RequestedBy: r.Actor,
		Total: r.Total, Listed: r.Listed, Added: r.Added, Restored: r.Restored, Absent: r.Absent, Profiles: r.Profiles,
		Errcode: codeFrom(r.Code), Rid: r.RID, Error: r.Error, Advice: wechat.Advice(r.Code),
		CreatedAt: stamp(r.CreatedAt), StartedAt: stampOrNil(r.StartedAt), EndedAt: stampOrNil(r.EndedAt),
	}
}
