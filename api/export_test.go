package api

import (
	"bytes"
	"net/http"
	"net/http/httptest"

	"github.com/getkin/kin-openapi/openapi3"
)

// ProblemFor is the answer to an error, and how many seconds the caller should wait before another try.
func ProblemFor(err error) (Problem, int) { return problemFor(err, "request-1"), retryAfter(err) }

// CheckOpenIDs is what the check by hand says about openids, and what kin-openapi says.
func CheckOpenIDs(openids []any, schema *openapi3.Schema) (byHand, bySchema []FieldError) {
	var hand, kin fieldErrors
	checkOpenIDs(openidsField, openids, schema, false, &hand)
	kin.addSchemaErrors("/"+openidsField, schema.VisitJSON(openids, openapi3.MultiErrors(), openapi3.VisitAsRequest()))
	return hand.listed, kin.listed
}

// ValidateBlockBody validates the body of a block.
func ValidateBlockBody(body []byte) error {
	spec, err := openapi3.NewLoader().LoadFromData(openapiYAML)
	if err != nil {
		return err
	}
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return validateBody(httptest.NewRecorder(), r, spec.Paths.Value("/v1/tenants/{tenant_id}/authorizers/{appid}/blacklist/block").Post.RequestBody.Value)
}

// WaitOf is the time that a Prefer header asks for.
var WaitOf = waitOf
