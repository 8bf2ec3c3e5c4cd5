package simulator_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

// The control API is described twice, for readers of the package and for readers of the handbook: neither may lack a call.
func TestEveryCallOfTheControlAPIIsDocumented(t *testing.T) {
	t.Parallel()
	routes := regexp.MustCompile(`mux\.Handle\("([A-Z]+) (/__sim/\S*)"`).FindAllStringSubmatch(readFile(t, "control.go"), -1)
	require.Greater(t, len(routes), 20)
	page, doc := readFile(t, "../../docs/simulator.md"), readFile(t, "doc.go")
	for _, route := range routes {
		require.Contains(t, page, "`"+route[1]+" "+route[2]+"`")
		require.Regexp(t, `(?m)`+regexp.QuoteMeta(route[2])+`([\s?]|$)`, doc)
	}
}

func TestEverySettingAndFaultIsDocumented(t *testing.T) {
	t.Parallel()
	page := readFile(t, "../../docs/simulator.md")
	for _, shape := range []reflect.Type{reflect.TypeFor[simulator.Settings](), reflect.TypeFor[simulator.Fault](), reflect.TypeFor[simulator.Form]()} {
		for i := range shape.NumField() {
			name, _, _ := strings.Cut(shape.Field(i).Tag.Get("json"), ",")
			require.Contains(t, page, "| `"+name+"` |", "%s.%s", shape.Name(), shape.Field(i).Name)
		}
	}
}

func TestEveryPathIsDocumented(t *testing.T) {
	t.Parallel()
	page := readFile(t, "../../docs/simulator.md")
	paths := regexp.MustCompile(`"(/cgi-bin/[\w/]+)"\s*[:=]|Path\s+= "(/\S+)"`).FindAllStringSubmatch(readFile(t, "endpoint.go")+readFile(t, "consent.go"), -1)
	require.Greater(t, len(paths), 20)
	for _, path := range paths {
		require.Contains(t, page, "`"+path[1]+path[2]+"`")
	}
}
