package simulator

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Fault makes calls fail, wait or look strange. Which calls: those that match Path and AppID, after the first Skip of
// them, every Every-th of the rest, Times times in all. What happens: LatencyMS and Hang first, then the first given
// of Drop, Status, Garbage and Code; with none of these the call is answered as usual, in the given Form. If several
// faults meet one call, the waiting adds up and the fault injected first decides the rest.
type Fault struct {
	// ID is given by Inject.
	ID string `json:"id"`
	// Path of the API, for example "/cgi-bin/user/get". Empty or "*" is every path.
	Path string `json:"path"`
	// AppID limits the fault to calls with a token of this account, or to component calls that name it. Empty is every account.
	AppID string `json:"appid"`
	// Skip lets that many matching calls pass first.
	Skip int `json:"skip"`
	// Times is how many calls are hit; 0 means until ClearFaults.
	Times int `json:"times"`
	// Every hits only every n-th call; 0 and 1 mean each.
	Every int `json:"every"`
	// Applied lets the call take effect before anything else happens: what a client sees whose connection broke after
	// the deed. Without it a call that is replaced by a fault, or whose client gave up waiting, has no effect.
	Applied bool `json:"applied"`

	// Code is the errcode to answer, -1 for example.
	Code int `json:"errcode"`
	// Text is the errmsg for Code; empty is WeChat's own.
	Text string `json:"errmsg"`
	// LatencyMS delays the call by that many milliseconds of real time.
	LatencyMS int `json:"latency_ms"`
	// Hang holds the call until Release, ClearFaults of this fault or Close, or until the client gives up.
	Hang bool `json:"hang"`
	// Status answers an HTML page with this HTTP status, 502 for example.
	Status int `json:"status"`
	// Drop closes the connection without an answer. The handler does so by panicking with http.ErrAbortHandler, which
	// net/http expects and a bare httptest.ResponseRecorder does not.
	Drop bool `json:"drop"`
	// Garbage answers JSON that breaks off.
	Garbage bool `json:"garbage"`
	// Form overrides Settings.Answer.
	Form *Form `json:"form"`
}

type fault struct {
	Fault
	seen, hit int
	released  chan struct{}
}

// Inject adds a fault and returns its ID.
func (s *Server) Inject(f Fault) (string, error) {
	if err := f.validate(); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.routes[f.Path]; !ok && f.Path != "" && f.Path != "*" {
		return "", fmt.Errorf("simulator: fault: WeChat has no path %q", f.Path)
	}
	s.serial++
	f.ID = "fault-" + strconv.Itoa(s.serial)
	s.faults = append(s.faults, &fault{Fault: f, released: make(chan struct{})})
	return f.ID, nil
}

func (f Fault) validate() error {
	if f.Skip < 0 || f.Times < 0 || f.Every < 0 || f.LatencyMS < 0 {
		return fmt.Errorf("simulator: fault: skip, times, every and latency_ms must not be negative")
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("simulator: fault: status is %d; it must be between 200 and 599", f.Status)
	}
	if f.Code == 0 && f.LatencyMS == 0 && !f.Hang && f.Status == 0 && !f.Drop && !f.Garbage && f.Form == nil {
		return fmt.Errorf("simulator: fault: it does nothing; give one of errcode, latency_ms, hang, status, drop, garbage, form")
	}
	if f.Form != nil {
		return f.Form.validate()
	}
	return nil
}

// ClearFaults removes the faults with these IDs, or all if none is given, and lets the calls go that hang in them.
func (s *Server) ClearFaults(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(f *fault) bool {
		gone := len(ids) == 0 || slices.Contains(ids, f.ID)
		if gone {
			close(f.released)
		}
		return gone
	})
}

// Faults returns the faults that still may hit.
func (s *Server) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Fault, 0, len(s.faults))
	for _, f := range s.faults {
		if f.Times == 0 || f.hit < f.Times {
			list = append(list, f.Fault)
		}
	}
	return list
}

// Release lets the calls go that hang now. Faults with Hang stay, and hold later calls.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		close(f.released)
		f.released = make(chan struct{})
	}
}

// Hanging returns how many calls are held by faults at this moment.
func (s *Server) Hanging() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hanging
}

// plan is what the faults do to one call.
type plan struct {
	applied bool // the call takes effect before anything else happens
	latency time.Duration
	holds   []chan struct{}
	ends    *Fault // the fault that replaces the answer
	form    Form
	what    string // for Call.Fault
}

// planFor counts the call against the faults and says what they do to it. s.mu is held.
func (s *Server) planFor(q *request) plan {
	p := plan{form: s.settings.Answer}
	formed := false
	for _, f := range s.faults {
		if !f.hits(q) {
			continue
		}
		p.applied = p.applied || f.Applied
		p.latency += time.Duration(f.LatencyMS) * time.Millisecond
		if f.Hang {
			p.holds = append(p.holds, f.released)
		}
		if p.ends == nil && (f.Drop || f.Status != 0 || f.Garbage || f.Code != 0) {
			ends := f.Fault
			p.ends = &ends
		}
		if f.Form != nil && !formed {
			p.form, formed = *f.Form, true
		}
		if p.what == "" || p.what == "latency" || p.what == "form" {
			p.what = f.kind()
		}
	}
	return p
}

func (f *fault) hits(q *request) bool {
	if f.Path != "" && f.Path != "*" && f.Path != q.r.URL.Path {
		return false
	}
	if f.AppID != "" && f.AppID != q.appID {
		return false
	}
	if f.Times > 0 && f.hit >= f.Times {
		return false
	}
	f.seen++
	due := f.seen > f.Skip && (f.Every <= 1 || (f.seen-f.Skip)%f.Every == 0)
	if due {
		f.hit++
	}
	return due
}

func (f *fault) kind() string {
	switch {
	case f.Drop:
		return "drop"
	case f.Status != 0:
		return "status"
	case f.Garbage:
		return "garbage"
	case f.Code != 0:
		return "errcode"
	case f.Hang:
		return "hang"
	case f.LatencyMS > 0:
		return "latency"
	default:
		return "form"
	}
}

// wait lets the latency pass and holds the call as long as it has to hang. It reports whether the client is still there.
func (s *Server) wait(ctx context.Context, p plan) bool {
	if p.latency > 0 {
		timer := time.NewTimer(p.latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
	}
	for _, held := range p.holds {
		s.countHanging(1)
		select {
		case <-held:
		case <-s.closed:
		case <-ctx.Done():
		}
		s.countHanging(-1)
		if ctx.Err() != nil {
			return false
		}
	}
	return true
}

func (s *Server) countHanging(by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hanging += by
}
