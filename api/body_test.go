package api_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/api"
)

func TestBody(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	block := b.accountPath("/blacklist/block")

	for name, w := range map[string]struct {
		body   string
		errors []string
	}{
		"NoJSON":              {`name=x`, []string{": is not JSON"}},
		"CutOff":              {`{"openids":["o1"`, []string{"/openids: is not JSON"}},
		"CutOffInText":        {`{"openids":["o1`, []string{"/openids/0: is not JSON"}},
		"CommaAtEnd":          {`{"openids":["o1",]}`, []string{"/openids/1: is not JSON"}},
		"WrongBracket":        {`{"openids":["o1"}`, []string{"/openids: is not JSON"}},
		"NameNoText":          {`{1:["o1"]}`, []string{": is not JSON"}},
		"SingleQuotes":        {`{'openids':['o1']}`, []string{": is not JSON"}},
		"Comment":             {`{"openids":["o1"]/*s3cr3t-value*/}`, []string{": is not JSON"}},
		"NaN":                 {`{"openids":[NaN]}`, []string{"/openids/0: is not JSON"}},
		"ControlCharacter":    {"{\"openids\":[\"o\n1\"]}", []string{"/openids/0: is not JSON"}},
		"ByteOrderMark":       {"\ufeff{\"openids\":[\"o1\"]}", []string{": is not JSON"}},
		"TrailingGarbage":     {`{"openids":["o1"]} s3cr3t-value`, []string{": something follows the JSON value"}},
		"TwoValues":           {`{"openids":["o1"]}{"openids":["o2"]}`, []string{": something follows the JSON value"}},
		"NameTwice":           {`{"openids":["o1"],"openids":["o2"]}`, []string{"/openids: is given twice"}},
		"NameTwiceEscaped":    {`{"openids":["o1"],"\u006fpenids":["o2"]}`, []string{"/openids: is given twice"}},
		"NameTwiceFurtherIn":  {`{"openids":["o1",{"a":1,"a":2}]}`, []string{"/openids/1/a: is given twice"}},
		"NoUTF8":              {"{\"openids\":[\"o\xff\"]}", []string{": is not UTF-8"}},
		"UTF16":               {"\xff\xfe{\x00}\x00", []string{": is not UTF-8"}},
		"NestedDeeply":        {strings.Repeat("[", 100_000), []string{strings.Repeat("/0", 16) + ": is nested too deeply"}},
		"NestedDeeplyObjects": {strings.Repeat(`{"a":`, 100_000), []string{strings.Repeat("/a", 16) + ": is nested too deeply"}},
	} {
		t.Run(name+"/Refused", func(t *testing.T) {
			t.Parallel()
			res := b.do(t, request{method: http.MethodPost, path: block, body: w.body})
			p := res.problem(t, http.StatusBadRequest, "malformed-body")
			require.Equal(t, w.errors, pointers(p))
			require.NotContains(t, res.body, offending)
		})
	}

	t.Run("ManyErrors/FirstAreListedAndAllCounted", func(t *testing.T) {
		t.Parallel()
		body := `{"openids":[1` + strings.Repeat(",1", 99_999) + `]}`
		p := b.do(t, request{method: http.MethodPost, path: block, body: body}).problem(t, http.StatusUnprocessableEntity, "invalid-request")
		require.Len(t, *p.Errors, 20)
		require.Equal(t, "/openids/19", (*p.Errors)[19].Pointer)
		require.Equal(t, "See errors for each wrong field; nothing was done. The first 20 of 100000 errors are listed.", p.Detail)
	})

	t.Run("ManyUnknownFields/NotEvenLookedAt", func(t *testing.T) {
		t.Parallel()
		var body strings.Builder
		body.WriteString(`{"openids":["o1"]`)
		for i := range 100_000 {
			fmt.Fprintf(&body, `,"x%d":1`, i)
		}
		body.WriteString("}")
		p := b.do(t, request{method: http.MethodPost, path: block, body: body.String()}).problem(t, http.StatusUnprocessableEntity, "invalid-request")
		require.Equal(t, []string{": holds more than 1000 names"}, pointers(p))
	})

	t.Run("VeryLongName/CutInAnswer", func(t *testing.T) {
		t.Parallel()
		p := b.do(t, request{method: http.MethodPost, path: block, body: `{"openids":["o1"],"` + strings.Repeat("微", 100_000) + `":1}`}).
			problem(t, http.StatusUnprocessableEntity, "invalid-request")
		require.Less(t, len((*p.Errors)[0].Pointer), 210)
	})

	t.Run("Empty/RefusedWhereBodyIsRequired", func(t *testing.T) {
		t.Parallel()
		for _, body := range []any{"", nil} {
			p := b.do(t, request{method: http.MethodPost, path: block, body: body}).problem(t, http.StatusUnprocessableEntity, "invalid-request")
			require.Equal(t, []string{": a body is required"}, pointers(p))
		}
	})

	t.Run("Empty/AllowedWhereBodyIsOptional", func(t *testing.T) {
		t.Parallel()
		b.post(t, http.StatusCreated, b.tenantPath("/connect-links"), nil)
		b.post(t, http.StatusCreated, b.tenantPath("/connect-links"), "")
		req := b.newRequest(t, request{method: http.MethodPost, path: b.tenantPath("/connect-links")})
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader("")), -1 // chunked, so that nobody knows before reading
		require.Equal(t, http.StatusCreated, b.serve(req).Code)
	})

	t.Run("ContentType/OnlyJSON", func(t *testing.T) {
		t.Parallel()
		for contentType, ok := range map[string]bool{
			"application/json": true, "application/json; charset=utf-8": true, "application/json;charset=UTF-8": true, "APPLICATION/JSON": true,
			` application/json ; charset="utf-8"`: true,
			"":                                    false, "text/plain": false, "text/json": false, "application/x-www-form-urlencoded": false,
			"application/problem+json": false, "application/json5": false, "application/json/x": false, "multipart/form-data; boundary=x": false,
		} {
			header := http.Header{"Content-Type": {contentType}}
			if contentType == "" {
				header = http.Header{"Content-Type": nil}
			}
			res := b.do(t, request{method: http.MethodPost, path: b.tenantPath("/connect-links"), body: `{}`, header: header})
			if ok {
				require.Equal(t, http.StatusCreated, res.status, contentType+res.body)
				continue
			}
			res.problem(t, http.StatusUnsupportedMediaType, "unsupported-media-type")
		}
	})

	t.Run("IntegerWithExponent/IsOne", func(t *testing.T) {
		t.Parallel()
		b.post(t, http.StatusCreated, b.tenantPath("/connect-links"), `{"expires_in":6e2}`)
		b.post(t, http.StatusCreated, b.tenantPath("/connect-links"), `{"expires_in":600.0}`)
	})

	t.Run("TooLarge/RefusedWhetherItSaysSoOrNot", func(t *testing.T) {
		t.Parallel()
		for _, w := range []struct {
			path   string
			size   int
			length int64
		}{
			{block, 21 << 20, 21 << 20},
			{block, 21 << 20, -1},
			{"/v1/session", 65 << 10, 65 << 10},
			{"/v1/session", 65 << 10, -1}, // nobody has signed in yet
		} {
			req := b.newRequest(t, request{method: http.MethodPost, path: w.path, body: "{}"})
			req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(bytes.Repeat([]byte(" "), w.size))), w.length
			res := b.serve(req)
			require.Equal(t, http.StatusRequestEntityTooLarge, res.Code, "%+v %s", w, res.Body)
			require.Contains(t, res.Body.String(), `"code":"body-too-large"`)
		}
	})

	t.Run("LargestAllowed/Accepted", func(t *testing.T) {
		t.Parallel()
		batch := b.post(t, http.StatusAccepted, block, openidsBody(100_000))
		require.EqualValues(t, 100_000, batch["counts"].(map[string]any)["total"])
	})
}

// serve is a call without a network in between, which would be cut while the rest of a body is still being sent.
func (b *bundle) serve(r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, r)
	return rec
}

// The check by hand has to say what the schema says.
func TestCheckOfOpenIDsIsThatOfTheSchema(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"OpenIDs", "SharedPersonIDs"} {
		checkOpenIDSchema(t, name, loadSpec(t).Components.Schemas[name].Value)
	}
}

func checkOpenIDSchema(t *testing.T, schemaName string, schema *openapi3.Schema) {
	t.Helper()
	known := &openapi3.Schema{
		Type: &openapi3.Types{"array"}, Description: schema.Description, MinItems: schema.MinItems, MaxItems: schema.MaxItems,
		Items: &openapi3.SchemaRef{Value: &openapi3.Schema{Type: &openapi3.Types{"string"}, MaxLength: schema.Items.Value.MaxLength}},
	}
	want, err := json.Marshal(known)
	require.NoError(t, err)
	have, err := json.Marshal(schema)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(have), "the schema %s asks for something that checkOpenIDs does not look at", schemaName)

	long := func(char string, n int) string { return strings.Repeat(char, n) }
	for name, list := range map[string][]any{
		"Good": {"o1", "", long("a", 128), long("微", 128), long("😀", 64)}, "Empty": {}, "Number": {"o1", json.Number("1")}, "Null": {nil}, "Bool": {true},
		"Long": {long("a", 129)}, "LongWide": {long("微", 129)}, "LongPairs": {long("😀", 65)}, "Object": {map[string]any{}}, "Array": {[]any{"o1"}},
		"Many": make100001(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			byHand, bySchema := api.CheckOpenIDs(list, schema)
			require.Equal(t, bySchema, byHand)
		})
	}
}

func make100001() []any {
	list := make([]any, 100_001)
	for i := range list {
		list[i] = "o"
	}
	return list
}

func BenchmarkValidateOpenIDs(b *testing.B) {
	good := []byte(openidsBody(100_000))
	bad := []byte(`{"openids":[` + strings.Repeat("1,", 10_000_000) + `1]}`)
	for name, body := range map[string][]byte{"100000Good": good, "TenMillionBad": bad} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = api.ValidateBlockBody(body)
			}
		})
	}
}

// raw sends bytes that no HTTP client would, and returns the answer.
func (b *bundle) raw(t *testing.T, text string) *http.Response {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}
