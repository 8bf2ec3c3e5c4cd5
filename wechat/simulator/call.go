package simulator

import (
	"bytes"
	"time"
)

// Call is one request to the API as the simulator saw it. Calls to consent pages and to the control API are not kept.
type Call struct {
	// ID counts from 1.
	ID int `json:"id"`
	// Time of the simulator.
	Time   time.Time `json:"time"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	// QueryKeys are the names of the query parameters, sorted; the values are tokens, and are not kept.
	QueryKeys []string `json:"query_keys"`
	// Body as it was sent, at most 64 KiB of it.
	Body []byte `json:"-"`
	// AppID is the account on whose behalf the call was made, or empty.
	AppID string `json:"appid,omitempty"`
	// ComponentAppID is the component whose token came with the call, or empty.
	ComponentAppID string `json:"component_appid,omitempty"`
	// Code is the errcode that was answered; 0 for success, and for answers that a fault replaced by no JSON at all.
	Code int `json:"errcode"`
	// Status is the HTTP status, 0 if the connection was dropped.
	Status int `json:"status"`
	// RID is the request id, which rid/get knows for seven days.
	RID string `json:"rid"`
	// Fault says what a fault did to this call: "errcode", "latency", "hang", "abandoned", "status", "drop",
	// "garbage", "form", or nothing.
	Fault string `json:"fault,omitempty"`
}

// maxKeptBody bounds the memory of recorded calls.
const maxKeptBody = 64 << 10

// Calls returns the newest calls, oldest first, at most Config.CallLimit.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls.list()
}

// CallsTo returns those of Calls that went to path.
func (s *Server) CallsTo(path string) []Call {
	calls := []Call{}
	for _, c := range s.Calls() {
		if c.Path == path {
			calls = append(calls, c)
		}
	}
	return calls
}

// CallCount returns how many calls went to path since the start or ResetCalls; unlike Calls it forgets none.
func (s *Server) CallCount(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.callCounts[path]
}

// ResetCalls forgets the recorded calls. IDs go on counting, and rid/get goes on knowing.
func (s *Server) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls.items = nil
	clear(s.callCounts)
}

// BeforeCall sets a hook that runs when a call has arrived and before it is looked at, so that a test can change the
// simulator at that very moment. The hook sees no Code, Status and RID yet. It runs on the goroutine of the call,
// outside every lock: it may call all methods, and it may block the call. nil removes the hook.
func (s *Server) BeforeCall(hook func(Call)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beforeCall = hook
}

// BeforeAnswer sets a hook that runs when a call has taken effect and is recorded, and before it is answered; for the
// rest it is like that of BeforeCall.
func (s *Server) BeforeAnswer(hook func(Call)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beforeSend = hook
}

// record keeps a call that is about to be answered with answer.
func (s *Server) record(q *request, c Call, answer []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls.push(c)
	s.callCounts[c.Path]++
	s.rids[c.RID] = ridRecord{
		owner:    q.owner(),
		at:       c.Time,
		took:     s.now().Sub(c.Time),
		url:      q.printedURL(),
		request:  c.Body,
		response: bytes.Clone(answer[:min(len(answer), maxKeptBody)]),
		clientIP: hostOf(q.r.RemoteAddr),
	}
	for _, old := range s.ridOrder.push(c.RID) {
		delete(s.rids, old)
	}
}
