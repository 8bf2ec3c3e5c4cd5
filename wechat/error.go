package wechat

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// maxMessage is how much of an errmsg is kept, in bytes; the longest known has about 200.
const maxMessage = 500

// rid is how WeChat names one failed call: three groups of hex, the last one of seven or eight digits.
var ridPattern = regexp.MustCompile(`\brid: *([0-9a-f-]+)`)

// ErrListSize says that a list of openids is empty or longer than WeChat takes in one call. Nothing was sent.
var ErrListSize = errors.New("wechat: the list of openids is empty or too long for one call")

// Error is a refusal by WeChat: an answer with an errcode other than 0.
type Error struct {
	// Path is the endpoint's, such as /cgi-bin/tags/members/batchblacklist.
	Path string
	// Code is WeChat's errcode. Compare this and never Message, which changes from year to year.
	Code int
	// Message is WeChat's errmsg with tokens and other secrets taken out, at most 500 bytes.
	Message string
	// RID names the call in WeChat's own records for seven days, see [Client.RID]; empty where the message has none.
	RID string
}

func newError(path string, code int, message string, red *redactor) *Error {
	message = red.text(message)
	// Searched after redaction: a secret in hex that follows "rid:" must not become one.
	e := &Error{Path: path, Code: code, Message: clean(message)}
	if m := ridPattern.FindStringSubmatch(message); m != nil {
		e.RID = clean(m[1])
	}
	return e
}

// clean makes text fit for a log line and for a Postgres column, which refuses NUL.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") // a rune cut in half goes
	}
	return strings.TrimSpace(s)
}

// Error names the path, the code and the redacted message.
func (e *Error) Error() string {
	return fmt.Sprintf("wechat: %s refused with %d: %s", e.Path, e.Code, e.Message)
}

// Class says what kind of failure e is. A few codes depend on e.Path: 40001, 40014 and 42001 are about the
// component's token where the path is one of the component's own.
func (e *Error) Class() Class { return e.meaning().class }

// Advice returns one sentence that tells the platform's operator, or the merchant, what to do.
func (e *Error) Advice() string { return e.meaning().advice }

// Advice is [Error.Advice] for a code whose path is not known. Code 0 needs none and gets "".
func Advice(code int) string {
	if code == 0 {
		return ""
	}
	return (&Error{Code: code}).Advice()
}

// TransportError says that no readable answer came: the network failed, the time ran out, the HTTP status was not 200,
// or the body was not the JSON it should be. Whether WeChat acted on the call is not known.
type TransportError struct {
	// Path is the endpoint's.
	Path string
	// Status is the HTTP status where it was the trouble, else 0.
	Status int
	cause  error
}

// newTransportError hides whatever of err could give a secret away, while errors.Is and errors.As go on finding the
// causes that a program wants to tell apart.
func newTransportError(path string, red *redactor, err error) *TransportError {
	e := &TransportError{Path: path}
	var status statusError
	if errors.As(err, &status) {
		e.Status = int(status)
	}
	// *url.Error prints the URL, and WeChat's URLs carry the token.
	if u, ok := err.(*url.Error); ok { //nolint:errorlint // only the outermost: a nested one is hidden below
		err = u.Err
	}
	e.cause = err
	if !printable(err, red) {
		e.cause = &hiddenError{text: clean(red.text(innermostText(err))), cause: err}
	}
	return e
}

// printable reports whether no error in the tree of err holds a secret.
func printable(err error, red *redactor) bool {
	if err == nil {
		return true
	}
	if _, ok := err.(*url.Error); ok { //nolint:errorlint // the tree is walked by hand
		return false
	}
	if s := err.Error(); red.text(s) != s {
		return false
	}
	switch x := err.(type) { //nolint:errorlint // the tree is walked by hand
	case interface{ Unwrap() error }:
		return printable(x.Unwrap(), red)
	case interface{ Unwrap() []error }:
		for _, inner := range x.Unwrap() {
			if !printable(inner, red) {
				return false
			}
		}
	}
	return true
}

// innermostText is the text of err, without the URL where a *url.Error is inside.
func innermostText(err error) string {
	var u *url.Error
	if errors.As(err, &u) && u.Err != nil {
		return innermostText(u.Err)
	}
	return err.Error()
}

// hiddenError stands for an error that must not be printed. It can be compared, but not unwrapped.
type hiddenError struct {
	text  string
	cause error
}

func (h *hiddenError) Error() string        { return h.text }
func (h *hiddenError) Is(target error) bool { return errors.Is(h.cause, target) }

// Timeout makes the error look like the net.Error that it may stand for.
func (h *hiddenError) Timeout() bool {
	var n net.Error
	return errors.As(h.cause, &n) && n.Timeout()
}

// Error names the path and the cause, never the URL's query.
func (e *TransportError) Error() string {
	if e.cause == nil {
		return "wechat: " + e.Path + ": no usable answer"
	}
	return "wechat: " + e.Path + ": no usable answer: " + e.cause.Error()
}

// Unwrap returns the cause, such as context.DeadlineExceeded or *net.OpError. It holds no secret either.
func (e *TransportError) Unwrap() error { return e.cause }

// ClassOf says what kind of failure err is: ClassNone for nil, that of the *[Error] inside err, [ClassCaller] for
// [ErrListSize], and [ClassRetry] for all else, be it a *[TransportError], a cancelled context or a database that is
// away: nothing that is not WeChat's own word may be held against a merchant.
func ClassOf(err error) Class {
	var refused *Error
	switch {
	case err == nil:
		return ClassNone
	case errors.As(err, &refused):
		return refused.Class()
	case errors.Is(err, ErrListSize):
		return ClassCaller
	}
	return ClassRetry
}

// IsBadOpenID reports whether WeChat refused a call because of one openid in it. The others of the same batch may well
// be good, so halve the batch and try again.
func IsBadOpenID(err error) bool {
	var refused *Error
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.Code {
	case 40003, 43004, 43006, 46004, 49003:
		return true
	}
	return false
}
