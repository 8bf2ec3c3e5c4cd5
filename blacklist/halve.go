package blacklist

import "github.com/wechat-steward/steward/wechat"

// tried is what became of a list of openids. Those in neither accepted nor refused were not tried and are still to be done.
type tried struct {
	accepted []string
	refused  []string
	refusal  error // why WeChat refused those
	stop     error // why no further call was made; the list that it ended is among those not tried
}

// try calls with a list and, if WeChat refuses it for an openid in it, halves it until that one stands alone. WeChat says
// neither which one it is nor whether the others were applied, but applying twice does no harm.
//
// It looks for one bad openid at a time and leaves what it has not asked about to the next list, where it goes along with
// others: that takes far fewer calls than asking about the second half of every list that was halved.
func try(list []string, call func([]string) error) tried {
	var t tried
	err := call(list)
	for {
		switch {
		case err == nil:
			t.accepted = append(t.accepted, list...)
			return t
		case mistaken(err, len(list)):
			t.refused, t.refusal = list, err
			return t
		case !wechat.IsBadOpenID(err):
			t.stop = err
			return t
		}
		// One of these is bad.
		left, right := list[:len(list)/2], list[len(list)/2:]
		refusal := err
		if err = call(left); err != nil {
			list = left
			continue
		}
		t.accepted = append(t.accepted, left...)
		list, err = right, refusal
		if len(right) == 1 {
			// It must be this one. It is asked all the same: nobody is called bad on an inference.
			err = call(right)
		}
	}
}

// mistaken reports whether err is WeChat's final word on a list of n: asking again would change nothing.
func mistaken(err error, n int) bool {
	switch {
	case isAccountTrouble(err):
		return false
	case wechat.IsBadOpenID(err), isListSize(err):
		return n == 1
	}
	return wechat.ClassOf(err) == wechat.ClassCaller
}

// width is how many openids go into the next list. It starts with as many as WeChat takes and shrinks while bad openids
// come one upon the other: finding each among twenty would take five calls, asking about each alone takes one.
type width struct {
	n, most int
	before  bool // the list before held a bad one
}

func newWidth() width { return width{n: wechat.MaxBatch, most: wechat.MaxBatch} }

// learn adapts the width to a list that held a bad openid, or none.
func (w *width) learn(bad bool) {
	switch {
	case !bad:
		w.n = min(w.n*2, w.most)
	case w.before:
		w.n = max(w.n/2, 1)
	}
	w.before = bad
}

// narrow obeys a WeChat that calls a list of n too long.
func (w *width) narrow(n int) {
	w.most = max(n/2, 1)
	w.n = min(w.n, w.most)
}
