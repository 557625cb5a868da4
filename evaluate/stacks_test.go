package evaluate_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// stack is a merge that has the layers of a reader's model in another order, what each
// adds multiplied by a scale.
func (r *reader) stack(t *testing.T, layers []int, scales []float64) *merge.Spec {
	t.Helper()
	prefix := r.model.Text.Blocks.Prefix
	src := r.parents.Sources()[0]
	names := map[string]string{}
	for _, info := range src.Tensors() {
		rest, in := strings.CutPrefix(info.Name, prefix)
		if !in {
			names[info.Name] = info.Name
			continue
		}
		number, rest, _ := strings.Cut(rest, ".")
		for to, from := range layers {
			if number == fmt.Sprint(from) {
				names[fmt.Sprintf("%s%d.%s", prefix, to, rest)] = info.Name
			}
		}
	}
	stacked, err := view.Rename(src, src.Path(), names)
	if err != nil {
		t.Fatal(err)
	}
	parents, err := merge.NewParents([]string{"stack"}, []tensors.Source{stacked}, nil, merge.MissingRefuse, false)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := merge.Lookup("passthrough")
	return &merge.Spec{Method: m, Parents: parents, Parts: []merge.Part{{Base: -1, Inputs: []int{0}}}, Params: func(name string) (merge.Values, []merge.Values) {
		v := m.NewValues()
		for to := range layers {
			if scales != nil && strings.HasPrefix(name, fmt.Sprintf("%s%d.", prefix, to)) &&
				(strings.Contains(name, "o_proj") || strings.Contains(name, "down_proj") || strings.Contains(name, "c_proj")) {
				v.Set("scale", scales[to])
			}
		}
		return m.NewValues(), []merge.Values{v}
	}}
}

// byLayers scores specs a layer at a time.
func (r *reader) byLayers(t *testing.T, b *xla.Backend, sets []*evaluate.Dataset, specs ...*merge.Spec) []evaluate.Result {
	t.Helper()
	pop := merge.NewPopulation(b.Backend, merge.OnDevice)
	t.Cleanup(pop.Finalize)
	d, err := evaluate.Place(pop, r.model, sets, evaluate.Plan{Slice: 1, Rows: 1, Tokens: 256, Blocks: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Finalize)
	var list []evaluate.Model
	for _, s := range specs {
		list = append(list, evaluate.Model{Spec: s})
	}
	results, err := d.Evaluate(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	return results
}

// Stacked layers are scored as transformers scores a model of the same list of layers,
// and what a layer adds, scaled by one over the product of the scales so far, is what
// scaling the layers' inputs gives.
func TestStacks(t *testing.T) {
	data, err := os.ReadFile("testdata/stacks.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]struct {
		Layers        []int
		OutputScales  []float64 `json:"output_scales"`
		Whole, Plain  float64
		OutputScaled  float64   `json:"output_scaled"`
		InputScaled   float64   `json:"input_scaled"`
		LogLikelihood []float64 `json:"log_likelihood"`
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for _, b := range xlatest.Backends(t) {
		for _, name := range []string{"decoder", "decoder-gpt2"} {
			t.Run(b.Kind+"/"+name, func(t *testing.T) {
				r, w := newReader(t, name), want[name]
				task := r.fill(evaluate.Task{Name: "texts", Kind: evaluate.PerplexityKind})
				task.Data = "testdata/decoder/texts.jsonl"
				parts, err := evaluate.LoadTexts(task, r.model.Text, r.tok)
				if err != nil {
					t.Fatal(err)
				}
				sets := []*evaluate.Dataset{parts[evaluate.Search]}
				got := r.byLayers(t, b, sets, r.stack(t, []int{0, 1}, nil), r.stack(t, w.Layers, nil), r.stack(t, w.Layers, w.OutputScales))
				for i, want := range []float64{w.Whole, w.Plain, w.OutputScaled} {
					near(t, "log-likelihood of a token", got[i].Tasks["texts"], want)
				}
				near(t, "with inputs scaled", got[2].Tasks["texts"], w.InputScaled)
			})
		}
		t.Run(b.Kind+"/encoder", func(t *testing.T) {
			r := newReader(t, "encoder")
			two := r.load(t, evaluate.Task{Name: "two", Kind: evaluate.Classification, Metric: evaluate.LogLikelihood, Data: "two.jsonl", Head: "two.safetensors", MaxLength: 24})
			got := r.byLayers(t, b, []*evaluate.Dataset{two}, r.stack(t, want["encoder"].Layers, nil))
			for i, l := range want["encoder"].LogLikelihood {
				near(t, "log-likelihood", float64(got[0].Items[i]), l)
			}
		})
	}
}

// What a model writes a layer at a time is what it writes whole, token for token.
func TestStacksWrite(t *testing.T) {
	b := xlatest.Backends(t)
	r := newReader(t, "decoder")
	writing := r.load(t, evaluate.Task{Name: "writing", Kind: evaluate.Generate, Data: "writing.jsonl", Prompt: "prompt", Label: "answer", MaxTokens: 40})
	got := r.byLayers(t, b[len(b)-1], []*evaluate.Dataset{writing}, r.stack(t, []int{0, 1}, nil), r.stack(t, []int{1}, nil))
	if got[0].Tasks["writing"] != 1 || got[1].Tasks["writing"] == 1 {
		t.Errorf("%g and %g of the texts are those of the whole model, want 1 and less", got[0].Tasks["writing"], got[1].Tasks["writing"])
	}
}

// Models whose layers do other things by their number cannot be stacked, nor those that
// have none.
func TestStackable(t *testing.T) {
	for dir, want := range map[string]string{"models/testdata/llama": "", "models/testdata/bert": "", "models/testdata/qwen2": "of several kinds", "models/testdata/gpt2": "of several kinds", "../testdata/mnist/mlp": "no layers that can be stacked"} {
		file := dir
		if want == "no layers that can be stacked" {
			file += "/base.safetensors"
		}
		c, err := tensors.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		m, err := models.Load(dir, c.Tensors())
		if err != nil {
			t.Fatal(err)
		}
		if err := evaluate.Stackable(m); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", dir, err, want)
		}
	}
}
