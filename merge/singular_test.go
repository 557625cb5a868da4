package merge_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/recipes"
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
