package simulator

import (
	"crypto/subtle"
	"time"
)

// startPushTicket is api_start_push_ticket: it ends a pause of the tickets. WeChat pushes within ten minutes, the
// simulator at once.
func (s *Server) startPushTicket(q *request) (object, *refusal) {
	c, no := s.componentBySecret(q, "component_secret")
	if no != nil {
		return nil, no
	}
	text := "ok"
	if !s.settings.TicketsPaused {
		text = "the push of tickets is in a normal state"
	}
	s.settings.TicketsPaused = false
	s.askForTicket(c)
	return object{"errcode": 0, "errmsg": text}, nil
}

// componentToken is api_component_token. Order: body, component_appid, IP, secret, ticket, quota.
func (s *Server) componentToken(q *request) (object, *refusal) {
	c, no := s.componentBySecret(q, "component_appsecret")
	if no != nil {
		return nil, no
	}
	ticket, no := q.text("component_verify_ticket")
	if no != nil {
		return nil, no
	}
	if no := c.checkTicket(ticket, s.now(), seconds(s.settings.TicketLifetimeSeconds)); no != nil {
		return nil, no
	}
	if no := s.spend(c.AppID, q.path); no != nil {
		return nil, no
	}
	t := s.issueToken(c, nil)
	return object{"component_access_token": t.value, "expires_in": s.settings.TokenLifetimeSeconds}, nil
}

// componentBySecret admits calls that carry component_appid and the component's secret instead of a token.
func (s *Server) componentBySecret(q *request, secretField string) (*component, *refusal) {
	appid, no := q.text("component_appid")
	switch {
	case no != nil:
		return nil, no
	case appid == "":
		return nil, refuse(codeComponentMissing)
	case !validAppID(appid):
		return nil, refuse(codeBadAppID)
	}
	c, err := s.findComponent(appid)
	if err != nil {
		return nil, refuse(codeBadComponent)
	}
	q.component = c
	if no := s.admitIP(q); no != nil {
		return nil, no
	}
	secret, no := q.text(secretField)
	switch {
	case no != nil:
		return nil, no
	case secret == "":
		return nil, refuse(codeSecretMissing)
	case subtle.ConstantTimeCompare([]byte(secret), []byte(c.AppSecret)) != 1:
		return nil, refuse(codeBadSecret)
	}
	return c, nil
}

func (c *component) checkTicket(value string, now time.Time, lifetime time.Duration) *refusal {
	for _, t := range c.tickets {
		if t.value != value {
			continue
		}
		if !now.Before(t.issued.Add(lifetime)) {
			return refuse(codeTicketExpired)
		}
		return nil
	}
	return refuse(codeTicketInvalid)
}

// createPreAuthCode is api_create_preauthcode.
func (s *Server) createPreAuthCode(q *request) (object, *refusal) {
	lifetime := s.settings.PreAuthCodeLifetimeSeconds
	value := s.name("preauthcode@@@")
	s.preAuth[value] = &preAuthCode{component: q.component, expires: s.now().Add(seconds(lifetime))}
	return object{"pre_auth_code": value, "expires_in": lifetime}, nil
}

// queryAuth is api_query_auth: it exchanges an authorization code. The refresh token is born here.
func (s *Server) queryAuth(q *request) (object, *refusal) {
	value, no := q.text("authorization_code")
	if no != nil {
		return nil, no
	}
	if value == "" {
		return nil, refuse(codeBadArgs)
	}
	code := s.codes[value]
	if code == nil || code.grant.component != q.component {
		return nil, refuse(codeAuthCodeInvalid)
	}
	g := code.grant
	q.appID = g.account.AppID
	switch {
	case !s.now().Before(code.expires):
		return nil, refuse(codeAuthCodeExpired)
	case g.revoked:
		return nil, refuse(codeNotAuthorized)
	case code.generation != g.generation, code.used && s.settings.CodeOnce:
		return nil, refuse(codeAuthCodeInvalid)
	}
	if g.refresh == "" || code.repeated && !code.used && s.settings.RotateOnReauthorize {
		s.rotate(g)
	}
	code.used = true
	info := object{"authorizer_appid": g.account.AppID, "func_info": g.funcInfo()}
	if !g.account.NoAPI {
		info["authorizer_access_token"] = s.issueToken(g.component, g).value
		info["expires_in"] = s.settings.TokenLifetimeSeconds
		info["authorizer_refresh_token"] = g.refresh
	}
	return object{"authorization_info": info}, nil
}

// authorizerToken is api_authorizer_token: it renews an account's access token.
func (s *Server) authorizerToken(q *request) (object, *refusal) {
	g, no := s.grantInBody(q)
	if no != nil {
		return nil, no
	}
	if g.account.NoAPI {
		return nil, refuse(codeNoCapability)
	}
	refresh, no := q.text("authorizer_refresh_token")
	if no != nil {
		return nil, no
	}
	former := refresh == g.former && s.now().Before(g.formerUntil)
	if refresh == "" || refresh != g.refresh && !former {
		return nil, refuse(codeRefreshInvalid)
	}
	// A component that lost the answer of a renewal comes back with the former token: it is told the current one.
	if s.settings.RotateOnRenew && !former {
		s.rotate(g)
	}
	return object{
		"authorizer_access_token":  s.issueToken(g.component, g).value,
		"expires_in":               s.settings.TokenLifetimeSeconds,
		"authorizer_refresh_token": g.refresh,
	}, nil
}

// rotate gives a grant a new refresh token and the former one its overlap.
func (s *Server) rotate(g *grant) {
	g.former, g.formerUntil = g.refresh, s.now().Add(seconds(s.settings.RefreshTokenOverlapSeconds))
	g.refresh = s.name("refreshtoken@@@")
}

// grantInBody finds the authorization that a component asks about.
func (s *Server) grantInBody(q *request) (*grant, *refusal) {
	appid, no := q.text("authorizer_appid")
	if no != nil {
		return nil, no
	}
	g, err := s.findGrant(q.component.AppID, appid)
	if err != nil {
		return nil, refuse(codeNotAuthorized)
	}
	return g, nil
}
