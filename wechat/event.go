package wechat

import (
	"bytes"
	"encoding/xml"
	"errors"
	"strconv"
	"strings"
	"time"
)

// The kinds of component event that have a type of their own here.
const (
	infoTicket           = "component_verify_ticket"
	infoAuthorized       = "authorized"
	infoUpdateAuthorized = "updateauthorized"
	infoUnauthorized     = "unauthorized"
)

// earliestDate is in Unix seconds: a larger AuthorizationCodeExpiredTime is a date, a smaller one a span.
const earliestDate = 1_000_000_000

// ErrEvent says that a decrypted message is not the XML it should be. Its text holds nothing of the message, which may
// carry a ticket or a code.
var ErrEvent = errors.New("wechat: the decrypted message is not a readable event")

// Event is what WeChat tells the component at its 授权事件接收URL: a [TicketEvent], an [AuthorizedEvent], an
// [UnauthorizedEvent] or an [UnknownEvent], never a pointer to one.
type Event interface {
	// Header returns what all events have in common.
	Header() EventHeader
}

// EventHeader is what all component events have in common.
type EventHeader struct {
	// AppID is the component's own appid.
	AppID string
	// InfoType names the kind of event, such as "authorized".
	InfoType string
	// CreateTime is when WeChat made the event, to the second, in UTC; zero where WeChat did not say.
	CreateTime time.Time
}

// Header returns h itself, so that every event which embeds it is an [Event].
func (h EventHeader) Header() EventHeader { return h }

// TicketEvent brings a component_verify_ticket, about every ten minutes. It lives twelve hours.
// WeChat's page: 验证票据,
// https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/component_verify_ticket.html
type TicketEvent struct {
	EventHeader
	Ticket string `json:"-"`
}

// AuthorizedEvent says that an account authorized the component, or changed what it grants. The same code also comes
// by the redirect of the consent page, before or after. WeChat's page: 授权变更通知推送,
// https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/authorize_event.html
type AuthorizedEvent struct {
	EventHeader
	// AuthorizerAppID is the account.
	AuthorizerAppID string
	// AuthorizationCode is for [Client.QueryAuth].
	AuthorizationCode string `json:"-"`
	// PreAuthCode is the code that the consent page was opened with.
	PreAuthCode string `json:"-"`
	// CodeExpiresAt is in UTC; zero where WeChat did not say.
	CodeExpiresAt time.Time
	// Updated is true for "updateauthorized": the account had authorized before.
	Updated bool
}

// UnauthorizedEvent says that an account took its authorization back. WeChat's page: 授权变更通知推送.
type UnauthorizedEvent struct {
	EventHeader
	AuthorizerAppID string
}

// UnknownEvent is an event of any other kind, kept as it came.
type UnknownEvent struct {
	EventHeader
	// AuthorizerAppID is empty where the event names no account.
	AuthorizerAppID string
	// Raw is a copy of the decrypted XML. It may hold codes.
	Raw []byte `json:"-"`
}

// ParseEvent reads a decrypted component event. It fails with [ErrEvent] where the XML is malformed, has no InfoType,
// or is of a known kind and lacks the field that this kind is about.
func ParseEvent(raw []byte) (Event, error) {
	var x struct {
		AppID             string `xml:"AppId"`
		CreateTime        string `xml:"CreateTime"`
		InfoType          string `xml:"InfoType"`
		Ticket            string `xml:"ComponentVerifyTicket"`
		AuthorizerAppID   string `xml:"AuthorizerAppid"`
		AuthorizerAppID2  string `xml:"authorizer_appid"` // as some of the newer kinds write it
		AuthorizationCode string `xml:"AuthorizationCode"`
		CodeExpiresAt     string `xml:"AuthorizationCodeExpiredTime"`
		PreAuthCode       string `xml:"PreAuthCode"`
	}
	if err := xml.Unmarshal(raw, &x); err != nil {
		return nil, ErrEvent
	}
	h := EventHeader{AppID: text(x.AppID), InfoType: text(x.InfoType), CreateTime: unixTime(number(x.CreateTime))}
	account := text(x.AuthorizerAppID)
	if h.InfoType == "" {
		return nil, ErrEvent
	}
	switch h.InfoType {
	case infoTicket:
		ev := TicketEvent{EventHeader: h, Ticket: text(x.Ticket)}
		if ev.Ticket == "" {
			return nil, ErrEvent
		}
		return ev, nil
	case infoAuthorized, infoUpdateAuthorized:
		ev := AuthorizedEvent{
			EventHeader:       h,
			AuthorizerAppID:   account,
			AuthorizationCode: text(x.AuthorizationCode),
			PreAuthCode:       text(x.PreAuthCode),
			CodeExpiresAt:     codeExpiry(h.CreateTime, number(x.CodeExpiresAt)),
			Updated:           h.InfoType == infoUpdateAuthorized,
		}
		if account == "" {
			return nil, ErrEvent
		}
		return ev, nil
	case infoUnauthorized:
		if account == "" {
			return nil, ErrEvent
		}
		return UnauthorizedEvent{EventHeader: h, AuthorizerAppID: account}, nil
	}
	if account == "" {
		account = text(x.AuthorizerAppID2)
	}
	return UnknownEvent{EventHeader: h, AuthorizerAppID: account, Raw: bytes.Clone(raw)}, nil
}

// Message is what a follower of an account sent or did, as it comes at the 消息与事件接收URL. WeChat's pages: 接收普通消息,
// 接收事件推送. It is personal data.
type Message struct {
	// ToUserName is the account's original id, gh_….
	ToUserName string
	// FromUserName is the follower's openid.
	FromUserName string
	// CreateTime is to the second, in UTC; zero where WeChat did not say.
	CreateTime time.Time
	// MsgType is "event", "text" and so on.
	MsgType string
	// Event is "subscribe", "unsubscribe" and so on where MsgType is "event".
	Event    string
	EventKey string
	// Content is the text where MsgType is "text".
	Content string
	// MsgID tells repeated messages apart; events have none and are told apart by FromUserName and CreateTime.
	MsgID int64
}

// ParseMessage reads a decrypted message of an account. It fails with [ErrEvent] where the XML is malformed or has no
// MsgType.
func ParseMessage(raw []byte) (Message, error) {
	var x struct {
		ToUserName   string `xml:"ToUserName"`
		FromUserName string `xml:"FromUserName"`
		CreateTime   string `xml:"CreateTime"`
		MsgType      string `xml:"MsgType"`
		Event        string `xml:"Event"`
		EventKey     string `xml:"EventKey"`
		Content      string `xml:"Content"`
		MsgID        string `xml:"MsgId"`
	}
	if err := xml.Unmarshal(raw, &x); err != nil || text(x.MsgType) == "" {
		return Message{}, ErrEvent
	}
	return Message{
		ToUserName:   text(x.ToUserName),
		FromUserName: text(x.FromUserName),
		CreateTime:   unixTime(number(x.CreateTime)),
		MsgType:      text(x.MsgType),
		Event:        text(x.Event),
		EventKey:     text(x.EventKey),
		Content:      x.Content, // what the follower typed, blanks included
		MsgID:        number(x.MsgID),
	}, nil
}

// codeExpiry reads AuthorizationCodeExpiredTime, which WeChat's page calls a number of seconds and real pushes fill
// with a date.
func codeExpiry(created time.Time, seconds int64) time.Time {
	switch {
	case seconds > earliestDate:
		return unixTime(seconds)
	case seconds <= 0 || created.IsZero():
		return time.Time{}
	}
	return created.Add(time.Duration(seconds) * time.Second)
}

// unixTime is zero for 0, for less, and for what lies beyond the year 9999, which JSON and databases refuse.
func unixTime(seconds int64) time.Time {
	const year9999 = 253402300799
	if seconds <= 0 || seconds > year9999 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

func text(s string) string { return strings.TrimSpace(s) }

// number is 0 for what is no number: a broken date is no reason to lose a ticket.
func number(s string) int64 {
	n, err := strconv.ParseInt(text(s), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
