package merge_test

import (
	"math"
	"slices"
	"testing"

	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/tensors"
)

// Breadcrumbs of rows keep the band that a stable sort of each row gives, and match
// the L1 norm of the tensor.
func TestBreadcrumbsOfRows(t *testing.T) {
	const weight, density, gamma = 0.7, 0.55, 0.12
	p := family(t, tensors.F32, 1, several)
	base, model := read(t, p.Sources()[0]), read(t, p.Sources()[1])
	s := spec(t, "breadcrumbs", 0, map[string]float64{"scope": 1, "rescale": 1}, map[string]float64{"weight": weight, "density": density, "gamma": gamma})
	for _, b := range xlatest.Backends(t) {
		got := streamed(t, b.Backend, s, p)
		for _, info := range p.Merged() {
			x, m := base[info.Name], model[info.Name]
			cols := 1
			if d := len(info.Shape); d > 0 {
				cols = info.Shape[d-1]
			}
			kept := make([]bool, len(x))
			magnitude := func(i int) float64 { return math.Abs(float64(m[i] - x[i])) }
			var all, part float64
			for row := 0; row < len(x); row += cols {
				order := make([]int, cols)
				for i := range order {
					order[i] = row + i
					all += magnitude(row + i)
				}
				slices.SortStableFunc(order, func(a, b int) int {
					switch {
					case magnitude(a) < magnitude(b):
						return -1
					case magnitude(a) > magnitude(b):
						return 1
					}
					return 0
				})
				middle, top := int(density*float64(cols)), int(gamma*float64(cols))
				lo := max(0, cols-middle-top)
				for _, i := range order[lo : lo+middle] {
					kept[i] = true
					part += magnitude(i)
				}
			}
			factor := weight
			if all >= 1e-7 && part >= 1e-7 {
				factor *= all / part
			}
			for i := range x {
				want := float64(x[i])
				if kept[i] {
					want += factor * float64(m[i]-x[i])
				}
				if math.Abs(float64(got[info.Name][i])-want) > 1e-6 {
					t.Fatalf("%s, %s[%d]: %g, want %g", b.Kind, info.Name, i, got[info.Name][i], want)
				}
			}
		}
	}
}
