package recipes

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/mergevo/mergevo/merge"
)

// Diff compares what two recipes say, whatever the places they say it in.
func Diff(a, b *Recipe) string {
	return cmp.Diff(a, b,
		cmp.Exporter(func(t reflect.Type) bool { return t.PkgPath() == reflect.TypeFor[Recipe]().PkgPath() }),
		cmp.Comparer(func(a, b place) bool { return true }),
		cmp.Comparer(func(a, b *merge.Method) bool { return a == b }),
		cmp.Comparer(func(a, b float64) bool { return sameBits(a, b) }),
		cmp.Transformer("yaml", func(n *node) string {
			if n == nil {
				return ""
			}
			return string(writeYAML(n))
		}),
		cmp.FilterPath(func(p cmp.Path) bool {
			switch p.Last().String() {
			case ".root", ".name", ".notes":
				return true
			}
			return false
		}, cmp.Ignore()),
	)
}

// Reads writes what a merge of the family reads, for comparison.
func (f *Family) Reads(s *merge.Spec) string {
	var b strings.Builder
	for _, p := range s.Parts {
		for _, i := range append([]int{p.Base}, p.Inputs...) {
			if i >= 0 {
				fmt.Fprintln(&b, f.from.Parents[i])
			} else {
				fmt.Fprintln(&b, "no base")
			}
		}
	}
	return b.String()
}
