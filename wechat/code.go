package wechat

import (
	"fmt"
	"strings"
)

// Class is a kind of failure; it says what a program does next.
type Class int

// The classes. A merchant's account is marked for ClassReauthorize, ClassPermission and ClassSuspended only.
const (
	// ClassNone is no failure at all.
	ClassNone Class = iota
	// ClassRetry passes by itself: try again with growing pauses.
	ClassRetry
	// ClassToken wants the account's access token renewed and the call tried once more. If it fails again, renewing has
	// told why, or another system fetches tokens for the same account.
	ClassToken
	// ClassComponent wants the component's access token renewed and the call tried once more; it concerns all merchants
	// and none in particular.
	ClassComponent
	// ClassReauthorize wants the merchant to authorize the platform again. For 61023 and 42002, read the refresh token
	// back from the authorizer list first.
	ClassReauthorize
	// ClassPermission wants a permission or a capability that the merchant's account lacks.
	ClassPermission
	// ClassQuota wants to wait: a minute for 45011, the next day in Shanghai for 45009.
	ClassQuota
	// ClassCaller is a mistake in the call: trying again changes nothing.
	ClassCaller
	// ClassOperator is a mistake in the platform's setup: it wants a person, and fails for all merchants till then.
	ClassOperator
	// ClassSuspended says that WeChat restricted the merchant's account.
	ClassSuspended
)

// String returns the class in lower case, such as "reauthorize".
func (c Class) String() string {
	names := [...]string{"none", "retry", "token", "component", "reauthorize", "permission", "quota", "caller", "operator", "suspended"}
	if c < 0 || int(c) >= len(names) {
		return fmt.Sprintf("class(%d)", int(c))
	}
	return names[c]
}

type meaning struct {
	class  Class
	advice string
}

const componentPrefix = "/cgi-bin/component/"

func (e *Error) meaning() meaning {
	m, known := codes[e.Code]
	if !known {
		return unknownCode(e.Code)
	}
	if secretPath(e.Path) && e.Code == 40001 {
		return codes[40125] // no token goes there, so it is the secret that WeChat calls an invalid credential
	}
	if strings.HasPrefix(e.Path, componentPrefix) && m.class == ClassToken {
		return codes[42006]
	}
	if ownPath(e.Path) {
		switch {
		case e.Code == 40013:
			return codes[61011]
		case m.class == ClassReauthorize, m.class == ClassPermission, m.class == ClassSuspended:
			return meaning{ClassOperator, "WeChat refuses this to the platform itself: check in the Open Platform console that it is approved, published and not restricted."}
		}
	}
	return m
}

// secretPath reports whether calls to path prove themselves with the component's secret instead of a token.
func secretPath(path string) bool {
	return path == pathComponentToken || path == pathStartPushTicket || path == pathClearComponentQuota
}

// ownPath reports whether calls to path are about the component alone, so that no refusal can be a merchant's fault.
func ownPath(path string) bool {
	return path == pathComponentToken || path == pathStartPushTicket || path == pathPreAuthCode || path == pathAuthorizerList
}

func unknownCode(code int) meaning {
	if code >= 9001001 && code <= 9001036 {
		return meaning{ClassCaller, "This belongs to WeChat's shake-nearby devices, which this platform does not use: report it as a bug."}
	}
	return meaning{ClassCaller, "WeChat answered with a code that this platform does not know: look it up in WeChat's list of return codes and report it."}
}

// Advice that several codes share.
const (
	adviceBusy       = "WeChat is busy; the call is tried again, and nothing needs to be done unless it lasts for hours."
	adviceToken      = "The account's access token is no longer valid and is being renewed; if this stays, find the other system that fetches tokens for the same account and stop it."
	adviceComponent  = "The platform's own access token is being renewed; if this stays, check that WeChat's tickets arrive at the authorization event URL."
	adviceTicket     = "WeChat did not take the platform's verify ticket: check that pushes reach the authorization event URL, and restart them if none came within ten minutes."
	adviceReauth     = "Ask the merchant to open a connect link and authorize the platform again."
	adviceIP         = "Add the public IP address of this server to the platform's IP whitelist in the Open Platform console, and publish the platform again."
	adviceIPConfirm  = "WeChat wants an administrator to confirm this server's IP address: confirm it in the message that WeChat sent, or add it to the whitelist."
	adviceSecret     = "Check the platform's AppSecret in the Open Platform console, and register the current one here."
	adviceAppID      = "Check the platform's AppID: WeChat does not know it as a third-party platform."
	adviceBug        = "The platform sent a call that WeChat does not accept: report this as a bug, with the rid."
	adviceOpenID     = "Check this openid: it must belong to a current follower of this account."
	adviceScan       = "The authorization code cannot be used any more: ask the merchant to open a fresh connect link and scan again."
	adviceConfirmed  = "This permission set needs no confirmation in this state: check it in the Open Platform console."
	adviceOption     = "Check name and value of the account option; some options cannot be changed."
	adviceLookUp     = "Check what was asked for: rids are kept for seven days and only for the account that made the call, and API paths begin with a slash."
	adviceRestricted = "WeChat restricted this account: ask the merchant to log in to mp.weixin.qq.com and see to the notice there."
	adviceSetup      = "Check the platform's state in the Open Platform console: type, registration and publication."
)

// codes is the one table of what WeChat's codes mean. Sources: WeChat's pages 全局返回码 and 第三方平台返回码, its
// trouble-shooting pages for third-party platforms, and the enums of WxJava.
var codes = map[int]meaning{
	-1:    {ClassRetry, adviceBusy},
	-1000: {ClassRetry, adviceBusy},
	61450: {ClassRetry, adviceBusy},

	40001: {ClassToken, adviceToken},
	40014: {ClassToken, adviceToken},
	42001: {ClassToken, adviceToken},

	40091: {ClassComponent, adviceTicket},
	40094: {ClassComponent, adviceComponent},
	42006: {ClassComponent, adviceComponent},
	61005: {ClassComponent, adviceTicket},
	61006: {ClassComponent, adviceTicket},

	42002: {ClassReauthorize, adviceReauth},
	42007: {ClassReauthorize, "The merchant's password changed, which ended the authorization: ask the merchant to authorize the platform again."},
	61003: {ClassReauthorize, "The merchant took the authorization back, or never gave it: ask the merchant to authorize the platform again."},
	61023: {ClassReauthorize, adviceReauth},

	48001: {ClassPermission, "The account itself may not use this API: the merchant needs a verified account of the right type, or has not granted the permission set."},
	50001: {ClassPermission, "The account has not granted this API: ask the merchant to authorize the platform again with the permission set ticked."},
	61007: {ClassPermission, "The merchant has not granted the permission set of this API: ask the merchant to authorize again and to tick it."},
	61016: {ClassPermission, "The permission set of this API waits for a confirmation: the platform's operator confirms it in the Open Platform console."},
	61017: {ClassPermission, "The permission set of this API is not granted: ask the merchant to authorize again and to tick it."},

	45009: {ClassQuota, "The account's daily quota for this API is used up: work goes on after midnight in Shanghai, or clear the quota, which is possible ten times a month."},
	45011: {ClassQuota, "The account's quota per minute for this API is used up: work goes on within minutes, and nothing needs to be done."},
	45047: {ClassQuota, "Too many customer service messages went to this follower: wait until the follower writes again."},
	48006: {ClassQuota, "The quota was cleared as often as WeChat allows in a month: wait for the quota itself to reset."},

	40003: {ClassCaller, adviceOpenID},
	43004: {ClassCaller, "This user does not follow the account, so WeChat takes no such call for the openid."},
	43006: {ClassCaller, "This user is blocked, and the call works only for users who are not."},
	43019: {ClassCaller, "The receiver is on the account's blacklist: unblock the user before sending a message."},
	46004: {ClassCaller, "WeChat does not know this user: check the openid."},
	49003: {ClassCaller, "This openid belongs to another account: openids differ for each account that a user follows."},
	50005: {ClassCaller, "This user does not follow the account."},
	45015: {ClassCaller, "The follower wrote more than 48 hours ago, so WeChat lets no customer service message through."},

	40013: {ClassCaller, "Check the AppID: WeChat does not know it, or it is not the one that the token belongs to."},
	40032: {ClassCaller, "The list of openids is empty or too long for this API: report this as a bug, with the rid."},
	40035: {ClassCaller, adviceBug},
	40097: {ClassCaller, "WeChat did not accept the arguments: check appid and code, and ask the merchant to open a fresh connect link."},
	40163: {ClassCaller, "The code was used before: ask the user to start over."},
	41001: {ClassCaller, adviceBug},
	41002: {ClassCaller, adviceBug},
	41004: {ClassCaller, adviceBug},
	41009: {ClassCaller, adviceBug},
	41018: {ClassCaller, adviceBug},
	41021: {ClassCaller, adviceBug},
	43001: {ClassCaller, adviceBug},
	43002: {ClassCaller, adviceBug},
	43003: {ClassCaller, "Calls to WeChat must use HTTPS: check the API URL in this platform's settings."},
	44002: {ClassCaller, adviceBug},
	44005: {ClassCaller, adviceBug},
	47001: {ClassCaller, adviceBug},
	47002: {ClassCaller, adviceBug},
	49001: {ClassCaller, "The token belongs to another account than the AppID in the call: report this as a bug, with the rid."},
	61008: {ClassCaller, adviceBug},
	61009: {ClassCaller, adviceScan},
	61010: {ClassCaller, adviceScan},
	61012: {ClassCaller, adviceOption},
	61013: {ClassCaller, adviceOption},
	61025: {ClassCaller, adviceOption},
	61014: {ClassCaller, adviceBug},
	61015: {ClassCaller, adviceBug},
	61018: {ClassCaller, adviceConfirmed},
	61019: {ClassCaller, adviceConfirmed},
	61020: {ClassCaller, adviceConfirmed},
	61021: {ClassCaller, adviceConfirmed},
	61022: {ClassCaller, adviceConfirmed},
	61024: {ClassCaller, adviceBug},
	61451: {ClassCaller, adviceBug},
	76001: {ClassCaller, adviceLookUp},
	76002: {ClassCaller, adviceLookUp},
	76003: {ClassCaller, adviceLookUp},
	76021: {ClassCaller, adviceLookUp},
	76022: {ClassCaller, adviceLookUp},
	86000: {ClassCaller, "Only a third-party platform may make this call: check which token it was made with."},

	40090: {ClassOperator, adviceIP},
	40164: {ClassOperator, adviceIP},
	45035: {ClassOperator, adviceIP},
	61004: {ClassOperator, adviceIP},
	40125: {ClassOperator, adviceSecret},
	40243: {ClassOperator, "The platform's AppSecret is frozen: unfreeze it in the Open Platform console."},
	48017: {ClassOperator, "WeChat retired this address: set the API URL to https://api.weixin.qq.com."},
	61000: {ClassOperator, adviceSetup},
	61001: {ClassOperator, adviceSetup},
	61002: {ClassOperator, adviceSetup},
	61011: {ClassOperator, adviceAppID},
	61026: {ClassOperator, adviceSetup},
	61027: {ClassOperator, adviceSetup},
	61028: {ClassOperator, "The platform is not published yet: publish it to the whole network in the Open Platform console, or add the account to the test list."},
	61029: {ClassOperator, "The platform must be published again before this works: do so in the Open Platform console."},
	61030: {ClassOperator, adviceSetup},
	89501: {ClassOperator, adviceIPConfirm},
	89502: {ClassOperator, adviceIPConfirm},
	89503: {ClassOperator, adviceIPConfirm},
	89504: {ClassOperator, adviceIPConfirm},
	89505: {ClassOperator, adviceIPConfirm},
	89506: {ClassOperator, adviceIPConfirm},
	89507: {ClassOperator, adviceIPConfirm},

	48004: {ClassSuspended, "WeChat banned this API for the account: ask the merchant to log in to mp.weixin.qq.com and see to the notice there."},
	50002: {ClassSuspended, adviceRestricted},
	50004: {ClassSuspended, adviceRestricted},
}
