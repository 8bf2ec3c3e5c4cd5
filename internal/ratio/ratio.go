// Package ratio presents what benchmarks measured: ratios within one run, since machines differ and are shared. It is for
// benchmarks only.
package ratio

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Table is what docs/benchmarks.md keeps. The zero value is empty.
type Table struct{ text strings.Builder }

// Row adds a line: what was measured, the bound that we want to keep, and what came out.
func (t *Table) Row(what, bound, format string, args ...any) {
	fmt.Fprintf(&t.text, "| %s | %s | %s |\n", what, fmt.Sprintf(format, args...), bound)
}

// Print writes the table in Markdown.
func (t *Table) Print(w io.Writer) {
	fmt.Fprintf(w, "\n| | measured | bound |\n|---|---|---|\n%s\n", t.text.String())
}

// Median returns the one in the middle. It panics if there is none.
func Median[T cmp.Ordered](values []T) T {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}
