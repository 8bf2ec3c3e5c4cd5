package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/api"
)

// offending is a value that no answer may repeat.
const offending = "s3cr3t-value"

// wrong is a request that is refused.
type wrong struct {
	method, path string
	body         any
	header       http.Header
	status       int      // 0: 422
	code         string   // "": invalid-request
	errors       []string // "pointer: detail"
}

func TestValidation(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	tenants, block, keys, links := "/v1/tenants", b.accountPath("/blacklist/block"), b.tenantPath("/api-keys"), b.tenantPath("/connect-links")
	const isTime = "must be a time as in RFC 3339, such as 2027-01-31T08:00:00Z"

	for name, w := range map[string]wrong{
		"MissingField":            {path: tenants, body: `{}`, errors: []string{"/name: is required"}},
		"UnknownField":            {path: tenants, body: `{"name":"x","` + offending + `":1}`, errors: []string{"/" + offending + ": is no field of this request"}},
		"UnknownFieldEscaped":     {path: tenants, body: `{"name":"x","a/b~c":1}`, errors: []string{"/a~1b~0c: is no field of this request"}},
		"UnknownFieldInOtherCase": {path: block, body: `{"openids":["o1"],"OpenIDs":["o2"]}`, errors: []string{"/OpenIDs: is no field of this request"}},
		"WrongType":               {path: tenants, body: `{"name":["` + offending + `"]}`, errors: []string{"/name: value must be a string"}},
		"NullWhereNoneMayBe":      {path: tenants, body: `{"name":null}`, errors: []string{"/name: must not be null"}},
		"BodyIsArray":             {path: tenants, body: `["` + offending + `"]`, errors: []string{": value must be an object"}},
		"BodyIsNull":              {path: tenants, body: `null`, errors: []string{": must not be null"}},
		"OptionalBodyIsNull":      {path: links, body: `null`, errors: []string{": must not be null"}},
		"EmptyText":               {path: tenants, body: `{"name":""}`, errors: []string{"/name: minimum string length is 1"}},
		"BlankText":               {path: tenants, body: `{"name":"  "}`, code: "invalid-name", errors: []string{"/name: a name has 1 to 200 characters, none of them NUL"}},
		"TooLongText":             {path: tenants, body: `{"name":"` + strings.Repeat(offending, 20) + `"}`, errors: []string{"/name: maximum string length is 200"}},
		"TextWithNUL":             {path: tenants, body: `{"name":"a\u0000b"}`, errors: []string{"/name: must be text in UTF-8, without NUL"}},
		"NameWithNUL":             {path: tenants, body: `{"na\u0000me":"a","name":"x"}`, errors: []string{"/na\x00me: is no field of this request"}},
		"SeveralErrors": {path: keys, body: `{"name":7,"scopes":["` + offending + `",3],"expires_at":"tomorrow"}`, errors: []string{
			"/expires_at: " + isTime, "/name: value must be a string",
			`/scopes/0: value is not one of the allowed values ["authorizers:read","authorizers:write","tokens:read","connect-links:write","followers:read","blacklist:read","blacklist:write","keys:write","audit:read"]`,
			`/scopes/1: value is not one of the allowed values ["authorizers:read","authorizers:write","tokens:read","connect-links:write","followers:read","blacklist:read","blacklist:write","keys:write","audit:read"]`,
		}},
		"ExpiryInPast":      {path: keys, body: `{"name":"x","expires_at":"2001-01-01T00:00:00Z"}`, code: "expiry-past", errors: []string{"/expires_at: expires_at lies in the past"}},
		"BadEnum":           {path: links, body: `{"account_type":"` + offending + `"}`, errors: []string{`/account_type: value is not one of the allowed values ["official_account","mini_program","any"]`}},
		"NumberTooSmall":    {path: links, body: `{"expires_in":59}`, errors: []string{"/expires_in: number must be at least 60"}},
		"NumberTooLarge":    {path: links, body: `{"expires_in":1e99}`, errors: []string{"/expires_in: number must be at most 2.592e+06"}},
		"NoInteger":         {path: links, body: `{"expires_in":60.5}`, errors: []string{"/expires_in: value must be an integer"}},
		"ScriptAsReturnURL": {path: links, body: `{"return_url":"javascript:alert('` + offending + `')"}`, errors: []string{"/return_url: must be an absolute http or https URL"}},
		"AppIDWithBlanks":   {path: links, body: `{"appid":" wx1 "}`, errors: []string{"/appid: must have letters, digits, hyphens and underscores only"}},
		"UnknownComponent":  {path: links, body: `{"component_appid":"` + offending + `"}`, status: 404, code: "unknown-component"},

		"OpenIDsMissing": {path: block, body: `{}`, errors: []string{"/openids: is required"}},
		"OpenIDsNull":    {path: block, body: `{"openids":null}`, errors: []string{"/openids: must not be null"}},
		"OpenIDsNoArray": {path: block, body: `{"openids":"` + offending + `"}`, errors: []string{"/openids: value must be an array"}},
		"OpenIDsEmpty":   {path: block, body: `{"openids":[]}`, errors: []string{"/openids: minimum number of items is 1"}},
		"OpenIDOfWrongType": {path: block, body: `{"openids":["o1","o2","o3",4,null,{"a":[1]},["` + offending + `"]],"reason":8}`, errors: []string{
			"/reason: value must be a string",
			"/openids/3: value must be a string", "/openids/4: must not be null", "/openids/5: value must be a string", "/openids/6: value must be a string",
		}},
		"OpenIDTooLong":         {path: block, body: `{"openids":["o1","` + strings.Repeat(offending, 11) + `"]}`, errors: []string{"/openids/1: maximum string length is 128"}},
		"OpenIDTooManyBytes":    {path: block, body: `{"openids":["o1","` + strings.Repeat("微", 100) + `"]}`, errors: []string{"/openids/1: openids[1] is not an openid: it has more than 128 bytes, or bytes that are not text"}},
		"OpenIDWithNUL":         {path: block, body: `{"openids":["o1","o\u0000"]}`, errors: []string{"/openids/1: must be text in UTF-8, without NUL"}},
		"OpenIDsTooMany":        {path: block, body: openidsBody(100_001), errors: []string{"/openids: maximum number of items is 100000"}},
		"OpenIDsFarTooMany":     {path: block, body: openidsBody(300_000), errors: []string{"/openids: holds too much: at most 100000 openids go into one request"}},
		"UntilInPast":           {path: block, body: `{"openids":["o1"],"until":"2001-01-01T00:00:00Z"}`, code: "until-past", errors: []string{"/until: until lies in the past"}},
		"UntilNoTime":           {path: block, body: `{"openids":["o1"],"until":"` + offending + `"}`, errors: []string{"/until: " + isTime}},
		"UntilThatNoMonthHas":   {path: block, body: `{"openids":["o1"],"until":"2099-02-31T00:00:00Z"}`, errors: []string{"/until: " + isTime}},
		"UntilWithoutZone":      {path: block, body: `{"openids":["o1"],"until":"2099-02-28T00:00:00"}`, errors: []string{"/until: " + isTime}},
		"UntilBeyondLastYear":   {path: block, body: `{"openids":["o1"],"until":"9999-12-31T23:59:59-12:00"}`, errors: []string{"/until: " + isTime}},
		"UntilOfUnblock":        {path: b.accountPath("/blacklist/unblock"), body: `{"openids":["o1"],"until":"2099-01-01T00:00:00Z"}`, errors: []string{"/until: is no field of this request"}},
		"ReasonTooLong":         {path: block, body: `{"openids":["o1"],"reason":"` + strings.Repeat("长", 501) + `"}`, errors: []string{"/reason: maximum string length is 500"}},
		"IdempotencyKeyTooLong": {path: block, body: `{"openids":["o1"]}`, header: http.Header{"Idempotency-Key": {strings.Repeat(offending, 30)}}, errors: []string{"header:Idempotency-Key: maximum string length is 255"}},
		"IdempotencyKeyEmpty":   {path: block, body: `{"openids":["o1"]}`, header: http.Header{"Idempotency-Key": {""}}, errors: []string{"header:Idempotency-Key: must not be empty"}},
		"IdempotencyKeyNoUTF8":  {path: block, body: `{"openids":["o1"]}`, header: http.Header{"Idempotency-Key": {"\xff"}}, errors: []string{"header:Idempotency-Key: must be text in UTF-8, without NUL"}},
		"PreferTooLong":         {path: block, body: `{"openids":["o1"]}`, header: http.Header{"Prefer": {strings.Repeat("x", 201)}}, errors: []string{"header:Prefer: maximum string length is 200"}},

		"ComponentKeyOfWrongLength": {path: "/v1/components", body: `{"appid":"wx1","appsecret":"x","token":"t","encoding_aes_key":"` + offending + `"}`, errors: []string{"/encoding_aes_key: minimum string length is 43"}},
		"ComponentKeyThatIsNone":    {path: "/v1/components", body: `{"appid":"wx1","appsecret":"x","token":"t","encoding_aes_key":"` + strings.Repeat("!", 43) + `"}`, errors: []string{"/encoding_aes_key: is not the 43 letters and digits that WeChat's console shows"}},

		"LimitZero":        {method: "GET", path: tenants + "?limit=0", errors: []string{"query:limit: number must be at least 1"}},
		"LimitTooLarge":    {method: "GET", path: tenants + "?limit=201", errors: []string{"query:limit: number must be at most 200"}},
		"LimitNoNumber":    {method: "GET", path: tenants + "?limit=" + offending, errors: []string{"query:limit: is not of the right type"}},
		"LimitNoInteger":   {method: "GET", path: tenants + "?limit=1.5", errors: []string{"query:limit: is not of the right type"}},
		"LimitHuge":        {method: "GET", path: tenants + "?limit=99999999999999999999999", errors: []string{"query:limit: is not of the right type"}},
		"LimitEmpty":       {method: "GET", path: tenants + "?limit=", errors: []string{"query:limit: must not be empty"}},
		"LimitTwice":       {method: "GET", path: tenants + "?limit=1&limit=2", errors: []string{"query:limit: is given more than once"}},
		"CursorOfNobody":   {method: "GET", path: tenants + "?cursor=" + offending, status: 400, code: "invalid-cursor", errors: []string{"query:cursor: this cursor was not given out by this list: start again without one"}},
		"CursorTooLong":    {method: "GET", path: tenants + "?cursor=" + strings.Repeat("a", 2001), errors: []string{"query:cursor: maximum string length is 2000"}},
		"StateUnknown":     {method: "GET", path: b.tenantPath("/authorizers?state=" + offending), errors: []string{`query:state: value is not one of the allowed values ["active","needs_reauthorization","revoked","limited"]`}},
		"ActualUnknown":    {method: "GET", path: b.accountPath("/blacklist?actual=" + offending), errors: []string{`query:actual: value is not one of the allowed values ["blocked","unblocked","unknown","any"]`}},
		"SearchTooLong":    {method: "GET", path: b.tenantPath("/authorizers?q=" + strings.Repeat("a", 201)), errors: []string{"query:q: maximum string length is 200"}},
		"SearchWithNUL":    {method: "GET", path: b.tenantPath("/authorizers?q=a%00"), errors: []string{"query:q: must be text in UTF-8, without NUL"}},
		"SearchNoUTF8":     {method: "GET", path: b.tenantPath("/authorizers?q=%ff"), errors: []string{"query:q: must be text in UTF-8, without NUL"}},
		"QueryNotReadable": {method: "GET", path: b.tenantPath("/authorizers?q=%zz"), errors: []string{"query:: is not a query string as browsers write it"}},
	} {
		t.Run(name, func(t *testing.T) {
			if w.method == "" {
				w.method = http.MethodPost
			}
			if w.status == 0 {
				w.status = http.StatusUnprocessableEntity
			}
			if w.code == "" {
				w.code = "invalid-request"
			}
			key := b.platform
			if strings.HasPrefix(w.path, b.tenantPath("")) {
				key = b.key
			}
			res := b.do(t, request{method: w.method, path: w.path, key: key, body: w.body, header: w.header})
			p := res.problem(t, w.status, w.code)
			require.Equal(t, w.errors, pointers(p))
			if !strings.HasPrefix(name, "UnknownField") { // the name is what is wrong, so it is in the pointer
				require.NotContains(t, res.body, offending)
			}
		})
	}

	require.Zero(t, b.count(t, "blacklist_batches"), "nothing was done")
	require.Zero(t, b.count(t, "api_keys WHERE name = 'x'"))
	require.Zero(t, b.count(t, "connect_links WHERE used_at IS NULL"))
}

func openidsBody(n int) string {
	var s strings.Builder
	s.WriteString(`{"openids":["o"`)
	for i := 1; i < n; i++ {
		fmt.Fprintf(&s, `,"o%d"`, i)
	}
	s.WriteString(`]}`)
	return s.String()
}

func pointers(p api.Problem) []string {
	if p.Errors == nil {
		return nil
	}
	var list []string
	for _, e := range *p.Errors {
		list = append(list, e.Pointer+": "+e.Detail)
	}
	return list
}
