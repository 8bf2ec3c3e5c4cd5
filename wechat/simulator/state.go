package simulator

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"
)

// Values of Account.AccountStatus.
const (
	StatusNormal    = 1
	StatusCancelled = 14
	StatusBanned    = 16
	StatusWarned    = 18
	StatusFrozen    = 19
)

// Account is a merchant's account. AppID is needed, everything else has a default.
type Account struct {
	// AppID begins with "wx" and has no other characters than letters and digits.
	AppID string `json:"appid"`
	// UserName is the original id, gh_… Default: made of the appid.
	UserName string `json:"user_name"`
	// NickName defaults to "Account " and the appid.
	NickName      string `json:"nick_name"`
	Alias         string `json:"alias"`
	PrincipalName string `json:"principal_name"`
	Signature     string `json:"signature"`
	HeadImg       string `json:"head_img"`
	// ServiceType is 0 for a subscription account, 2 for a service account.
	ServiceType int `json:"service_type"`
	// VerifyType is -1 for an account that is not verified; 0 to 5 are verified.
	VerifyType int `json:"verify_type"`
	// AccountStatus is one of the Status constants. 0 is made StatusNormal.
	AccountStatus int `json:"account_status"`
	// MiniProgram says that this is no official account.
	MiniProgram bool `json:"mini_program"`
	// NoAPI accounts have no API at all: the exchange of their code answers no tokens.
	NoAPI bool `json:"no_api"`
	// PermissionSets are granted where Authorize names none. Default: all that the component asks for.
	PermissionSets []int `json:"permission_sets"`
	// UnconfirmedSets, although granted, still need a confirmation: calls that need them answer 61016.
	UnconfirmedSets []int `json:"unconfirmed_sets"`
	// Followers are the openids that follow the account. AddAccount reads this, UpdateAccount does not.
	Followers []string `json:"followers,omitempty"`
	// FollowerCount adds that many generated followers, OpenID(appid, 0) and on. AddAccount reads this, UpdateAccount does not.
	FollowerCount int `json:"follower_count"`
	// UnionIDs are the unionids of followers, by openid. Followers without one belong to an account that is bound to
	// no Open Platform account. AddAccount reads this, UpdateAccount does not.
	UnionIDs map[string]string `json:"unionids,omitempty"`
	// Blacklist holds openids that are blocked from the start. AddAccount reads this, UpdateAccount does not.
	Blacklist []string `json:"blacklist,omitempty"`
}

type account struct {
	Account   // without the lists that AddAccount alone reads
	grants    []*grant
	followers *roll
	unionIDs  map[string]string
	black     *blacklist
	meter
}

// grant is what one account has authorized one component to do.
type grant struct {
	component    *component
	account      *account
	sets         []int
	authorizedAt time.Time
	revoked      bool
	generation   int
	refresh      string // empty until a code was exchanged
	former       string
	formerUntil  time.Time
	newest       *token
}

func (s *Server) findAccount(appid string) (*account, error) {
	if a := s.byAppID[appid]; a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrUnknownAccount, appid)
}

// AddAccount adds an account that has authorized nobody yet.
func (s *Server) AddAccount(a Account) error {
	if !validAppID(a.AppID) {
		return fmt.Errorf("simulator: the appid %q is none: it must be wx and letters or digits", a.AppID)
	}
	for _, openid := range slices.Concat(a.Followers, a.Blacklist) {
		if !validOpenID(openid) {
			return badOpenID(openid)
		}
	}
	if a.FollowerCount < 0 {
		return errors.New("simulator: follower_count must not be negative")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byAppID[a.AppID] != nil {
		return fmt.Errorf("simulator: the account %s is there already", a.AppID)
	}
	added := &account{followers: newRoll(), unionIDs: map[string]string{}, black: newBlacklist(), meter: newMeter()}
	s.byAppID[a.AppID] = added
	s.accounts = append(s.accounts, added)
	now := s.now()
	for _, openid := range a.Followers {
		added.followers.add(openid, now.Unix())
	}
	for i := range a.FollowerCount {
		added.followers.add(OpenID(a.AppID, i), now.Unix())
	}
	maps.Copy(added.unionIDs, a.UnionIDs)
	added.black.change(a.Blacklist, true, now, 0)
	a.Followers, a.FollowerCount, a.UnionIDs, a.Blacklist = nil, 0, nil, nil
	added.Account = a.withDefaults()
	return nil
}

// UpdateAccount changes the properties of an account by update, which must not call the Server. AppID stays, and so do
// followers and blacklist, which have methods of their own.
func (s *Server) UpdateAccount(appid string, update func(*Account)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findAccount(appid)
	if err != nil {
		return err
	}
	next := a.clone()
	update(&next)
	next.AppID, next.Followers, next.FollowerCount, next.UnionIDs, next.Blacklist = appid, nil, 0, nil, nil
	a.Account = next.clone().withDefaults()
	return nil
}

// Accounts returns all accounts in the order in which they were added, without followers and blacklist.
func (s *Server) Accounts() []Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Account, len(s.accounts))
	for i, a := range s.accounts {
		list[i] = a.clone()
		list[i].FollowerCount = a.followers.live
	}
	return list
}

func (a Account) clone() Account {
	a.PermissionSets, a.UnconfirmedSets = slices.Clone(a.PermissionSets), slices.Clone(a.UnconfirmedSets)
	a.Followers, a.Blacklist, a.UnionIDs = slices.Clone(a.Followers), slices.Clone(a.Blacklist), maps.Clone(a.UnionIDs)
	return a
}

func (a Account) withDefaults() Account {
	a.UserName = cmp.Or(a.UserName, "gh_"+digest(a.AppID)[:12])
	a.NickName = cmp.Or(a.NickName, "Account "+a.AppID)
	a.AccountStatus = cmp.Or(a.AccountStatus, StatusNormal)
	if a.PermissionSets != nil {
		a.PermissionSets = sortedSets(a.PermissionSets)
	}
	return a
}

// suspended accounts are not offered on the consent page.
func (a *account) suspended() bool {
	return slices.Contains([]int{StatusCancelled, StatusBanned, StatusFrozen}, a.AccountStatus)
}

func (a *account) grantTo(c *component) *grant {
	for _, g := range a.grants {
		if g.component == c {
			return g
		}
	}
	return nil
}

// OpenID makes a well-formed openid of 28 characters for the n-th follower of an account. The same arguments give
// the same openid, and different accounts never share one.
func OpenID(appid string, n int) string {
	return fmt.Sprintf("oSim-%s-%010d", digest(appid)[:12], n)
}

var (
	openIDPattern = regexp.MustCompile(`^o[A-Za-z0-9_-]{1,63}$`)
	appIDPattern  = regexp.MustCompile(`^wx[A-Za-z0-9]+$`)
)

// validOpenID is lenient in length: WeChat's openids have 28 characters, those of its examples have fewer.
func validOpenID(openid string) bool {
	return openIDPattern.MatchString(openid)
}

func validAppID(appid string) bool {
	return appIDPattern.MatchString(appid)
}

func badOpenID(openid string) error {
	return fmt.Errorf("simulator: the openid %q is malformed: it must be an o and letters, digits, - or _", openid)
}

func sortedSets(sets []int) []int {
	sets = slices.Clone(sets)
	slices.Sort(sets)
	return slices.Compact(sets)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
