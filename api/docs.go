package api

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"
)

//go:embed openapi.yaml
var openapiYAML []byte

//go:embed docs.html
var docsHTML string

// docsPage is what docs.html shows: the contract, regrouped by tag.
type docsPage struct {
	Title, Version, Description string
	Groups                      []docsGroup
	Schemas                     []docsSchema
	Errors                      []answer
}

type docsGroup struct {
	Name, Description string
	Operations        []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, Description string
	Parameters                             []docsField
	Body                                   string // name of the schema; "" without a body
	Responses                              []docsResponse
}

type docsResponse struct {
	Status, Description, Schema string
}

type docsSchema struct {
	Name, Description, Type string
	Fields                  []docsField
}

type docsField struct {
	Name, In, Type, Link, Description string
	Required                          bool
}

// The methods let the template reach the unexported fields of an answer.
func (a answer) Status() int   { return a.status }
func (a answer) Code() string  { return a.code }
func (a answer) Title() string { return a.title }

// routeDocs serves the reference. It is rendered here, from the same file that the routes are generated from, without a
// script and without another host, so it also works where nobody may reach the internet.
func (s *server) routeDocs(e *echo.Echo) {
	page := template.Must(template.New("docs").Funcs(template.FuncMap{
		"lines": func(text string) []string { return strings.Split(strings.TrimSpace(text), "\n\n") },
		"code":  codeSpans,
	}).Parse(docsHTML))
	var rendered bytes.Buffer
	if err := page.Execute(&rendered, newDocsPage(s.spec)); err != nil {
		panic(err) // the template and the contract are compiled in: a test renders them
	}
	asJSON, err := json.Marshal(s.spec)
	if err != nil {
		panic(err) // likewise
	}
	e.GET("/docs", func(c echo.Context) error { return c.HTMLBlob(http.StatusOK, rendered.Bytes()) })
	e.GET("/openapi.yaml", func(c echo.Context) error { return c.Blob(http.StatusOK, "application/yaml", openapiYAML) })
	e.GET("/openapi.json", func(c echo.Context) error { return c.JSONBlob(http.StatusOK, asJSON) })
}

// codeSpans renders `code` and **bold** of the contract's descriptions; everything is escaped before.
func codeSpans(text string) template.HTML {
	escaped := template.HTMLEscapeString(text)
	for _, mark := range []struct{ sign, tag string }{{"**", "strong"}, {"`", "code"}} {
		parts := strings.Split(escaped, mark.sign)
		var b strings.Builder
		for i, part := range parts {
			switch {
			case i > 0 && i%2 == 1:
				b.WriteString("<" + mark.tag + ">")
			case i > 0:
				b.WriteString("</" + mark.tag + ">")
			}
			b.WriteString(part)
		}
		if len(parts)%2 == 1 {
			escaped = b.String()
		}
	}
	return template.HTML(escaped) // escaped above; only our own tags are added
}

func newDocsPage(spec *openapi3.T) docsPage {
	page := docsPage{Title: spec.Info.Title, Version: spec.Info.Version, Description: spec.Info.Description, Errors: allAnswers()}
	for _, tag := range spec.Tags {
		page.Groups = append(page.Groups, docsGroup{Name: tag.Name, Description: tag.Description, Operations: operationsOf(spec, tag.Name)})
	}
	for name, schema := range spec.Components.Schemas {
		page.Schemas = append(page.Schemas, schemaFrom(name, schema.Value))
	}
	slices.SortFunc(page.Schemas, func(a, b docsSchema) int { return cmp.Compare(a.Name, b.Name) })
	return page
}

// allAnswers lists every code that a problem can have, once, by status and code.
func allAnswers() []answer {
	all := []answer{malformedBody, invalidRequest, unsupportedMediaType, bodyTooLarge, methodNotAllowed, internal}
	for _, r := range rules() {
		all = append(all, r.answer)
	}
	slices.SortFunc(all, func(a, b answer) int { return cmp.Or(cmp.Compare(a.status, b.status), cmp.Compare(a.code, b.code)) })
	return slices.CompactFunc(all, func(a, b answer) bool { return a.code == b.code })
}

func operationsOf(spec *openapi3.T, tag string) []docsOperation {
	var operations []docsOperation
	for _, path := range spec.Paths.InMatchingOrder() {
		item := spec.Paths.Value(path)
		for method, op := range item.Operations() {
			if slices.Contains(op.Tags, tag) {
				operations = append(operations, operationFrom(path, method, item, op))
			}
		}
	}
	slices.SortFunc(operations, func(a, b docsOperation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return operations
}

func operationFrom(path, method string, item *openapi3.PathItem, op *openapi3.Operation) docsOperation {
	o := docsOperation{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, Description: op.Description}
	for _, p := range append(slices.Clone(item.Parameters), op.Parameters...) {
		f := fieldFrom(p.Value.Name, p.Value.Schema, p.Value.Required)
		f.In, f.Description = p.Value.In, cmp.Or(p.Value.Description, f.Description)
		o.Parameters = append(o.Parameters, f)
	}
	if op.RequestBody != nil {
		_, o.Body = typeOf(op.RequestBody.Value.Content.Get(echo.MIMEApplicationJSON).Schema)
	}
	for status, r := range op.Responses.Map() {
		response := docsResponse{Status: status, Description: *r.Value.Description}
		for _, media := range r.Value.Content {
			_, response.Schema = typeOf(media.Schema)
		}
		o.Responses = append(o.Responses, response)
	}
	slices.SortFunc(o.Responses, func(a, b docsResponse) int { return cmp.Compare(a.Status, b.Status) })
	return o
}

func schemaFrom(name string, schema *openapi3.Schema) docsSchema {
	s := docsSchema{Name: name, Description: schema.Description}
	s.Type, _ = typeOf(&openapi3.SchemaRef{Value: schema})
	for field, ref := range schema.Properties {
		s.Fields = append(s.Fields, fieldFrom(field, ref, slices.Contains(schema.Required, field)))
	}
	slices.SortFunc(s.Fields, func(a, b docsField) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

func fieldFrom(name string, ref *openapi3.SchemaRef, required bool) docsField {
	f := docsField{Name: name, Required: required, Description: ref.Value.Description}
	f.Type, f.Link = typeOf(ref)
	return f
}

// typeOf says in words what a schema allows, and which named schema to look at.
func typeOf(ref *openapi3.SchemaRef) (words, link string) {
	if ref.Ref != "" {
		name := ref.Ref[strings.LastIndex(ref.Ref, "/")+1:]
		return name, name
	}
	schema := ref.Value
	switch {
	case len(schema.AllOf) == 1:
		words, link = typeOf(schema.AllOf[0])
	case schema.Type.Is("array"):
		words, link = typeOf(schema.Items)
		words = "array of " + words
	case len(schema.Enum) > 0:
		var values []string
		for _, v := range schema.Enum {
			if text, ok := v.(string); ok {
				values = append(values, text)
			}
		}
		words = strings.Join(values, " | ")
	default:
		words = strings.Join(schema.Type.Slice(), " or ")
		if schema.Format != "" {
			words += " (" + schema.Format + ")"
		}
	}
	if schema.Nullable {
		words += ", or null"
	}
	return words, link
}
