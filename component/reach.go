package component

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/wechat"
)

// callbackTimeout is how long our own address may take to answer. WeChat itself waits for five seconds.
const callbackTimeout = 10 * time.Second

// callbackClient is Config.HTTPClient with its defaults. WeChat follows no redirects, so a proof must not either.
func callbackClient(given *http.Client) *http.Client {
	client := http.Client{Timeout: callbackTimeout}
	if given != nil {
		client = *given
	}
	if client.CheckRedirect == nil {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return &client
}

// tryCallback asks for our own event URL the way WeChat tries one, with a signature that only our callback token makes: an
// echo proves that the address leads to a Steward with the same keys. It proves the way from this machine, not from WeChat's.
func (s *Service) tryCallback(ctx context.Context, token secret.String, eventURL string) Check {
	const remedy = "Check STEWARD_PUBLIC_URL, and that the proxy in front passes /wechat/ on to Steward, without a redirect and without a login."
	c := Check{Name: CheckCallbackURL, Status: CheckFail, Remedy: remedy}
	u, err := url.Parse(eventURL)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		c.Reason = "The event URL is no http or https URL."
		return c
	}
	printed := u.Redacted()
	status, echoed, err := s.echo(ctx, *u, token)
	switch {
	case err != nil:
		c.Reason = fmt.Sprintf("%s cannot be reached from here: %v.", printed, err)
		c.Remedy = "Check that Steward is serving and STEWARD_PUBLIC_URL is its address outside: name, port, firewall, proxy and certificate. " +
			"If tickets arrive all the same, only the way from this machine is closed."
	case status >= 300 && status < 400:
		c.Reason = fmt.Sprintf("%s answers %d, a redirect, and WeChat follows none.", printed, status)
	case status == http.StatusForbidden:
		c.Reason = fmt.Sprintf("%s answers 403: it does not know our callback token.", printed)
		c.Remedy = "Check that no other Steward, with another database, answers at this address. " + remedy
	case status != http.StatusOK:
		c.Reason = fmt.Sprintf("%s answers %d: something else is there, or a Steward that has no such component.", printed, status)
	case !echoed:
		c.Reason = printed + " answers 200, but not with the echo that it was asked for: something else is there."
	default:
		return reachable(u)
	}
	return c
}

// echo asks for an echo under u and tells whether it came. Its errors hold no URL, since that has a signature in it.
func (s *Service) echo(ctx context.Context, u url.URL, token secret.String) (status int, echoed bool, err error) {
	timestamp, nonce, text := strconv.FormatInt(s.now().Unix(), 10), rand.Text(), rand.Text()
	query := u.Query()
	query.Set("signature", wechat.Signature(token.Reveal(), timestamp, nonce))
	query.Set("timestamp", timestamp)
	query.Set("nonce", nonce)
	query.Set("echostr", text)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, false, errors.New("it is no usable URL")
	}
	resp, err := s.http.Do(req)
	if err != nil {
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err
		}
		return 0, false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return 0, false, err
	}
	return resp.StatusCode, string(body) == text, nil
}

// reachable is the check of an address that echoed.
func reachable(u *url.URL) Check {
	c := Check{Name: CheckCallbackURL, Status: CheckOK, Reason: u.Redacted() + " leads here, with these callback keys; whether WeChat reaches it too, only tickets tell."}
	port := u.Port()
	switch {
	case local(u.Hostname()):
		c.Status = CheckWarn
		c.Reason = u.Redacted() + " leads here, but the address is a local one, which WeChat cannot reach."
		c.Remedy = "Set STEWARD_PUBLIC_URL to a name or address that is known on the Internet, on port 80 or 443."
	case port != "" && port != "80" && port != "443":
		c.Status = CheckWarn
		c.Reason = fmt.Sprintf("%s leads here, but on port %s, and WeChat calls ports 80 and 443 only.", u.Redacted(), port)
		c.Remedy = "Put a proxy in front that takes https on port 443, and set STEWARD_PUBLIC_URL to its address."
	}
	return c
}

// local tells whether a host can be nobody's but a machine's or a local network's.
func local(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast() || addr.IsUnspecified()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	at := strings.LastIndex(host, ".")
	switch host[at+1:] {
	case "localhost", "local", "internal", "lan", "test", "invalid":
		return true
	}
	return at < 0 // a name without a dot
}
