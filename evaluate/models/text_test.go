package models_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/tensors"
)

// Each family's hidden vectors or logits are transformers', on tiny random
// checkpoints with padded rows (testdata/make.py).
func TestTextFamilies(t *testing.T) {
	dirs, err := filepath.Glob("testdata/*/config.json")
	if err != nil || len(dirs) < 8 {
		t.Fatalf("%d checkpoints, %v", len(dirs), err)
	}
	for _, b := range xlatest.Backends(t) {
		for _, config := range dirs {
			dir := filepath.Dir(config)
			t.Run(b.Kind+"/"+filepath.Base(dir), func(t *testing.T) {
				c, err := tensors.Open(filepath.Join(dir, "model.safetensors"))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				m, err := models.Load(dir, c.Tensors())
				if err != nil {
					t.Fatal(err)
				}
				if err := m.Check(c.Tensors()); err != nil {
					t.Fatal(err)
				}
				e, err := tensors.Open(filepath.Join(dir, "expected.safetensors"))
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				ids, lengths := ints(t, e, "ids"), ints(t, e, "lengths")
				want := floats(t, e, "out")
				rows := len(lengths)
				args := []any{gmlx.FromFlatDataAndDimensions(ids, rows, len(ids)/rows), gmlx.FromFlatDataAndDimensions(lengths, rows)}
				for _, info := range m.Tensors {
					args = append(args, gmlx.FromFlatDataAndDimensions(floats(t, c, info.Name), info.Shape...))
				}
				exec, err := graph.NewExec(b.Backend, func(args []*graph.Node) *graph.Node {
					w := map[string]*graph.Node{}
					for i, info := range m.Tensors {
						w[info.Name] = args[2+i]
					}
					get := func(name string) *graph.Node { return w[name] }
					h := m.Text.Hidden(get, args[0], args[1])
					if m.Text.Logits != nil {
						h = m.Text.Logits(get, h)
					}
					return h
				})
				if err != nil {
					t.Fatal(err)
				}
				out, err := exec.Call(args...)
				if err != nil {
					t.Fatal(err)
				}
				got := gmlx.MustCopyFlatData[float32](out[0])
				if len(got) != len(want) {
					t.Fatalf("%d values, want %d", len(got), len(want))
				}
				long, width := len(ids)/rows, len(want)/len(ids)
				var worst float64
				for r, n := range lengths {
					for i := range int(n) * width {
						at := r*long*width + i
						worst = max(worst, math.Abs(float64(got[at]-want[at]))/math.Max(1, math.Abs(float64(want[at]))))
					}
				}
				if !(worst < 1e-4) {
					t.Errorf("differs from transformers by %g", worst)
				}
			})
		}
	}
}

func ints(t *testing.T, c *tensors.Checkpoint, name string) []int32 {
	var out []int32
	raw, err := c.Raw(name)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(raw); at += 4 {
		out = append(out, int32(raw[at])|int32(raw[at+1])<<8|int32(raw[at+2])<<16|int32(raw[at+3])<<24)
	}
	return out
}

func floats(t *testing.T, c *tensors.Checkpoint, name string) []float32 {
	info, ok := c.Lookup(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	out := make([]float32, info.Len())
	if err := c.ReadAt(out, name, 0); err != nil {
		t.Fatal(err)
	}
	return out
}
