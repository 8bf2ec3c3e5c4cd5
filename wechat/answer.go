package wechat

import (
	"bytes"
	"encoding/json"
)

// The answers of the component's calls. Each names, by missing, the one field without which it is no answer: an empty
// token must never be stored over a good one.

type componentTokenAnswer struct {
	Token     string     `json:"component_access_token"`
	ExpiresIn lenientInt `json:"expires_in"`
}

func (a *componentTokenAnswer) missing() string {
	return unless(a.Token != "", "component_access_token")
}

type preAuthCodeAnswer struct {
	Code      string     `json:"pre_auth_code"`
	ExpiresIn lenientInt `json:"expires_in"`
}

func (a *preAuthCodeAnswer) missing() string { return unless(a.Code != "", "pre_auth_code") }

type queryAuthAnswer struct {
	Info lenientObject[authorizationInfo] `json:"authorization_info"`
}

func (a *queryAuthAnswer) missing() string {
	return unless(a.Info.value.AppID != "", "authorizer_appid")
}

type authorizerTokenAnswer struct {
	AccessToken  string     `json:"authorizer_access_token"`
	ExpiresIn    lenientInt `json:"expires_in"`
	RefreshToken string     `json:"authorizer_refresh_token"`
}

func (a *authorizerTokenAnswer) missing() string {
	return unless(a.AccessToken != "", "authorizer_access_token")
}

type authorizerInfoAnswer struct {
	Profile       lenientObject[profile]           `json:"authorizer_info"`
	Authorization lenientObject[authorizationInfo] `json:"authorization_info"`
}

func (a *authorizerInfoAnswer) missing() string { return unless(a.Profile.present, "authorizer_info") }

func unless(present bool, field string) string {
	if present {
		return ""
	}
	return field
}

// authorizationInfo is authorization_info of api_query_auth and of api_get_authorizer_info.
type authorizationInfo struct {
	AppID        string         `json:"authorizer_appid"`
	AccessToken  string         `json:"authorizer_access_token"`
	ExpiresIn    lenientInt     `json:"expires_in"`
	RefreshToken string         `json:"authorizer_refresh_token"`
	FuncInfo     permissionSets `json:"func_info"`
}

// permissionSets reads func_info. Rows without an id are left out, anything but a list is an empty list.
type permissionSets []PermissionSet

func (p *permissionSets) UnmarshalJSON(b []byte) error {
	*p = nil
	if !bytes.HasPrefix(b, []byte("[")) {
		return nil
	}
	var rows []lenientObject[struct {
		Category lenientObject[struct {
			ID lenientInt `json:"id"`
		}] `json:"funcscope_category"`
		Confirm lenientObject[struct {
			Need    lenientInt `json:"need_confirm"`
			Already lenientInt `json:"already_confirm"`
			Can     lenientInt `json:"can_confirm"`
		}] `json:"confirm_info"`
	}]
	if err := json.Unmarshal(b, &rows); err != nil {
		return err
	}
	for _, row := range rows {
		if id := row.value.Category.value.ID; id != 0 {
			confirm := row.value.Confirm.value
			*p = append(*p, PermissionSet{
				ID: int(id), NeedConfirm: confirm.Need.bool(), AlreadyConfirm: confirm.Already.bool(), CanConfirm: confirm.Can.bool(),
			})
		}
	}
	return nil
}

type typeID struct {
	ID lenientInt `json:"id"`
}

// profile is authorizer_info of api_get_authorizer_info.
type profile struct {
	NickName      lenientString         `json:"nick_name"`
	HeadImg       lenientString         `json:"head_img"`
	Service       lenientObject[typeID] `json:"service_type_info"`
	Verify        lenientObject[typeID] `json:"verify_type_info"`
	UserName      lenientString         `json:"user_name"`
	Alias         lenientString         `json:"alias"`
	PrincipalName lenientString         `json:"principal_name"`
	Signature     lenientString         `json:"signature"`
	QRCodeURL     lenientString         `json:"qrcode_url"`
	AccountStatus lenientInt            `json:"account_status"`
	RegisterType  lenientInt            `json:"register_type"`
	Business      lenientObject[struct {
		Store lenientInt `json:"open_store"`
		Scan  lenientInt `json:"open_scan"`
		Pay   lenientInt `json:"open_pay"`
		Card  lenientInt `json:"open_card"`
		Shake lenientInt `json:"open_shake"`
	}] `json:"business_info"`
	Basic lenientObject[struct {
		Phone lenientInt `json:"is_phone_configured"`
		Email lenientInt `json:"is_email_configured"`
	}] `json:"basic_config"`
	MiniProgram lenientObject[struct{}] `json:"MiniProgramInfo"`
}

func (p profile) info() AuthorizerInfo {
	b := p.Business.value
	return AuthorizerInfo{
		NickName:        string(p.NickName),
		HeadImg:         string(p.HeadImg),
		QRCodeURL:       string(p.QRCodeURL),
		UserName:        string(p.UserName),
		Alias:           string(p.Alias),
		PrincipalName:   string(p.PrincipalName),
		Signature:       string(p.Signature),
		ServiceType:     int(p.Service.value.ID),
		VerifyType:      int(p.Verify.value.ID),
		AccountStatus:   int(p.AccountStatus),
		RegisterType:    int(p.RegisterType),
		MiniProgram:     p.MiniProgram.present,
		Business:        BusinessInfo{Store: b.Store.bool(), Scan: b.Scan.bool(), Pay: b.Pay.bool(), Card: b.Card.bool(), Shake: b.Shake.bool()},
		PhoneConfigured: p.Basic.value.Phone.bool(),
		EmailConfigured: p.Basic.value.Email.bool(),
	}
}
