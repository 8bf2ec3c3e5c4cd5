package api

import (
	"context"

	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/secret"
)

func (s *server) ListComponents(ctx context.Context, _ ListComponentsRequestObject) (ListComponentsResponseObject, error) {
	components, err := s.Components.List(ctx, principalOf(ctx))
	if err != nil {
		return nil, err
	}
	return ListComponents200JSONResponse{Data: mapSlice(components, s.componentFrom)}, nil
}

func (s *server) GetComponent(ctx context.Context, req GetComponentRequestObject) (GetComponentResponseObject, error) {
	c, err := s.Components.Get(ctx, principalOf(ctx), req.ComponentAppid)
	if err != nil {
		return nil, err
	}
	return GetComponent200JSONResponse(s.componentFrom(c)), nil
}

func (s *server) RegisterComponent(ctx context.Context, req RegisterComponentRequestObject) (RegisterComponentResponseObject, error) {
	c, err := s.Components.Register(ctx, principalOf(ctx), component.Params{
		AppID: req.Body.Appid, Name: orZero(req.Body.Name), AppSecret: secret.New(req.Body.Appsecret),
		Token: secret.New(req.Body.Token), EncodingAESKey: secret.New(req.Body.EncodingAesKey),
		PreviousKeysUntil: orZero(req.Body.PreviousKeysUntil),
	})
	if err != nil {
		return nil, err
	}
	return RegisterComponent200JSONResponse(s.componentFrom(c)), nil
}

func (s *server) DiagnoseComponent(ctx context.Context, req DiagnoseComponentRequestObject) (DiagnoseComponentResponseObject, error) {
	d, err := s.Components.Diagnose(ctx, principalOf(ctx), req.ComponentAppid, s.eventURL(req.ComponentAppid))
	if err != nil {
		return nil, err
	}
	return DiagnoseComponent200JSONResponse{Appid: d.AppID, At: stamp(d.At), Checks: mapSlice(d.Checks, checkFrom)}, nil
}

func (s *server) RequestTicket(ctx context.Context, req RequestTicketRequestObject) (RequestTicketResponseObject, error) {
	if err := s.Components.RequestTicket(ctx, principalOf(ctx), req.ComponentAppid); err != nil {
		return nil, err
	}
	return RequestTicket204Response{}, nil
}

// eventURL is where WeChat pushes a component's tickets and events.
func (s *server) eventURL(appid string) string { return s.PublicURL + "/wechat/" + appid + "/events" }

func (s *server) componentFrom(c component.Component) Component {
	return Component{
		Appid: c.AppID, Name: c.Name, EventURL: s.eventURL(c.AppID), MessageURL: s.PublicURL + "/wechat/" + c.AppID + "/messages/$APPID$",
		TicketReceivedAt: stampOrNil(c.TicketReceivedAt), TicketRequestedAt: stampOrNil(c.TicketRequestedAt), PreviousKeysUntil: stampOrNil(c.PreviousKeysUntil),
		AccessTokenExpiresAt: stampOrNil(c.AccessTokenExpiresAt), AccessTokenRenewedAt: stampOrNil(c.AccessTokenRenewedAt),
		LastError: tokenErrorFrom(c.Health.LastError), Health: healthFrom(c.Health), CreatedAt: stamp(c.CreatedAt),
	}
}

func checkFrom(c component.Check) DiagnosisCheck {
	return DiagnosisCheck{
		Check: DiagnosisCheckCheck(c.Name), Status: DiagnosisCheckStatus(c.Status), Reason: c.Reason, Remedy: c.Remedy,
		Errcode: codeFrom(c.Code), Rid: c.RID,
	}
}
