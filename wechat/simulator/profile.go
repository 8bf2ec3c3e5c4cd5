package simulator

import (
	"cmp"
	"slices"
)

// authorizerInfo is api_get_authorizer_info.
func (s *Server) authorizerInfo(q *request) (object, *refusal) {
	g, no := s.grantInBody(q)
	if no != nil {
		return nil, no
	}
	authorization := object{"authorizer_appid": g.account.AppID, "func_info": g.funcInfo()}
	if !s.settings.InfoWithoutRefreshToken && !g.account.NoAPI {
		authorization["authorizer_refresh_token"] = g.refresh
	}
	return object{"authorizer_info": g.account.profile(), "authorization_info": authorization}, nil
}

func (a *account) profile() object {
	profile := object{
		"nick_name":         a.NickName,
		"service_type_info": object{"id": a.ServiceType},
		"verify_type_info":  object{"id": a.VerifyType},
		"user_name":         a.UserName,
		"alias":             a.Alias,
		"principal_name":    a.PrincipalName,
		"signature":         a.Signature,
		"qrcode_url":        "http://mmbiz.qpic.cn/mmbiz_jpg/" + digest(a.AppID)[:16] + "/0",
		"account_status":    a.AccountStatus,
		"idc":               1,
		"basic_config":      object{"is_phone_configured": true, "is_email_configured": true},
		"business_info":     object{"open_store": 0, "open_scan": 0, "open_pay": 0, "open_card": 0, "open_shake": 0},
	}
	if a.HeadImg != "" {
		profile["head_img"] = a.HeadImg
	}
	// The only mark of a mini program: official accounts have no such key.
	if a.MiniProgram {
		none := []string{}
		profile["register_type"] = 0
		profile["MiniProgramInfo"] = object{
			"network": object{
				"RequestDomain": none, "WsRequestDomain": none, "UploadDomain": none,
				"DownloadDomain": none, "BizDomain": none, "UDPDomain": none,
			},
			"categories":   []object{},
			"visit_status": 0,
		}
	}
	return profile
}

// funcInfo lists the granted sets. Set 3 carries confirm_info in WeChat's own example, though nothing is to confirm.
func (g *grant) funcInfo() []object {
	list := make([]object, 0, len(g.sets))
	for _, set := range g.sets {
		item := object{"funcscope_category": object{"id": set}}
		switch {
		case slices.Contains(g.account.UnconfirmedSets, set):
			item["confirm_info"] = object{"need_confirm": 1, "already_confirm": 0, "can_confirm": 1}
		case set == 3:
			item["confirm_info"] = object{"need_confirm": 0, "already_confirm": 0, "can_confirm": 0}
		}
		list = append(list, item)
	}
	return list
}

// maxAuthorizerPage is WeChat's limit for count.
const maxAuthorizerPage = 500

// authorizerList is api_get_authorizer_list. Refresh tokens are missing where no code was exchanged yet.
func (s *Server) authorizerList(q *request) (object, *refusal) {
	offset, _, no := q.number("offset")
	if no != nil {
		return nil, no
	}
	count, given, no := q.number("count")
	if no != nil {
		return nil, no
	}
	if offset < 0 || !given || count < 1 || count > maxAuthorizerPage {
		return nil, refuse(codeBadParameter)
	}
	var grants []*grant
	for _, a := range s.accounts {
		if g := a.grantTo(q.component); g != nil && (!g.revoked || s.settings.ListRevoked) {
			grants = append(grants, g)
		}
	}
	slices.SortFunc(grants, func(a, b *grant) int {
		return cmp.Or(a.authorizedAt.Compare(b.authorizedAt), cmp.Compare(a.account.AppID, b.account.AppID))
	})
	list := []object{}
	count = min(count, s.settings.AuthorizerPageSize)
	for _, g := range grants[min(offset, len(grants)):min(offset+count, len(grants))] {
		item := object{"authorizer_appid": g.account.AppID, "auth_time": g.authorizedAt.Unix()}
		if g.refresh != "" && !g.account.NoAPI && !s.settings.ListWithoutRefreshToken {
			item["refresh_token"] = g.refresh
		}
		list = append(list, item)
	}
	return object{"total_count": len(grants), "list": list}, nil
}
