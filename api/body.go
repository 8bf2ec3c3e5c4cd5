package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/wechat-steward/steward/blacklist"
)

const (
	// maxBody is the largest body with openids: 100,000 of them are about 4 MB. maxSmallBody is the largest of any other.
	maxBody      = 20 << 20
	maxSmallBody = 64 << 10
	// What a body may hold at most. The contract's bodies have two levels and a dozen names; the limits are for those who
	// send something else.
	maxDepth  = 16
	maxNames  = 1000
	maxValues = blacklist.MaxOpenIDs + maxNames
	// openidsField and unionidsField are the long arrays of the contract.
	openidsField  = "openids"
	unionidsField = "unionids"
	dryRunField   = "dry_run"
)

// validateBody reads a body and holds it against the contract. What it decodes on the way is what the handler gets.
func validateBody(w http.ResponseWriter, r *http.Request, contract *openapi3.RequestBody) error {
	if isFile(r, contract) {
		return openFile(w, r)
	}
	schema := contract.Content.Get(echo.MIMEApplicationJSON).Schema.Value
	limit := int64(maxSmallBody)
	if schema.Properties[openidsField] != nil {
		limit = maxBody
	}
	if r.ContentLength > limit {
		return echo.ErrStatusRequestEntityTooLarge
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if as[*http.MaxBytesError](err) != nil {
		return echo.ErrStatusRequestEntityTooLarge
	}
	if err != nil {
		return malformed("", "could not be read to its end")
	}
	var wrong fieldErrors
	if len(data) == 0 {
		r.Body, r.ContentLength = http.NoBody, 0
		if contract.Required {
			wrong.add("", "a body is required")
		}
		return wrong.err()
	}
	if !isJSON(r.Header.Get(echo.HeaderContentType)) {
		return &validationError{
			answer: unsupportedMediaType,
			detail: "Send the body as JSON with the header Content-Type: application/json.",
		}
	}
	r.Header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON) // the generated code compares its first letters
	value, err := decodeBody(data, &wrong)
	if err != nil {
		return err
	}
	checkBody(value, schema, &wrong)
	r.Body, r.ContentLength = decodedBody{io.NopCloser(bytes.NewReader(data)), value}, int64(len(data))
	return wrong.err()
}

func isJSON(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && mediaType == echo.MIMEApplicationJSON
}

// decodedBody hands the generated code what was validated, so that it does not decode the body by laxer rules again.
type decodedBody struct {
	io.ReadCloser
	value any
}

// ValidatedValue is what the generated code looks for.
func (b decodedBody) ValidatedValue() any { return b.value }

// malformed is the answer to a body that cannot be read.
func malformed(pointer, detail string) error {
	return &validationError{
		answer: malformedBody, detail: "The body could not be read as JSON (UTF-8); nothing was done.",
		fields: []FieldError{{Pointer: cut(pointer), Detail: detail}},
	}
}

// decodeBody reads JSON more strictly than Go does: UTF-8, every name once, nothing after the value. Two programs that read
// the same lax JSON may read two things in it.
func decodeBody(data []byte, wrong *fieldErrors) (any, error) {
	if !utf8.Valid(data) {
		return nil, malformed("", "is not UTF-8")
	}
	d := &bodyDecoder{tokens: json.NewDecoder(bytes.NewReader(data)), wrong: wrong}
	d.tokens.UseNumber()
	value, err := d.value()
	if err != nil {
		return nil, err
	}
	if _, err := d.tokens.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed("", "something follows the JSON value")
	}
	return value, nil
}

type bodyDecoder struct {
	tokens        *json.Decoder
	path          []step
	names, values int
	wrong         *fieldErrors
}

// step is one part of a pointer: a name, or the place in an array.
type step struct {
	name  string
	index int
}

func (d *bodyDecoder) pointer() string {
	names := make([]string, len(d.path))
	for i, s := range d.path {
		if names[i] = s.name; s.index >= 0 {
			names[i] = strconv.Itoa(s.index)
		}
	}
	return pointerTo(names...)
}

func (d *bodyDecoder) value() (any, error) {
	token, err := d.tokens.Token()
	if err != nil {
		return nil, malformed(d.pointer(), "is not JSON")
	}
	if d.values++; d.values > maxValues {
		return nil, d.tooMuch(fmt.Sprintf("holds too much: at most %d openids go into one request", blacklist.MaxOpenIDs))
	}
	switch token := token.(type) {
	case json.Delim:
		if len(d.path) == maxDepth {
			return nil, malformed(d.pointer(), "is nested too deeply")
		}
		if token == '{' {
			return d.object()
		}
		return d.array()
	case json.Number:
		return json.Number(plainInteger(token.String())), nil
	case string:
		if !storable(token) {
			d.wrong.add(d.pointer(), notText)
		}
	}
	return token, nil
}

func (d *bodyDecoder) object() (any, error) {
	object := map[string]any{}
	for d.tokens.More() {
		token, err := d.tokens.Token()
		name, isName := token.(string)
		if err != nil || !isName {
			return nil, malformed(d.pointer(), "is not JSON")
		}
		d.path = append(d.path, step{name, -1})
		if _, twice := object[name]; twice {
			return nil, malformed(d.pointer(), "is given twice")
		}
		if d.names++; d.names > maxNames {
			return nil, d.tooMuch(fmt.Sprintf("holds more than %d names", maxNames))
		}
		if object[name], err = d.value(); err != nil {
			return nil, err
		}
		d.path = d.path[:len(d.path)-1]
	}
	return object, d.end()
}

func (d *bodyDecoder) array() (any, error) {
	array := []any{}
	for d.tokens.More() {
		d.path = append(d.path, step{"", len(array)})
		item, err := d.value()
		if err != nil {
			return nil, err
		}
		array = append(array, item)
		d.path = d.path[:len(d.path)-1]
	}
	return array, d.end()
}

// end reads the bracket that ends an object or array.
func (d *bodyDecoder) end() error {
	if _, err := d.tokens.Token(); err != nil {
		return malformed(d.pointer(), "is not JSON")
	}
	return nil
}

// tooMuch points to the object or array that holds more than any body may.
func (d *bodyDecoder) tooMuch(detail string) error {
	d.path = d.path[:max(0, len(d.path)-1)]
	d.wrong.add(d.pointer(), detail)
	return d.wrong.err()
}

// checkBody holds a decoded body against its schema. Unknown fields are found by hand, since kin-openapi does not point to
// them, and so is what is wrong with openids: kin-openapi makes an error of a kilobyte for every one, of which 20 MB hold
// millions.
func checkBody(value any, schema *openapi3.Schema, wrong *fieldErrors) {
	object, isObject := value.(map[string]any)
	if isObject {
		object = maps.Clone(object)
		for _, name := range slices.Sorted(maps.Keys(object)) {
			if schema.Properties[name] == nil {
				delete(object, name)
				wrong.add(pointerTo(name), "is no field of this request")
			}
		}
		value = object
	}
	long := map[string][]any{}
	for _, name := range []string{openidsField, unionidsField} {
		if list, isArray := object[name].([]any); isArray {
			long[name], object[name] = list, []any{"stands for them"}
		}
	}
	wrong.addSchemaErrors("", schema.VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsRequest(),
		openapi3.WithStringFormatValidator("date-time", openapi3.NewCallbackValidator(dateTime))))
	for _, name := range slices.Sorted(maps.Keys(long)) {
		checkOpenIDs(name, long[name], schema.Properties[name].Value, object[dryRunField] == true, wrong)
	}
}

// checkOpenIDs says what kin-openapi would say about the schema OpenIDs. A test compares the two. In a preview openids may be too
// long: to say so is what it is for.
func checkOpenIDs(field string, openids []any, schema *openapi3.Schema, preview bool, wrong *fieldErrors) {
	if n := uint64(len(openids)); n < schema.MinItems {
		wrong.add(pointerTo(field), fmt.Sprintf("minimum number of items is %d", schema.MinItems))
	} else if n > *schema.MaxItems {
		wrong.add(pointerTo(field), fmt.Sprintf("maximum number of items is %d", *schema.MaxItems))
	}
	longest := int(*schema.Items.Value.MaxLength) // 128
	for i, item := range openids {
		text, isText := item.(string)
		switch {
		case item == nil:
			wrong.add(pointerTo(field, strconv.Itoa(i)), "must not be null")
		case !isText:
			wrong.add(pointerTo(field, strconv.Itoa(i)), "value must be a string")
		case !preview && len(text) > longest && utf8.RuneCountInString(text) > longest:
			wrong.add(pointerTo(field, strconv.Itoa(i)), fmt.Sprintf("maximum string length is %d", longest))
		}
	}
}
