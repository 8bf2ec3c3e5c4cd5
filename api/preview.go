package api

import (
	"context"

	"github.com/wechat-steward/steward/blacklist"
)

// preview answers a block or unblock that is only to be told what it would do.
func (s *server) preview(ctx context.Context, tenantID, appid string, action blacklist.Action, req blacklist.Request) (BatchOrPreview, error) {
	id, err := parseID(tenantID)
	if err != nil {
		return BatchOrPreview{}, err
	}
	p, err := s.Blacklist.Preview(ctx, principalOf(ctx), id, appid, action, req)
	if err != nil {
		return BatchOrPreview{}, err
	}
	return previewAnswer(p)
}

// previewFile is preview for a file.
func (s *server) previewFile(ctx context.Context, tenantID, appid string, action blacklist.Action, up blacklist.Upload) (BatchOrPreview, error) {
	id, err := parseID(tenantID)
	if err != nil {
		return BatchOrPreview{}, err
	}
	p, err := s.Blacklist.PreviewFile(ctx, principalOf(ctx), id, appid, action, up)
	if err != nil {
		return BatchOrPreview{}, err
	}
	return previewAnswer(p)
}

func previewAnswer(p blacklist.Preview) (BatchOrPreview, error) {
	var body BatchOrPreview
	err := body.FromPreview(previewFrom(p))
	return body, err
}

func previewFrom(p blacklist.Preview) Preview {
	return Preview{
		DryRun: true, Action: PreviewAction(p.Action), AuthorizerAppid: p.AuthorizerAppID,
		Counts: PreviewCounts{
			Total: p.Total, WouldChange: p.WouldChange, Already: p.Already, Unknown: p.Unknown, PendingOther: p.PendingOther,
			BelongsElsewhere: p.Elsewhere, Malformed: p.Malformed, Duplicates: p.Duplicates, Blank: p.Blank,
		},
		Elsewhere:  mapSlice(p.ElsewhereFirst, func(m blacklist.Misplaced) Misplaced { return Misplaced{Openid: m.OpenID, Appid: m.AppID} }),
		Malformed:  mapSlice(p.MalformedFirst, func(m blacklist.Malformed) Malformed { return Malformed{Index: m.Index, Beginning: m.Beginning} }),
		WrongLines: mapSlice(p.WrongLines, func(l blacklist.WrongLine) WrongLine { return WrongLine{Line: l.Line, Why: l.Why} }),
	}
}

func (s *server) ListHistory(ctx context.Context, req ListHistoryRequestObject) (ListHistoryResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	page, err := s.Blacklist.History(ctx, principalOf(ctx), tenantID, req.Appid, req.Openid, blacklist.HistoryParams{
		Limit: limitOf(req.Params.Limit), Cursor: orZero(req.Params.Cursor),
	})
	if err != nil {
		return nil, err
	}
	return ListHistory200JSONResponse{Data: mapSlice(page.Events, eventFrom), NextCursor: nextCursor(page.Next)}, nil
}

func eventFrom(e blacklist.Event) HistoryEvent {
	return HistoryEvent{
		At: stamp(e.At), Action: HistoryEventAction(e.Action), Outcome: Outcome(e.Outcome), Reason: e.Reason, Note: e.Note, Until: stampOrNil(e.Until), By: e.Actor,
		BatchID: e.BatchID.String(), ListID: idOrNil(e.ListID), Errcode: e.ErrCode, Rid: e.RID, Advice: e.Advice, EndedAt: stampOrNil(e.EndedAt),
	}
}
