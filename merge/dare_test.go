package merge_test

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// spec is a merge with the same parameters in every tensor.
func spec(t testing.TB, method string, d tensors.DType, global map[string]float64, source ...map[string]float64) *merge.Spec {
	t.Helper()
	m, ok := merge.Lookup(method)
	if !ok {
		t.Fatalf("no method %s", method)
	}
	s := &merge.Spec{Method: m, Parts: []merge.Part{{Base: -1}}, Seed: 5, DType: d}
	if m.Base != merge.BaseUnused {
		s.Parts[0].Base = 0
	}
	once := m.NewValues()
	for k, v := range global {
		once.Set(k, v)
	}
	var each []merge.Values
	for i, params := range source {
		v := m.NewValues()
		for k, x := range params {
			v.Set(k, x)
		}
		each = append(each, v)
		s.Parts[0].Inputs = append(s.Parts[0].Inputs, i+1)
	}
	s.Params = func(string) (merge.Values, []merge.Values) { return once, each }
	return s
}

// DARE keeps the asked share of a task vector and, by mergekit's rule, its L1 norm.
func TestDare(t *testing.T) {
	p := family(t, tensors.F32, 1, several)
	base, model := read(t, p.Sources()[0]), read(t, p.Sources()[1])
	for _, b := range xlatest.Backends(t) {
		for _, density := range []float64{0.5, 0.3, 0.7, 0.123456} { // on the grid and off it
			got := streamed(t, b.Backend, spec(t, "dare_linear", 0, nil, map[string]float64{"weight": 1, "density": density}), p)
			name := "layers.1.weight"
			var all, kept float64
			n, moved := 0, 0
			for i, x := range got[name] {
				d := float64(model[name][i] - base[name][i])
				if d == 0 {
					continue
				}
				n++
				all += math.Abs(d)
				if x != base[name][i] {
					moved++
					kept += math.Abs(float64(x) - float64(base[name][i]))
				}
			}
			if f := float64(moved) / float64(n); math.Abs(f-density) > 5*math.Sqrt(density*(1-density)/float64(n)) {
				t.Errorf("%s: density %g kept %g", b.Kind, density, f)
			}
			if math.Abs(kept/all-1) > 1e-4 {
				t.Errorf("%s: density %g: L1 norm is %g of the task vector's", b.Kind, density, kept/all)
			}
		}
	}
}

// Density 1 is task arithmetic, density 0 the base, for every method that drops.
func TestDensityEnds(t *testing.T) {
	p := family(t, tensors.F32, 2, 500)
	base := read(t, p.Sources()[0])
	b := xlatest.Backends(t)[0]
	weights := func(density float64) []map[string]float64 {
		return []map[string]float64{{"weight": 0.5, "density": density}, {"weight": 0.25, "density": density}}
	}
	plain := streamed(t, b.Backend, spec(t, "task_arithmetic", 0, nil, map[string]float64{"weight": 0.5}, map[string]float64{"weight": 0.25}), p)
	for _, method := range []string{"dare_linear", "breadcrumbs"} {
		for name, want := range plain {
			if n := differing(streamed(t, b.Backend, spec(t, method, 0, nil, weights(1)...), p)[name], want); n > 0 {
				t.Errorf("%s at density 1: %d elements of %s are not task arithmetic's", method, n, name)
			}
		}
	}
	for _, method := range []string{"dare_linear", "dare_ties", "ties", "breadcrumbs"} {
		for name, got := range streamed(t, b.Backend, spec(t, method, 0, nil, weights(0)...), p) {
			if n := differing(got, base[name]); n > 0 {
				t.Errorf("%s at density 0: %d elements of %s are not the base's", method, n, name)
			}
		}
	}
}

// Signed weights that nearly cancel do not blow the quotient of TIES up.
func TestSignedTies(t *testing.T) {
	p := family(t, tensors.F32, 2, 500)
	b := xlatest.Backends(t)[0]
	base := read(t, p.Sources()[0])
	for _, method := range []string{"ties", "dare_ties"} {
		got := streamed(t, b.Backend, spec(t, method, 0, map[string]float64{"normalize": 1}, map[string]float64{"weight": 1}, map[string]float64{"weight": -0.999}), p)
		for name, v := range got {
			for i, x := range v {
				if d := math.Abs(float64(x - base[name][i])); d > 1 {
					t.Fatalf("%s: %s moved by %g", method, name, d)
				}
			}
		}
	}
}

// DELLA keeps entries by the odds of their rank: the share asked for in all, the
// largest of a row more often than the smallest, and the L1 norm; 1/p restores the
// expectation instead.
func TestDella(t *testing.T) {
	p := family(t, tensors.F32, 1, several)
	base, model := read(t, p.Sources()[0]), read(t, p.Sources()[1])
	const name, density, epsilon = "layers.1.weight", 0.5, 0.3
	source := map[string]float64{"weight": 1, "density": density, "epsilon": epsilon}
	for _, b := range xlatest.Backends(t) {
		for _, by := range []float64{0, 1} {
			got := streamed(t, b.Backend, spec(t, "della_linear", 0, map[string]float64{"rescale_by": by}, source), p)
			moved, n := [2]int{}, [2]int{} // of the smaller and of the larger half by magnitude
			var deltas []float64
			for i := range got[name] {
				if d := math.Abs(float64(model[name][i] - base[name][i])); d != 0 {
					deltas = append(deltas, d)
				}
			}
			slices.Sort(deltas)
			middle := deltas[len(deltas)/2]
			var all, kept float64
			for i, x := range got[name] {
				d := math.Abs(float64(model[name][i] - base[name][i]))
				if d == 0 {
					continue
				}
				half := 0
				if d > middle {
					half = 1
				}
				n[half]++
				all += d
				if x != base[name][i] {
					moved[half]++
					kept += math.Abs(float64(x) - float64(base[name][i]))
				}
			}
			low, high := float64(moved[0])/float64(n[0]), float64(moved[1])/float64(n[1])
			// Half of the entries are zeros, which have the lowest ranks: what moves
			// lies in the upper half, where the odds run from 0.5 to 0.8.
			if math.Abs(low-0.575) > 0.03 || math.Abs(high-0.725) > 0.03 {
				t.Errorf("%s: kept %.3f of the smaller and %.3f of the larger entries", b.Kind, low, high)
			}
			bound := 1e-4
			if by == 1 {
				bound = 0.03
			}
			if math.Abs(kept/all-1) > bound {
				t.Errorf("%s, rescale_by %g: L1 norm is %g of the task vector's", b.Kind, by, kept/all)
			}
		}
	}
}

// Odds outside (0, 1) are refused, with what would do.
func TestDellaOdds(t *testing.T) {
	p := family(t, tensors.F32, 1, 500)
	s := spec(t, "della", 0, nil, map[string]float64{"weight": 1, "density": 0.9, "epsilon": 0.2})
	w, err := tensors.Create("", merge.Layout(s, p), tensors.Options{Single: filepath.Join(t.TempDir(), "x")})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	err = merge.Apply(t.Context(), xlatest.Backends(t)[0].Backend, s, p, w, merge.ApplyOptions{})
	if err == nil || !strings.Contains(err.Error(), "make epsilon smaller than") {
		t.Errorf("got %v", err)
	}
}
