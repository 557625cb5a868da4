package evaluate_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// A model that is held a layer at a time scores what it scores by the same graphs when it
// is held whole, to the bit, in one wave or in many; and what one graph of all layers
// scores, but for the order of sums.
func TestLayerwise(t *testing.T) {
	enc, dec := newReader(t, "encoder"), newReader(t, "decoder")
	for _, c := range []struct {
		r    *reader
		with string
		set  *evaluate.Dataset
	}{
		{enc, "encoder-b", enc.load(t, evaluate.Task{Name: "two", Kind: evaluate.Classification, Metric: evaluate.LogLikelihood, Data: "two.jsonl", Head: "two.safetensors", MaxLength: 24})},
		{dec, "decoder", dec.load(t, evaluate.Task{Name: "texts", Kind: evaluate.PerplexityKind, Data: "texts.jsonl"})},
	} {
		p := twins(t, c.r, c.with)
		pop := []evaluate.Model{mix(0.3, tensors.BF16), mix(0.6, tensors.BF16)}
		sets := []*evaluate.Dataset{c.set}
		if !evaluate.Layered(c.r.model, sets) {
			t.Fatalf("%s cannot be held a layer at a time", c.with)
		}
		for _, b := range xlatest.Backends(t) {
			score := func(plan evaluate.Plan) ([]evaluate.Result, *evaluate.Texts) {
				parents, err := merge.LoadTo(b.Backend, p, merge.OnDevice)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(parents.Finalize)
				plan.Slice, plan.Rows, plan.Tokens = 1, 1, 48
				d, err := evaluate.TextsOnDevice(parents, c.r.model, sets, plan)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(d.Finalize)
				results, err := d.Evaluate(t.Context(), pop)
				if err != nil {
					t.Fatal(err)
				}
				return results, d
			}
			whole, _ := score(evaluate.Plan{})
			blocks, _ := score(evaluate.Plan{Blocks: true})
			got, one := score(evaluate.Plan{Layerwise: true})
			back := evaluate.SetVectorBudget(1)
			small, many := score(evaluate.Plan{Layerwise: true})
			back()
			for i := range got {
				if got[i].Err != nil || fmt.Sprint(got[i]) != fmt.Sprint(blocks[i]) || fmt.Sprint(small[i]) != fmt.Sprint(blocks[i]) {
					t.Errorf("%s on %s, candidate %d: %v and %v, not %v", c.with, b.Kind, i, got[i], small[i], blocks[i])
				}
				for j, x := range got[i].Items {
					if math.Abs(float64(x-whole[i].Items[j])) > 1e-5 {
						t.Errorf("%s on %s, candidate %d: example %d has %g, %g whole", c.with, b.Kind, i, j, x, whole[i].Items[j])
					}
				}
			}
			if many.Merges() <= one.Merges() {
				t.Errorf("%s on %s: %d merges of tensors in many waves, %d in one", c.with, b.Kind, many.Merges(), one.Merges())
			}
		}
	}
}

// What writes goes through all layers for every token, and is held whole.
func TestLayeredRefusesWriting(t *testing.T) {
	dec := newReader(t, "decoder")
	writing := dec.load(t, evaluate.Task{Name: "writing", Kind: evaluate.Generate, Data: "writing.jsonl", Prompt: "prompt", Label: "answer", MaxTokens: 12})
	if evaluate.Layered(dec.model, []*evaluate.Dataset{writing}) {
		t.Error("tokens are written with a layer at a time")
	}
}
