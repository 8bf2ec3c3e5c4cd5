package main_test

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// variant is a point in which servers that behave like WeChat may differ.
type variant struct {
	textPlain    bool // Content-Type: text/plain, as WeChat's was for years
	codeAsString bool // "errcode":"0"
	noProfile    bool // api_get_authorizer_info does not exist
	rotates      bool // a new refresh token at each renewal, the old one dead at once
	codeOnce     bool // a code is exchanged once, then 61009
	oddTokens    bool // tokens and codes look like nobody's, and need escaping in a URL
}

// otherWeChat is a second opinion on WeChat, written from its pages alone: it shares no code with package wechat or its
// simulator. It has one account, the eight calls that blacklisting needs, and no patience with a client's mistakes.
type otherWeChat struct {
	t       *testing.T
	url     string
	us      ours
	variant variant
	account string // appid

	mu        sync.Mutex
	serial    int
	ticket    string
	cat, aat  string // the newest; older ones are dead, and so are all after expire
	refresh   string
	codes     map[string]bool // exchanged?
	sets      []int
	followers map[string]bool
	blacklist []string
	calls     []wechatCall
	issued    map[string]string // every secret that was ever given out: secret → kind
	mistakes  []string          // what no client may ever do
	// sabotage, if set, may answer instead of us; status 0 leaves the answer to us.
	sabotage func(path, query, body string) (status int, answer string)
	spoilt   int // how many calls it answered
}

type wechatCall struct {
	path    string
	query   url.Values
	body    map[string]json.RawMessage
	openids []string
	errcode int
}

func newOtherWeChat(t *testing.T, v variant) *otherWeChat {
	t.Helper()
	w := &otherWeChat{
		t: t, variant: v, account: "wx0a0b0c0d0e0f0a0b", sets: []int{1, 2, 15},
		us:    ours{appid: "wxc0ffee0000c0ffee", secret: hexText(16), token: hexText(12), aesKey: aesKeyText()},
		codes: map[string]bool{}, followers: map[string]bool{}, issued: map[string]string{},
	}
	w.issued[w.us.secret], w.issued[w.us.token], w.issued[w.us.aesKey] = "component secret", "callback token", "AES key"
	server := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// hexText is a secret of n random bytes.
func hexText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// aesKeyText is an EncodingAESKey: 43 letters and digits.
func aesKeyText() string { return hexText(21) + "A" }

// follower is an openid of the account.
func (w *otherWeChat) follower(n int) string {
	openid := fmt.Sprintf("oWx%025d", n)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.followers[openid] = true
	return openid
}

// issue makes a secret that looks like WeChat's. w.mu is held.
func (w *otherWeChat) issue(kind, prefix string) string {
	w.serial++
	secret := prefix + strconv.Itoa(w.serial) + "-" + hexText(24)
	if w.variant.oddTokens {
		secret = hexText(4) + "+/" + hexText(8) + "&=%" + hexText(8) + "=="
	}
	w.issued[secret] = kind
	return secret
}

// expire makes every token dead.
func (w *otherWeChat) expire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cat, w.aat = "", ""
}

// blockByHand is the merchant in WeChat's own console.
func (w *otherWeChat) blockByHand(openid string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blacklist = append(w.blacklist, openid)
}

// agree is the merchant on the consent page: it returns the code.
func (w *otherWeChat) agree() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	code := w.issue("auth code", "queryauthcode@@@")
	w.codes[code] = false
	return code
}

// seen is what was called, in order.
func (w *otherWeChat) seen(path string) []wechatCall {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.calls), func(c wechatCall) bool { return c.path != path })
}

func (w *otherWeChat) blocked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.blacklist)
}

// spoiltCalls is how many calls sabotage answered.
func (w *otherWeChat) spoiltCalls() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spoilt
}

// requireNoMistakes fails the test for what no client may do.
func (w *otherWeChat) requireNoMistakes() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Empty(w.t, w.mistakes)
}

func (w *otherWeChat) serve(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	defer w.mu.Unlock()
	call := wechatCall{path: r.URL.Path, query: r.URL.Query()}
	endpoint, known := map[string]func(*wechatCall) map[string]any{
		pathComponentToken:                           w.componentToken,
		"/cgi-bin/component/api_create_preauthcode":  w.preAuthCode,
		pathQueryAuth:                                w.queryAuth,
		pathAuthorizerToken:                          w.authorizerToken,
		"/cgi-bin/component/api_get_authorizer_info": w.authorizerInfo,
		pathGetBlacklist:                             w.getBlacklist,
		pathBlock:                                    w.change,
		pathUnblock:                                  w.change,
	}[r.URL.Path]
	if !known || (w.variant.noProfile && strings.HasSuffix(r.URL.Path, "_info")) {
		rw.Header().Set("Content-Type", "text/html")
		rw.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(rw, "<html><h1>404 Not Found</h1></html>")
		return
	}
	if w.sabotage != nil {
		if status, answer := w.sabotage(r.URL.Path, r.URL.RawQuery, string(body)); status != 0 {
			w.spoilt++
			rw.Header().Set("Location", "http://127.0.0.1:1/elsewhere?"+r.URL.RawQuery) // looked at where status says so
			rw.WriteHeader(status)
			_, _ = io.WriteString(rw, answer)
			return
		}
	}
	var answer map[string]any
	switch {
	case r.Method != http.MethodPost:
		answer = w.refuse(&call, 43002, "require POST method", true)
	case len(body) == 0:
		answer = w.refuse(&call, 44002, "empty post data", true)
	case json.Unmarshal(body, &call.body) != nil:
		answer = w.refuse(&call, 47001, "data format error", true)
	default:
		if answer = w.checkToken(&call); answer == nil {
			answer = endpoint(&call)
		}
	}
	w.calls = append(w.calls, call)
	w.write(rw, answer)
}

func (w *otherWeChat) write(rw http.ResponseWriter, answer map[string]any) {
	contentType := "application/json; encoding=utf-8"
	if w.variant.textPlain {
		contentType = "text/plain"
	}
	if code, ok := answer["errcode"]; ok && w.variant.codeAsString {
		answer["errcode"] = fmt.Sprint(code)
	}
	rw.Header().Set("Content-Type", contentType)
	_ = json.NewEncoder(rw).Encode(answer)
}

// refuse answers an errcode; mistake: a right client never gets it.
func (w *otherWeChat) refuse(call *wechatCall, code int, text string, mistake bool) map[string]any {
	call.errcode = code
	if mistake {
		w.mistakes = append(w.mistakes, fmt.Sprintf("%s %v %s: %d %s", call.path, call.query, call.body, code, text))
	}
	return map[string]any{"errcode": code, "errmsg": fmt.Sprintf("%s rid: %08x-%08x-%07x", text, time.Now().Unix(), w.serial, len(w.calls))}
}

// checkToken wants exactly one query parameter, spelt rightly, with the newest token.
func (w *otherWeChat) checkToken(call *wechatCall) map[string]any {
	name, newest := "access_token", w.aat
	switch {
	case call.path == pathComponentToken:
		if len(call.query) > 0 {
			return w.refuse(call, 40097, "invalid args", true)
		}
		return nil
	case strings.HasPrefix(call.path, "/cgi-bin/component/"):
		name, newest = "component_access_token", w.cat
	}
	given := call.query.Get(name)
	switch {
	case given == "":
		return w.refuse(call, 41001, "access_token missing", true)
	case len(call.query) != 1:
		return w.refuse(call, 40097, "invalid args", true)
	case w.issued[given] != name:
		return w.refuse(call, 40014, "invalid access_token", true)
	case given != newest:
		return w.refuse(call, 42001, "access_token expired", false)
	}
	return nil
}

func (w *otherWeChat) componentToken(call *wechatCall) map[string]any {
	switch {
	case text(call.body["component_appid"]) != w.us.appid:
		return w.refuse(call, 61011, "invalid component", true)
	case text(call.body["component_appsecret"]) != w.us.secret:
		return w.refuse(call, 40125, "invalid appsecret", true)
	case text(call.body["component_verify_ticket"]) != w.ticket:
		return w.refuse(call, 61006, "component ticket is invalid", true)
	}
	w.cat = w.issue("component_access_token", "87_C")
	return map[string]any{"component_access_token": w.cat, "expires_in": 7200}
}

func (w *otherWeChat) preAuthCode(*wechatCall) map[string]any {
	return map[string]any{"pre_auth_code": w.issue("pre-auth code", "preauthcode@@@"), "expires_in": 600}
}

func (w *otherWeChat) queryAuth(call *wechatCall) map[string]any {
	code := text(call.body["authorization_code"])
	exchanged, known := w.codes[code]
	if !known || (exchanged && w.variant.codeOnce) {
		return w.refuse(call, 61009, "code is invalid", !known)
	}
	w.codes[code] = true
	if w.refresh == "" {
		w.refresh = w.issue("refresh token", "refreshtoken@@@")
	}
	w.aat = w.issue("access_token", "87_A")
	return map[string]any{"authorization_info": map[string]any{
		"authorizer_appid": w.account, "authorizer_access_token": w.aat, "expires_in": 7200,
		"authorizer_refresh_token": w.refresh, "func_info": w.funcInfo(),
	}}
}

func (w *otherWeChat) funcInfo() []any {
	var info []any
	for _, set := range w.sets {
		info = append(info, map[string]any{"funcscope_category": map[string]any{"id": set}})
	}
	return info
}

func (w *otherWeChat) authorizerToken(call *wechatCall) map[string]any {
	switch {
	case text(call.body["authorizer_appid"]) != w.account:
		return w.refuse(call, 61003, "component is not authorized by this account", true)
	case text(call.body["authorizer_refresh_token"]) != w.refresh:
		return w.refuse(call, 61023, "refresh_token is invalid", true)
	}
	if w.variant.rotates {
		w.refresh = w.issue("refresh token", "refreshtoken@@@")
	}
	w.aat = w.issue("access_token", "87_A")
	return map[string]any{"authorizer_access_token": w.aat, "expires_in": 7200, "authorizer_refresh_token": w.refresh}
}

func (w *otherWeChat) authorizerInfo(call *wechatCall) map[string]any {
	if text(call.body["authorizer_appid"]) != w.account {
		return w.refuse(call, 61003, "component is not authorized by this account", true)
	}
	return map[string]any{
		"authorizer_info": map[string]any{
			"nick_name": "莲香茶饮", "user_name": "gh_0a0b0c0d0e0f", "principal_name": "莲香餐饮管理有限公司", "account_status": 1,
			"service_type_info": map[string]any{"id": 2}, "verify_type_info": map[string]any{"id": 0},
		},
		"authorization_info": map[string]any{"authorizer_appid": w.account, "func_info": w.funcInfo()},
	}
}

// getBlacklist has pages of seven; the cursor is exclusive.
func (w *otherWeChat) getBlacklist(call *wechatCall) map[string]any {
	const pageSize = 7
	page := w.blacklist
	if begin := text(call.body["begin_openid"]); begin != "" {
		at := slices.Index(page, begin)
		if at < 0 {
			return w.refuse(call, 49003, "not match openid with appid", true)
		}
		page = page[at+1:]
	}
	page = page[:min(pageSize, len(page))]
	answer := map[string]any{"total": len(w.blacklist), "count": len(page), "next_openid": ""}
	if len(page) > 0 {
		answer["data"], answer["next_openid"] = map[string]any{"openid": slices.Clone(page)}, page[len(page)-1]
	}
	return answer
}

// change takes openid_list and nothing else; one bad openid spoils the batch.
func (w *otherWeChat) change(call *wechatCall) map[string]any {
	_ = json.Unmarshal(call.body["openid_list"], &call.openids)
	if len(call.body) != 1 || len(call.openids) == 0 || len(call.openids) > 20 {
		return w.refuse(call, 40032, "invalid openid list size", true)
	}
	for _, openid := range call.openids {
		if !w.followers[openid] {
			return w.refuse(call, 40003, "invalid openid", false)
		}
	}
	for _, openid := range call.openids {
		w.blacklist = slices.DeleteFunc(w.blacklist, func(o string) bool { return o == openid })
		if call.path == pathBlock {
			w.blacklist = append(w.blacklist, openid)
		}
	}
	return map[string]any{"errcode": 0, "errmsg": "ok"}
}

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // null and absent are ""
	return s
}
