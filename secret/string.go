package secret

import (
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// String holds a secret. Printed, logged or marshalled it shows "[redacted]"; only Reveal gives it away,
// so that every place that does can be found by searching for that word.
type String struct {
	// A pointer, because fmt prints the fields of unexported struct fields without asking their methods.
	value *string
}

// New wraps value.
func New(value string) String { return String{value: &value} }

// Reveal returns the secret itself.
func (s String) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsEmpty tells whether there is nothing in it.
func (s String) IsEmpty() bool { return s.Reveal() == "" }

// String implements fmt.Stringer and does not reveal.
func (s String) String() string { return redacted }

// Format implements fmt.Formatter: no verb reveals, %#v included.
func (s String) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText does not reveal; encoding/json uses it too.
func (s String) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText takes the text as the secret, for configuration that is read into structs.
func (s *String) UnmarshalText(text []byte) error {
	*s = New(string(text))
	return nil
}

// LogValue implements slog.LogValuer and does not reveal.
func (s String) LogValue() slog.Value { return slog.StringValue(redacted) }
