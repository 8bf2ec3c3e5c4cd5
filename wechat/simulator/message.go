package simulator

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wechat-steward/steward/wechat"
)

// Message is what a user sends to an account, or an event that a user causes.
type Message struct {
	// From is the user's openid.
	From string `json:"from"`
	// MsgType is "text" (default) or "event".
	MsgType string `json:"msg_type"`
	// Event is "subscribe", "unsubscribe", "SCAN" and so on, for events.
	Event    string `json:"event"`
	EventKey string `json:"event_key"`
	// Content of a text message.
	Content string `json:"content"`
	// MsgID of a message; 0 makes one up. Events have none.
	MsgID int64 `json:"msg_id"`
	// CreatedAt defaults to now.
	CreatedAt time.Time `json:"created_at"`
}

// Reply is what became of a message.
type Reply struct {
	// Delivered is false if WeChat keeps the message to itself; Why says the reason.
	Delivered bool   `json:"delivered"`
	Why       string `json:"why,omitempty"`
	// Content is the decrypted passive reply, nil where the answer was empty or "success".
	Content []byte `json:"-"`
}

// messageSet is the permission set without which a component gets no messages.
const messageSet = 1

// PushMessage sends a user's message to the first component's MessageURL, encrypted, and reads the reply. Nothing is
// sent if the account has not granted set 1, or if it blocks the user: that is Delivered false and no error. The
// error says that the answer was none: no 200 in time, or neither empty, "success" nor a sealed reply.
func (s *Server) PushMessage(ctx context.Context, appid string, m Message) (Reply, error) {
	m.MsgType = cmp.Or(m.MsgType, "text")
	d, why, err := s.messageDelivery(appid, m)
	if err != nil || why != "" {
		return Reply{Why: why}, err
	}
	answer, err := s.deliver(ctx, d)
	if err != nil {
		return Reply{}, err
	}
	reply := Reply{Delivered: true}
	if body := string(answer); body == "" || body == "success" {
		return reply, nil
	}
	reply.Content, err = openReply(d.cipher, answer)
	return reply, err
}

// messageDelivery prepares a message for its way, or says why it is not delivered.
func (s *Server) messageDelivery(appid string, m Message) (d delivery, why string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findAccount(appid)
	if err != nil {
		return delivery{}, "", err
	}
	c := s.components[0]
	g := a.grantTo(c)
	switch {
	case c.MessageURL == "":
		return delivery{}, "", ErrNoCallbackURL
	case g == nil || g.revoked:
		return delivery{}, "the account does not authorize the component", nil
	case !slices.Contains(g.sets, messageSet):
		return delivery{}, "permission set 1 is not granted", nil
	case a.black.has(m.From):
		return delivery{}, "the user is blocked", nil
	}
	if m.CreatedAt.IsZero() {
		m.CreatedAt = s.now()
	}
	if m.MsgID == 0 {
		s.serial++
		m.MsgID = m.CreatedAt.Unix()<<20 + int64(s.serial)
	}
	d, err = s.newDelivery(c, m.MsgType, m.xml(a.UserName))
	d.url = strings.ReplaceAll(c.MessageURL, "$APPID$", appid)
	d.appID, d.openID, d.userName = appid, m.From, a.UserName
	return d, "", err
}

func (m Message) xml(userName string) string {
	var b xmlBody
	b.text("ToUserName", userName)
	b.text("FromUserName", m.From)
	b.number("CreateTime", m.CreatedAt.Unix())
	b.text("MsgType", m.MsgType)
	if m.MsgType == "event" {
		b.text("Event", m.Event)
		b.text("EventKey", m.EventKey)
	} else {
		b.text("Content", m.Content)
		b.number("MsgId", m.MsgID)
	}
	return b.String()
}

// openReply opens an encrypted passive reply, which carries signature, time and nonce in its body.
func openReply(cipher *wechat.Cipher, body []byte) ([]byte, error) {
	elements, err := readElements(body)
	if err != nil {
		return nil, errors.New("simulator: the reply is neither empty, \"success\" nor XML")
	}
	return cipher.Open(wechat.Push{
		MsgSignature: elements["MsgSignature"], Timestamp: elements["TimeStamp"], Nonce: elements["Nonce"], Body: body,
	})
}

// customSend is message/custom/send, which the release test needs. What was sent is found in Calls.
func (s *Server) customSend(q *request) (object, *refusal) {
	to, no := q.text("touser")
	if no != nil {
		return nil, no
	}
	a := q.grant.account
	switch {
	case to == "":
		return nil, refuse(codeOpenIDMissing)
	case a.black.has(to):
		return nil, refuse(codeBlacklisted)
	case a.followers.has(to):
		return written(), nil
	case a.knows(to):
		return nil, refuse(codeNotFollowing)
	default:
		return nil, refuse(codeBadOpenID)
	}
}

// xmlBody writes the XML of a push.
type xmlBody struct {
	strings.Builder
	open bool
}

func (b *xmlBody) element(name, value string) {
	if !b.open {
		b.WriteString("<xml>")
		b.open = true
	}
	b.WriteString("<" + name + ">" + value + "</" + name + ">")
}

func (b *xmlBody) text(name, value string) {
	b.element(name, "<![CDATA["+strings.ReplaceAll(value, "]]>", "]]]]><![CDATA[>")+"]]>")
}

func (b *xmlBody) number(name string, value int64) {
	b.element(name, strconv.FormatInt(value, 10))
}

// String ends the document.
func (b *xmlBody) String() string {
	return b.Builder.String() + "</xml>"
}
