package models_test

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/tensors"
)

// The stages one behind the other are the model, and read all of its weights in their
// order; layers that do the same share a graph.
func TestStages(t *testing.T) {
	layered := []string{"begin", "layer 0", "layer 0", "end"}
	tower := []string{"begin", "layer 0", "layer 1", "end"} // the last looks from one place alone
	for _, c := range []struct {
		dir    string
		graphs []string
	}{
		{"../statistics/testdata/mlp", []string{"stage 0", "stage 1", "stage 2", "stage 3"}},
		{"../statistics/testdata/cnn", []string{"stage 0", "stage 1", "stage 2"}},
		{"../testdata/encoder", layered},
		{"../testdata/decoder", layered},
		{"../testdata/decoder-gpt2", layered},
		{"../testdata/images/vit", tower},
		{"../testdata/images/tower", tower},
		{"../testdata/images/clip", tower},
	} {
		t.Run(c.dir, func(t *testing.T) {
			from, err := tensors.Open(c.dir)
			if err != nil {
				t.Fatal(err)
			}
			defer from.Close()
			m, err := models.Load(c.dir, from.Tensors())
			if err != nil {
				t.Fatal(err)
			}
			var names, graphs []string
			for _, s := range m.Stages() {
				graphs, names = append(graphs, s.Graph), append(names, s.Names...)
			}
			if !slices.Equal(graphs, c.graphs) {
				t.Errorf("stages %v, want %v", graphs, c.graphs)
			}
			if !slices.Equal(names, m.Names()) {
				t.Errorf("the stages read %v, the model %v", names, m.Names())
			}
			whole, parts := twice(t, m, from)
			if len(whole) == 0 || len(whole) != len(parts) {
				t.Fatalf("%d numbers, %d by stages", len(whole), len(parts))
			}
			for i, x := range whole {
				if math.Abs(float64(x-parts[i])) > 1e-5*(1+math.Abs(float64(x))) {
					t.Fatalf("number %d is %g, by stages %g", i, x, parts[i])
				}
			}
		})
	}
}

// twice gives what a model makes of two examples, without its logits: as a whole and by
// stages.
func twice(t *testing.T, m *models.Model, from *tensors.Checkpoint) (whole, parts []float32) {
	t.Helper()
	x := gmlx.FromFlatDataAndDimensions([]int32{1, 5, 7, 2, 9, 4, 0, 0}, 2, 4)
	if m.Text == nil {
		n := 2
		for _, d := range m.Input {
			n *= d
		}
		flat := make([]float32, n)
		for i := range flat {
			flat[i] = float32(i*i%17) / 17
		}
		x = gmlx.FromFlatDataAndDimensions(flat, append([]int{2}, m.Input...)...)
	}
	args := []any{x, gmlx.FromFlatDataAndDimensions([]int32{4, 2}, 2)}
	for _, info := range m.Tensors {
		args = append(args, gmlx.FromFlatDataAndDimensions(floats(t, from, info.Name), info.Shape...))
	}
	exec, err := graph.NewExec(xlatest.Fastest(t).Backend, func(args []*graph.Node) []*graph.Node {
		at := map[string]*graph.Node{}
		for i, info := range m.Tensors {
			at[info.Name] = args[2+i]
			if !m.Single() {
				at[info.Name] = graph.InsertAxes(args[2+i], 0)
			}
		}
		w := func(name string) *graph.Node { return at[name] }
		x := args[0]
		for _, s := range m.Stages() {
			inner := map[string]string{}
			for i, name := range s.Inner {
				inner[name] = s.Names[i]
			}
			x = s.Forward(func(name string) *graph.Node { return w(inner[name]) }, x, args[1])
		}
		switch {
		case m.Text != nil: // what stands behind a sequence's end is padding
			h := m.Text.Hidden(w, args[0], args[1])
			at := graph.Iota(h.Graph(), shapes.Make(dtypes.Int32, h.Shape().Dimensions...), 1)
			in := graph.LessThan(at, graph.BroadcastToShape(graph.Reshape(args[1], 2, 1, 1), at.Shape()))
			return []*graph.Node{graph.Where(in, h, graph.ZerosLike(h)), graph.Where(in, x, graph.ZerosLike(x))}
		case m.Image != nil:
			v := m.Image.Vector(w, args[0])
			if m.Image.Logits != nil {
				v = m.Image.Logits(w, v)
			}
			return []*graph.Node{v, x}
		}
		return []*graph.Node{m.Forward(w, args[0]), x}
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(args...)
	if err != nil {
		t.Fatal(err)
	}
	return gmlx.MustCopyFlatData[float32](out[0]), gmlx.MustCopyFlatData[float32](out[1])
}
