package recipes

import (
	"reflect"

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
