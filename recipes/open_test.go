package recipes_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mergevo/mergevo/recipes"
)

// Every number that is read becomes a hole that starts at it; what is not read, and
// booleans, stay.
func TestOpen(t *testing.T) {
	r := parse(t, `
merge_method: ties
base_model: base
models:
  - {model: base, parameters: {weight: 0.9}}
  - {model: a, parameters: {weight: 2, density: [0.25, 0.75]}}
  - {model: b, parameters: {weight: [{filter: mlp, value: -0.5}, {value: 0.5}], density: 1}}
parameters: {density: 0.5, normalize: false, lambda: 1.1}
`)
	f, err := r.Bind(infos([]string{"model.layers.0.mlp.w", "model.layers.1.attn.w"}))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	got := string(opened.Marshal())
	for _, want := range []string{
		"weight: 0.9", // of the base, read by nothing
		"weight: {search: [0, 2.375], start: 2}",
		"density: [{search: [0.1, 1], start: 0.25}, {search: [0.1, 1], start: 0.75}]",
		"{filter: mlp, value: {search: [-0.875, 1.5], start: -0.5}}",
		"density: 0.5", // both models have their own
		"normalize: false",
		"lambda: {search: [0, 2], start: 1.1}",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if _, err := opened.Bind(infos([]string{"model.layers.0.mlp.w", "model.layers.1.attn.w"})); err != nil {
		t.Error(err)
	}
}

// Whatever a recipe says, opening it gives a family whose start is its merge.
func TestOpenStartsThere(t *testing.T) {
	is := checkpoints()["llama"]
	rapid.Check(t, func(t *rapid.T) {
		r, err := recipes.Parse("random", []byte(recipeText(t, substrings["llama"], 12)))
		if err != nil {
			t.Fatal(err)
		}
		f, err := r.Bind(is)
		if err != nil {
			return
		}
		filled, err := f.Fill(f.Box().Values(f.Box().Start()))
		if err != nil {
			t.Fatal(err)
		}
		if f, err = filled.Bind(is); err != nil {
			t.Fatal(err)
		}
		opened, err := f.Open()
		if err != nil {
			return
		}
		g, err := opened.Bind(is)
		if err != nil {
			t.Fatalf("%s\n%v", opened.Marshal(), err)
		}
		want, _ := f.Spec(nil)
		got, err := g.Spec(g.Box().Values(g.Box().Start()))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range f.Tensors() {
			ga, sa := want.Params(name)
			gb, sb := got.Params(name)
			for _, p := range want.Method.Params {
				for i := range sa {
					if !p.PerSource {
						if d := ga.Get(p.Name) - gb.Get(p.Name); d > p.Grid+1e-9 || -d > p.Grid+1e-9 {
							t.Fatalf("%s: %s starts at %g, not %g\n%s", name, p.Name, gb.Get(p.Name), ga.Get(p.Name), opened.Marshal())
						}
					} else if d := sa[i].Get(p.Name) - sb[i].Get(p.Name); d > p.Grid+1e-9 || -d > p.Grid+1e-9 {
						t.Fatalf("%s: %s of %d starts at %g, not %g\n%s", name, p.Name, i, sb[i].Get(p.Name), sa[i].Get(p.Name), opened.Marshal())
					}
				}
			}
		}
	})
}
