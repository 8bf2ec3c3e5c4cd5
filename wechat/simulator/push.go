package simulator

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/wechat-steward/steward/wechat"
)

// Values of Event.InfoType that the simulator pushes by itself. Any other value can be pushed with Push.
const (
	VerifyTicket     = "component_verify_ticket"
	Authorized       = "authorized"
	UpdateAuthorized = "updateauthorized"
	Unauthorized     = "unauthorized"
)

// Event is a push to a component's EventURL. Zero fields are left out, or filled in where that is said.
type Event struct {
	// ComponentAppID defaults to the component of AuthorizationCode, else to the first.
	ComponentAppID string `json:"component_appid"`
	// InfoType defaults to what AuthorizationCode was issued for: Authorized or UpdateAuthorized.
	InfoType string `json:"info_type"`
	// AuthorizerAppID defaults to the account of AuthorizationCode.
	AuthorizerAppID string `json:"authorizer_appid"`
	// AuthorizationCode as Authorize and SetPermissionSets return it.
	AuthorizationCode string `json:"authorization_code"`
	// CodeExpiresAt and PreAuthCode default to those of AuthorizationCode.
	CodeExpiresAt time.Time `json:"code_expires_at"`
	PreAuthCode   string    `json:"pre_auth_code"`
	// Ticket of a VerifyTicket event.
	Ticket string `json:"ticket"`
	// CreatedAt defaults to now.
	CreatedAt time.Time `json:"created_at"`
	// Fields are further XML elements, by name.
	Fields map[string]string `json:"fields"`
}

// Delivery is one try to push.
type Delivery struct {
	// Kind is the InfoType of an event, or the MsgType of a message.
	Kind           string `json:"kind"`
	ComponentAppID string `json:"component_appid"`
	// AppID is the account that it is about, or empty.
	AppID string `json:"appid,omitempty"`
	URL   string `json:"url"`
	// Try counts from 1.
	Try int `json:"try"`
	// OK: an event was answered 200 and exactly "success"; a message was answered 200.
	OK bool `json:"ok"`
	// Status is 0 if no answer came; Error says why.
	Status int    `json:"status"`
	Error  string `json:"error,omitempty"`
	// Answer is the body, at most 64 KiB of it.
	Answer string    `json:"answer"`
	At     time.Time `json:"at"`
	// Message is the XML before encryption.
	Message string `json:"message"`
}

// delivery is a push that is sealed and addressed.
type delivery struct {
	Delivery
	component Component
	cipher    *wechat.Cipher
	sealed    wechat.Sealed
	url       string
	appID     string
	openID    string // of the user, for messages
	userName  string // of the account, for messages
	tries     int
	timeout   time.Duration
}

// Deliveries returns the newest tries, oldest first, at most Config.CallLimit.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deliveries.list()
}

// ResetDeliveries forgets them.
func (s *Server) ResetDeliveries() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deliveries.items = nil
}

// Push sends events in the given order, each after the one before has been answered or given up; the same event may
// be given twice. It fails with the first event that was not taken, after trying all.
func (s *Server) Push(ctx context.Context, events ...Event) error {
	var failed error
	for _, e := range events {
		if err := s.push(ctx, e); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

func (s *Server) push(ctx context.Context, e Event) error {
	s.mu.Lock()
	times := 1 + s.settings.DuplicatePushes
	s.mu.Unlock()
	var failed error
	for range times {
		// Each copy is encrypted anew: duplicates are told by their content, not by their envelope.
		d, err := s.eventDelivery(e)
		if err == nil {
			_, err = s.deliver(ctx, d)
		}
		if err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

// pushByItself is Push for events that nobody asked for by name: HoldPushes holds them.
func (s *Server) pushByItself(ctx context.Context, e Event) error {
	s.mu.Lock()
	hold := s.settings.HoldPushes
	if hold {
		s.held = append(s.held, s.complete(e))
	}
	s.mu.Unlock()
	if hold {
		return nil
	}
	return s.push(ctx, e)
}

// Held returns the events that HoldPushes holds, oldest first.
func (s *Server) Held() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Event{}, s.held...)
}

// ReleaseHeld pushes the held events, newest first if reverse is true.
func (s *Server) ReleaseHeld(ctx context.Context, reverse bool) error {
	s.mu.Lock()
	events := s.held
	s.held = nil
	s.mu.Unlock()
	if reverse {
		slices.Reverse(events)
	}
	return s.Push(ctx, events...)
}

// complete fills in what an event leaves out. s.mu is held.
func (s *Server) complete(e Event) Event {
	if code := s.codes[e.AuthorizationCode]; code != nil {
		e.ComponentAppID = cmp.Or(e.ComponentAppID, code.grant.component.AppID)
		e.InfoType = cmp.Or(e.InfoType, code.infoType, Authorized)
		e.AuthorizerAppID = cmp.Or(e.AuthorizerAppID, code.grant.account.AppID)
		e.PreAuthCode = cmp.Or(e.PreAuthCode, code.preAuth)
		if e.CodeExpiresAt.IsZero() {
			e.CodeExpiresAt = code.expires
		}
	}
	if e.CreatedAt.IsZero() {
		e.CreatedAt = s.now()
	}
	return e
}

func (s *Server) eventDelivery(e Event) (delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e = s.complete(e)
	c, err := s.findComponent(e.ComponentAppID)
	switch {
	case err != nil:
		return delivery{}, err
	case e.InfoType == "":
		return delivery{}, errors.New("simulator: the event has no info type")
	case c.EventURL == "":
		return delivery{}, fmt.Errorf("%w for component %s", ErrNoCallbackURL, c.AppID)
	}
	d, err := s.newDelivery(c, e.InfoType, e.xml(c.AppID))
	d.url, d.appID = c.EventURL, e.AuthorizerAppID
	return d, err
}

func (e Event) xml(componentAppID string) string {
	var b xmlBody
	b.text("AppId", componentAppID)
	b.number("CreateTime", e.CreatedAt.Unix())
	b.text("InfoType", e.InfoType)
	for _, f := range []struct{ name, value string }{
		{"ComponentVerifyTicket", e.Ticket}, {"AuthorizerAppid", e.AuthorizerAppID}, {"AuthorizationCode", e.AuthorizationCode},
	} {
		if f.value != "" {
			b.text(f.name, f.value)
		}
	}
	if !e.CodeExpiresAt.IsZero() {
		b.text("AuthorizationCodeExpiredTime", strconv.FormatInt(e.CodeExpiresAt.Unix(), 10))
	}
	if e.PreAuthCode != "" {
		b.text("PreAuthCode", e.PreAuthCode)
	}
	for name, value := range e.Fields {
		b.text(name, value)
	}
	return b.String()
}

// newDelivery encrypts a message for a component. s.mu is held.
func (s *Server) newDelivery(c *component, kind, message string) (delivery, error) {
	key := wechat.CallbackKey{Token: c.Token, EncodingAESKey: c.EncodingAESKey}
	cipher, err := wechat.NewCipher(c.AppID, key)
	if err != nil {
		return delivery{}, fmt.Errorf("simulator: component %s: %w", c.AppID, err)
	}
	timestamp := strconv.FormatInt(s.now().Unix(), 10)
	nonce := strconv.Itoa(1_000_000_000 + rand.IntN(1_000_000_000))
	sealed, err := cipher.Seal([]byte(message), timestamp, nonce)
	if err != nil {
		return delivery{}, fmt.Errorf("simulator: component %s: %w", c.AppID, err)
	}
	return delivery{
		Delivery:  Delivery{Kind: kind, Message: message},
		component: c.Component, cipher: cipher, sealed: sealed,
		tries: s.settings.PushTries, timeout: time.Duration(s.settings.PushTimeoutMS) * time.Millisecond,
	}, nil
}

// deliver sends a push until it is taken, and returns the answer. Every try sends the very same envelope.
func (s *Server) deliver(ctx context.Context, d delivery) ([]byte, error) {
	var failed error
	for try := 1; try <= d.tries && ctx.Err() == nil; try++ {
		status, answer, err := s.send(ctx, d)
		ok := err == nil && status == http.StatusOK && (d.openID != "" || string(answer) == "success")
		record := d.Delivery
		record.ComponentAppID, record.AppID, record.URL, record.Try = d.component.AppID, d.appID, d.url, try
		record.OK, record.Status, record.Answer = ok, status, string(answer)
		switch {
		case err != nil:
			record.Error = err.Error()
			failed = fmt.Errorf("simulator: pushing %s to component %s: %w", d.Kind, d.component.AppID, err)
		case !ok:
			failed = fmt.Errorf("simulator: pushing %s to component %s: answered %d, and not \"success\"", d.Kind, d.component.AppID, status)
		}
		s.mu.Lock()
		record.At = s.now()
		s.deliveries.push(record)
		s.mu.Unlock()
		if ok {
			return answer, nil
		}
		s.cfg.Logger.Warn("simulator: a push was not taken", "kind", d.Kind, "component", d.component.AppID, "try", try, "status", status, "error", record.Error)
	}
	if failed == nil {
		failed = ctx.Err()
	}
	return nil, failed
}

// send posts the envelope once.
func (s *Server) send(ctx context.Context, d delivery) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	target, err := url.Parse(d.url)
	if err != nil {
		return 0, nil, errors.New("the callback URL is malformed")
	}
	query := target.Query()
	query.Set("signature", wechat.Signature(d.component.Token, d.sealed.Timestamp, d.sealed.Nonce))
	query.Set("timestamp", d.sealed.Timestamp)
	query.Set("nonce", d.sealed.Nonce)
	query.Set("encrypt_type", "aes")
	query.Set("msg_signature", d.sealed.MsgSignature)
	var b xmlBody
	if d.openID != "" {
		query.Set("openid", d.openID)
		b.text("ToUserName", d.userName)
	} else {
		b.text("AppId", d.component.AppID)
	}
	b.text("Encrypt", d.sealed.Encrypt)
	target.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewBufferString(b.String()))
	if err != nil {
		return 0, nil, errors.New("the callback URL is malformed")
	}
	req.Header.Set("Content-Type", "text/xml")
	resp, err := s.cfg.HTTPClient.Do(req)
	if err != nil {
		var bare *url.Error // its text holds the signed URL, which is long and says nothing
		if errors.As(err, &bare) {
			err = bare.Err
		}
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxKeptBody))
	return resp.StatusCode, answer, err
}

// readElements reads the elements of a flat XML document.
func readElements(body []byte) (map[string]string, error) {
	var doc struct {
		Elements []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(body, &doc); err != nil {
		return nil, err
	}
	elements := map[string]string{}
	for _, e := range doc.Elements {
		elements[e.XMLName.Local] = e.Text
	}
	return elements, nil
}
