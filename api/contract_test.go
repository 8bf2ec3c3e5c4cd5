package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/wechat-steward/steward/api"
)

// contract is a transport that holds every answer against openapi.yaml and the rules that all answers keep, and fails the test
// that got another one.
type contract struct {
	t    *testing.T
	spec *openapi3.T
	next http.RoundTripper
}

func (c *contract) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	if err := c.check(r, res, body); err != nil {
		c.t.Errorf("%s %s answered %d against the contract: %v\n%s", r.Method, r.URL, res.StatusCode, err, body)
	}
	return res, nil
}

func (c *contract) check(r *http.Request, res *http.Response, body []byte) error {
	if res.Header.Get("X-Request-Id") == "" || res.Header.Get("X-Content-Type-Options") != "nosniff" {
		return fmt.Errorf("a header is missing: %v", res.Header)
	}
	isProblem := res.Header.Get("Content-Type") == "application/problem+json"
	if isProblem && r.Method != http.MethodHead {
		if err := checkProblem(res, body); err != nil {
			return err
		}
	}
	if !strings.HasPrefix(r.URL.Path, "/v1/") {
		return nil
	}
	if res.Header.Get("Cache-Control") != "no-store" && res.Header.Get("Allow") == "" {
		return fmt.Errorf("it may be cached: %v", res.Header)
	}
	if res.StatusCode >= 400 && !isProblem {
		return fmt.Errorf("it is no problem but %s", res.Header.Get("Content-Type"))
	}
	if err := checkTimes("", decoded(body)); err != nil {
		return err
	}
	return c.checkOperation(r, res, body)
}

// checkProblem is stricter than the schema: no unknown member, and what is said twice is the same.
func checkProblem(res *http.Response, body []byte) error {
	var p api.Problem
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		return err
	}
	switch {
	case p.Status != res.StatusCode:
		return fmt.Errorf("the body says %d", p.Status)
	case p.RequestID != res.Header.Get("X-Request-Id"):
		return fmt.Errorf("the header says request %s", res.Header.Get("X-Request-Id"))
	case p.Type != "/docs#error-"+p.Code || p.Title == "" || !strings.HasSuffix(p.Detail, "."):
		return fmt.Errorf("it is incomplete")
	}
	return nil
}

func (c *contract) checkOperation(r *http.Request, res *http.Response, body []byte) error {
	router, err := gorillamux.NewRouter(c.spec)
	if err != nil {
		return err
	}
	asked := r.Clone(r.Context())
	asked.URL.Host, asked.URL.Scheme, asked.Host = "", "", ""
	route, params, err := router.FindRoute(asked)
	if err != nil {
		if err != routers.ErrPathNotFound && err != routers.ErrMethodNotAllowed { //nolint:errorlint // sentinels
			return err
		}
		return nil // no operation: that it is a problem has been checked
	}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
}

func decoded(body []byte) any {
	var value any
	_ = json.Unmarshal(body, &value) // what should be JSON and is not is found elsewhere
	return value
}

// checkTimes finds times that are not in UTC.
func checkTimes(name string, value any) error {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			if err := checkTimes(key, inner); err != nil {
				return err
			}
		}
	case []any:
		for _, inner := range value {
			if err := checkTimes(name, inner); err != nil {
				return err
			}
		}
	case string:
		isTime := strings.HasSuffix(name, "_at") || strings.HasSuffix(name, "until") || name == "at" || name == "failing_since"
		if _, err := time.Parse(time.RFC3339, value); isTime && (err != nil || !strings.HasSuffix(value, "Z")) {
			return fmt.Errorf("%s is %q", name, value)
		}
	}
	return nil
}
