package api

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/sharedlist"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

// detailOf makes sentences: what happened, in the words of the error that a rule matched, and what to do about it. What wraps
// that error is for the log.
func detailOf(matched error, advice string) string {
	switch e := matched.(type) { //nolint:errorlint // the rule has unwrapped it
	case *wechat.Error:
		advice = e.Advice()
	case *authorizer.PermissionMissingError:
		advice += " " + reconnectAdvice(e.ConnectURL)
	case *authorizer.AccountStateError:
		advice += " " + stateAdvice(e)
	case *component.InvalidParamError:
		if e.Param == "PreviousKeysUntil" { // which WeChat's console knows nothing of
			advice = "Choose another time, or leave it out."
		}
	}
	return strings.TrimSpace(sentence(happened(matched)) + " " + advice)
}

// happened is what an error says, where that is fit for callers.
func happened(matched error) string {
	switch e := matched.(type) { //nolint:errorlint // the rule has unwrapped it
	case *tenant.UnknownScopeError, *blacklist.UnknownFilterError: // they repeat the value, which may be anything
		return "this value is not one of those allowed"
	case *blacklist.FileError:
		return fileWords(e)
	case *wechat.TransportError: // it names hosts of the operator's network
		return "WeChat could not be reached, or its answer could not be read"
	case *wechat.Error:
		return fmt.Sprintf("WeChat refused with %d: %s", e.Code, e.Message)
	case *component.InvalidParamError:
		return componentFields[e.Param] + " " + e.Why
	case *authorizer.AccountStateError:
		return stateWords(e)
	}
	return strings.TrimPrefix(matched.Error(), "wechat: ")
}

// sentence makes an error's text one: Go's begin in lower case and end without a stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + strings.TrimRight(text[size:], ". ") + "."
}

func reconnectAdvice(connectURL string) string {
	if connectURL == "" {
		return "Make a connect link for the account, through which its administrator authorizes again."
	}
	return "Send connect_url to the account's administrator, who authorizes again through it."
}

// stateWords says what AccountStateError says, without the state's code name, which is a fact of its own.
func stateWords(e *authorizer.AccountStateError) string {
	reason := e.Reason
	if reason == "" {
		reason = map[authorizer.State]string{
			authorizer.StateRevoked:              "the merchant took the authorization back",
			authorizer.StateNeedsReauthorization: "the authorization has been lost",
			authorizer.StateLimited:              "WeChat restricted it",
		}[e.State]
	}
	return "account " + e.AppID + ": " + reason
}

func stateAdvice(e *authorizer.AccountStateError) string {
	if e.State == authorizer.StateLimited { // which authorizing again does not lift
		return "Ask the merchant to log in to mp.weixin.qq.com and see to the notice there."
	}
	return reconnectAdvice(e.ConnectURL)
}

// componentFields are the names that the contract has for the fields of component.Params.
var componentFields = map[string]string{
	"AppID": "appid", "Name": "name", "AppSecret": "appsecret", "Token": "token", "EncodingAESKey": "encoding_aes_key",
	"PreviousKeysUntil": "previous_keys_until",
}

// addFacts adds what some errors know beyond sentences. pointer is the field at fault; "" if only the error knows.
func addFacts(p *Problem, pointer string, matched error) {
	why := happened(matched)
	switch e := matched.(type) { //nolint:errorlint // the rule has unwrapped it
	case *authorizer.PermissionMissingError:
		granted, needed := setsFrom(e.Granted), setsFrom(e.Needed)
		p.GrantedSets, p.NeededSets, p.ConnectURL = &granted, &needed, given(e.ConnectURL)
	case *authorizer.AccountStateError:
		p.AccountState, p.ConnectURL = new(AuthorizerState(e.State)), given(e.ConnectURL)
	case *authorizer.InvalidLinkError:
		pointer, why = pointerTo(e.Param), e.Why
	case *component.InvalidParamError:
		pointer, why = pointerTo(componentFields[e.Param]), e.Why
	case *blacklist.InvalidOpenIDError:
		field := openidsField
		if e.UnionID {
			field = unionidsField
		}
		pointer = pointerTo(field, strconv.Itoa(e.Index))
	case *sharedlist.InvalidPersonError:
		pointer = pointerTo(e.Field, strconv.Itoa(e.Index))
	case *blacklist.UnknownFilterError:
		pointer = "query:" + e.Filter
	}
	if file, ok := errors.AsType[*blacklist.FileError](matched); ok {
		p.Errors = new(linesFrom(file))
	}
	if refused, ok := errors.AsType[*wechat.Error](matched); ok {
		p.Errcode, p.Advice, p.Rid = &refused.Code, new(refused.Advice()), given(refused.RID)
	}
	if pointer != "" {
		p.Errors = &[]FieldError{{Pointer: pointer, Detail: why}}
	}
}

// given is nil for the text that stands for none.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// retryAfter is how many seconds a caller should wait before the next try; 0: no matter.
func retryAfter(err error) int {
	const ticketEvery, minute, hour = 600, 60, 3600
	refused, isRefusal := errors.AsType[*wechat.Error](err)
	switch {
	case errors.Is(err, component.ErrNoTicket):
		return ticketEvery
	case errors.Is(err, blacklist.ErrBusy):
		return minute
	case !isRefusal || refused.Class() != wechat.ClassQuota:
		return 0
	case refused.Code == 45011: // the quota of a minute
		return minute
	}
	return hour // WeChat does not say when the quota of a day begins anew
}
