package api_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

func TestDocs(t *testing.T) {
	t.Parallel()
	b := setup(t, options{noAcount: true})
	page := b.do(t, request{path: "/docs", key: "none"})
	require.Equal(t, http.StatusOK, page.status)
	require.Equal(t, "text/html; charset=UTF-8", page.header.Get("Content-Type"))

	t.Run("HasEveryOperationSchemaAndError", func(t *testing.T) {
		t.Parallel()
		for _, o := range operations(t) {
			require.Contains(t, page.body, `<article id="`+o.id+`">`)
			require.Contains(t, page.body, o.path)
		}
		for name := range loadSpec(t).Components.Schemas {
			require.Contains(t, page.body, `<article id="schema-`+name+`">`)
		}
		for code := range codes(t) {
			require.Equal(t, 1, strings.Count(page.body, `<tr id="error-`+code+`">`), code)
		}
	})

	t.Run("LinksLeadSomewhereHere", func(t *testing.T) {
		t.Parallel()
		root, err := html.Parse(strings.NewReader(page.body))
		require.NoError(t, err)
		ids, links := map[string]bool{}, []string{}
		for node := range root.Descendants() {
			for _, attr := range node.Attr {
				switch attr.Key {
				case "id":
					require.False(t, ids[attr.Val], "id %s is there twice", attr.Val)
					ids[attr.Val] = true
				case "href", "src":
					links = append(links, attr.Val)
				}
			}
		}
		require.NotEmpty(t, links)
		for _, link := range links {
			if anchor, isAnchor := strings.CutPrefix(link, "#"); isAnchor {
				require.True(t, ids[anchor], link)
				continue
			}
			require.Contains(t, []string{"/openapi.yaml", "/openapi.json"}, link)
		}
	})

	t.Run("NeedsNoOtherHostAndNoScript", func(t *testing.T) {
		t.Parallel()
		require.NotContains(t, page.body, "<script")
		require.NotContains(t, page.body, "@import")
		require.Empty(t, regexp.MustCompile(`(?:https?:)?//[a-z]`).FindAllString(page.body, -1))
	})

	t.Run("ContractIsServedInBothForms", func(t *testing.T) {
		t.Parallel()
		asYAML, asJSON := b.do(t, request{path: "/openapi.yaml", key: "none"}), b.do(t, request{path: "/openapi.json", key: "none"})
		require.Equal(t, "application/yaml", asYAML.header.Get("Content-Type"))
		require.Equal(t, "application/json", asJSON.header.Get("Content-Type"))
		var ids [2][]string
		for i, text := range []string{asYAML.body, asJSON.body} {
			spec, err := openapi3.NewLoader().LoadFromData([]byte(text))
			require.NoError(t, err)
			require.NoError(t, spec.Validate(t.Context()))
			for _, item := range spec.Paths.Map() {
				for _, op := range item.Operations() {
					ids[i] = append(ids[i], op.OperationID)
				}
			}
		}
		require.Len(t, ids[0], len(operations(t)))
		require.ElementsMatch(t, ids[0], ids[1])
	})
}
