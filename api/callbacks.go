package api

import (
	"io"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/wechat-steward/steward/wechat"
)

// acknowledged is the answer that WeChat wants; any other makes it push again.
const acknowledged = "success"

func (s *server) routeCallbacks(e *echo.Echo) {
	guard := []echo.MiddlewareFunc{s.logRefused, middleware.BodyLimit(maxCallbackBody)}
	for _, callback := range []struct {
		path    string
		receive echo.HandlerFunc
	}{
		{"/wechat/:component_appid/events", s.receiveEvent},
		{"/wechat/:component_appid/messages/:appid", s.receiveMessage},
	} {
		e.POST(callback.path, callback.receive, guard...)
		e.GET(callback.path, s.verifyURL, guard...)
	}
}

// open checks and decrypts a push; one that fails here leaves no trace but a line in the log.
func (s *server) open(c echo.Context) ([]byte, error) {
	body, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return nil, err
	}
	return s.Components.Open(c.Request().Context(), c.Param("component_appid"), wechat.Push{
		Signature: c.QueryParam("signature"), MsgSignature: c.QueryParam("msg_signature"),
		Timestamp: c.QueryParam("timestamp"), Nonce: c.QueryParam("nonce"), Body: body,
	})
}

// logRefused says why a push was not acknowledged: to WeChat every reason is the same, and nobody there tells us.
func (s *server) logRefused(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if err != nil {
			s.Logger.WarnContext(c.Request().Context(), "a push was refused", "component_appid", cut(c.Param("component_appid")), "error", err,
				"remote_ip", c.RealIP(), "request_id", c.Response().Header().Get(echo.HeaderXRequestID))
		}
		return err
	}
}

// receiveEvent is WeChat's 授权事件接收URL. "success" is answered only when the event is stored.
func (s *server) receiveEvent(c echo.Context) error {
	msg, err := s.open(c)
	if err != nil {
		return err
	}
	event, err := wechat.ParseEvent(msg)
	if err != nil {
		return err
	}
	// The envelope was sealed for the component of the path. Were its content about another one, that one's keys would count for nothing.
	if event.Header().AppID != c.Param("component_appid") {
		return wechat.ErrEnvelope
	}
	ctx := c.Request().Context()
	if ticket, ok := event.(wechat.TicketEvent); ok {
		err = s.Components.StoreTicket(ctx, ticket)
	} else {
		err = s.Authorizers.Receive(ctx, event, msg)
	}
	if err != nil {
		return err
	}
	return c.String(http.StatusOK, acknowledged)
}

// receiveMessage is WeChat's 消息与事件接收URL: what followers of a merchant's account write and do. Who comes and who goes is
// noted where that is kept. Nothing here needs followers' words, so any other genuine push is acknowledged and dropped, one
// that cannot be read too: were it refused, WeChat would tell the follower that the account is out of order.
func (s *server) receiveMessage(c echo.Context) error {
	raw, err := s.open(c)
	if err != nil {
		return err
	}
	if message, err := wechat.ParseMessage(raw); err == nil {
		if err := s.Followers.Receive(c.Request().Context(), c.Param("component_appid"), c.Param("appid"), message); err != nil {
			return err
		}
	}
	return c.String(http.StatusOK, acknowledged)
}

// verifyURL answers the probe that WeChat sends to some kinds of callback URL when they are entered.
func (s *server) verifyURL(c echo.Context) error {
	echostr := c.QueryParam("echostr")
	if echostr == "" {
		c.Response().Header().Set(echo.HeaderAllow, http.MethodPost)
		return echo.ErrMethodNotAllowed
	}
	err := s.Components.VerifyURL(c.Request().Context(), c.Param("component_appid"), c.QueryParam("signature"), c.QueryParam("timestamp"), c.QueryParam("nonce"))
	if err != nil {
		return err
	}
	return c.String(http.StatusOK, echostr)
}
