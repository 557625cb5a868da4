package models_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/tensors"
)

// A bert whose norms have gamma and beta, as the first checkpoints, says what one with
// weight and bias does.
func TestBertOfOld(t *testing.T) {
	dir := filepath.Join("testdata", "bert")
	c, err := tensors.Open(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	older := strings.NewReplacer("LayerNorm.weight", "LayerNorm.gamma", "LayerNorm.bias", "LayerNorm.beta")
	newer := strings.NewReplacer("LayerNorm.gamma", "LayerNorm.weight", "LayerNorm.beta", "LayerNorm.bias")
	old := slices.Clone(c.Tensors())
	for i := range old {
		old[i].Name = older.Replace(old[i].Name)
	}
	b := xlatest.Backends(t)[0]
	run := func(have []tensors.Info) []float32 {
		m, err := models.Load(dir, have)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Check(have); err != nil {
			t.Fatal(err)
		}
		args := []any{gmlx.FromFlatDataAndDimensions([]int32{1, 2, 3, 4}, 1, 4), gmlx.FromFlatDataAndDimensions([]int32{4}, 1)}
		for _, info := range m.Tensors {
			args = append(args, gmlx.FromFlatDataAndDimensions(floats(t, c, newer.Replace(info.Name)), info.Shape...))
		}
		exec, err := graph.NewExec(b.Backend, func(args []*graph.Node) *graph.Node {
			return m.Text.Hidden(func(name string) *graph.Node { return args[2+slices.Index(m.Names(), name)] }, args[0], args[1])
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Call(args...)
		if err != nil {
			t.Fatal(err)
		}
		return gmlx.MustCopyFlatData[float32](out[0])
	}
	if got, want := run(old), run(c.Tensors()); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
