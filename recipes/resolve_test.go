package recipes_test

import (
	"fmt"
	"testing"

	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

func TestResolution(t *testing.T) {
	five := []string{"embed", "layers.0.w", "layers.1.w", "layers.2.w", "layers.3.w", "layers.4.w"}
	for _, c := range []struct {
		name, parameters string
		tensors          []string
		param            string
		want             []float64
	}{
		{"gradient", "{weight: [0, 1, 0]}", five, "weight", []float64{0, 0, 0.5, 1, 0.5, 0}},
		{"gradient of one", "{weight: [3]}", five, "weight", []float64{3, 3, 3, 3, 3, 3}},
		{"booleans", "{weight: 1, normalize: [true, false, true]}", five, "normalize", []float64{1, 1, 1, 0, 0, 1}},
		{"one layer", "{weight: [0, 1]}", []string{"embed", "layers.0.w"}, "weight", []float64{0, 1}},
		{"towers", "{weight: [0, 1]}", []string{"a.0.w", "a.1.w", "b.0.w", "b.1.w", "b.2.w"}, "weight", []float64{0, 1, 0, 0.5, 1}},
		{"first filter wins", "{weight: [{filter: s.1, value: 1}, {filter: layers, value: 2}, {value: 3}]}", five, "weight", []float64{3, 2, 1, 2, 2, 2}},
		{"no filter matches", "{weight: 1, density: [{filter: embed, value: 0.5}]}", five, "density", []float64{0.5, 1, 1, 1, 1, 1}},
		{"not a layer", "{weight: [0, 1]}", []string{"a.99999999999999999999.w", "b.1x.w"}, "weight", []float64{0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := bind(t, twoModels+"parameters: "+c.parameters, infos(c.tensors))
			spec, err := f.Spec(nil)
			if err != nil {
				t.Fatal(err)
			}
			row, _ := spec.Method.Param(c.param)
			for i, name := range c.tensors {
				global, source := spec.Params(name)
				if got := read(row, global, source[1]); got != c.want[i] {
					t.Errorf("%s: %v, not %v", name, got, c.want[i])
				}
			}
		})
	}
}

// A model's own value, then the slice's, then the recipe's, then the default.
func TestScopes(t *testing.T) {
	f := bind(t, `
merge_method: ties
base_model: b
slices:
- sources:
  - model: x
    layer_range: [0, 2]
    parameters: {density: [{filter: layers.0, value: 0.1}]}
  - model: y
  parameters: {density: [{filter: layers, value: 0.2}], lambda: [{filter: layers.1, value: 3}]}
parameters: {weight: 1, density: [{filter: embed, value: 0.3}], lambda: 2}
`, infos([]string{"embed", "head", "layers.0.w", "layers.1.w"}))
	spec, err := f.Spec(nil)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, name := range []string{"layers.0.w", "layers.1.w", "embed", "head"} {
		global, source := spec.Params(name)
		got += fmt.Sprintln(source[0].Get("density"), source[1].Get("density"), global.Get("lambda"))
	}
	if want := "0.1 0.2 2\n0.2 0.2 3\n0.3 0.3 2\n1 1 2\n"; got != want {
		t.Errorf("\n%swant\n%s", got, want)
	}
}

func TestBindRefuses(t *testing.T) {
	r := parse(t, twoModels+"parameters: {weight: 1}")
	for _, is := range [][]tensors.Info{nil, infos([]string{"a", "a"})} {
		if _, err := r.Bind(is); err == nil {
			t.Errorf("Bind(%v) gave no error", is)
		}
	}
}

func TestReadFileMissing(t *testing.T) {
	if _, err := recipes.ReadFile("testdata/missing.yml"); err == nil {
		t.Error("no error")
	}
	if _, err := recipes.ReadFile("testdata"); err == nil {
		t.Error("a directory was read")
	}
}
