package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	defaultAPIURL  = "https://api.weixin.qq.com"
	defaultTimeout = 30 * time.Second
	maxAnswer      = 32 << 20 // bytes; the longest known, 10000 followers, has about 320 KiB
	maxIdle        = 32       // connections kept to the one host that we talk to; Go's default of 2 would churn them
)

// Config configures a [Client]. The zero value talks to WeChat.
type Config struct {
	// APIURL is the base of every call; default https://api.weixin.qq.com. WeChat's other names (api2, sh.api, sz.api,
	// hk.api) and a simulator go here.
	APIURL string
	// HTTPClient does the calls; default: one with a timeout of 30 seconds. Redirects are not followed, unless its own
	// CheckRedirect says otherwise: they would hand the token to another host.
	HTTPClient *http.Client
	// Observe, if given, is told of each call after it ended, on the goroutine that made it.
	Observe func(Call)
	// Now is the clock that measures Call.Duration; default time.Now.
	Now func() time.Time
}

// Call is what Config.Observe learns of one call to WeChat. It never holds a token.
type Call struct {
	// Path is the endpoint's, such as /cgi-bin/tags/members/batchblacklist.
	Path string
	// Code is WeChat's errcode; 0 for success, and also where no readable answer came, see Err.
	Code int
	// Duration is from the request to the last byte of the answer.
	Duration time.Duration
	// ServerTime is the time of the answer by WeChat's clock, in whole seconds; zero where no answer said.
	ServerTime time.Time
	// Err is nil, an *[Error] or a *[TransportError].
	Err error
}

type observerKey struct{}

// WithObserver returns a context whose calls observe is told of too, beside Config.Observe. A call may outlive the function
// that ctx was given to, so observe has to be safe for concurrent use.
func WithObserver(ctx context.Context, observe func(Call)) context.Context {
	return context.WithValue(ctx, observerKey{}, observe)
}

// Client calls WeChat's HTTP API. It holds no token and is safe for concurrent use.
type Client struct {
	apiURL  string
	http    *http.Client
	observe func(Call)
	now     func() time.Time
}

// NewClient returns a client. It fails only where APIURL is not an absolute http or https URL, or has a user, a query or
// a fragment.
func NewClient(cfg Config) (*Client, error) {
	if cfg.APIURL == "" {
		cfg.APIURL = defaultAPIURL
	}
	base, err := parseBaseURL(cfg.APIURL)
	if err != nil {
		return nil, fmt.Errorf("wechat: the API URL %w", err)
	}
	hc := http.Client{Timeout: defaultTimeout, Transport: defaultTransport()}
	if cfg.HTTPClient != nil {
		hc = *cfg.HTTPClient
	}
	if hc.CheckRedirect == nil {
		hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	c := &Client{apiURL: base, http: &hc, observe: cfg.Observe, now: cfg.Now}
	if c.observe == nil {
		c.observe = func(Call) {}
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c, nil
}

func defaultTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = maxIdle
	return t
}

// credential is what a call proves itself with. WeChat wants the token in the query, which is why errors that hold a
// URL never leave this package.
type credential struct {
	param string // name of the query parameter; empty for calls without a token
	token string
	// secrets are further secrets in the body, to be taken out of whatever text the call fails with.
	secrets []string
}

func componentCredential(cat string, secrets ...string) credential {
	return credential{param: "component_access_token", token: cat, secrets: secrets}
}

func accessCredential(token string) credential {
	return credential{param: "access_token", token: token}
}

func secretsOnly(secrets ...string) credential { return credential{secrets: secrets} }

// post sends body as JSON and decodes the answer into out, which may be nil.
func (c *Client) post(ctx context.Context, path string, cred credential, body, out any) error {
	// Go's default turns & < > into \u0026 and the like, and some of WeChat's APIs refuse that with 47002.
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return fmt.Errorf("wechat: encoding the request to %s: %w", path, err)
	}
	return c.do(ctx, http.MethodPost, path, nil, cred, bytes.TrimSpace(b.Bytes()), out)
}

// get sends query and decodes the answer into out.
func (c *Client) get(ctx context.Context, path string, cred credential, query url.Values, out any) error {
	return c.do(ctx, http.MethodGet, path, query, cred, nil, out)
}

func (c *Client) do(ctx context.Context, method, path string, query url.Values, cred credential, body []byte, out any) error {
	started := c.now()
	red := newRedactor(append([]string{cred.token}, cred.secrets...)...)
	call := Call{Path: path}
	answer, serverTime, err := c.exchange(ctx, method, path, query, cred, body)
	call.Duration, call.ServerTime = c.now().Sub(started), serverTime
	if err == nil {
		err = decodeAnswer(answer, path, red, out)
	}
	var refused *Error
	switch {
	case errors.As(err, &refused):
		call.Code = refused.Code
	case err != nil:
		err = newTransportError(path, red, err)
	}
	call.Err = err
	c.observe(call)
	if observe, ok := ctx.Value(observerKey{}).(func(Call)); ok {
		observe(call)
	}
	return err
}

// statusError is the cause of a TransportError whose answer had another status than 200.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("HTTP status %d", int(s)) }

// exchange sends the request and returns the body of the answer and its date. Its errors may hold secrets.
func (c *Client) exchange(ctx context.Context, method, path string, query url.Values, cred credential, body []byte) ([]byte, time.Time, error) {
	if query == nil {
		query = url.Values{}
	}
	if cred.param != "" {
		query.Set(cred.param, cred.token)
	}
	target := c.apiURL + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, time.Time{}, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		// WeChat's refusals come with 200. This body is a proxy's page, which may well repeat the URL: it stays unread.
		return nil, time.Time{}, statusError(resp.StatusCode)
	}
	date, _ := http.ParseTime(resp.Header.Get("Date")) // zero where it is missing or nonsense
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, date, fmt.Errorf("reading the answer: %w", err)
	}
	if len(answer) > maxAnswer {
		return nil, date, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	return answer, date, nil
}

// decodeAnswer decodes a body that came with status 200: into *Error where it has an errcode, else into out. The
// Content-Type is not asked, WeChat has sent JSON as text/plain for years.
func decodeAnswer(answer []byte, path string, red *redactor, out any) error {
	answer = bytes.TrimPrefix(answer, []byte("\xef\xbb\xbf"))
	if trimmed := bytes.TrimLeft(answer, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return errors.New("the answer is not a JSON object")
	}
	var status struct {
		Code    errorCode     `json:"errcode"`
		Message lenientString `json:"errmsg"`
	}
	if err := json.Unmarshal(answer, &status); err != nil {
		return fmt.Errorf("the answer is not readable JSON: %w", err)
	}
	if status.Code != 0 {
		return newError(path, int(status.Code), string(status.Message), red)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("the answer is not shaped as expected: %w", err)
	}
	if r, ok := out.(interface{ missing() string }); ok && r.missing() != "" {
		return errors.New("the answer has no " + r.missing())
	}
	return nil
}
