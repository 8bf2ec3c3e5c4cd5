package blacklist

const (
	// firstCalls and mostCalls are how many calls of one account are in the air at a time, at first and at most.
	firstCalls = 2
	mostCalls  = 8
)

// window is how many calls of one account may be in the air. It opens by one with each call that succeeds; once WeChat
// has been in trouble it is halved, and opens by one with each full window of calls that succeed.
type window struct {
	n         int
	careful   bool
	succeeded int // since it last opened
}

func newWindow() window { return window{n: firstCalls} }

func (w *window) grow() {
	if w.succeeded++; !w.careful || w.succeeded >= w.n {
		w.n, w.succeeded = min(w.n+1, mostCalls), 0
	}
}

func (w *window) shrink() {
	w.n, w.careful, w.succeeded = max(w.n/2, 1), true, 0
}
