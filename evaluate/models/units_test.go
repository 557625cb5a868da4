package models_test

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge/align"
	"github.com/mergevo/mergevo/tensors"
)

// A model gives out the same with its units in any order: those of package align are
// units of the models that are run here, of every family, with and without the stream.
func TestUnitsMayMove(t *testing.T) {
	var dirs []string
	for _, pattern := range []string{"testdata/*/config.json", "../../merge/align/testdata/*/b/config.json", "../../testdata/mnist/*/config.json"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) < 2 {
			t.Fatalf("%s: %d checkpoints, %v", pattern, len(found), err)
		}
		dirs = append(dirs, found...)
	}
	backends := xlatest.Backends(t)
	families := map[string]int{}
	for _, config := range dirs {
		dir := filepath.Dir(config)
		c := openOne(t, dir)
		m, err := models.Load(dir, c.Tensors())
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		all, on := []tensors.Source{c}, backends
		for _, residual := range []bool{false, true} {
			spec, err := align.New(data, c.Tensors(), align.Options{Residual: residual})
			if err != nil && residual {
				continue // a family without one
			}
			if err != nil {
				t.Fatalf("%s: %v", dir, err)
			}
			if families[spec.Family] > 1 {
				on = backends[:1] // XLA compiles for a second: one model of each family
			}
			families[spec.Family]++
			orders := shuffled(spec, rand.New(rand.NewPCG(1, uint64(len(dir)))))
			moved, err := spec.On(c, func() (align.Orders, error) { return orders, nil })
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, moved)
		}
		for _, b := range on {
			outs := run(t, b, m, all)
			for k, got := range outs[1:] {
				var most, worst float64
				for i, x := range outs[0] {
					most, worst = max(most, math.Abs(float64(x))), max(worst, math.Abs(float64(x-got[i])))
				}
				if worst > 1e-5*max(1, most) || math.IsNaN(worst) || most == 0 {
					t.Errorf("%s, %s, model %d: outputs up to %.3g differ by %.3g", b.Kind, dir, k, most, worst)
				}
			}
		}
	}
	for _, f := range align.Families() {
		if families[f.Name] == 0 {
			t.Errorf("no model of the family %s", f.Name)
		}
	}
}

// openOne opens the one checkpoint of a folder, the first by name of several.
func openOne(t *testing.T, dir string) *tensors.Checkpoint {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	files = slices.DeleteFunc(files, func(f string) bool { return filepath.Base(f) == "expected.safetensors" })
	c, err := tensors.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// shuffled draws orders, whole groups first and units inside.
func shuffled(s *align.Spec, rng *rand.Rand) align.Orders {
	var all align.Orders
	for _, p := range s.Permutations {
		var order []int
		for _, g := range rng.Perm(p.Units / p.Group) {
			for _, u := range rng.Perm(p.Group) {
				order = append(order, g*p.Group+u)
			}
		}
		all = append(all, order)
	}
	return all
}

// run is what a model gives out with the weights of each source, for a few inputs that
// are always the same.
func run(t *testing.T, b *xla.Backend, m *models.Model, all []tensors.Source) (outs [][]float32) {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	const rows, long = 3, 7
	var inputs []any
	if m.Text != nil {
		ids := make([]int32, rows*long)
		for i := range ids {
			ids[i] = int32(rng.IntN(m.Text.Vocabulary))
		}
		inputs = append(inputs, gmlx.FromFlatDataAndDimensions(ids, rows, long), gmlx.FromFlatDataAndDimensions([]int32{long, 4, 1}, rows))
	} else {
		n := rows
		for _, d := range m.Input {
			n *= d
		}
		x := make([]float32, n)
		for i := range x {
			x[i] = rng.Float32()
		}
		inputs = append(inputs, gmlx.FromFlatDataAndDimensions(x, append([]int{rows}, m.Input...)...), gmlx.FromFlatDataAndDimensions([]int32{0}, 1))
	}
	names := m.Names()
	exec, err := graph.NewExec(b.Backend, func(args []*graph.Node) *graph.Node {
		w := func(name string) *graph.Node { return args[2+slices.Index(names, name)] }
		if m.Text == nil {
			return m.Forward(w, args[0])
		}
		h := m.Text.Hidden(w, args[0], args[1])
		if m.Text.Logits != nil {
			h = m.Text.Logits(w, h)
		}
		return h
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, src := range all {
		args := slices.Clone(inputs)
		for _, info := range m.Tensors {
			x := make([]float32, info.Len())
			if err := src.ReadAt(x, info.Name, 0); err != nil {
				t.Fatal(err)
			}
			shape := info.Shape
			if m.Text == nil {
				shape = append([]int{1}, shape...) // a population of one
			}
			args = append(args, gmlx.FromFlatDataAndDimensions(x, shape...))
		}
		out, err := exec.Call(args...)
		if err != nil {
			t.Fatal(err)
		}
		outs = append(outs, gmlx.MustCopyFlatData[float32](out[0]))
	}
	return outs
}
