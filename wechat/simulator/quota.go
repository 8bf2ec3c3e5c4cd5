package simulator

import (
	"crypto/subtle"
	"strings"
	"time"
)

// Quota is how often one account, or one component, may call one path. 0 is unlimited.
type Quota struct {
	Daily  int `json:"daily"`
	Minute int `json:"minute"`
}

// meter counts the calls of one account or component.
type meter struct {
	counters map[string]counter // by path
	quotas   map[string]Quota   // by path; what SetQuota said about this one alone
	month    string             // in which cleared counts
	cleared  int
}

type counter struct {
	day, minute       int64
	inDay, thisMinute int
}

// unlimitedDaily is what quota/get answers for a path without a limit: it has no way of saying so.
const unlimitedDaily = 1_000_000_000

func newMeter() meter {
	return meter{counters: map[string]counter{}, quotas: map[string]Quota{}}
}

// quotaDay is the day in China, where quotas come back at midnight.
func quotaDay(now time.Time) int64 {
	return (now.Unix() + 8*3600) / 86400
}

// count returns the counter of path as of now.
func (m *meter) count(path string, now time.Time) counter {
	c := m.counters[path]
	if day := quotaDay(now); c.day != day {
		c.day, c.inDay = day, 0
	}
	if minute := now.Unix() / 60; c.minute != minute {
		c.minute, c.thisMinute = minute, 0
	}
	return c
}

// meterOf returns the meter of an account or component, or nil.
func (s *Server) meterOf(appid string) *meter {
	if a := s.byAppID[appid]; a != nil {
		return &a.meter
	}
	if c, err := s.findComponent(appid); err == nil && appid != "" {
		return &c.meter
	}
	return nil
}

func (s *Server) quotaOf(m *meter, path string) Quota {
	if q, ok := m.quotas[path]; ok {
		return q
	}
	return s.quotas[path]
}

// spend counts one call of appid to path, or refuses it. Calls that are refused here are not counted; calls that
// fail later are.
func (s *Server) spend(appid, path string) *refusal {
	m := s.meterOf(appid)
	limit, c := s.quotaOf(m, path), m.count(path, s.now())
	switch {
	case limit.Minute > 0 && c.thisMinute >= limit.Minute:
		return refuse(codeMinuteQuota)
	case limit.Daily > 0 && c.inDay >= limit.Daily:
		return refuse(codeDayQuota)
	}
	c.inDay++
	c.thisMinute++
	m.counters[path] = c
	return nil
}

// SetQuota limits how often an account or component may call path; an empty appid sets it for all that have no limit
// of their own. Calls already counted today stay counted.
func (s *Server) SetQuota(appid, path string, q Quota) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if appid == "" {
		s.quotas[path] = q
		return nil
	}
	m := s.meterOf(appid)
	if m == nil {
		_, err := s.findAccount(appid)
		return err
	}
	m.quotas[path] = q
	return nil
}

// QuotaUsed returns how many calls to path an account or component has spent today.
func (s *Server) QuotaUsed(appid, path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.meterOf(appid)
	if m == nil {
		return 0
	}
	return m.count(path, s.now()).inDay
}

// clear forgets what was spent, so often a month.
func (s *Server) clear(appid string) (object, *refusal) {
	m := s.meterOf(appid)
	if month := time.Unix(s.now().Unix()+8*3600, 0).UTC().Format("2006-01"); m.month != month {
		m.month, m.cleared = month, 0
	}
	if m.cleared >= s.settings.ClearQuotaPerMonth {
		return nil, refuse(codeClearForbidden)
	}
	m.cleared++
	clear(m.counters)
	return written(), nil
}

// clearQuota is clear_quota, by the token of the account or component whose quota it is.
func (s *Server) clearQuota(q *request) (object, *refusal) {
	appid, no := q.text("appid")
	switch {
	case no != nil:
		return nil, no
	case !validAppID(appid):
		return nil, refuse(codeBadAppID)
	case appid != q.owner():
		return nil, refuse(codeOtherAppID)
	}
	return s.clear(appid)
}

// clearComponentQuota is component/clear_quota, the older form of clear_quota for components.
func (s *Server) clearComponentQuota(q *request) (object, *refusal) {
	return s.clear(q.component.AppID)
}

// clearQuotaBySecret is component/clear_quota/v2: no token, so it works when the quota of tokens is spent.
func (s *Server) clearQuotaBySecret(q *request) (object, *refusal) {
	c, no := s.componentBySecret(q, "appsecret")
	if no != nil {
		return nil, no
	}
	appid, no := q.text("appid")
	if no != nil {
		return nil, no
	}
	if appid == "" {
		return s.clear(c.AppID)
	}
	if _, err := s.findGrant(c.AppID, appid); err != nil {
		return nil, refuse(codeNotAuthorized)
	}
	q.appID = appid
	return s.clear(appid)
}

// clearOwnQuota is clear_quota/v2, which is for accounts that call with a secret of their own: the simulator's
// accounts have none, and components are sent away.
func (s *Server) clearOwnQuota(q *request) (object, *refusal) {
	appid, no := q.text("appid")
	if no != nil {
		return nil, no
	}
	secret, no := q.text("appsecret")
	if no != nil {
		return nil, no
	}
	c, err := s.findComponent(appid)
	switch {
	case appid == "" || err != nil && s.byAppID[appid] == nil:
		return nil, refuse(codeBadAppID)
	case err != nil || subtle.ConstantTimeCompare([]byte(secret), []byte(c.AppSecret)) != 1:
		return nil, refuse(codeBadSecret)
	}
	return nil, refuse(codeNoCapability)
}

// clearPathQuota is openapi/quota/clear, which WeChat offers for the paths of its shops alone.
func (s *Server) clearPathQuota(q *request) (object, *refusal) {
	path, no := q.text("cgi_path")
	switch {
	case no != nil:
		return nil, no
	case strings.HasPrefix(path, "/channels/ec/"):
		return written(), nil
	case s.routes[path].answer == nil:
		return nil, refuse(codePathUnknown)
	}
	return nil, refuse(codePathForbidden)
}

// getQuota is openapi/quota/get: what the owner of the token may spend on a path, and has spent.
func (s *Server) getQuota(q *request) (object, *refusal) {
	path, no := q.text("cgi_path")
	if no != nil {
		return nil, no
	}
	e, ok := s.routes[path]
	if !ok {
		return nil, refuse(codePathUnknown)
	}
	if q.grant != nil && e.caller != byAccount && e.caller != byEither || q.grant == nil && e.caller == byAccount {
		return nil, refuse(codePathForbidden)
	}
	m := s.meterOf(q.owner())
	limit, used := s.quotaOf(m, path), m.count(path, s.now()).inDay
	daily := limit.Daily
	if daily == 0 {
		daily = unlimitedDaily
	}
	answer := written()
	answer["quota"] = object{"daily_limit": daily, "used": used, "remain": max(0, daily-used)}
	if limit.Minute > 0 {
		answer["rate_limit"] = object{"call_count": limit.Minute, "refresh_second": 60}
	}
	return answer, nil
}
