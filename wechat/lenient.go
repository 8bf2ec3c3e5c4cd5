package wechat

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// WeChat's pages and its servers disagree about types in places, and versions of one page disagree with each other.
// The types below read every form that a page or an SDK knows, so that a field nobody needs fails no call.

// errorCode reads 40001 and "40001"; null and "" are 0. All else is an error: whether a call failed must be known.
type errorCode int

func (c *errorCode) UnmarshalJSON(b []byte) error {
	if s := string(b); s == "null" || s == `""` {
		return nil
	}
	n, ok := parseNumber(b)
	if !ok {
		return errors.New("errcode is no number")
	}
	*c = errorCode(n)
	return nil
}

// lenientInt reads 1, "1", 1.0 and true. All else leaves it as it is.
type lenientInt int64

func (i *lenientInt) UnmarshalJSON(b []byte) error {
	if n, ok := parseNumber(b); ok {
		*i = lenientInt(n)
	}
	return nil
}

func parseNumber(b []byte) (int64, bool) {
	s := strings.TrimSpace(strings.Trim(string(b), `"`))
	switch s {
	case "false":
		return 0, true
	case "true":
		return 1, true
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// seconds reads i as a span. It is never negative and never overflows.
func (i lenientInt) seconds() time.Duration {
	return time.Duration(min(max(i, 0), math.MaxInt32)) * time.Second
}

func (i lenientInt) time() time.Time { return unixTime(int64(i)) }

func (i lenientInt) bool() bool { return i != 0 }

// lenientString reads "a", null, and anything else as its JSON text.
type lenientString string

func (s *lenientString) UnmarshalJSON(b []byte) error {
	var plain *string
	if err := json.Unmarshal(b, &plain); err != nil {
		*s = lenientString(b)
		return nil
	}
	if plain != nil {
		*s = lenientString(*plain)
	}
	return nil
}

// lenientStrings reads a list of strings, without the blank ones. Anything but a list is an empty list.
type lenientStrings []string

func (l *lenientStrings) UnmarshalJSON(b []byte) error {
	*l = nil
	if !bytes.HasPrefix(b, []byte("[")) {
		return nil
	}
	var items []lenientString
	if err := json.Unmarshal(b, &items); err != nil {
		return err
	}
	for _, item := range items {
		if s := strings.TrimSpace(string(item)); s != "" {
			*l = append(*l, s)
		}
	}
	return nil
}

// lenientInts reads a list of numbers. Anything but a list is an empty list.
type lenientInts []int

func (l *lenientInts) UnmarshalJSON(b []byte) error {
	*l = nil
	if !bytes.HasPrefix(b, []byte("[")) {
		return nil
	}
	var items []lenientInt
	if err := json.Unmarshal(b, &items); err != nil {
		return err
	}
	for _, item := range items {
		*l = append(*l, int(item))
	}
	return nil
}

// lenientObject reads an object into T. Anything else, such as null or the [] that PHP makes of an empty map, leaves T
// as it is.
type lenientObject[T any] struct {
	value   T
	present bool
}

func (o *lenientObject[T]) UnmarshalJSON(b []byte) error {
	if !bytes.HasPrefix(b, []byte("{")) {
		return nil
	}
	o.present = true
	return json.Unmarshal(b, &o.value)
}
