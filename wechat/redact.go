package wechat

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

const redacted = "[redacted]"

// minSecret is the length below which a secret is not looked for in texts: real ones have 32 characters and more, and
// a shorter one would tear words like "ok" out of every message.
const minSecret = 4

// Secrets as they look in URLs, in JSON (also in JSON inside a JSON string), and by themselves. They catch what
// redactor.text does not know by heart, such as a token that an answer holds.
var (
	secretKeys = `(?:(?:component_|authorizer_)?(?:access_token|refresh_token)|(?:component_)?(?:app)?secret|component_verify_ticket|ticket|pre_auth_code|auth_code|authorization_code|encoding_?aes_?key)`
	secretForm = []*regexp.Regexp{
		regexp.MustCompile(`(?i)(\b(?:` + secretKeys + `|code)=)[^&\s"'<>\\]+`),
		regexp.MustCompile(`(?i)(\\?"` + secretKeys + `\\?"\s*:\s*\\?")[^"\\]+`),
		regexp.MustCompile(`(https?://[^\s"'<>?]+\?)[^\s"'<>]+`),
		regexp.MustCompile(`(https?://)[^/\s"'<>@]+(@)`),
		regexp.MustCompile(`()\b[a-z]+(?:@@@|(?i:%40){3})[^&\s"'<>\\]+`),
		regexp.MustCompile(`()\b[0-9]{1,3}_[0-9A-Za-z_-]{30,}`),
	}
	percentEscape = regexp.MustCompile(`%[0-9A-F]{2}`)
)

// redactor takes the secrets of one call, and whatever looks like one, out of texts that others wrote. It is not safe
// for concurrent use.
type redactor struct {
	secrets []string
	known   *strings.Replacer // made of secrets when the first text comes: most calls succeed and have none
}

func newRedactor(secrets ...string) *redactor { return &redactor{secrets: secrets} }

func (r *redactor) text(s string) string {
	if r.known == nil {
		r.known = replacer(r.secrets)
	}
	s = r.known.Replace(s)
	for _, form := range secretForm {
		s = form.ReplaceAllString(s, "${1}"+redacted+"${2}")
	}
	return s
}

// replacer knows secrets in each form in which a server or a proxy might repeat them.
func replacer(secrets []string) *strings.Replacer {
	var forms []string
	for _, s := range secrets {
		if len(s) < minSecret {
			continue
		}
		quoted, _ := json.Marshal(s) // a string always marshals
		escaped := url.QueryEscape(s)
		forms = append(forms, s, escaped, url.PathEscape(s), percentEscape.ReplaceAllStringFunc(escaped, strings.ToLower),
			html.EscapeString(s), strings.Trim(string(quoted), `"`), strings.ReplaceAll(s, "/", `\/`))
	}
	// Longest first, so that a secret which begins like another one leaves no rest of it behind.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(forms))
	for _, f := range forms {
		pairs = append(pairs, f, redacted)
	}
	return strings.NewReplacer(pairs...)
}

// What follows keeps secrets out of log lines: fmt and slog print types that hold one by name and id only. Their secret
// fields are left out of JSON by tag.

func hide(s fmt.State, v slog.LogValuer) { _, _ = io.WriteString(s, v.LogValue().String()) }

func hidden(name, id string) slog.Value {
	if id == "" {
		return slog.StringValue("wechat." + name + redacted)
	}
	return slog.StringValue("wechat." + name + "(" + id + ")" + redacted)
}

// LogValue implements [slog.LogValuer] without secrets.
func (k CallbackKey) LogValue() slog.Value { return hidden("CallbackKey", "") }

// LogValue implements [slog.LogValuer] without secrets.
func (t Token) LogValue() slog.Value { return hidden("Token", "") }

// LogValue implements [slog.LogValuer] without secrets.
func (c PreAuthCode) LogValue() slog.Value { return hidden("PreAuthCode", "") }

// LogValue implements [slog.LogValuer] without secrets.
func (a Authorization) LogValue() slog.Value { return hidden("Authorization", a.AuthorizerAppID) }

// LogValue implements [slog.LogValuer] without secrets.
func (t AuthorizerToken) LogValue() slog.Value { return hidden("AuthorizerToken", "") }

// LogValue implements [slog.LogValuer] without secrets.
func (i AuthorizerInfo) LogValue() slog.Value { return hidden("AuthorizerInfo", i.AppID) }

// LogValue implements [slog.LogValuer] without secrets.
func (i AuthorizerListItem) LogValue() slog.Value { return hidden("AuthorizerListItem", i.AppID) }

// LogValue implements [slog.LogValuer] without secrets.
func (c Consent) LogValue() slog.Value { return hidden("Consent", c.ComponentAppID) }

// LogValue implements [slog.LogValuer] without secrets.
func (e TicketEvent) LogValue() slog.Value { return hidden("TicketEvent", e.AppID) }

// LogValue implements [slog.LogValuer] without secrets.
func (e AuthorizedEvent) LogValue() slog.Value { return hidden("AuthorizedEvent", e.AuthorizerAppID) }

// LogValue implements [slog.LogValuer] without secrets.
func (e UnknownEvent) LogValue() slog.Value { return hidden("UnknownEvent", e.InfoType) }

// Format implements [fmt.Formatter] without secrets.
func (k CallbackKey) Format(s fmt.State, _ rune) { hide(s, k) }

// Format implements [fmt.Formatter] without secrets.
func (t Token) Format(s fmt.State, _ rune) { hide(s, t) }

// Format implements [fmt.Formatter] without secrets.
func (c PreAuthCode) Format(s fmt.State, _ rune) { hide(s, c) }

// Format implements [fmt.Formatter] without secrets.
func (a Authorization) Format(s fmt.State, _ rune) { hide(s, a) }

// Format implements [fmt.Formatter] without secrets.
func (t AuthorizerToken) Format(s fmt.State, _ rune) { hide(s, t) }

// Format implements [fmt.Formatter] without secrets.
func (i AuthorizerInfo) Format(s fmt.State, _ rune) { hide(s, i) }

// Format implements [fmt.Formatter] without secrets.
func (i AuthorizerListItem) Format(s fmt.State, _ rune) { hide(s, i) }

// Format implements [fmt.Formatter] without secrets.
func (c Consent) Format(s fmt.State, _ rune) { hide(s, c) }

// Format implements [fmt.Formatter] without secrets.
func (e TicketEvent) Format(s fmt.State, _ rune) { hide(s, e) }

// Format implements [fmt.Formatter] without secrets.
func (e AuthorizedEvent) Format(s fmt.State, _ rune) { hide(s, e) }

// Format implements [fmt.Formatter] without secrets.
func (e UnknownEvent) Format(s fmt.State, _ rune) { hide(s, e) }
