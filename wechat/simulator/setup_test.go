package simulator_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// The wire as WeChat's pages have it, written down a second time on purpose.
const (
	componentAppID = "wx0000000000000001"
	appSecret      = "0123456789abcdef0123456789abcdef"
	shop           = "wx00000000000000aa"
	other          = "wx00000000000000bb"

	pathComponentToken = "/cgi-bin/component/api_component_token"
	pathPreAuthCode    = "/cgi-bin/component/api_create_preauthcode"
	pathQueryAuth      = "/cgi-bin/component/api_query_auth"
	pathRenew          = "/cgi-bin/component/api_authorizer_token"
	pathInfo           = "/cgi-bin/component/api_get_authorizer_info"
	pathList           = "/cgi-bin/component/api_get_authorizer_list"
	pathStartTickets   = "/cgi-bin/component/api_start_push_ticket"
	pathBlacklist      = "/cgi-bin/tags/members/getblacklist"
	pathBlock          = "/cgi-bin/tags/members/batchblacklist"
	pathUnblock        = "/cgi-bin/tags/members/batchunblacklist"
	pathUserGet        = "/cgi-bin/user/get"
	pathUserInfo       = "/cgi-bin/user/info"
	pathUserBatch      = "/cgi-bin/user/info/batchget"
)

type world struct {
	t        *testing.T
	sim      *simulator.Server
	server   *httptest.Server
	receiver *receiver
}

// setup starts a simulator with a clock that stands still, and a receiver for its pushes. It has one account, shop,
// with the followers oSim_A to oSim_E.
func setup(t *testing.T, change ...func(*simulator.Config)) *world {
	t.Helper()
	start := time.Unix(1_700_000_000, 0)
	r := newReceiver(t)
	cfg := simulator.Config{
		Now: func() time.Time { return start }, EventURL: r.server.URL + "/events", MessageURL: r.server.URL + "/messages/$APPID$",
	}
	for _, c := range change {
		c(&cfg)
	}
	sim := simulator.New(cfg)
	server := httptest.NewServer(sim)
	t.Cleanup(func() {
		sim.Close()
		server.Close()
	})
	require.NoError(t, sim.AddAccount(simulator.Account{
		AppID: shop, NickName: "Tea shop", PermissionSets: []int{1, 2, 3}, Followers: []string{"oSim_A", "oSim_B", "oSim_C", "oSim_D", "oSim_E"},
	}))
	return &world{t: t, sim: sim, server: server, receiver: r}
}

func (w *world) change(change func(*simulator.Settings)) {
	w.t.Helper()
	require.NoError(w.t, w.sim.Change(change))
}

// answer is any answer of the API.
type answer map[string]any

func (a answer) code() int {
	code, _ := a["errcode"].(float64)
	return int(code)
}

func (a answer) text(path ...string) string {
	text, _ := a.at(path...).(string)
	return text
}

func (a answer) at(path ...string) any {
	var here any = map[string]any(a)
	for _, step := range path {
		object, _ := here.(map[string]any)
		here = object[step]
	}
	return here
}

func (a answer) openids() []string {
	list := []string{}
	items, _ := a.at("data", "openid").([]any)
	for _, item := range items {
		list = append(list, item.(string))
	}
	return list
}

func (w *world) do(method, pathAndQuery, body string) answer {
	w.t.Helper()
	status, text := w.raw(method, pathAndQuery, body)
	require.Equal(w.t, http.StatusOK, status, "%s", text)
	var a answer
	require.NoError(w.t, json.Unmarshal([]byte(text), &a), "%s", text)
	return a
}

func (w *world) raw(method, pathAndQuery, body string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+pathAndQuery, strings.NewReader(body))
	require.NoError(w.t, err)
	resp, err := w.server.Client().Do(req)
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, resp.Body.Close()) }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	return resp.StatusCode, string(text)
}

// post sends a JSON object with a token in the query parameter of the given name.
func (w *world) post(path, tokenName, token string, body any) answer {
	w.t.Helper()
	text, ok := body.(string)
	if !ok {
		b, err := json.Marshal(body)
		require.NoError(w.t, err)
		text = string(b)
	}
	return w.do(http.MethodPost, path+"?"+tokenName+"="+url.QueryEscape(token), text)
}

func (w *world) business(path, aat string, body any) answer {
	w.t.Helper()
	return w.post(path, "access_token", aat, body)
}

// asComponent adds component_appid to fields.
func (w *world) asComponent(path, cat string, fields map[string]any) answer {
	w.t.Helper()
	body := map[string]any{"component_appid": componentAppID}
	for k, v := range fields {
		body[k] = v
	}
	return w.post(path, "component_access_token", cat, body)
}

func (w *world) componentToken(ticket string) answer {
	w.t.Helper()
	return w.do(http.MethodPost, pathComponentToken, `{"component_appid":"`+componentAppID+`","component_appsecret":"`+appSecret+`","component_verify_ticket":"`+ticket+`"}`)
}

// cat fetches a component token.
func (w *world) cat() string {
	w.t.Helper()
	ticket, err := w.sim.IssueTicket("")
	require.NoError(w.t, err)
	token := w.componentToken(ticket).text("component_access_token")
	require.NotEmpty(w.t, token)
	return token
}

type tokens struct{ access, refresh string }

// exchange exchanges an authorization code.
func (w *world) exchange(cat, code string) tokens {
	w.t.Helper()
	a := w.asComponent(pathQueryAuth, cat, map[string]any{"authorization_code": code})
	require.Zero(w.t, a.code(), "%v", a)
	return tokens{access: a.text("authorization_info", "authorizer_access_token"), refresh: a.text("authorization_info", "authorizer_refresh_token")}
}

// authorize authorizes an account and exchanges the code.
func (w *world) authorize(appid string, sets ...int) tokens {
	w.t.Helper()
	code, err := w.sim.Authorize(appid, sets...)
	require.NoError(w.t, err)
	return w.exchange(w.cat(), code)
}

// renew renews the access token of shop.
func (w *world) renew(cat, refresh string) answer {
	w.t.Helper()
	return w.asComponent(pathRenew, cat, map[string]any{"authorizer_appid": shop, "authorizer_refresh_token": refresh})
}

func list(openids ...string) map[string]any {
	return map[string]any{"openid_list": openids}
}

// receiver is the platform's side of the callbacks: it decrypts what comes, with wechat.Cipher.
type receiver struct {
	t      *testing.T
	server *httptest.Server
	cipher *wechat.Cipher

	mu     sync.Mutex
	got    []push
	answer func(n int, p push) (status int, body string) // n counts from 1
}

type push struct {
	path   string
	query  url.Values
	fields map[string]string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	cipher, err := wechat.NewCipher(componentAppID, wechat.CallbackKey{Token: "simtoken", EncodingAESKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFE"})
	require.NoError(t, err)
	r := &receiver{t: t, cipher: cipher}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	query := req.URL.Query()
	msg, err := r.cipher.Open(wechat.Push{
		Signature: query.Get("signature"), MsgSignature: query.Get("msg_signature"), Timestamp: query.Get("timestamp"), Nonce: query.Get("nonce"), Body: body,
	})
	if err != nil || query.Get("encrypt_type") != "aes" || !r.cipher.VerifyURL(query.Get("signature"), query.Get("timestamp"), query.Get("nonce")) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	p := push{path: req.URL.Path, query: query, fields: flat(msg)}
	r.mu.Lock()
	r.got = append(r.got, p)
	n, reply := len(r.got), r.answer
	r.mu.Unlock()
	status, text := http.StatusOK, "success"
	if reply != nil {
		status, text = reply(n, p)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func (r *receiver) reply(answer func(n int, p push) (status int, body string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *receiver) pushes() []push {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]push{}, r.got...)
}

// infoTypes lists what came, tickets left out.
func (r *receiver) infoTypes() []string {
	types := []string{}
	for _, p := range r.pushes() {
		if p.fields["InfoType"] != simulator.VerifyTicket {
			types = append(types, p.fields["InfoType"])
		}
	}
	return types
}

// flat reads the elements of a push.
func flat(msg []byte) map[string]string {
	fields := map[string]string{}
	dec := xml.NewDecoder(bytes.NewReader(msg))
	name := ""
	for {
		token, err := dec.Token()
		if err != nil {
			return fields
		}
		switch v := token.(type) {
		case xml.StartElement:
			name = v.Name.Local
		case xml.CharData:
			fields[name] += string(v)
		case xml.EndElement:
			name = ""
		}
	}
}
