package merge_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// Vectors computed by NumPy's singular value decomposition and by Adam in float64
// (testdata/singular/make.py), within 1e-6 of weights of 0.1 and task vectors of 0.02.
func TestSingularVectors(t *testing.T) {
	const dir = "../testdata/singular"
	files, err := filepath.Glob(filepath.Join(dir, "*.yml"))
	if err != nil || len(files) < 9 {
		t.Fatalf("%d recipes in %s: %v", len(files), dir, err)
	}
	for _, b := range xlatest.Backends(t) {
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".yml")
			t.Run(b.Kind+"/"+name, func(t *testing.T) {
				r, err := recipes.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				s, p := bound(t, r, dir)
				got, worst := streamed(t, b.Backend, s, p), 0.0
				want := read(t, open(t, filepath.Join(dir, name+".out.safetensors")))
				base := read(t, p.Sources()[0])
				for tensor, w := range want {
					moved := 0.0
					for i, x := range w {
						d := math.Abs(float64(got[tensor][i] - x))
						worst = max(worst, d)
						moved += math.Abs(float64(x - base[tensor][i]))
						if d > 1e-6 {
							t.Fatalf("%s[%d] is %g, want %g", tensor, i, got[tensor][i], x)
						}
					}
					if moved == 0 {
						t.Errorf("%s is the base's: this shows nothing", tensor)
					}
				}
				t.Logf("at most %.2g off", worst)
			})
		}
	}
}

// One model alone comes back whole, and the same model twice comes back once.
func TestSingularOfOneModel(t *testing.T) {
	p := family(t, tensors.F32, 1, 35)
	model := read(t, p.Sources()[1])
	b := xlatest.Fastest(t).Backend
	near := func(name string, got map[string][]float32, tol float64) {
		t.Helper()
		for tensor, want := range model {
			for i, x := range want {
				if d := math.Abs(float64(got[tensor][i] - x)); d > tol {
					t.Fatalf("%s: %s[%d] is %g, want %g", name, tensor, i, got[tensor][i], x)
				}
			}
		}
	}
	near("tsv_m", streamed(t, b, spec(t, "tsv_m", 0, nil, map[string]float64{}), p), 1e-6)
	twice := spec(t, "tsv_m", 0, map[string]float64{"rank": 1}, map[string]float64{}, map[string]float64{})
	twice.Parts[0].Inputs = []int{1, 1}
	near("tsv_m of two alike", streamed(t, b, twice, p), 1e-6)
	near("wudi", streamed(t, b, spec(t, "wudi", 0, map[string]float64{"iterations": 3}, map[string]float64{}), p), 1e-6)
}

// A matrix and its transpose, tall and wide, are merged alike.
func TestSingularOfTransposes(t *testing.T) {
	b := xlatest.Fastest(t).Backend
	const rows, cols = 19, 8
	turn := func(v []float32) []float32 {
		out := make([]float32, len(v))
		for i, x := range v {
			out[i%cols*rows+i/cols] = x
		}
		return out
	}
	all := read(t, family(t, tensors.F32, 0, rows*cols).Sources()[0])["layers.1.weight"]
	var models []*tensors.Checkpoint
	for k := range 4 {
		v := make([]float32, rows*cols)
		for i := range v {
			v[i] = all[(i*(k+3)+k)%len(all)]
		}
		models = append(models, writeShaped(t, tensors.F32, map[string][]float32{"tall": v, "wide": turn(v)}, map[string][]int{"tall": {rows, cols}, "wide": {cols, rows}}))
	}
	p, err := merge.NewParents([]string{"base", "a", "b", "c"}, models, nil, merge.MissingRefuse, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"tsv_m", "iso_c"} {
		got := streamed(t, b, spec(t, method, 0, nil, map[string]float64{}, map[string]float64{}, map[string]float64{}), p)
		for i, x := range turn(got["tall"]) {
			if d := math.Abs(float64(x - got["wide"][i])); d > 1e-5 {
				t.Fatalf("%s: %g of the tall matrix, %g of the wide one", method, x, got["wide"][i])
			}
		}
	}
}
