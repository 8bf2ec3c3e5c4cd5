package simulator

import (
	"crypto/rand"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// token is an access token, of a component or of one authorization.
type token struct {
	value     string
	component *component
	grant     *grant // nil for a component's token
	// generation of the grant when the token was issued: a revocation ends a generation.
	generation int
	expires    time.Time
	// superseded is when the token ends because a newer one was fetched; zero while it is the newest.
	superseded time.Time
}

// wellFormed is what access tokens look like; anything else answers 40014 where WeChat tells the cases apart.
var wellFormed = regexp.MustCompile(`^[0-9]+_[A-Za-z0-9_-]+$`)

// name makes an identifier that no other simulator has made: prefix, a number that tells a reader which came first,
// and randomness.
func (s *Server) name(prefix string) string {
	s.serial++
	return prefix + "sim" + strconv.Itoa(s.serial) + "_" + rand.Text()
}

// issueToken makes a new access token and gives the former one its overlap. s.mu is held.
func (s *Server) issueToken(c *component, g *grant) *token {
	now := s.now()
	t := &token{value: s.name("87_"), component: c, grant: g, expires: now.Add(seconds(s.settings.TokenLifetimeSeconds))}
	newest := &c.newest
	if g != nil {
		t.generation = g.generation
		newest = &g.newest
	}
	if former := *newest; former != nil && former.superseded.IsZero() {
		former.superseded = now.Add(seconds(s.settings.OverlapSeconds))
	}
	*newest = t
	s.tokens[t.value] = t
	s.forget(now)
	return t
}

// forget lets go of what nobody can ask about any more, so that a simulator may run for weeks.
func (s *Server) forget(now time.Time) {
	if s.serial%1024 != 0 {
		return
	}
	old := func(end time.Time) bool { return now.After(end.Add(24 * time.Hour)) }
	maps.DeleteFunc(s.tokens, func(_ string, t *token) bool { return old(t.expires) })
	maps.DeleteFunc(s.codes, func(_ string, c *authCode) bool { return old(c.expires) })
	maps.DeleteFunc(s.preAuth, func(_ string, c *preAuthCode) bool { return old(c.expires) })
}

// ExpireTokens ends the lifetime of access tokens: from now on they answer 42001 (component tokens: the code of
// Settings.ExpiredCATCode). Without appids every token ends; the appid of a component ends the tokens of the
// component itself, the appid of an account those of that account.
func (s *Server) ExpireTokens(appids ...string) {
	s.eachToken(appids, func(t *token, now time.Time) { t.expires = now })
}

// SupersedeTokens is like ExpireTokens, but the tokens answer 40001, as if another system had fetched newer ones.
func (s *Server) SupersedeTokens(appids ...string) {
	s.eachToken(appids, func(t *token, now time.Time) { t.superseded = now })
}

func (s *Server) eachToken(appids []string, end func(*token, time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, t := range s.tokens {
		owner := t.component.AppID
		if t.grant != nil {
			owner = t.grant.account.AppID
		}
		if len(appids) == 0 || slices.Contains(appids, owner) {
			end(t, now)
		}
	}
}

// identify finds out who calls and about whom, for Call and Fault; it refuses nothing. s.mu is held.
func (s *Server) identify(q *request, e endpoint) {
	if e.caller == anyone {
		return
	}
	value, _ := q.tokenValue(e.caller)
	if t := s.tokens[value]; t != nil {
		q.token, q.component, q.grant = t, t.component, t.grant
	}
	if q.grant != nil {
		q.appID = q.grant.account.AppID
		return
	}
	if e.caller == byComponent && q.readFields() == nil {
		q.appID, _ = q.text("authorizer_appid")
	}
	q.fields = nil
}

// tokenValue returns the token of the query. Old pages of component calls say component_access_token, new ones say
// access_token: the simulator takes both, and the old name wins. Names are compared letter by letter.
func (q *request) tokenValue(c caller) (value string, given bool) {
	names := []string{"access_token"}
	if c == byComponent || c == byEither {
		names = []string{"component_access_token", "access_token"}
	}
	for _, name := range names {
		if value := q.query.Get(name); value != "" {
			return value, true
		}
	}
	return "", false
}

// admit runs the checks that come before the meaning of a call, in the order that the package documentation gives.
func (s *Server) admit(q *request, e endpoint) *refusal {
	if q.r.Method != e.method {
		if e.method == "GET" {
			return refuse(codeNeedGET)
		}
		return refuse(codeNeedPOST)
	}
	if e.caller != anyone {
		if no := s.admitToken(q, e); no != nil {
			return no
		}
		if no := s.admitIP(q); no != nil {
			return no
		}
	}
	if q.grant != nil {
		if no := s.admitAccount(q, e); no != nil {
			return no
		}
	}
	// Calls without a token are counted where it is known who calls, calls about quotas are not counted.
	if e.caller == byComponent || e.caller == byAccount {
		if no := s.spend(q.owner(), q.path); no != nil {
			return no
		}
	}
	if e.method == "POST" {
		if no := q.readFields(); no != nil {
			return no
		}
	}
	if e.caller == byComponent {
		return s.admitComponentAppID(q)
	}
	return nil
}

// admitToken: present, known, of the right kind, not expired.
func (s *Server) admitToken(q *request, e endpoint) *refusal {
	value, given := q.tokenValue(e.caller)
	if !given {
		if e.caller == byComponent {
			return refuse(s.settings.MissingCATCode)
		}
		return refuse(codeTokenMissing)
	}
	now := s.now()
	t := s.tokens[value]
	switch {
	case t == nil && e.caller != byComponent && !wellFormed.MatchString(value):
		return refuse(codeTokenMalformed)
	case t == nil || !t.superseded.IsZero() && !now.Before(t.superseded):
		return refuse(codeTokenInvalid)
	case t.grant == nil && e.caller == byAccount:
		return refuse(codeNeedAAT)
	case t.grant != nil && e.caller == byComponent:
		return refuse(codeNeedCAT)
	case !now.Before(t.expires) && t.grant == nil:
		return refuse(s.settings.ExpiredCATCode)
	case !now.Before(t.expires):
		return refuse(codeTokenExpired)
	}
	q.token, q.component, q.grant = t, t.component, t.grant
	return nil
}

func (s *Server) admitIP(q *request) *refusal {
	if s.settings.admitsIP(q.r.RemoteAddr) {
		return nil
	}
	no := refuse(codeBadIP)
	no.text += " requestIP: " + hostOf(q.r.RemoteAddr)
	return no
}

// admitAccount: not revoked, not suspended, permission set granted, verified.
func (s *Server) admitAccount(q *request, e endpoint) *refusal {
	g := q.grant
	if g.revoked || q.token.generation != g.generation {
		return refuse(s.settings.RevokedCode)
	}
	switch g.account.AccountStatus {
	case StatusBanned:
		return refuse(codeForbidden)
	case StatusCancelled, StatusFrozen:
		return refuse(codeLimited)
	}
	if no := g.admitsSets(e.sets); no != nil {
		return no
	}
	if e.verified && g.account.VerifyType < 0 {
		return refuse(codeNoCapability)
	}
	return nil
}

// admitsSets: one of the needed sets is granted and, where it needs that, confirmed.
func (g *grant) admitsSets(needed []int) *refusal {
	if len(needed) == 0 {
		return nil
	}
	no := refuse(codeSetMissing)
	for _, set := range needed {
		if !slices.Contains(g.sets, set) {
			continue
		}
		if !slices.Contains(g.account.UnconfirmedSets, set) {
			return nil
		}
		no = refuse(codeSetUnconfirmed)
	}
	return no
}

// admitComponentAppID: the body names the component whose token came with the call.
func (s *Server) admitComponentAppID(q *request) *refusal {
	appid, no := q.text("component_appid")
	switch {
	case no != nil:
		return no
	case appid == "":
		return refuse(codeComponentMissing)
	case !validAppID(appid):
		return refuse(codeBadAppID)
	case appid != q.component.AppID:
		return refuse(codeBadComponent)
	}
	return nil
}

func seconds(n int) time.Duration {
	return time.Duration(n) * time.Second
}
