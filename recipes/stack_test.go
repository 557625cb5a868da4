package recipes_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// llama lists the tensors of a decoder of some layers.
func llama(layers int) []tensors.Info {
	names := []string{"model.embed_tokens.weight", "model.norm.weight"}
	for i := range layers {
		for _, n := range []string{"self_attn.q_proj.weight", "self_attn.o_proj.weight", "mlp.down_proj.weight"} {
			names = append(names, fmt.Sprintf("model.layers.%d.%s", i, n))
		}
	}
	var out []tensors.Info
	for _, n := range names {
		out = append(out, tensors.Info{Name: n, DType: tensors.BF16, Shape: []int{2, 2}})
	}
	return out
}

// stacked parses a recipe and binds it to a, of three layers, and b, of two.
func stacked(t *testing.T, text string) (*recipes.Recipe, *recipes.Family) {
	t.Helper()
	r, err := recipes.Parse("stack.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.Arrange(map[string][]tensors.Info{"a": llama(3), "b": llama(2)})
	if err != nil {
		t.Fatal(err)
	}
	f, err := a.Bind(llama(3))
	if err != nil {
		t.Fatal(err)
	}
	return r, f
}

// chosen is the text of the recipe that values stand for.
func chosen(t *testing.T, f *recipes.Family, values ...float64) string {
	t.Helper()
	r, _, err := f.Choose(values)
	if err != nil {
		t.Fatal(err)
	}
	return string(r.Marshal())
}

const flowText = `merge_method: passthrough
models:
  - model: a
  - model: b
flow: {input_scale: {search: [0.5, 4], scale: log}, scale_per: %s}
`

func TestFlowGenes(t *testing.T) {
	for per, want := range map[string]int{"place": 5 + 5, "layer": 5 + 5, "pair": 5 + 25} {
		_, f := stacked(t, fmt.Sprintf(flowText, per))
		box := f.Box()
		if err := box.Validate(); err != nil || len(box) != want {
			t.Errorf("%s: %d genes, want %d: %v", per, len(box), want, err)
		}
	}
	r, err := recipes.Parse("flow.yaml", []byte("merge_method: passthrough\nmodels:\n  - model: a\n  - model: b\nflow: {repeats: 2, block: 2, start: b}\n"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.Arrange(map[string][]tensors.Info{"a": llama(3), "b": llama(2)})
	if err != nil {
		t.Fatal(err)
	}
	f, err := a.Bind(llama(2))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range f.Box() {
		got = append(got, fmt.Sprint(g.Name, " ", g.Start))
	}
	want := []string{"run@1[a].layers.0-1 0", "run@1[a].layers.2 0", "run@1[b].layers.0-1 1", "run@2[a].layers.0-1 0", "run@2[a].layers.2 0", "run@2[b].layers.0-1 0"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Runs of layers that are scaled alike are slices; a layer adds one over the product of
// the scales so far.
func TestFlowChoose(t *testing.T) {
	_, f := stacked(t, fmt.Sprintf(flowText, "place"))
	got := chosen(t, f, 1, 1, 0, 0, 1 /* scales: */, 1, 2, 3, 3, 0.5)
	want := `mergevo: 1
merge_method: passthrough
slices:
  - sources:
      - model: a
        layer_range: [0, 1]
  - sources:
      - model: a
        layer_range: [1, 2]
        parameters:
          scale:
            - {filter: o_proj, value: 0.5}
            - {filter: down_proj, value: 0.5}
  - sources:
      - model: b
        layer_range: [1, 2]
`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// Layers that are scaled alike and stand behind each other are one slice.
	if got := chosen(t, f, 1, 1, 1, 0, 0, 2, 1, 1, 1, 1); !strings.Contains(got, "layer_range: [0, 3]") || !strings.Contains(got, "value: 0.5") {
		t.Errorf("one slice of [0, 3], scaled by 0.5:\n%s", got)
	}
	// A pair's scale is the number of layer j behind layer i; the first layer has none.
	_, f = stacked(t, fmt.Sprintf(flowText, "pair"))
	values := f.Box().Values(f.Box().Start())
	copy(values, []float64{0, 1, 0, 1, 0}) // a's layer 1, then b's layer 0
	values[5+1*5+3] = 4
	if got := chosen(t, f, values...); strings.Count(got, "value: 0.25") != 2 || strings.Count(got, "layer_range") != 2 {
		t.Errorf("pair:\n%s", got)
	}
	if _, _, err := f.Choose(append(make([]float64, 5), values[5:]...)); err == nil || !strings.Contains(err.Error(), "no layer runs") {
		t.Errorf("nothing runs: %v", err)
	}
}

const slicesText = `merge_method: linear
slices:
  - sources:
      - model: {choose: [a, b], start: b}
        layer_range: [0, {search: [1, 2]}]
      - model: c
        layer_range: [{choose: [0, 1]}, 2]
    parameters: {weight: {search: [0, 1]}}
`

func TestSlicesChoose(t *testing.T) {
	r, err := recipes.Parse("slices.yaml", []byte(slicesText))
	if err != nil {
		t.Fatal(err)
	}
	if !r.HasHoles() || !r.Stacked() {
		t.Error("a recipe with holes in its slices has holes")
	}
	if d := cmp.Diff([]string{"a", "b", "c"}, r.Models()); d != "" {
		t.Error(d)
	}
	// The start, of one layer behind [0, 1.5] and two of c, is no merge.
	models := map[string][]tensors.Info{"a": llama(3), "b": llama(2), "c": llama(2)}
	if _, err := r.Arrange(models); err == nil || !strings.Contains(err.Error(), "2 layers, where the first source of the slice has 1") {
		t.Errorf("the start: %v", err)
	}
	text := strings.Replace(slicesText, "[1, 2]}", "[1, 2], start: 2}", 1)
	if r, err = recipes.Parse("slices.yaml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	a, err := r.Arrange(models)
	if err != nil {
		t.Fatal(err)
	}
	f, err := a.Bind(llama(2))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, g := range f.Box() {
		names = append(names, g.Name)
	}
	if d := cmp.Diff([]string{"slices.0.sources.0.model", "slices.0.sources.0.end", "slices.0.sources.1.first", "weight"}, names); d != "" {
		t.Error(d)
	}
	c, rest, err := f.Choose([]float64{0, 1, 1, 0.25})
	if err != nil || len(rest) != 1 || rest[0] != 0.25 {
		t.Fatal(rest, err)
	}
	if got := string(c.Marshal()); !strings.Contains(got, "model: a") || strings.Contains(got, "choose") || !strings.Contains(got, "[1, 2]") || !c.HasHoles() {
		t.Errorf("chosen:\n%s", got)
	}
	if _, err := f.Spec([]float64{0, 1, 1, 0.25}); err == nil {
		t.Error("a spec of other layers than those of the start")
	}
}

// Recipes of stacks read back as they are written, also in another folder.
func TestStackText(t *testing.T) {
	for _, text := range []string{fmt.Sprintf(flowText, "pair"), slicesText, "merge_method: passthrough\nmodels:\n  - model: a\n  - model: b\nflow: {repeats: 3, block: 4, start: b}\n"} {
		r, err := recipes.Parse("stack.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		again, err := recipes.Parse("stack.yaml", r.Marshal())
		if err != nil {
			t.Fatalf("%v\n%s", err, r.Marshal())
		}
		if !bytes.Equal(r.Marshal(), again.Marshal()) {
			t.Errorf("%s\nreads back as\n%s", r.Marshal(), again.Marshal())
		}
		if err := again.Relocate(func(ref string) string { return "../" + ref }); err != nil {
			t.Fatal(err)
		}
		for _, ref := range again.Models() {
			if !strings.HasPrefix(ref, "../") {
				t.Errorf("%s stayed behind", ref)
			}
		}
	}
}

func TestStackErrors(t *testing.T) {
	head := "merge_method: passthrough\nmodels:\n  - model: a\n"
	for text, want := range map[string]string{
		head + "flow: {repeat: 2}":                     `did you mean "repeats"`,
		head + "flow: {repeats: 0}":                    "repeats = 0 is outside",
		head + "flow: {input_scale: 2}":                "input_scale is a hole",
		head + "flow: {input_scale: {search: [0, 2]}}": "input_scale = 0 is outside",
		head + "flow: {scale_per: pair}":               "scale_per without input_scale",
		head + "flow: {start: bb}":                     "start bb is none of the models",
		head + "parameters: {scale: 2}\nflow: {}":      "a flow has no parameters",
		"merge_method: linear\nmodels:\n  - {model: a, parameters: {weight: 1}}\nflow: {}":                                                                     "a flow runs layers as they are",
		"merge_method: passthrough\nslices:\n  - sources: [{model: a, layer_range: [0, 2]}]\nflow: {}":                                                         "list them under models",
		"merge_method: passthrough\nmodels:\n  - model: {choose: [a, b]}":                                                                                      "a model to choose stands in a slice",
		"merge_method: passthrough\nslices:\n  - sources: [{model: {choose: [a]}}]":                                                                            "two or more values",
		"merge_method: passthrough\nslices:\n  - sources: [{model: a, layer_range: [0, {search: [1, 2.5]}]}]":                                                  "layers are counted in whole numbers",
		"merge_method: passthrough\nslices:\n  - sources: [{model: a, layer_range: [0, {search: [1, 2]}]}]\nparameters: {scale: {search: [0, 1], per: layer}}": "where a search chooses the layers",
	} {
		if _, err := recipes.Parse("stack.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}
