package api_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

// Whoever adds a constant to a domain package adds it to the contract, and to what reads the contract.
func TestEveryValueOfADomainTypeIsInTheContract(t *testing.T) {
	t.Parallel()
	schemas := loadSpec(t).Components.Schemas
	field := func(schema, name string) *openapi3.SchemaRef { return schemas[schema].Value.Properties[name] }
	for name, pair := range map[string]struct {
		pkg, domainType string
		contract        *openapi3.SchemaRef
	}{
		"Scope":                {"tenant", "Scope", schemas["Scope"]},
		"AuthorizerState":      {"authorizer", "State", schemas["AuthorizerState"]},
		"HealthStatus":         {"token", "HealthStatus", schemas["HealthStatus"]},
		"AlertKind":            {"alert", "Kind", schemas["AlertKind"]},
		"CheckName":            {"component", "CheckName", field("DiagnosisCheck", "check")},
		"CheckStatus":          {"component", "CheckStatus", field("DiagnosisCheck", "status")},
		"ReconciliationStatus": {"authorizer", "ReconciliationStatus", field("Reconciliation", "status")},
		"FollowerSyncStatus":   {"follower", "SyncStatus", schemas["FollowerSyncStatus"]},
		"BatchStatus":          {"blacklist", "Status", field("Batch", "status")},
		"PullStatus":           {"blacklist", "PullStatus", field("Pull", "status")},
		"Outcome":              {"blacklist", "Outcome", schemas["Outcome"]},
		"SharedPlaceState":     {"sharedlist", "State", field("SharedPlace", "state")},
		"SharedListCoverage":   {"sharedlist", "Coverage", field("SharedListAccount", "coverage")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ElementsMatch(t, constants(t, "../"+pair.pkg, pair.domainType), pair.contract.Value.Enum)
		})
	}
}

// constants reads the values of a package's constants of one type.
func constants(t *testing.T, dir, typeName string) []any {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var values []any
	for _, entry := range entries {
		if !isSource(entry) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), dir+"/"+entry.Name(), nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(node ast.Node) bool {
			if spec, ok := node.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
				named, isNamed := spec.Type.(*ast.Ident)
				text, isText := spec.Values[0].(*ast.BasicLit)
				if isNamed && isText && named.Name == typeName {
					value, err := strconv.Unquote(text.Value)
					require.NoError(t, err)
					values = append(values, value)
				}
			}
			return true
		})
	}
	require.NotEmpty(t, values)
	return values
}
