package adapters_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/adapters"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// ofEmbedding writes PEFT's adapter of an embedding [5, 3], with its copy of that, if
// it has numbers.
func ofEmbedding(t *testing.T, copied []float32) *view.Adapter {
	t.Helper()
	const name = "base_model.model.model.embed_tokens."
	dir := filepath.Join(t.TempDir(), "lora")
	layout := []tensors.Info{{Name: name + "lora_embedding_A", DType: tensors.F32, Shape: []int{1, 5}}, {Name: name + "lora_embedding_B", DType: tensors.F32, Shape: []int{3, 1}}}
	if copied != nil {
		layout = append(layout, tensors.Info{Name: name + "base_layer.weight", DType: tensors.F32, Shape: []int{5, 3}})
	}
	w, err := tensors.Create(dir, layout, tensors.Options{Name: adapters.WeightsName})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i, x := range [][]float32{{1, 2, 3, 4, 5}, {1, 2, 3}, copied} {
		if x != nil {
			err = w.WriteAt(x, layout[i].Name, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.AddFile(adapters.ConfigName, []byte(`{"peft_type": "LORA", "r": 1, "lora_alpha": 2}`)); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	a, err := view.OpenAdapter(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// PEFT's copies of embeddings go through a merge, and must be one.
func TestCopies(t *testing.T) {
	copied := make([]float32, 15)
	copied[4] = 7
	for _, list := range [][]*view.Adapter{{ofEmbedding(t, copied), ofEmbedding(t, copied)}, {ofEmbedding(t, nil), ofEmbedding(t, copied)}} {
		set, err := adapters.Join(list, []string{"a", "b"})
		if err != nil {
			t.Fatal(err)
		}
		sum, err := set.Sum(t.Context(), weights(1, 1), adapters.Cut{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := written(t, set, sum)
		x := make([]float32, 15)
		if err := a.Weights().ReadAt(x, "base_model.model.model.embed_tokens.base_layer.weight", 0); err != nil || x[4] != 7 {
			t.Errorf("%v %v", x, err)
		}
	}
	other := ofEmbedding(t, make([]float32, 15))
	_, err := adapters.Join([]*view.Adapter{ofEmbedding(t, copied), other}, []string{"a", "b"})
	if want := "embed_tokens.base_layer.weight of a and of b differ"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%q is not in: %v", want, err)
	}
	if !view.AreAdapter(other.Weights().Tensors()) {
		t.Error("named as PEFT names it, and a model")
	}
}
