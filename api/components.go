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

func (s *server) RegisterComponent(ctx context.Context, req RegisterComponentRequestObject) (RegisterComponentResponseObject, error) {
	c, err := s.Components.Register(ctx, principalOf(ctx), component.Params{
		AppID: req.Body.Appid, Name: orZero(req.Body.Name), AppSecret: secret.New(req.Body.Appsecret),
		Token: secret.New(req.Body.Token), EncodingAESKey: secret.New(req.Body.EncodingAesKey),
	})
	if err != nil {
		return nil, err
	}
	return RegisterComponent200JSONResponse(s.componentFrom(c)), nil
}

func (s *server) componentFrom(c component.Component) Component {
	callbacks := s.PublicURL + "/wechat/" + c.AppID
	return Component{
		Appid: c.AppID, Name: c.Name, EventURL: callbacks + "/events", MessageURL: callbacks + "/messages/$APPID$",
		TicketReceivedAt: stampOrNil(c.TicketReceivedAt), AccessTokenExpiresAt: stampOrNil(c.AccessTokenExpiresAt), AccessTokenRenewedAt: stampOrNil(c.AccessTokenRenewedAt),
		LastError: tokenErrorFrom(c.LastError), CreatedAt: stamp(c.CreatedAt),
	}
}
