package merge_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// Vectors computed by mergekit 0.1.5 (testdata/mergekit/make.py): float32 within
// 1e-6, bfloat16 within one unit in the last place of the largest operand. Where
// mergekit itself rounds to bfloat16 after every step, 1 % of the elements may
// differ by more, and 0.5 % of a TIES, whose cut ties mergekit breaks at random.
func TestMergekitVectors(t *testing.T) {
	// MERGEVO_VECTORS names a folder with all of mergekit's vectors.
	dir := os.Getenv("MERGEVO_VECTORS")
	if dir == "" {
		dir = "../testdata/mergekit"
	}
	configs, err := filepath.Glob(filepath.Join(dir, "golden", "*", "config.yml"))
	if err != nil || len(configs) == 0 {
		t.Fatalf("no vectors in %s: %v", dir, err)
	}
	ran := 0
	for _, b := range xlatest.Backends(t) {
		for _, file := range configs {
			name := filepath.Base(filepath.Dir(file))
			r, err := recipes.ReadFile(file)
			if err != nil {
				t.Logf("%s: not ours yet: %s", name, strings.SplitN(err.Error(), "\n", 2)[0])
				continue
			}
			if strings.HasPrefix(name, "dare") || strings.HasPrefix(name, "tokenizer") {
				continue // other noise than torch's; see TestDare
			}
			ran++
			t.Run(b.Kind+"/"+name, func(t *testing.T) {
				var open_ []*tensors.Checkpoint
				for _, m := range r.Models() {
					open_ = append(open_, open(t, filepath.Join(dir, m)))
				}
				p, err := merge.NewParents(r.Models(), open_, merge.MissingRefuse, false)
				if err != nil {
					t.Fatal(err)
				}
				f, err := r.Bind(p.Merged())
				if err != nil {
					t.Fatal(err)
				}
				s, err := f.Spec(nil)
				if err != nil {
					t.Fatal(err)
				}
				got := streamed(t, b.Backend, s, p)
				want := read(t, open(t, filepath.Join(filepath.Dir(file), "model.safetensors")))
				compare(t, name, got, want)
			})
		}
	}
	if ran < 14 {
		t.Errorf("only %d vectors ran", ran)
	}
}

func compare(t *testing.T, name string, got, want map[string][]float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d tensors, want %d", len(got), len(want))
	}
	bf16 := strings.Contains(name, "bf16")
	off, n, worst := 0, 0, 0.0
	for tensor, w := range want {
		for i, x := range got[tensor] {
			d := math.Abs(float64(x) - float64(w[i]))
			bound := 1e-6
			if bf16 { // 8 bits of significand
				bound = math.Max(math.Ldexp(1, int(math.Floor(math.Log2(math.Max(1e-30, math.Abs(float64(w[i]))))))-7), 1e-6)
				if strings.HasSuffix(name, "_bf16") {
					bound = math.Max(bound, 0x1p-9) // its sums round at the operands' scale
				}
			}
			n++
			if d > bound {
				off++
				worst = math.Max(worst, d)
			}
		}
	}
	budget := 0.0
	switch {
	case strings.Contains(name, "ties") && bf16:
		budget = 0.005
	case strings.HasSuffix(name, "_bf16"):
		budget = 0.01
	}
	if float64(off) > budget*float64(n) {
		t.Errorf("%d of %d elements are off, the worst by %g", off, n, worst)
	}
}
