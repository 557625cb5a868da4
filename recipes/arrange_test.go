package recipes_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// layers names the tensors of a tiny decoder.
func layers(n int) []tensors.Info {
	names := []string{"model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"}
	for i := range n {
		names = append(names, fmt.Sprintf("model.layers.%d.w", i))
	}
	return infos(names)
}

func TestArrange(t *testing.T) {
	models := map[string][]tensors.Info{"a": layers(4), "b": layers(4), "deep": layers(6),
		"vlm": infos([]string{"language_model.embed.w", "language_model.layers.0.w", "language_model.layers.1.w", "vision_tower.layers.0.w", "vision_tower.layers.1.w", "vision_tower.layers.2.w", "lm_head.weight"})}
	for _, c := range []struct{ name, recipe, want string }{
		{"models", "models: [{model: a}, {model: b}]", "a 0 all\nb 0 all\n"},
		{"one slice of all", "slices: [{sources: [{model: a, layer_range: [0, 4]}, {model: b, layer_range: [0, 4]}]}]", "a 0 all\nb 0 all\n"},
		{"stacked", "slices: [{sources: [{model: a, layer_range: [0, 2]}]}, {sources: [{model: deep, layer_range: [3, 5]}]}]",
			`a 0 model.embed_tokens.weight<model.embed_tokens.weight model.layers.0.w<model.layers.0.w model.layers.1.w<model.layers.1.w
deep 1 lm_head.weight<lm_head.weight model.layers.2.w<model.layers.3.w model.layers.3.w<model.layers.4.w model.norm.weight<model.norm.weight
model.layers.: [0 1 3 4]
`},
		{"a layer twice", "slices: [{sources: [{model: a, layer_range: [0, 1]}]}, {sources: [{model: a, layer_range: [0, 1]}]}]",
			`a 0 model.embed_tokens.weight<model.embed_tokens.weight model.layers.0.w<model.layers.0.w
a 1 lm_head.weight<lm_head.weight model.layers.1.w<model.layers.0.w model.norm.weight<model.norm.weight
model.layers.: [0 0]
`},
		{"cut short", "slices: [{sources: [{model: a, layer_range: [0, 1]}, {model: b, layer_range: [2, 3]}]}]",
			`a 0 lm_head.weight<lm_head.weight model.embed_tokens.weight<model.embed_tokens.weight model.layers.0.w<model.layers.0.w model.norm.weight<model.norm.weight
b 0 lm_head.weight<lm_head.weight model.embed_tokens.weight<model.embed_tokens.weight model.layers.0.w<model.layers.2.w model.norm.weight<model.norm.weight
model.layers.: [0]
`},
		{"modules", "modules: {vision_tower: {models: [{model: vlm}]}, text_decoder: {slices: [{sources: [{model: vlm, layer_range: [1, 2]}]}]}}",
			`vlm 0 vision_tower.layers.0.w<vision_tower.layers.0.w vision_tower.layers.1.w<vision_tower.layers.1.w vision_tower.layers.2.w<vision_tower.layers.2.w
vlm 1 language_model.embed.w<language_model.embed.w language_model.layers.0.w<language_model.layers.1.w lm_head.weight<lm_head.weight
language_model.layers.: [1]
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := parse(t, "merge_method: linear\nparameters: {weight: 1}\n"+c.recipe)
			a, err := r.Arrange(models)
			if err != nil {
				t.Fatal(err)
			}
			if got := arrangement(a); got != c.want {
				t.Errorf("\n%swant\n%s", got, c.want)
			}
		})
	}
}

func arrangement(a *recipes.Arrangement) string {
	var b strings.Builder
	for _, p := range a.Parents {
		fmt.Fprintf(&b, "%s %d", p.Ref, p.Slice)
		if p.Names == nil {
			b.WriteString(" all")
		}
		for _, out := range slices.Sorted(maps.Keys(p.Names)) {
			fmt.Fprintf(&b, " %s<%s", out, p.Names[out])
		}
		b.WriteString("\n")
	}
	for _, prefix := range slices.Sorted(maps.Keys(a.Layers)) {
		fmt.Fprintf(&b, "%s: %v\n", prefix, a.Layers[prefix])
	}
	return b.String()
}

// Gradients run over each slice; filters of a model's parameters see its own names,
// filters of shared parameters the output's.
func TestSlicedParameters(t *testing.T) {
	r := parse(t, `
merge_method: ties
base_model: a
slices:
- sources:
  - {model: a, layer_range: [0, 3]}
  - {model: deep, layer_range: [1, 4], parameters: {weight: [{filter: layers.3, value: 9}, {value: [0, 1]}]}}
- sources:
  - {model: deep, layer_range: [5, 6]}
  parameters: {weight: [0.25, 0.75]}
parameters: {lambda: [{filter: layers.3, value: 2}, {value: 1}], density: 0.5}
`)
	a, err := r.Arrange(map[string][]tensors.Info{"a": layers(6), "deep": layers(6)})
	if err != nil {
		t.Fatal(err)
	}
	f, err := a.Bind(layers(4))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := f.Spec(nil)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, info := range layers(4) {
		global, source := spec.Params(info.Name)
		got += fmt.Sprintln(info.Name, global.Get("lambda"), source[0].Get("weight"))
	}
	want := `model.embed_tokens.weight 1 0
model.norm.weight 1 0.25
lm_head.weight 1 0.25
model.layers.0.w 1 0
model.layers.1.w 1 0.5
model.layers.2.w 1 9
model.layers.3.w 2 0.75
`
	if got != want {
		t.Errorf("\n%swant\n%s", got, want)
	}
	// The base of the second slice is not among its sources: it gives the same layers.
	if n := a.Parents[spec.Parts[1].Base].Names["model.layers.3.w"]; n != "model.layers.5.w" {
		t.Errorf("the base gives %s", n)
	}
}

func TestDocuments(t *testing.T) {
	all, err := recipes.ParseDocuments("x", []byte(`
merge_method: linear
models: [{model: second}, {model: c}]
parameters: {weight: 1}
---
name: second
merge_method: linear
models: [{model: first}, {model: b}]
parameters: {weight: 1}
---
name: first
merge_method: linear
models: [{model: a}]
parameters: {weight: 1}
`))
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, r := range all {
		got += fmt.Sprint(r.Name(), r.Models())
	}
	if want := "first[a]second[first b][second c]"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	const linear = "merge_method: linear\nparameters: {weight: 1}\n"
	for want, text := range map[string]string{
		"made of itself":                     linear + "models: [{model: a}]\n---\n" + linear + "name: a\nmodels: [{model: a}]\n",
		"two documents without a name":       linear + "models: [{model: a}]\n---\n" + linear + "models: [{model: a}]\n",
		"every document has a name":          linear + "name: x\nmodels: [{model: a}]\n---\n" + linear + "name: y\nmodels: [{model: x}]\n",
		"another document's too":             linear + "models: [{model: x}]\n---\n" + linear + "name: x\nmodels: [{model: a}]\n---\n" + linear + "name: x\nmodels: [{model: a}]\n",
		"zz is read by no other document":    linear + "models: [{model: x}]\n---\n" + linear + "name: zz\nmodels: [{model: a}]\n",
		"unknown key \"modles\" in a recipe": linear + "models: [{model: x}]\n---\n" + linear + "name: x\nmodles: [{model: a}]\n",
	} {
		if _, err := recipes.ParseDocuments("x", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}
