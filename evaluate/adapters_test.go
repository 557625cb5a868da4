package evaluate_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// A base with an adapter scores what PEFT's merge of both scores, whole and a layer at a
// time.
func TestAdapters(t *testing.T) {
	data, err := os.ReadFile("testdata/adapters.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]float64
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	plain := newReader(t, "decoder")
	texts := []*evaluate.Dataset{plain.load(t, evaluate.Task{Name: "texts", Kind: evaluate.PerplexityKind, Data: "texts.jsonl"})}
	for _, name := range []string{"lora-a", "lora-b"} {
		a, err := view.OpenAdapter(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		src, err := a.On(plain.parents.Sources()[0])
		if err != nil {
			t.Fatal(err)
		}
		adapted := *plain
		if adapted.parents, err = merge.NewParents([]string{name}, []tensors.Source{src}, nil, merge.MissingRefuse, false); err != nil {
			t.Fatal(err)
		}
		for _, b := range xlatest.Backends(t) {
			t.Run(b.Kind+"/"+name, func(t *testing.T) {
				near(t, "log-likelihood of a token", adapted.score(t, b, texts...).Tasks["texts"], want[name])
				layers := adapted.byLayers(t, b, texts, adapted.stack(t, []int{0, 1}, nil))
				near(t, "a layer at a time", layers[0].Tasks["texts"], want[name])
			})
		}
	}
}
