package simulator

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Grant names what AuthorizeFor authorizes.
type Grant struct {
	// ComponentAppID defaults to the first component.
	ComponentAppID string
	AppID          string
	// PreAuthCode that the component fetched. Empty: one is made up.
	PreAuthCode string
	// PermissionSets that are granted. nil: those of the account.
	PermissionSets []int
}

type preAuthCode struct {
	component *component
	expires   time.Time
	used      bool
}

type authCode struct {
	value      string
	grant      *grant
	generation int
	infoType   string // what was pushed or would be pushed; empty if nothing changed
	repeated   bool   // the account was authorized already
	preAuth    string
	expires    time.Time
	used       bool
}

// Authorize lets an account authorize the first component, as if its administrator had confirmed the consent page,
// and returns the authorization code. Nothing is pushed: see Push. Without sets, the account's own are granted. An
// account that is authorized already is authorized again: its sets change, its tokens stay.
func (s *Server) Authorize(appid string, sets ...int) (code string, err error) {
	return s.AuthorizeFor(Grant{AppID: appid, PermissionSets: sets})
}

// AuthorizeFor is Authorize for any component, and with a pre-auth code that the component fetched.
func (s *Server) AuthorizeFor(g Grant) (code string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.findComponent(g.ComponentAppID)
	if err != nil {
		return "", err
	}
	a, err := s.findAccount(g.AppID)
	if err != nil {
		return "", err
	}
	if g.PreAuthCode != "" {
		if err := s.usePreAuthCode(c, g.PreAuthCode); err != nil {
			return "", err
		}
	}
	sets := g.PermissionSets
	if sets == nil {
		sets = a.defaultSets(c)
	}
	return s.authorize(a, c, sets, g.PreAuthCode).value, nil
}

// SetPermissionSets changes what the first component may do for an account, as if the administrator had scanned
// again, and returns the authorization code of this change. Nothing is pushed: see Push. No sets means none at all.
func (s *Server) SetPermissionSets(appid string, sets ...int) (code string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.findGrant("", appid)
	if err != nil {
		return "", err
	}
	return s.authorize(g.account, g.component, sets, "").value, nil
}

// Revoke ends the authorization of an account for every component. Tokens end with it. Nothing is pushed: see Push.
func (s *Server) Revoke(appid string) error {
	return s.revoke(appid, func(*grant) bool { return true })
}

// RevokeFor is Revoke for one component only; an empty componentAppID is the first.
func (s *Server) RevokeFor(componentAppID, appid string) error {
	s.mu.Lock()
	c, err := s.findComponent(componentAppID)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.revoke(appid, func(g *grant) bool { return g.component == c })
}

func (s *Server) revoke(appid string, which func(*grant) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findAccount(appid)
	if err != nil {
		return err
	}
	ended := false
	for _, g := range a.grants {
		if g.revoked || !which(g) {
			continue
		}
		g.revoked, ended = true, true
		g.generation++
		g.refresh, g.former, g.newest = "", "", nil
	}
	if !ended {
		return fmt.Errorf("%w: %s", ErrNotAuthorized, appid)
	}
	return nil
}

// GrantedSets returns what the first component may do for an account; false means that it is not authorized.
func (s *Server) GrantedSets(appid string) ([]int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.findGrant("", appid)
	if err != nil {
		return nil, false
	}
	return slices.Clone(g.sets), true
}

// ReplaceRefreshToken gives the account another refresh token towards the first component and returns it. The
// component is not told: what it stored answers 61023 at once, and the list of authorizers has the new one.
func (s *Server) ReplaceRefreshToken(appid string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.findGrant("", appid)
	if err != nil {
		return "", err
	}
	g.refresh, g.former = s.name("refreshtoken@@@"), ""
	return g.refresh, nil
}

// findGrant returns a grant that is not revoked. s.mu is held.
func (s *Server) findGrant(componentAppID, appid string) (*grant, error) {
	c, err := s.findComponent(componentAppID)
	if err != nil {
		return nil, err
	}
	a, err := s.findAccount(appid)
	if err != nil {
		return nil, err
	}
	g := a.grantTo(c)
	if g == nil || g.revoked {
		return nil, fmt.Errorf("%w: %s", ErrNotAuthorized, appid)
	}
	return g, nil
}

// defaultSets are those that an account grants where nobody says more.
func (a *account) defaultSets(c *component) []int {
	if a.PermissionSets != nil {
		return a.PermissionSets
	}
	return c.PermissionSets
}

// authorize grants sets and issues a code for it. s.mu is held.
func (s *Server) authorize(a *account, c *component, sets []int, preAuth string) *authCode {
	now := s.now()
	sets = sortedSets(sets)
	g := a.grantTo(c)
	if g == nil {
		g = &grant{component: c, account: a, revoked: true}
		a.grants = append(a.grants, g)
	}
	code := &authCode{
		value: s.name("queryauthcode@@@"), grant: g, repeated: !g.revoked,
		preAuth: cmp.Or(preAuth, s.name("preauthcode@@@")), expires: now.Add(seconds(s.settings.CodeLifetimeSeconds)),
	}
	switch {
	case g.revoked:
		code.infoType = Authorized
		g.revoked, g.authorizedAt = false, now
	case !slices.Equal(g.sets, sets):
		code.infoType = UpdateAuthorized
	}
	g.sets = sets
	code.generation = g.generation
	s.codes[code.value] = code
	return code
}

// usePreAuthCode takes a pre-auth code for one authorization. s.mu is held.
func (s *Server) usePreAuthCode(c *component, value string) error {
	code, err := s.checkPreAuthCode(c, value)
	if err != nil {
		return err
	}
	code.used = true
	return nil
}

func (s *Server) checkPreAuthCode(c *component, value string) (*preAuthCode, error) {
	code := s.preAuth[value]
	switch {
	case code == nil || code.component != c:
		return nil, fmt.Errorf("simulator: the pre-auth code is not one of component %s", c.AppID)
	case code.used:
		return nil, fmt.Errorf("simulator: the pre-auth code was used already")
	case !s.now().Before(code.expires):
		return nil, fmt.Errorf("simulator: the pre-auth code has expired")
	}
	return code, nil
}
