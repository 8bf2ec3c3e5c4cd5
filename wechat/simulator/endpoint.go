package simulator

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// endpoint is one path of the API.
type endpoint struct {
	method string
	// caller is whose token the call needs.
	caller caller
	// sets are the permission sets of which the account must have granted one. None: any authorization will do.
	sets []int
	// verified: only accounts that WeChat has verified may call.
	verified bool
	// quota of one account, unless SetQuota says otherwise.
	quota Quota
	// answer does what the call is for. s.mu is held.
	answer func(s *Server, q *request) (object, *refusal)
}

type caller int

const (
	anyone      caller = iota // no token: the body holds a secret
	byComponent               // component_access_token
	byAccount                 // authorizer_access_token
	byEither
)

// endpoints lists the API. User management is set 2; set 100 is in no published list, but the pages name it beside 2.
func endpoints() map[string]endpoint {
	users := []int{2, 100}
	// No limit is published for the blacklist, and for getting a component token only what developers saw: these
	// numbers are the simulator's own, high enough to be in nobody's way.
	blacklist := Quota{Daily: 500_000}
	return map[string]endpoint{
		"/cgi-bin/component/api_start_push_ticket":   {method: http.MethodPost, caller: anyone, answer: (*Server).startPushTicket},
		"/cgi-bin/component/api_component_token":     {method: http.MethodPost, caller: anyone, answer: (*Server).componentToken, quota: Quota{Daily: 10_000}},
		"/cgi-bin/component/api_create_preauthcode":  {method: http.MethodPost, caller: byComponent, answer: (*Server).createPreAuthCode},
		"/cgi-bin/component/api_query_auth":          {method: http.MethodPost, caller: byComponent, answer: (*Server).queryAuth},
		"/cgi-bin/component/api_authorizer_token":    {method: http.MethodPost, caller: byComponent, answer: (*Server).authorizerToken},
		"/cgi-bin/component/api_get_authorizer_info": {method: http.MethodPost, caller: byComponent, answer: (*Server).authorizerInfo},
		"/cgi-bin/component/api_get_authorizer_list": {method: http.MethodPost, caller: byComponent, answer: (*Server).authorizerList},
		"/cgi-bin/component/clear_quota":             {method: http.MethodPost, caller: byComponent, answer: (*Server).clearComponentQuota},
		"/cgi-bin/component/clear_quota/v2":          {method: http.MethodPost, caller: anyone, answer: (*Server).clearQuotaBySecret},
		"/cgi-bin/clear_quota":                       {method: http.MethodPost, caller: byEither, answer: (*Server).clearQuota},
		"/cgi-bin/clear_quota/v2":                    {method: http.MethodPost, caller: anyone, answer: (*Server).clearOwnQuota},
		"/cgi-bin/openapi/quota/clear":               {method: http.MethodPost, caller: byEither, answer: (*Server).clearPathQuota},
		"/cgi-bin/openapi/quota/get":                 {method: http.MethodPost, caller: byEither, answer: (*Server).getQuota},
		"/cgi-bin/openapi/rid/get":                   {method: http.MethodPost, caller: byEither, answer: (*Server).getRID},
		"/cgi-bin/user/get":                          {method: http.MethodGet, caller: byAccount, sets: users, answer: (*Server).userGet, quota: Quota{Daily: 500}},
		"/cgi-bin/user/info":                         {method: http.MethodGet, caller: byAccount, sets: users, answer: (*Server).userInfo, quota: Quota{Daily: 5_000_000}},
		"/cgi-bin/user/info/batchget":                {method: http.MethodPost, caller: byAccount, sets: users, answer: (*Server).userInfoBatch, quota: Quota{Daily: 500_000}},
		"/cgi-bin/tags/getidlist":                    {method: http.MethodPost, caller: byAccount, sets: users, answer: (*Server).tagIDs, quota: Quota{Daily: 500_000}},
		"/cgi-bin/tags/members/getblacklist":         {method: http.MethodPost, caller: byAccount, sets: users, verified: true, answer: (*Server).getBlacklist, quota: blacklist},
		"/cgi-bin/tags/members/batchblacklist":       {method: http.MethodPost, caller: byAccount, sets: users, verified: true, answer: (*Server).batchBlacklist, quota: blacklist},
		"/cgi-bin/tags/members/batchunblacklist":     {method: http.MethodPost, caller: byAccount, sets: users, verified: true, answer: (*Server).batchUnblacklist, quota: blacklist},
		"/cgi-bin/message/custom/send":               {method: http.MethodPost, caller: byAccount, sets: []int{1}, answer: (*Server).customSend, quota: Quota{Daily: 500_000}},
	}
}

// request is a call on its way through the checks.
type request struct {
	r      *http.Request
	path   string
	query  url.Values
	body   []byte
	fields map[string]json.RawMessage
	at     time.Time

	token     *token // nil where the call has none, or an unknown one
	component *component
	grant     *grant // nil for calls of a component
	appID     string // of the account that the call is about, for Call and Fault
}

// maxBody is far above every body of these APIs.
const maxBody = 1 << 20

// serveAPI answers one call: faults and hooks around, the checks and the deed inside.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request, e endpoint) {
	q := &request{r: r, path: r.URL.Path, query: r.URL.Query()}
	var tooLong *http.MaxBytesError
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil && !errors.As(err, &tooLong) {
		return // the client went away while it was sending
	}
	q.body = body

	s.mu.Lock()
	s.serial++
	q.at = s.now()
	call := Call{
		ID: s.serial, Time: q.at, Method: r.Method, Path: q.path,
		QueryKeys: slices.Sorted(maps.Keys(q.query)), Body: q.body[:min(len(q.body), maxKeptBody)],
	}
	s.identify(q, e)
	call.AppID, call.ComponentAppID = q.appID, q.componentAppID()
	before := s.beforeCall
	s.mu.Unlock()

	if before != nil {
		before(call)
	}
	s.mu.Lock()
	p := s.planFor(q)
	s.mu.Unlock()
	call.RID, call.Fault = newRID(q.at), p.what
	var fields object
	var no *refusal
	if p.applied {
		fields, no = s.perform(q, e)
	}
	there := s.wait(r.Context(), p)
	if there && !p.applied && p.ends == nil {
		fields, no = s.perform(q, e)
	}
	call.AppID, call.ComponentAppID = q.appID, q.componentAppID()
	if !there {
		call.Fault = "abandoned"
		s.finish(q, call, nil)
		return
	}
	s.answer(w, q, call, p, fields, no)
}

// perform runs the checks and the deed.
func (s *Server) perform(q *request, e endpoint) (object, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if no := s.admit(q, e); no != nil {
		return nil, no
	}
	return e.answer(s, q)
}

// answer writes what perform or a fault answers.
func (s *Server) answer(w http.ResponseWriter, q *request, call Call, p plan, fields object, no *refusal) {
	call.Status = http.StatusOK
	contentType := p.form.ContentType
	if contentType == "" {
		contentType = "application/json; encoding=utf-8"
	}
	var body []byte
	switch end := p.ends; {
	case end == nil:
		if no != nil {
			call.Code = no.code
		}
		body = render(fields, no, p.form, call.RID)
	case end.Drop:
		call.Status = 0
	case end.Status != 0:
		call.Status, contentType = end.Status, "text/html"
		body = errorPage(end.Status)
	case end.Garbage:
		body = []byte(`{"errcode":0,"errmsg":"o`)
	default:
		call.Code = end.Code
		no = &refusal{code: end.Code, text: cmp.Or(end.Text, codeText(end.Code))}
		body = render(nil, no, p.form, call.RID)
	}
	s.finish(q, call, body)
	if call.Status == 0 {
		panic(http.ErrAbortHandler) // the way in which net/http closes a connection without an answer
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Date", s.Now().UTC().Format(http.TimeFormat)) // the simulated WeChat has a clock of its own
	w.WriteHeader(call.Status)
	_, _ = w.Write(body) // a client that has gone is no fault of ours
}

// errorPage is what a proxy in front of WeChat answers.
func errorPage(status int) []byte {
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	return []byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body><center><h1>" + title + "</h1></center></body>\r\n</html>\r\n")
}

// finish records the call and runs the hook of BeforeAnswer.
func (s *Server) finish(q *request, call Call, body []byte) {
	s.record(q, call, body)
	s.mu.Lock()
	hook := s.beforeSend
	s.mu.Unlock()
	if hook != nil {
		hook(call)
	}
}

// readFields reads the body as a JSON object. Keys are compared letter by letter, as WeChat does; decoding into a
// struct would take "Openid_list" for "openid_list" and hide the mistake.
func (q *request) readFields() *refusal {
	if len(strings.TrimSpace(string(q.body))) == 0 {
		return refuse(codeEmptyPost)
	}
	if !utf8.Valid(q.body) || json.Unmarshal(q.body, &q.fields) != nil || q.fields == nil {
		return refuse(codeBadFormat)
	}
	return nil
}

// text returns a string of the body; absent and null are "", anything else is refused.
func (q *request) text(name string) (string, *refusal) {
	var value string
	no := q.read(name, &value)
	return value, no
}

// number returns a number of the body and whether it is there.
func (q *request) number(name string) (value int, given bool, no *refusal) {
	var pointer *int
	if no := q.read(name, &pointer); no != nil || pointer == nil {
		return 0, false, no
	}
	return *pointer, true, nil
}

func (q *request) read(name string, into any) *refusal {
	raw, ok := q.fields[name]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return refuse(codeBadFormat)
	}
	return nil
}

func (q *request) componentAppID() string {
	if q.component == nil {
		return ""
	}
	return q.component.AppID
}

// owner is the appid to which the call's token belongs, for rid/get.
func (q *request) owner() string {
	switch {
	case q.grant != nil:
		return q.grant.account.AppID
	case q.component != nil:
		return q.component.AppID
	default:
		return ""
	}
}

// printedURL is the URL without the values of tokens.
func (q *request) printedURL() string {
	query := url.Values{}
	for name, values := range q.query {
		query[name] = values
		if strings.HasSuffix(strings.ToLower(name), "access_token") {
			query[name] = []string{"***"}
		}
	}
	u := url.URL{Scheme: "https", Host: q.r.Host, Path: q.path, RawQuery: query.Encode()}
	return u.String()
}
