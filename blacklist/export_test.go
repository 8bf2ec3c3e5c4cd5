package blacklist

import "time"

// What the tests of the search for bad openids and of pauses need.
type Tried struct {
	Accepted []string
	Refused  []string
	Stop     error
}

func Try(list []string, call func([]string) error) Tried {
	t := try(list, call)
	return Tried{t.accepted, t.refused, t.stop}
}

type Width struct{ w width }

func NewWidth() *Width              { return &Width{newWidth()} }
func (w *Width) N() int             { return w.w.n }
func (w *Width) Learn(refused bool) { w.w.learn(refused) }
func (w *Width) Narrow(n int)       { w.w.narrow(n) }

type Pause struct {
	Until         *time.Time
	AwaitsAccount bool
	Reason        string
	ErrCode       *int
	RID           string
}

func PauseAfter(err error, failures int, now time.Time) Pause {
	p := pauseAfter(err, failures, now)
	return Pause{p.until, p.awaitsAccount, p.reason, p.errcode, p.rid}
}

// PlainText is what an import reads in a cell of a CSV file.
var PlainText = plainText

type Window struct{ w window }

func NewWindow() *Window  { return &Window{newWindow()} }
func (w *Window) N() int  { return w.w.n }
func (w *Window) Grow()   { w.w.grow() }
func (w *Window) Shrink() { w.w.shrink() }
