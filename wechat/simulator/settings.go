package simulator

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Settings are the points in which WeChat's pages are silent or contradict each other, so that a client can be tried
// against every variant. Lifetimes count on the simulator's clock. [DefaultSettings] says what holds if nothing is said.
type Settings struct {
	// PageSize is how many openids one page of getblacklist holds: 1000 by the newest pages, 10000 by older ones.
	PageSize int `json:"page_size"`
	// FollowerPageSize is how many openids one page of user/get holds, at most 10000.
	FollowerPageSize int `json:"follower_page_size"`
	// EmptyList is what getblacklist and user/get answer where a page holds no openid: EmptyNoData (no "data" key),
	// EmptyArray ("data":{"openid":[]}) or EmptyNull ("data":null).
	EmptyList string `json:"empty_list"`

	// TokenLifetimeSeconds is the expires_in of access tokens, of the component and of accounts.
	TokenLifetimeSeconds int `json:"token_lifetime_seconds"`
	// OverlapSeconds is how long an access token works on after a newer one was fetched; then it answers 40001.
	OverlapSeconds int `json:"overlap_seconds"`
	// RefreshTokenOverlapSeconds is how long a refresh token works on after it was rotated; then it answers 61023.
	RefreshTokenOverlapSeconds int `json:"refresh_token_overlap_seconds"`
	// RotateOnRenew makes api_authorizer_token answer a new refresh token each time.
	RotateOnRenew bool `json:"rotate_on_renew"`
	// RotateOnReauthorize makes the exchange of a code of a repeated authorization answer a new refresh token.
	// After a revocation the refresh token is always new.
	RotateOnReauthorize bool `json:"rotate_on_reauthorize"`
	// TicketLifetimeSeconds is how long a verify ticket is accepted; then it answers 61005.
	TicketLifetimeSeconds int `json:"ticket_lifetime_seconds"`
	// PreAuthCodeLifetimeSeconds is the expires_in of a pre-auth code.
	PreAuthCodeLifetimeSeconds int `json:"pre_auth_code_lifetime_seconds"`
	// CodeLifetimeSeconds is how long an authorization code can be exchanged; then it answers 61010.
	CodeLifetimeSeconds int `json:"code_lifetime_seconds"`
	// CodeOnce makes the second exchange of a code answer 61009.
	CodeOnce bool `json:"code_once"`
	// ExpiredCATCode is what an expired component token answers: 42001 or 42006.
	ExpiredCATCode int `json:"expired_cat_code"`
	// MissingCATCode is what a component call without a token answers: 41001 or 41021.
	MissingCATCode int `json:"missing_cat_code"`
	// RevokedCode is what an access token from before a revocation answers: 40001, 61003 or 61007.
	RevokedCode int `json:"revoked_code"`

	// AuthorizerPageSize is how many accounts a page of api_get_authorizer_list holds at most, however many are asked for.
	AuthorizerPageSize int `json:"authorizer_page_size"`
	// ListWithoutRefreshToken leaves refresh_token out of api_get_authorizer_list.
	ListWithoutRefreshToken bool `json:"list_without_refresh_token"`
	// InfoWithoutRefreshToken leaves authorizer_refresh_token out of api_get_authorizer_info.
	InfoWithoutRefreshToken bool `json:"info_without_refresh_token"`
	// ListRevoked keeps accounts that revoked in api_get_authorizer_list.
	ListRevoked bool `json:"list_revoked"`

	// BatchPartial applies the good openids of a batch before it is refused for a bad one; else nothing is applied.
	BatchPartial bool `json:"batch_partial"`
	// AcceptNonFollowers lets batch calls name openids that follow nobody; else they answer 40003.
	AcceptNonFollowers bool `json:"accept_non_followers"`
	// HideBlockedFollowers leaves blocked openids out of user/get.
	HideBlockedFollowers bool `json:"hide_blocked_followers"`
	// BlacklistLagSeconds is how long getblacklist still shows the list as it was before a change.
	BlacklistLagSeconds int `json:"blacklist_lag_seconds"`

	// IPWhitelist holds addresses and CIDR ranges that may call with a token; others answer 61004. Empty admits all.
	IPWhitelist []string `json:"ip_whitelist"`
	// LoginDomains holds the hosts (without port) from which the consent page may be opened, by the Referer header.
	// Empty admits all.
	LoginDomains []string `json:"login_domains"`
	// ClearQuotaPerMonth is how often a month clear_quota works for one account; then it answers 48006.
	ClearQuotaPerMonth int `json:"clear_quota_per_month"`

	// TicketsPaused holds back the tickets of StartTickets, until it is false or the component calls api_start_push_ticket.
	TicketsPaused bool `json:"tickets_paused"`
	// PushOrder is when the consent page pushes its event: BeforeRedirect or AfterRedirect.
	PushOrder string `json:"push_order"`
	// HoldPushes keeps events that the simulator would push by itself (consent page, control API) until ReleaseHeld.
	HoldPushes bool `json:"hold_pushes"`
	// DuplicatePushes is how many more times each delivered event is pushed.
	DuplicatePushes int `json:"duplicate_pushes"`
	// PushTries is how often a push is tried until it is answered with "success".
	PushTries int `json:"push_tries"`
	// PushTimeoutMS is how long a push waits for its answer, in milliseconds of real time.
	PushTimeoutMS int `json:"push_timeout_ms"`

	// Answer is how answers of the API look like. A fault may give another look to single calls.
	Answer Form `json:"answer"`
}

// Form is how an answer looks like where its meaning stays the same.
type Form struct {
	// ContentType of the answer. Empty means "application/json; encoding=utf-8", which is what WeChat sends.
	ContentType string `json:"content_type"`
	// ErrMsg is the shape of errmsg: FormRID ("text rid: …", also if empty), FormComma ("text, rid: …"), FormHint
	// ("text hint: […]"), FormHintRID (both) or FormPlain.
	ErrMsg string `json:"errmsg"`
	// CodeAsString makes errcode a string.
	CodeAsString bool `json:"code_as_string"`
	// ExtraFields adds fields that no page mentions.
	ExtraFields bool `json:"extra_fields"`
}

// Values of [Settings] and [Form].
const (
	EmptyNoData = "no-data"
	EmptyArray  = "empty-array"
	EmptyNull   = "null"

	BeforeRedirect = "before-redirect"
	AfterRedirect  = "after-redirect"

	FormRID     = "rid"
	FormComma   = "comma"
	FormHint    = "hint"
	FormHintRID = "hint-rid"
	FormPlain   = "plain"
)

// maxFollowerPage is WeChat's own limit for user/get.
const maxFollowerPage = 10000

// DefaultSettings returns what the simulator does unless told otherwise.
func DefaultSettings() Settings {
	return Settings{
		PageSize:                   1000,
		FollowerPageSize:           maxFollowerPage,
		AuthorizerPageSize:         maxAuthorizerPage,
		EmptyList:                  EmptyNoData,
		TokenLifetimeSeconds:       7200,
		OverlapSeconds:             300,
		RefreshTokenOverlapSeconds: 300,
		TicketLifetimeSeconds:      12 * 3600,
		PreAuthCodeLifetimeSeconds: 600,
		CodeLifetimeSeconds:        3600,
		ExpiredCATCode:             codeTokenExpired,
		MissingCATCode:             codeTokenMissing,
		RevokedCode:                codeTokenInvalid,
		ClearQuotaPerMonth:         10,
		PushOrder:                  BeforeRedirect,
		PushTries:                  3,
		PushTimeoutMS:              5000,
		Answer:                     Form{ErrMsg: FormRID},
	}
}

// Settings returns the settings in force.
func (s *Server) Settings() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings.clone()
}

// Change applies change, which must not call the Server, to the settings. If the outcome is not valid, nothing changes
// and the error says why.
func (s *Server) Change(change func(*Settings)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.settings.clone()
	change(&next)
	if err := next.validate(); err != nil {
		return err
	}
	resumed := s.settings.TicketsPaused && !next.TicketsPaused
	s.settings = next.clone()
	if resumed {
		s.wakeTickets()
	}
	return nil
}

func (c Settings) clone() Settings {
	c.IPWhitelist = slices.Clone(c.IPWhitelist)
	c.LoginDomains = slices.Clone(c.LoginDomains)
	return c
}

func (c Settings) validate() error {
	for _, n := range []struct {
		name         string
		value        int
		least, limit int
	}{
		{"page_size", c.PageSize, 1, 1 << 30},
		{"follower_page_size", c.FollowerPageSize, 1, maxFollowerPage},
		{"authorizer_page_size", c.AuthorizerPageSize, 1, maxAuthorizerPage},
		{"token_lifetime_seconds", c.TokenLifetimeSeconds, 1, 1 << 30},
		{"overlap_seconds", c.OverlapSeconds, 0, 1 << 30},
		{"refresh_token_overlap_seconds", c.RefreshTokenOverlapSeconds, 0, 1 << 30},
		{"ticket_lifetime_seconds", c.TicketLifetimeSeconds, 1, 1 << 30},
		{"pre_auth_code_lifetime_seconds", c.PreAuthCodeLifetimeSeconds, 1, 1 << 30},
		{"code_lifetime_seconds", c.CodeLifetimeSeconds, 1, 1 << 30},
		{"blacklist_lag_seconds", c.BlacklistLagSeconds, 0, 1 << 30},
		{"clear_quota_per_month", c.ClearQuotaPerMonth, 0, 1 << 30},
		{"duplicate_pushes", c.DuplicatePushes, 0, 100},
		{"push_tries", c.PushTries, 1, 100},
		{"push_timeout_ms", c.PushTimeoutMS, 1, 1 << 30},
	} {
		if n.value < n.least || n.value > n.limit {
			return fmt.Errorf("simulator: %s is %d; it must be between %d and %d", n.name, n.value, n.least, n.limit)
		}
	}
	if err := oneOf("empty_list", c.EmptyList, EmptyNoData, EmptyArray, EmptyNull); err != nil {
		return err
	}
	if err := oneOf("push_order", c.PushOrder, BeforeRedirect, AfterRedirect); err != nil {
		return err
	}
	if err := oneOf("expired_cat_code", c.ExpiredCATCode, codeTokenExpired, codeCATExpired); err != nil {
		return err
	}
	if err := oneOf("missing_cat_code", c.MissingCATCode, codeTokenMissing, codeCATMissing); err != nil {
		return err
	}
	if err := oneOf("revoked_code", c.RevokedCode, codeTokenInvalid, codeNotAuthorized, codeSetMissing); err != nil {
		return err
	}
	for _, entry := range c.IPWhitelist {
		if _, ok := parseRange(entry); !ok {
			return fmt.Errorf("simulator: ip_whitelist: %q is neither an address nor a CIDR range", entry)
		}
	}
	return c.Answer.validate()
}

func (f Form) validate() error {
	return oneOf("errmsg", f.ErrMsg, FormRID, FormComma, FormHint, FormHintRID, FormPlain, "")
}

func oneOf[T comparable](name string, value T, allowed ...T) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("simulator: %s is %v; it must be one of %v", name, value, allowed)
}

// admitsIP reports whether remoteAddr, host:port or a bare host, may call with a token.
func (c Settings) admitsIP(remoteAddr string) bool {
	if len(c.IPWhitelist) == 0 {
		return true
	}
	addr, err := netip.ParseAddr(hostOf(remoteAddr))
	if err != nil {
		return false
	}
	for _, entry := range c.IPWhitelist {
		if r, ok := parseRange(entry); ok && r.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

func parseRange(entry string) (netip.Prefix, bool) {
	if strings.Contains(entry, "/") {
		p, err := netip.ParsePrefix(entry)
		return p, err == nil
	}
	addr, err := netip.ParseAddr(entry)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, addr.BitLen()), true
}

func hostOf(remoteAddr string) string {
	host, _, err := net.SplitHostPort(remoteAddr)
	if err != nil {
		return remoteAddr
	}
	return host
}
