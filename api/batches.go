package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/wechat-steward/steward/blacklist"
)

func (s *server) ListBatches(ctx context.Context, req ListBatchesRequestObject) (ListBatchesResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	page, err := s.Blacklist.ListBatches(ctx, principalOf(ctx), tenantID, blacklist.BatchesParams{
		AppID: orZero(req.Params.Appid), Limit: limitOf(req.Params.Limit), Cursor: orZero(req.Params.Cursor),
	})
	if err != nil {
		return nil, err
	}
	return ListBatches200JSONResponse{Data: mapSlice(page.Batches, batchFrom), NextCursor: nextCursor(page.Next)}, nil
}

func (s *server) GetBatch(ctx context.Context, req GetBatchRequestObject) (GetBatchResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	batchID, err := parseID(req.BatchID)
	if err != nil {
		return nil, err
	}
	b, err := s.Blacklist.GetBatch(ctx, principalOf(ctx), tenantID, batchID)
	if err != nil {
		return nil, err
	}
	return GetBatch200JSONResponse(batchFrom(b)), nil
}

func (s *server) ListBatchItems(ctx context.Context, req ListBatchItemsRequestObject) (ListBatchItemsResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	batchID, err := parseID(req.BatchID)
	if err != nil {
		return nil, err
	}
	page, err := s.Blacklist.Items(ctx, principalOf(ctx), tenantID, batchID, blacklist.ItemsParams{
		Outcome: blacklist.Outcome(orZero(req.Params.Outcome)), Limit: limitOf(req.Params.Limit), Cursor: orZero(req.Params.Cursor),
	})
	if err != nil {
		return nil, err
	}
	return ListBatchItems200JSONResponse{Data: mapSlice(page.Items, itemFrom), NextCursor: nextCursor(page.Next)}, nil
}

func (s *server) CancelBatch(ctx context.Context, req CancelBatchRequestObject) (CancelBatchResponseObject, error) {
	tenantID, batchID, err := parseIDs(req.TenantID, req.BatchID)
	if err != nil {
		return nil, err
	}
	b, err := s.Blacklist.Cancel(ctx, principalOf(ctx), tenantID, batchID)
	if err != nil {
		return nil, err
	}
	return CancelBatch200JSONResponse(batchFrom(b)), nil
}

func (s *server) PauseBatch(ctx context.Context, req PauseBatchRequestObject) (PauseBatchResponseObject, error) {
	tenantID, batchID, err := parseIDs(req.TenantID, req.BatchID)
	if err != nil {
		return nil, err
	}
	b, err := s.Blacklist.PauseBatch(ctx, principalOf(ctx), tenantID, batchID, orZero(orZero(req.Body).Reason))
	if err != nil {
		return nil, err
	}
	return PauseBatch200JSONResponse(batchFrom(b)), nil
}

func (s *server) ResumeBatch(ctx context.Context, req ResumeBatchRequestObject) (ResumeBatchResponseObject, error) {
	tenantID, batchID, err := parseIDs(req.TenantID, req.BatchID)
	if err != nil {
		return nil, err
	}
	b, err := s.Blacklist.ResumeBatch(ctx, principalOf(ctx), tenantID, batchID, orZero(orZero(req.Body).Reason))
	if err != nil {
		return nil, err
	}
	return ResumeBatch200JSONResponse(batchFrom(b)), nil
}

func (s *server) RetryBatch(ctx context.Context, req RetryBatchRequestObject) (RetryBatchResponseObject, error) {
	tenantID, batchID, err := parseIDs(req.TenantID, req.BatchID)
	if err != nil {
		return nil, err
	}
	b, replayed, err := s.Blacklist.Retry(ctx, principalOf(ctx), tenantID, batchID, blacklist.RetryRequest{IdempotencyKey: orZero(req.Params.IdempotencyKey)})
	if err != nil {
		return nil, err
	}
	return RetryBatch202JSONResponse{Body: batchFrom(b), Headers: RetryBatch202ResponseHeaders{IdempotencyReplayed: replayedHeader(replayed)}}, nil
}

func (s *server) UndoBatch(ctx context.Context, req UndoBatchRequestObject) (UndoBatchResponseObject, error) {
	tenantID, batchID, err := parseIDs(req.TenantID, req.BatchID)
	if err != nil {
		return nil, err
	}
	undo := blacklist.UndoRequest{IdempotencyKey: orZero(req.Params.IdempotencyKey)}
	if req.Body != nil {
		undo.Reason = orZero(req.Body.Reason)
	}
	b, replayed, err := s.Blacklist.Undo(ctx, principalOf(ctx), tenantID, batchID, undo)
	if err != nil {
		return nil, err
	}
	return UndoBatch202JSONResponse{Body: batchFrom(b), Headers: UndoBatch202ResponseHeaders{IdempotencyReplayed: replayedHeader(replayed)}}, nil
}

func parseIDs(tenantID, batchID string) (uuid.UUID, uuid.UUID, error) {
	t, err := parseID(tenantID)
	if err != nil {
		return uuid.Nil, uuid.Nil, err
	}
	b, err := parseID(batchID)
	return t, b, err
}

// replayedHeader is the value of Idempotency-Replayed.
func replayedHeader(replayed bool) *string {
	if !replayed {
		return nil
	}
	return new("true")
}

func batchFrom(b blacklist.Batch) Batch {
	c := b.Counts
	return Batch{
		ID: b.ID.String(), Action: BatchAction(b.Action), AuthorizerAppid: b.AuthorizerAppID, Status: BatchStatus(b.Status),
		Counts: Counts{
			Total: c.Total, Pending: c.Pending, Done: c.Done, Already: c.Already, Failed: c.Failed,
			Superseded: c.Superseded, Cancelled: c.Cancelled, Skipped: c.Skipped,
		},
		Reason: b.Reason, Note: b.Note, Until: stampOrNil(b.Until), RequestedBy: b.Actor, RetryOf: idOrNil(b.RetryOf), UndoOf: idOrNil(b.UndoOf), ListID: idOrNil(b.ListID),
		PauseReason: b.PauseReason, PausedUntil: stampOrNil(b.PausedUntil), PausedAt: stampOrNil(b.PausedAt), PausedBy: b.PausedBy,
		CreatedAt: stamp(b.CreatedAt), StartedAt: stampOrNil(b.StartedAt), EndedAt: stampOrNil(b.EndedAt),
	}
}

func idOrNil(id *uuid.UUID) *string {
	if id == nil {
		return nil
	}
	return new(id.String())
}

func itemFrom(i blacklist.Item) BatchItem {
	return BatchItem{
		Openid: i.OpenID, Outcome: Outcome(i.Outcome), Reason: i.Reason, Note: i.Note, Errcode: i.ErrCode, Rid: i.RID, Advice: i.Advice, EndedAt: stampOrNil(i.EndedAt),
	}
}
