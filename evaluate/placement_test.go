package evaluate_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// Scores do not depend on where the parents lie, to the bit.
func TestPlacementsScoreAlike(t *testing.T) {
	for _, b := range xlatest.Backends(t) {
		for _, arch := range []string{"mlp", "cnn"} {
			p, m := parents(t, arch)
			plan := evaluate.Plan{Slice: 2, Unrolled: b.Kind != "go", Rows: 90}
			pop := slices.Concat(random("ties", 3, tensors.BF16), random("linear", 2, 0))
			if arch == "cnn" {
				plan.Slice, plan.Unrolled, pop = 1, false, pop[3:]
			}
			want := evaluateAll(t, arena(t, b, p, m, plan), pop)
			for _, at := range []merge.Placement{merge.InHost, merge.OnDisk} {
				d := arenaAt(t, b, p, m, plan, evaluate.Accuracy, at)
				for i, r := range evaluateAll(t, d, pop) {
					if !equal(r, want[i]) {
						t.Errorf("%s on %s, parents on %s, candidate %d: %g, not %g", arch, b.Kind, at, i, r.Tie, want[i].Tie)
					}
				}
			}
		}
	}
}

// twins are two models of one shape, read by the first's tokenizer.
func twins(t *testing.T, r *reader, other string) *merge.Parents {
	t.Helper()
	var open []tensors.Source
	for _, name := range []string{filepath.Base(r.dir), other} {
		c, err := tensors.Open(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		open = append(open, c)
	}
	p, err := merge.NewParents([]string{"a", "b"}, open, nil, merge.MissingRefuse, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// mix is a merge of two models.
func mix(weight float64, d tensors.DType) evaluate.Model {
	linear, _ := merge.Lookup("linear")
	var source []merge.Values
	for _, w := range []float64{weight, 1 - weight} {
		v := linear.NewValues()
		v.Set("weight", w)
		source = append(source, v)
	}
	return evaluate.Model{Spec: &merge.Spec{Method: linear, Parts: []merge.Part{{Base: -1, Inputs: []int{0, 1}}}, DType: d,
		Params: func(string) (merge.Values, []merge.Values) { return linear.NewValues(), source }}}
}

// textsAt scores models with the parents at a place.
func textsAt(t *testing.T, b *xla.Backend, r *reader, p *merge.Parents, at merge.Placement, pop []evaluate.Model, sets ...*evaluate.Dataset) ([]evaluate.Result, *evaluate.Texts) {
	t.Helper()
	parents, err := merge.LoadTo(b.Backend, p, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(parents.Finalize)
	d, err := evaluate.TextsOnDevice(parents, r.model, sets, evaluate.Plan{Slice: 1, Rows: 1, Tokens: 256})
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

// Nor do those of texts, and what writes is merged once, not for every token.
func TestPlacementsReadAlike(t *testing.T) {
	enc, dec := newReader(t, "encoder"), newReader(t, "decoder")
	for _, c := range []struct {
		r    *reader
		with string
		sets []*evaluate.Dataset
	}{
		{enc, "encoder-b", []*evaluate.Dataset{enc.load(t, evaluate.Task{Name: "two", Kind: evaluate.Classification, Data: "two.jsonl", Head: "two.safetensors", MaxLength: 24})}},
		{dec, "decoder", []*evaluate.Dataset{dec.load(t, evaluate.Task{Name: "writing", Kind: evaluate.Generate, Data: "writing.jsonl", Prompt: "prompt", Label: "answer", MaxTokens: 12})}},
	} {
		p := twins(t, c.r, c.with)
		pop := []evaluate.Model{mix(0.3, tensors.BF16), mix(0.6, tensors.BF16)}
		for _, b := range xlatest.Backends(t) {
			want, d := textsAt(t, b, c.r, p, merge.OnDevice, pop, c.sets...)
			if n := d.Merges(); n != len(pop) || d.Calls() < 2*n {
				t.Errorf("%s on %s: %d calls of %d merged %d candidates", c.with, b.Kind, d.Calls(), n, len(pop))
			}
			for _, at := range []merge.Placement{merge.InHost, merge.OnDisk} {
				got, _ := textsAt(t, b, c.r, p, at, pop, c.sets...)
				for i, r := range got {
					if r.Err != nil || fmt.Sprint(r) != fmt.Sprint(want[i]) {
						t.Errorf("%s on %s, parents on %s, candidate %d: %v, not %v", c.with, b.Kind, at, i, r, want[i])
					}
				}
			}
		}
	}
}
