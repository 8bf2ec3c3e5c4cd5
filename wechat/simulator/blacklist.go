package simulator

import (
	"encoding/json"
	"slices"
	"time"
)

// maxBatch is how many openids one batch call may name.
const maxBatch = 20

// blacklist is what an account's blacklist is and, behind a lag, what getblacklist shows of it.
type blacklist struct {
	shown   *roll
	pending []blacklistChange // oldest first; empty without a lag
	latest  map[string]bool   // what pending changes come to, by openid
}

type blacklistChange struct {
	openid  string
	blocked bool
	at      time.Time
}

func newBlacklist() *blacklist {
	return &blacklist{shown: newRoll(), latest: map[string]bool{}}
}

// change blocks or unblocks openids, those of one call in the order of their letters. What is so already stays as it is.
func (b *blacklist) change(openids []string, blocked bool, now time.Time, lag time.Duration) {
	b.settle(now, lag)
	openids = slices.Clone(openids)
	slices.Sort(openids)
	for _, openid := range openids {
		c := blacklistChange{openid: openid, blocked: blocked, at: now}
		if lag == 0 {
			b.apply(c)
			continue
		}
		b.pending = append(b.pending, c)
		b.latest[openid] = blocked
	}
}

// settle shows the changes whose lag has passed.
func (b *blacklist) settle(now time.Time, lag time.Duration) {
	due := 0
	for due < len(b.pending) && (lag == 0 || !now.Before(b.pending[due].at.Add(lag))) {
		b.apply(b.pending[due])
		due++
	}
	if b.pending = b.pending[due:]; len(b.pending) == 0 {
		clear(b.latest)
	}
}

func (b *blacklist) apply(c blacklistChange) {
	if c.blocked {
		b.shown.add(c.openid, c.at.Unix())
	} else {
		b.shown.remove(c.openid)
	}
}

// has says what is so, whatever is shown.
func (b *blacklist) has(openid string) bool {
	if blocked, ok := b.latest[openid]; ok {
		return blocked
	}
	return b.shown.has(openid)
}

// all lists what is so, whatever is shown: in the order of blocking, what is not shown yet last.
func (b *blacklist) all() []string {
	list := b.shown.all()
	if len(b.latest) == 0 {
		return list
	}
	list = slices.DeleteFunc(list, func(openid string) bool { return !b.has(openid) })
	listed := map[string]bool{}
	for _, c := range b.pending {
		if b.latest[c.openid] && !b.shown.has(c.openid) && !listed[c.openid] {
			list = append(list, c.openid)
			listed[c.openid] = true
		}
	}
	return list
}

// getBlacklist is getblacklist: a page after begin_openid, in the order of blocking. An openid that was unblocked
// meanwhile still marks its former place. Only begin_openid counts: next_openid in the body means nothing.
func (s *Server) getBlacklist(q *request) (object, *refusal) {
	begin, no := q.text("begin_openid")
	if no != nil {
		return nil, no
	}
	a := q.grant.account
	a.black.settle(s.now(), seconds(s.settings.BlacklistLagSeconds))
	seq, ever := a.black.shown.place(begin)
	switch {
	case begin == "" || ever:
	case !validOpenID(begin):
		return nil, refuse(codeBadOpenID)
	case s.foreign(a, begin):
		return nil, refuse(codeForeignOpenID)
	default:
		return nil, refuse(codeBadOpenID)
	}
	page := a.black.shown.after(seq, s.settings.PageSize)
	return s.openIDPage(a.black.shown.live, page), nil
}

// openIDPage is the shape that getblacklist and user/get share.
func (s *Server) openIDPage(total int, page []string) object {
	answer := object{"total": total, "count": len(page), "next_openid": ""}
	if len(page) > 0 {
		answer["data"] = object{"openid": page}
		answer["next_openid"] = page[len(page)-1]
		return answer
	}
	switch s.settings.EmptyList {
	case EmptyArray:
		answer["data"] = object{"openid": []string{}}
	case EmptyNull:
		answer["data"] = nil
	}
	return answer
}

// batchBlacklist is batchblacklist.
func (s *Server) batchBlacklist(q *request) (object, *refusal) {
	return s.batch(q, true)
}

// batchUnblacklist is batchunblacklist.
func (s *Server) batchUnblacklist(q *request) (object, *refusal) {
	return s.batch(q, false)
}

func (s *Server) batch(q *request, block bool) (object, *refusal) {
	openids, no := q.openIDs("openid_list", maxBatch)
	if no != nil {
		return nil, no
	}
	a := q.grant.account
	good := make([]string, 0, len(openids))
	for _, openid := range openids {
		bad := s.checkOpenID(a, openid)
		if bad == nil {
			good = append(good, openid)
		} else if no == nil {
			no = bad // the first bad one decides what is answered
		}
	}
	if no == nil || s.settings.BatchPartial {
		a.black.change(good, block, s.now(), seconds(s.settings.BlacklistLagSeconds))
	}
	if no != nil {
		return nil, no
	}
	return written(), nil
}

// openIDs reads a list of 1 to limit openids. Duplicates are no mistake, but they count.
func (q *request) openIDs(name string, limit int) ([]string, *refusal) {
	var openids []string
	if raw, ok := q.fields[name]; ok {
		if err := json.Unmarshal(raw, &openids); err != nil {
			return nil, refuse(codeBadFormat)
		}
	}
	if len(openids) == 0 || len(openids) > limit {
		return nil, refuse(codeListSize)
	}
	return openids, nil
}

// checkOpenID: an account may block who follows it, and may unblock whom it has blocked.
func (s *Server) checkOpenID(a *account, openid string) *refusal {
	switch {
	case !validOpenID(openid):
		return refuse(codeBadOpenID)
	case a.followers.has(openid), a.black.has(openid):
		return nil
	case s.foreign(a, openid):
		return refuse(codeForeignOpenID)
	case s.settings.AcceptNonFollowers:
		return nil
	default:
		return refuse(codeBadOpenID)
	}
}

// foreign reports whether openid belongs to another account: it follows that account or did so, and never followed this one.
func (s *Server) foreign(a *account, openid string) bool {
	if a.knows(openid) {
		return false
	}
	return slices.ContainsFunc(s.accounts, func(other *account) bool { return other.knows(openid) })
}

func (a *account) knows(openid string) bool {
	_, followed := a.followers.place(openid)
	_, blocked := a.black.shown.place(openid)
	return followed || blocked || a.black.has(openid)
}

// Blacklisted returns the openids that an account blocks, in the order of blocking. A lag does not show here.
func (s *Server) Blacklisted(appid string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findAccount(appid)
	if err != nil {
		return nil
	}
	return a.black.all()
}

// RemoteBlock blocks followers as if the merchant had done it by hand in WeChat's own console. No event is pushed,
// as WeChat pushes none.
func (s *Server) RemoteBlock(appid string, openids ...string) error {
	return s.byHand(appid, openids, true)
}

// RemoteUnblock is the opposite of RemoteBlock.
func (s *Server) RemoteUnblock(appid string, openids ...string) error {
	return s.byHand(appid, openids, false)
}

func (s *Server) byHand(appid string, openids []string, block bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findAccount(appid)
	if err != nil {
		return err
	}
	for _, openid := range openids {
		if !validOpenID(openid) {
			return badOpenID(openid)
		}
	}
	a.black.change(openids, block, s.now(), seconds(s.settings.BlacklistLagSeconds))
	return nil
}
