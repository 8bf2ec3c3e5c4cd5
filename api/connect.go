package api

import (
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/wechat"
)

//go:embed connect.html
var connectHTML string

// connectPages are the three pages that a merchant sees while authorizing us. They need no script.
type connectPages struct {
	server   *server
	template *template.Template
}

// connectView is what connect.html shows: the links to WeChat, the account that was connected, or why neither.
type connectView struct {
	Links    *authorizer.ConnectPage
	InWeChat bool // opened in WeChat's own browser: the mobile link comes first

	Connected string // nick name or appid
	ReturnURL string

	TitleZH, TitleEN   string
	DetailZH, DetailEN string
	RequestID          string
}

func (s *server) routeConnect(e *echo.Echo) {
	pages := &connectPages{server: s, template: template.Must(template.New("connect").Parse(connectHTML))}
	e.GET("/connect/:state", pages.open)
	e.GET("/connect/:state/callback", pages.finish)
}

// open shows plain links to WeChat's consent page. WeChat looks at the Referer, which must be the domain that is
// registered there (授权发起页域名), so there is no redirect of ours in between and the origin is sent along.
func (pages *connectPages) open(c echo.Context) error {
	links, err := pages.server.Authorizers.OpenConnectLink(c.Request().Context(), c.Param("state"))
	if err != nil {
		return pages.fail(c, err)
	}
	return pages.show(c, http.StatusOK, connectView{
		Links: &links, InWeChat: strings.Contains(c.Request().UserAgent(), "MicroMessenger"),
	})
}

// finish is where WeChat sends the merchant's browser with the authorization code.
func (pages *connectPages) finish(c echo.Context) error {
	account, link, err := pages.server.Authorizers.FinishConnectLink(c.Request().Context(), c.Param("state"), c.QueryParam("auth_code"))
	if err != nil {
		return pages.fail(c, err)
	}
	name := account.NickName
	if name == "" {
		name = account.AppID
	}
	return pages.show(c, http.StatusOK, connectView{Connected: name, ReturnURL: link.ReturnURL})
}

func (pages *connectPages) show(c echo.Context, status int, view connectView) error {
	h := c.Response().Header()
	h.Set(echo.HeaderCacheControl, "no-store")
	// The origin alone: the path holds the link's secret.
	h.Set("Referrer-Policy", "strict-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
	c.Response().WriteHeader(status)
	return pages.template.Execute(c.Response(), view)
}

// fail tells the merchant what to do, in both languages. Merchants are no operators: what only those can mend is logged.
func (pages *connectPages) fail(c echo.Context, err error) error {
	requestID := c.Response().Header().Get(echo.HeaderXRequestID)
	e := explain(err)
	if e.status >= http.StatusInternalServerError {
		pages.server.Logger.ErrorContext(c.Request().Context(), "a merchant could not authorize", "error", err, "request_id", requestID)
	}
	return pages.show(c, e.status, connectView{
		TitleZH: e.titleZH, TitleEN: e.titleEN, DetailZH: e.detailZH, DetailEN: e.detailEN, RequestID: requestID,
	})
}

// explanation is an error in a merchant's words.
type explanation struct {
	matches            func(error) error
	status             int
	titleZH, titleEN   string
	detailZH, detailEN string
}

func explanations() []explanation {
	return []explanation{
		{
			is(authorizer.ErrLinkUnknown), http.StatusNotFound, "链接无效", "This link does not exist",
			"请检查链接是否完整，或向服务商索取新的授权链接。", "Check that it is complete, or ask your service provider for a new one.",
		},
		{
			is(authorizer.ErrLinkExpired), http.StatusGone, "链接已过期", "This link has expired",
			"请向服务商索取新的授权链接。", "Ask your service provider for a new one.",
		},
		{
			is(authorizer.ErrLinkUsed), http.StatusGone, "链接已使用", "This link has been used",
			"每个链接只能授权一次。如需授权其他公众号，请索取新的链接。", "A link serves once. Ask for a new one to connect another account.",
		},
		{
			as[*authorizer.AccountTakenError], http.StatusConflict, "该公众号已归属其他商户", "This account belongs to somebody else already",
			"请联系服务商处理。", "Ask your service provider to look into it.",
		},
		{
			as[*authorizer.InvalidLinkError], http.StatusBadRequest, "授权未完成", "The authorization was not completed",
			"请重新打开授权链接再试一次。", "Open the link again and try once more.",
		},
		{
			is(component.ErrNoTicket), http.StatusServiceUnavailable, "平台尚未就绪", "The platform is not ready yet",
			"尚未收到微信推送的 component_verify_ticket，请十分钟后再试。", "WeChat has not sent it a ticket yet. Try again in ten minutes.",
		},
		{
			quotaRefusal, http.StatusServiceUnavailable, "微信接口调用次数已达上限", "WeChat allows no more calls for now",
			"请稍后再试；若仍失败，请把请求编号告诉服务商。", "Try again later; if it fails again, give your service provider the request id.",
		},
		{
			as[*wechat.TransportError], http.StatusBadGateway, "暂时无法连接微信", "WeChat cannot be reached",
			"请稍后再试；若仍失败，请把请求编号告诉服务商。", "Try again in a while; if it fails again, give your service provider the request id.",
		},
		{
			as[*wechat.Error], http.StatusBadGateway, "微信未接受此次授权", "WeChat did not accept the authorization",
			"请重新打开授权链接再试一次；若仍失败，请把请求编号告诉服务商。", "Open the link again; if it fails again, give your service provider the request id.",
		},
	}
}

func explain(err error) explanation {
	if unexpected := (*authorizer.UnexpectedAccountError)(nil); errors.As(err, &unexpected) {
		return explanation{
			status: http.StatusConflict, titleZH: "授权的公众号不符", titleEN: "Another account than expected was authorized",
			detailZH: "此链接仅限公众号 " + unexpected.Expected + "，而刚才授权的是 " + unexpected.Got + "。请重新打开链接并选择正确的公众号。",
			detailEN: "This link is for " + unexpected.Expected + ", and " + unexpected.Got + " was authorized. Open the link again and choose the right account.",
		}
	}
	for _, e := range explanations() {
		if e.matches(err) != nil {
			return e
		}
	}
	return explanation{
		status: http.StatusInternalServerError, titleZH: "暂时无法完成", titleEN: "It did not work this time",
		detailZH: "请稍后再试；若仍失败，请把请求编号告诉服务商。", detailEN: "Try again in a while; if it fails again, give your service provider the request id.",
	}
}
