package api

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/labstack/echo/v4"

	"github.com/wechat-steward/steward/tenant"
)

// validationError is a request that openapi.yaml does not allow: 400 for what cannot be read at all, 422 for what can.
type validationError struct {
	answer
	detail string
	fields []FieldError
}

func (e *validationError) Error() string { return e.detail }

// validateRequests holds each request against openapi.yaml before any handler sees it.
func (s *server) validateRequests() (echo.MiddlewareFunc, error) {
	router, err := gorillamux.NewRouter(withoutServers(s.spec))
	if err != nil {
		return nil, fmt.Errorf("api: routes of openapi.yaml: %w", err)
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			route, params, err := router.FindRoute(r)
			if err != nil {
				return echo.ErrNotFound // Echo has found the method already
			}
			if err := validateParameters(r, route, params); err != nil {
				return err
			}
			if route.Operation.RequestBody != nil {
				if err := validateBody(c.Response(), r, route.Operation.RequestBody.Value); err != nil {
					return err
				}
			}
			return next(c)
		}
	}, nil
}

// withoutServers lets the router match on the path alone, whatever host we are reached by.
func withoutServers(spec *openapi3.T) *openapi3.T {
	routed := *spec
	routed.Servers = nil
	return &routed
}

// validateParameters holds path, query and headers against the contract, and what text may be at all against Postgres.
func validateParameters(r *http.Request, route *routers.Route, path map[string]string) error {
	for _, value := range path {
		if plain, err := url.PathUnescape(value); err != nil || !storable(plain) {
			return tenant.ErrNotFound // no id of ours
		}
	}
	var wrong fieldErrors
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		// net/http would leave out what it cannot read, and the caller would get the answer to another question.
		wrong.add("query:", "is not a query string as browsers write it")
		return wrong.err()
	}
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: path, QueryParams: query, Route: route,
		Options: &openapi3filter.Options{MultiError: true, SkipSettingDefaults: true},
	}
	for _, p := range append(slices.Clone(route.PathItem.Parameters), route.Operation.Parameters...) {
		at := p.Value.In + ":" + p.Value.Name
		if unfit := unfitText(r.Header, query, p.Value); unfit != "" {
			wrong.add(at, unfit)
			continue
		}
		// Not ValidateRequest, which reads the body too, to its end and without a limit.
		wrong.addSchemaErrors(at, openapi3filter.ValidateParameter(r.Context(), input, p.Value))
	}
	return wrong.err()
}

// unfitText is what is wrong with a parameter whatever its schema; "" if nothing is.
func unfitText(header http.Header, query url.Values, p *openapi3.Parameter) string {
	var values []string
	switch p.In {
	case openapi3.ParameterInQuery:
		values = query[p.Name]
	case openapi3.ParameterInHeader:
		joinHeader(header, p.Name)
		values = header.Values(p.Name)
	}
	switch {
	case len(values) == 0:
		return ""
	case len(values) > 1:
		return "is given more than once"
	case !storable(values[0]):
		return notText
	case values[0] == "" && p.Schema.Value.MinLength > 0: // for kin-openapi such a header is not there
		return "must not be empty"
	}
	return ""
}

// joinHeader makes one line of several, as RFC 9110 (5.3) lets any recipient do.
func joinHeader(h http.Header, name string) {
	if values := h.Values(name); len(values) > 1 {
		h.Set(name, strings.Join(values, ", "))
	}
}

const notText = "must be text in UTF-8, without NUL"

// storable tells whether Postgres takes s as text. What it does not take would come back as an error of ours.
func storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// maxFieldErrors bounds the answer to a request that is wrong a hundred thousand times, maxPointer the one to a field whose name is a novel.
const (
	maxFieldErrors = 20
	maxPointer     = 200
)

// fieldErrors collects what is wrong with a request. It keeps the first few and counts them all.
type fieldErrors struct {
	listed []FieldError
	total  int
}

func (f *fieldErrors) add(pointer, detail string) {
	f.total++
	if len(f.listed) < maxFieldErrors {
		f.listed = append(f.listed, FieldError{Pointer: cut(pointer), Detail: detail})
	}
}

// cut shortens a pointer for the answer; it holds names that the caller made up.
func cut(pointer string) string {
	if len(pointer) <= maxPointer {
		return pointer
	}
	return strings.ToValidUTF8(pointer[:maxPointer], "") + "…"
}

// err is nil if nothing is wrong.
func (f *fieldErrors) err() error {
	if f.total == 0 {
		return nil
	}
	more := ""
	if f.total > len(f.listed) {
		more = fmt.Sprintf(" The first %d of %d errors are listed.", len(f.listed), f.total)
	}
	return &validationError{
		answer: invalidRequest, detail: "See errors for each wrong field; nothing was done." + more, fields: f.listed,
	}
}

// addSchemaErrors walks kin-openapi's tree of errors down to one line per field, in an order that stays the same.
// It takes the reason only, never the value: a value may be a secret.
func (f *fieldErrors) addSchemaErrors(at string, err error) {
	found := schemaErrors(nil, at, err)
	slices.SortStableFunc(found, func(a, b FieldError) int { return cmp.Compare(a.Pointer, b.Pointer) })
	for _, one := range found {
		f.add(one.Pointer, one.Detail)
	}
}

func schemaErrors(found []FieldError, at string, err error) []FieldError {
	var many openapi3.MultiError
	var schema *openapi3.SchemaError
	switch {
	case err == nil:
		return found
	case errors.As(err, &many):
		for _, one := range many {
			found = schemaErrors(found, at, one)
		}
		return found
	case errors.As(err, &schema):
		return append(found, FieldError{Pointer: at + pointerTo(schema.JSONPointer()...), Detail: reasonOf(schema)})
	case errors.Is(err, openapi3filter.ErrInvalidRequired):
		return append(found, FieldError{Pointer: at, Detail: "is required"})
	case errors.Is(err, openapi3filter.ErrInvalidEmptyValue):
		return append(found, FieldError{Pointer: at, Detail: "must not be empty"})
	}
	return append(found, FieldError{Pointer: at, Detail: "is not of the right type"})
}

// pointerTo writes a JSON pointer (RFC 6901).
func pointerTo(names ...string) string {
	var b strings.Builder
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	for _, name := range names {
		b.WriteString("/" + escape.Replace(name))
	}
	return b.String()
}

// reasonOf is why a value is refused, in words that do not repeat it.
func reasonOf(e *openapi3.SchemaError) string {
	switch e.SchemaField {
	case "format":
		if e.Schema.Format == "date-time" {
			return "must be a time as in RFC 3339, such as 2027-01-31T08:00:00Z"
		}
		return "must be in the format " + e.Schema.Format
	case "pattern": // that of appids
		return "must have letters, digits, hyphens and underscores only"
	case "required":
		return "is required"
	case "nullable":
		return "must not be null"
	}
	return e.Reason
}

// dateTime is stricter than kin-openapi, which takes the 31st of February, and than Go, which takes times that are beyond
// the year 9999 in UTC and that it could then not write.
func dateTime(text string) error {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.UTC().Year() > 9999 || t.UTC().Year() < 1 {
		return errors.New("no time of RFC 3339")
	}
	return nil
}

// plainInteger writes integers without fraction and exponent: in JSON 1e3 is one too.
func plainInteger(number string) string {
	if !strings.ContainsAny(number, ".eE") {
		return number
	}
	const exact = 1 << 53
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f != float64(int64(f)) || f > exact || f < -exact {
		return number
	}
	return strconv.FormatInt(int64(f), 10)
}
