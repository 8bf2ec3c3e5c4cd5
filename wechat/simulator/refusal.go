package simulator

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// The simulator has its own numbers and paths, and takes none from package wechat: a typing error shared by both
// would be seen by no test.
const (
	codeSystemError      = -1
	codeTokenInvalid     = 40001
	codeBadOpenID        = 40003
	codeBadAppID         = 40013
	codeTokenMalformed   = 40014
	codeListSize         = 40032
	codeBadParameter     = 40035
	codeBadArgs          = 40097
	codeBadSecret        = 40125
	codeTokenMissing     = 41001
	codeSecretMissing    = 41004
	codeOpenIDMissing    = 41009
	codeComponentMissing = 41018
	codeCATMissing       = 41021
	codeTokenExpired     = 42001
	codeCATExpired       = 42006
	codeNeedGET          = 43001
	codeNeedPOST         = 43002
	codeNotFollowing     = 43004
	codeBlacklisted      = 43019
	codeEmptyPost        = 44002
	codeDayQuota         = 45009
	codeMinuteQuota      = 45011
	codeBadFormat        = 47001
	codeNoCapability     = 48001
	codeForbidden        = 48004
	codeClearForbidden   = 48006
	codeOtherAppID       = 49001
	codeForeignOpenID    = 49003
	codeLimited          = 50002
	codeNotAuthorized    = 61003
	codeBadIP            = 61004
	codeTicketExpired    = 61005
	codeTicketInvalid    = 61006
	codeSetMissing       = 61007
	codeAuthCodeInvalid  = 61009
	codeAuthCodeExpired  = 61010
	codeBadComponent     = 61011
	codeNeedCAT          = 61014
	codeNeedAAT          = 61015
	codeSetUnconfirmed   = 61016
	codeRefreshInvalid   = 61023
	codeRIDNotFound      = 76001
	codeRIDMalformed     = 76002
	codeRIDForeign       = 76003
	codePathUnknown      = 76021
	codePathForbidden    = 76022
)

func codeText(code int) string {
	texts := map[int]string{
		0:                    "ok",
		codeSystemError:      "system error",
		codeTokenInvalid:     "invalid credential, access_token is invalid or not latest",
		codeBadOpenID:        "invalid openid",
		codeBadAppID:         "invalid appid",
		codeTokenMalformed:   "invalid access_token",
		codeListSize:         "invalid openid list size",
		codeBadParameter:     "invalid parameter",
		codeBadArgs:          "invalid args",
		codeBadSecret:        "invalid appsecret",
		codeTokenMissing:     "access_token missing",
		codeSecretMissing:    "appsecret missing",
		codeOpenIDMissing:    "openid missing",
		codeComponentMissing: "component_appid missing",
		codeCATMissing:       "component_access_token missing",
		codeTokenExpired:     "access_token expired",
		codeCATExpired:       "component_access_token expired",
		codeNeedGET:          "require GET method",
		codeNeedPOST:         "require POST method",
		codeNotFollowing:     "require subscribe",
		codeBlacklisted:      "require remove receiver from blacklist",
		codeEmptyPost:        "empty post data",
		codeDayQuota:         "reach max api daily quota limit",
		codeMinuteQuota:      "api minute-quota reach limit must slower retry next minute",
		codeBadFormat:        "data format error",
		codeNoCapability:     "api unauthorized",
		codeForbidden:        "api forbidden",
		codeClearForbidden:   "forbid to clear quota because of reaching the limit",
		codeOtherAppID:       "not same appid with appid of access_token",
		codeForeignOpenID:    "not match openid with appid",
		codeLimited:          "user limited",
		codeNotAuthorized:    "component is not authorized by this account",
		codeBadIP:            "access clientip is not registered",
		codeTicketExpired:    "component ticket is expired",
		codeTicketInvalid:    "component ticket is invalid",
		codeSetMissing:       "api is unauthorized to component",
		codeAuthCodeInvalid:  "code is invalid",
		codeAuthCodeExpired:  "code is expired",
		codeBadComponent:     "invalid component",
		codeNeedCAT:          "must use component token for component api",
		codeNeedAAT:          "must use biz account token, not component",
		codeSetUnconfirmed:   "function category of API needs confirmation by component",
		codeRefreshInvalid:   "refresh_token is invalid",
		codeRIDNotFound:      "rid not found",
		codeRIDMalformed:     "rid is malformed",
		codeRIDForeign:       "rid does not belong to this account",
		codePathUnknown:      "cgi_path not found",
		codePathForbidden:    "no permission for this cgi_path",
	}
	if text, ok := texts[code]; ok {
		return text
	}
	return "simulated error"
}

// object is a JSON object of an answer.
type object map[string]any

// refusal is an answer with an errcode other than 0. A nil refusal is success.
type refusal struct {
	code int
	text string // of the server; without rid and hint
}

func refuse(code int) *refusal {
	return &refusal{code: code, text: codeText(code)}
}

// written is the answer of write calls; read calls answer no errcode at all.
func written() object {
	return object{"errcode": 0, "errmsg": codeText(0)}
}

// render writes an answer down in the given form.
func render(fields object, no *refusal, form Form, rid string) []byte {
	if no != nil {
		fields = object{"errcode": no.code, "errmsg": shapeErrMsg(no.text, form, rid)}
	}
	if code, ok := fields["errcode"].(int); ok && form.CodeAsString {
		fields["errcode"] = strconv.Itoa(code)
	}
	if form.ExtraFields {
		fields["simulator_extra"] = object{"list": []any{1, "two", nil}, "flag": true}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(fields); err != nil {
		// Answers are made of strings, numbers and lists of them: these always encode.
		return fmt.Appendf(nil, `{"errcode":%d,"errmsg":"simulator: %v"}`, codeSystemError, err)
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

func shapeErrMsg(text string, form Form, rid string) string {
	hint := " hint: [" + rid[len(rid)-8:] + "]"
	switch form.ErrMsg {
	case FormPlain:
		return text
	case FormComma:
		return text + ", rid: " + rid
	case FormHint:
		return text + hint
	case FormHintRID:
		return text + hint + " rid: " + rid
	default:
		return text + " rid: " + rid
	}
}

// newRID makes a request id: three groups of eight hexadecimal digits, the first of which is the time in seconds.
func newRID(at time.Time) string {
	var tail [8]byte
	_, _ = rand.Read(tail[:]) // never fails
	return fmt.Sprintf("%08x-%s-%s", uint32(at.Unix()), hex.EncodeToString(tail[:4]), hex.EncodeToString(tail[4:]))
}
