package blacklist

import (
	"context"
	"slices"
	"time"

	"github.com/wechat-steward/steward/wechat"
)

const (
	// mostUnrecorded is how many lists may have come back from WeChat and wait to be recorded. Whatever is not recorded when
	// a process is killed is sent again, which does no harm; it should not be much all the same.
	mostUnrecorded = 2 * mostCalls
	// readAhead is how many pending entries are read at a time.
	readAhead = 4 * mostCalls * wechat.MaxBatch
	// recordWithin is how long a list that came back waits for others, so that one statement records them all.
	recordWithin = 50 * time.Millisecond
)

// landed is one list that came back from WeChat.
type landed struct {
	list  []sent
	tried tried
	began time.Time
}

// pushing is the work on one lane: several calls in the air at a time, whose outcomes are recorded together while others
// fly. An openid is in the air at most once: of two wishes for it the older is never sent after the newer.
type pushing struct {
	lane   *lane
	window window
	width  width

	queue  []sent           // read and not sent, by wish
	latest map[string]int64 // the newest wish of each openid in the queue: older ones are not worth a call
	last   sent             // the last entry that this pass has read; the next comes after it
	more   bool             // there may be more after that

	flying     map[string]bool // openids in the air, or back and not recorded
	calls      int             // lists in the air
	unrecorded []landed
	overdue    <-chan time.Time // when the first of them has waited long enough; nil: none waits, or one has
	recording  bool

	landings chan landed
	recorded chan recorded
	trouble  chan struct{}

	began time.Time // when the first list of this pass was sent; zero: none was
	stop  error     // why no further call is to be made
	held  bool      // somebody stopped the account's work by hand
	stale bool      // a batch was cancelled, so that the queue may hold what nobody wants any more
	err   error     // why nothing can be recorded
}

// recorded is what came of recording.
type recorded struct {
	lists []landed
	held  bool
	stale bool
	err   error
}

func newPushing(l *lane) *pushing {
	return &pushing{
		lane: l, window: newWindow(), width: newWidth(), latest: map[string]int64{}, flying: map[string]bool{},
		landings: make(chan landed, mostCalls), recorded: make(chan recorded, 1), trouble: make(chan struct{}, 1),
	}
}

// pass sends what is pending, from the oldest wish to the newest, until there is no more, something stops it, or slice
// ends. When it returns nothing is in the air and everything is recorded.
func (p *pushing) pass(ctx, slice context.Context) error {
	p.last, p.more, p.began, p.stale = sent{}, true, time.Time{}, false
	for {
		for p.mayCall(ctx, slice) && p.calls < p.window.n {
			if err := p.refill(ctx); err != nil {
				p.err = err
				break
			}
			list := p.take()
			if len(list) == 0 {
				break
			}
			p.send(ctx, list)
		}
		if p.mayRecord() {
			p.record(ctx)
		}
		if p.calls == 0 && !p.recording && (len(p.unrecorded) == 0 || p.err != nil) {
			p.queue, p.latest = nil, map[string]int64{}
			return p.err
		}
		p.await(ctx)
	}
}

// mayCall tells whether another call may be made.
func (p *pushing) mayCall(ctx, slice context.Context) bool {
	return p.stop == nil && p.err == nil && !p.held && !p.stale && ctx.Err() == nil && slice.Err() == nil && len(p.unrecorded) < mostUnrecorded
}

// mayRecord tells whether to record what has come back: half of what is in the air at a time, or what others would have to
// be waited for.
func (p *pushing) mayRecord() bool {
	return !p.recording && len(p.unrecorded) > 0 && p.err == nil && (p.overdue == nil || p.calls == 0 || len(p.unrecorded) >= p.window.n/2)
}

// refill reads more pending entries when the queue runs low.
func (p *pushing) refill(ctx context.Context) error {
	if !p.more || len(p.queue) >= p.width.n*p.window.n {
		return nil
	}
	read, err := p.lane.next(ctx, p.last, readAhead)
	if err != nil {
		return err
	}
	p.more = len(read) == readAhead
	for _, e := range read {
		p.last = e
		if e.wish > p.latest[e.openid] {
			p.latest[e.openid] = e.wish
			p.queue = append(p.queue, e)
		}
	}
	return nil
}

// take takes the next list from the queue: openids that want the same, none of them in the air.
func (p *pushing) take() []sent {
	var list, rest []sent
	for i, e := range p.queue {
		switch {
		case len(list) == p.width.n:
			rest = append(rest, p.queue[i:]...)
			p.queue = rest
			return list
		case e.wish != p.latest[e.openid]:
			// A newer wish for this openid is in the queue too.
		case p.flying[e.openid], len(list) > 0 && e.want != list[0].want:
			rest = append(rest, e)
		default:
			list = append(list, e)
		}
	}
	p.queue = rest
	return list
}

// send makes the calls for a list, apart from this goroutine.
func (p *pushing) send(ctx context.Context, list []sent) {
	l := p.lane
	began := l.service.now()
	if p.began.IsZero() {
		p.began = began
	}
	openids := make([]string, len(list))
	for i, e := range list {
		openids[i] = e.openid
		p.flying[e.openid] = true
		delete(p.latest, e.openid)
	}
	p.calls++
	troubled := func() {
		select {
		case p.trouble <- struct{}{}:
		default:
		}
	}
	go func() {
		t := try(openids, func(part []string) error {
			return l.service.call(ctx, l.account, list[0].want, part, troubled)
		})
		p.landings <- landed{list: list, tried: t, began: began}
	}()
}

// await waits for whatever comes next.
func (p *pushing) await(ctx context.Context) {
	select {
	case <-p.trouble:
		p.window.shrink()
	case <-p.overdue:
		p.overdue = nil
	case back := <-p.landings:
		p.calls--
		p.land(ctx, back)
	case r := <-p.recorded:
		p.recording = false
		p.held, p.stale = p.held || r.held, p.stale || r.stale
		if p.err = r.err; r.err != nil {
			return
		}
		for _, back := range r.lists {
			for _, e := range back.list {
				delete(p.flying, e.openid)
			}
		}
		p.lane.failures = 0
	}
}

// land draws the conclusions from a list that came back.
func (p *pushing) land(ctx context.Context, back landed) {
	t := back.tried
	if t.refusal != nil && !wechat.IsBadOpenID(t.refusal) {
		p.lane.service.logger.ErrorContext(ctx, "WeChat refused a blacklist call as mistaken; its openids have failed",
			"authorizer_id", p.lane.authorizerID, "openids", len(t.refused), "error", t.refusal)
	}
	known := slices.Concat(t.accepted, t.refused)
	var told, untold []sent
	for _, e := range back.list {
		if slices.Contains(known, e.openid) {
			told = append(told, e)
			continue
		}
		untold = append(untold, e)
		delete(p.flying, e.openid)
	}
	if len(told) > 0 {
		if len(p.unrecorded) == 0 {
			p.overdue = time.After(recordWithin)
		}
		p.unrecorded = append(p.unrecorded, landed{list: told, tried: t, began: back.began})
		p.width.learn(t.refusal != nil)
	}
	switch {
	case isListSize(t.stop):
		if n := len(back.list); n <= p.width.n { // longer ones were sent before we knew
			p.width.narrow(n)
		}
	case t.stop != nil:
		p.window.shrink()
		if p.stop == nil {
			p.stop = t.stop
		}
		return
	default:
		p.window.grow()
	}
	// What was not asked about goes along with the next list.
	p.queue = append(p.restored(untold), p.queue...)
}

// restored returns the entries that no newer wish in the queue has overtaken.
func (p *pushing) restored(untold []sent) []sent {
	var back []sent
	for _, e := range untold {
		if e.wish > p.latest[e.openid] {
			p.latest[e.openid] = e.wish
			back = append(back, e)
		}
	}
	return back
}

// record stores what has come back so far, apart from this goroutine.
func (p *pushing) record(ctx context.Context) {
	lists := p.unrecorded
	p.unrecorded, p.recording = nil, true
	go func() {
		store, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWithin)
		defer cancel()
		held, stale, err := p.lane.record(store, lists)
		p.recorded <- recorded{lists: lists, held: held, stale: stale, err: err}
	}()
}
