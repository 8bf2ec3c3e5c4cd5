package simulator

import "sort"

// roll holds openids in the order in which they came, and is read in pages after a cursor. Followers and blacklists
// are rolls. A roll of a million entries answers a page in O(log n + page), also after most entries have left:
// those that left are skipped by a union-find over the gaps, and swept out once they are more than the rest.
type roll struct {
	entries []rollEntry // ascending seq
	places  map[string]rollPlace
	next    int64
	live    int
}

type rollEntry struct {
	openid string
	seq    int64
	at     int64 // when it came, Unix seconds
	skip   int   // 0: on the roll; n: left, and so did the next n-1
}

// rollPlace stays when an openid leaves: WeChat is asked to go on after an openid that is no longer there.
type rollPlace struct {
	seq int64
	on  bool
}

func newRoll() *roll {
	return &roll{places: map[string]rollPlace{}}
}

// add appends openid, which came at the given Unix second, and reports whether it was not on the roll before.
func (l *roll) add(openid string, at int64) bool {
	if l.places[openid].on {
		return false
	}
	l.next++
	l.entries = append(l.entries, rollEntry{openid: openid, seq: l.next, at: at})
	l.places[openid] = rollPlace{seq: l.next, on: true}
	l.live++
	return true
}

// remove reports whether openid was on the roll.
func (l *roll) remove(openid string) bool {
	place := l.places[openid]
	if !place.on {
		return false
	}
	l.entries[l.from(place.seq)].skip = 1
	l.places[openid] = rollPlace{seq: place.seq}
	l.live--
	if gone := len(l.entries) - l.live; gone > 1024 && gone > l.live {
		l.sweep()
	}
	return true
}

func (l *roll) has(openid string) bool {
	return l.places[openid].on
}

// since returns when openid came; it is on the roll.
func (l *roll) since(openid string) int64 {
	return l.entries[l.from(l.places[openid].seq)].at
}

// place returns where openid stands or stood, and whether it ever did.
func (l *roll) place(openid string) (seq int64, ever bool) {
	p, ever := l.places[openid]
	return p.seq, ever
}

// after returns up to limit openids that came after seq; 0 is the start.
func (l *roll) after(seq int64, limit int) []string {
	page := make([]string, 0, min(limit, l.live))
	for i := l.standing(l.from(seq + 1)); i < len(l.entries) && len(page) < limit; i = l.standing(i + 1) {
		page = append(page, l.entries[i].openid)
	}
	return page
}

func (l *roll) all() []string {
	return l.after(0, l.live)
}

// from returns the index of the first entry whose seq is at least the given one.
func (l *roll) from(seq int64) int {
	return sort.Search(len(l.entries), func(i int) bool { return l.entries[i].seq >= seq })
}

// standing returns the first index from i on whose entry has not left, shortening the way for those who come after.
func (l *roll) standing(i int) int {
	for i < len(l.entries) && l.entries[i].skip > 0 {
		if j := i + l.entries[i].skip; j < len(l.entries) && l.entries[j].skip > 0 {
			l.entries[i].skip += l.entries[j].skip
		}
		i += l.entries[i].skip
	}
	return min(i, len(l.entries))
}

func (l *roll) sweep() {
	kept := make([]rollEntry, 0, l.live)
	for _, e := range l.entries {
		if e.skip == 0 {
			kept = append(kept, e)
		}
	}
	l.entries = kept
}
