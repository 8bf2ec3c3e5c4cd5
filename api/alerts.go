package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/wechat-steward/steward/alert"
)

func (s *server) ListAlerts(ctx context.Context, req ListAlertsRequestObject) (ListAlertsResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	page, err := s.Alerts.List(ctx, principalOf(ctx), tenantID, alert.ListParams{
		Open: req.Params.Open, Limit: limitOf(req.Params.Limit), Cursor: orZero(req.Params.Cursor),
	})
	if err != nil {
		return nil, err
	}
	return ListAlerts200JSONResponse{Data: mapSlice(page.Alerts, alertFrom), NextCursor: nextCursor(page.Next)}, nil
}

func (s *server) ListAllAlerts(ctx context.Context, req ListAllAlertsRequestObject) (ListAllAlertsResponseObject, error) {
	page, err := s.Alerts.ListAll(ctx, principalOf(ctx), alert.ListParams{
		Open: req.Params.Open, Limit: limitOf(req.Params.Limit), Cursor: orZero(req.Params.Cursor),
	})
	if err != nil {
		return nil, err
	}
	return ListAllAlerts200JSONResponse{Data: mapSlice(page.Alerts, alertFrom), NextCursor: nextCursor(page.Next)}, nil
}

func alertFrom(a alert.Alert) Alert {
	out := Alert{
		ID: a.ID.String(), Kind: AlertKind(a.Kind), ComponentAppid: a.ComponentAppID, Appid: given(a.AppID), NickName: given(a.NickName),
		RaisedAt: stamp(a.RaisedAt), LastSeenAt: stamp(a.LastSeenAt), ClearedAt: stampOrNil(a.ClearedAt),
		Errcode: codeFrom(a.Code), Rid: a.RID, Message: a.Message, Advice: a.Advice,
	}
	if a.TenantID != uuid.Nil {
		out.TenantID = new(a.TenantID.String())
	}
	return out
}

// codeFrom is nil where WeChat gave no code.
func codeFrom(code int) *int {
	if code == 0 {
		return nil
	}
	return &code
}
