package recipes_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

const twoModels = "merge_method: ties\nbase_model: b\nmodels: [{model: m/rot90}, {model: m/inv@main}]\n"

// Genes are named so that a person knows what they are.
func TestGeneNames(t *testing.T) {
	llama := infos([]string{"embed", "model.layers.0.mlp.w", "model.layers.0.attn.w", "model.layers.1.mlp.w", "model.layers.1.attn.w", "model.layers.2.mlp.w"})
	for _, c := range []struct{ name, parameters, want string }{
		{"one", "{weight: {search: default}}", "weight"},
		{"model", "{weight: {search: default, per: model}}", "weight[rot90] weight[inv]"},
		{"layer", "{weight: {search: default, per: layer}}", "weight.embed weight.layers.0 weight.layers.1 weight.layers.2"},
		{"blocks", "{weight: {search: default, per: {layers: 2}}}", "weight.embed weight.layers.0-1 weight.layers.2"},
		{"tensor", "{weight: [{filter: layers.1, value: {search: default, per: tensor}}, {value: 1}]}", "weight.layers.1.model.layers.1.attn.w weight.layers.1.model.layers.1.mlp.w"},
		{"match", "{weight: {search: default, per: {match: [mlp, attn]}}}", "weight.mlp weight.attn weight.other"},
		{"match all", "{weight: [{filter: layers, value: {search: default, per: {match: [mlp, attn]}}}, {value: 1}]}", "weight.layers.mlp weight.layers.attn"},
		{"product", "{weight: {search: default, per: [model, {match: [mlp]}]}}", "weight[rot90].mlp weight[rot90].other weight[inv].mlp weight[inv].other"},
		{"gradient", "{weight: [{search: default}, 0.5, {search: [0, 1]}]}", "weight@0 weight@2"},
		{"filters", "{weight: [{filter: mlp, value: {search: default}}, {value: {search: default}}]}", "weight.mlp weight.*"},
		{"twice", "{weight: [{filter: mlp, value: {search: default}}, {filter: attn, value: 1}, {filter: '*', value: {search: default}}], density: {search: default}, lambda: {search: default}}", "weight.mlp weight.* density lambda"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := bind(t, twoModels+"parameters: "+c.parameters, llama)
			var names []string
			for _, g := range f.Box() {
				names = append(names, g.Name)
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
			if err := f.Box().Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A number that all models share is named where it ends its range, unless it can be no
// larger; weights of models are not, which weigh them against one another.
func TestAtTop(t *testing.T) {
	f := bind(t, twoModels+"parameters: {weight: {search: default}, density: {search: default}, lambda: {search: [1, 3]}}", infos([]string{"w"}))
	for _, c := range []struct {
		u    []float64 // weight, density, lambda
		want []string
	}{
		{[]float64{1, 1, 1}, []string{"lambda"}},
		{[]float64{1, 1, 0.995}, []string{"lambda"}},
		{[]float64{1, 1, 0.98}, nil},
		{[]float64{0, 0, 0}, nil},
	} {
		if diff := cmp.Diff(c.want, f.AtTop(f.Box().Values(c.u))); diff != "" {
			t.Errorf("%v: %s", c.u, diff)
		}
	}
	whole := bind(t, twoModels+"parameters: {weight: 1, density: 1, lambda: {search: [1, 3], int: true}}", infos([]string{"w"}))
	if got := whole.AtTop([]float64{3}); len(got) != 1 {
		t.Errorf("the last of three whole numbers is at the top, not %v", got)
	}
}

// Bounds, starts and grids come from the method's row.
func TestGeneBounds(t *testing.T) {
	is := infos([]string{"w"})
	m, _ := merge.Lookup("ties")
	density, _ := m.Param("density")
	for _, c := range []struct {
		hole                string
		lo, hi, start, grid float64
	}{
		{"{search: default}", density.Low, density.High, density.Start, density.Grid},
		{"{search: [0.25, 1]}", 0.25, 1, density.Start, density.Grid},
		{"{search: [0.75, 1]}", 0.75, 1, 0.875, density.Grid},
		{"{search: [0.01, 0.25], scale: log}", 0.01, 0.25, 0.05, density.Grid},
		{"{search: [0, 1], start: 0.125}", 0, 1, 0.125, density.Grid},
		{"{search: [0, 1], int: true}", 0, 1, density.Start, 0},
	} {
		f := bind(t, twoModels+"parameters: {weight: 1, density: "+c.hole+"}", is)
		g := f.Box()[0]
		if math.Abs(g.Start-c.start) > 1e-12 || g.Lo != c.lo || g.Hi != c.hi || g.Grid != c.grid {
			t.Errorf("%s: %+v", c.hole, g)
		}
		for _, u := range []float64{0, 0.1234, 0.5, 1} {
			v := f.Box().Values([]float64{u})
			spec, err := f.Spec(v)
			if err != nil {
				t.Fatal(err)
			}
			_, source := spec.Params("w")
			if got := source[1].Get("density"); got != v[0] || g.Grid > 0 && got != math.Trunc(got*1024)/1024 {
				t.Errorf("%s: %v at %v is read as %v", c.hole, v[0], u, got)
			}
		}
	}
}

// A chosen method reads its own parameters; the others' genes do nothing.
func TestChooseMethod(t *testing.T) {
	is := infos([]string{"w"})
	f := bind(t, `
merge_method: {choose: [linear, ties]}
base_model: b
models: [{model: b, parameters: {weight: 3}}, {model: x}]
parameters: {weight: 2, lambda: {search: [0, 4]}, normalize: {choose: [false, true]}}
dtype: float32
seed: 5
`, is)
	want := []string{"merge_method", "normalize", "lambda"} // in the order of the rows
	var names []string
	for _, g := range f.Box() {
		names = append(names, g.Name)
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Fatal(diff)
	}
	linear, err := f.Spec([]float64{0, 1, 3})
	if err != nil {
		t.Fatal(err)
	}
	if linear.Method.Name != "linear" || linear.Parts[0].Base != -1 || len(linear.Parts[0].Inputs) != 2 || linear.DType != tensors.F32 || linear.Seed != 5 {
		t.Errorf("%+v", linear)
	}
	ties, err := f.Spec([]float64{1, 0, 3})
	if err != nil {
		t.Fatal(err)
	}
	global, source := ties.Params("w")
	if ties.Method.Name != "ties" || ties.Parts[0].Base != 0 || len(source) != 1 || global.Get("lambda") != 3 || global.Is("normalize") || source[0].Get("weight") != 2 {
		t.Errorf("%+v", ties)
	}
	filled, err := f.Fill([]float64{0, 1, 3})
	if err != nil {
		t.Fatal(err)
	}
	const text = `mergevo: 1
merge_method: linear
base_model: b
models:
  - model: b
    parameters:
      weight: 3
  - model: x
parameters:
  weight: 2
  normalize: true
dtype: float32
seed: 5
`
	if diff := cmp.Diff(text, string(filled.Marshal())); diff != "" {
		t.Error(diff)
	}
}

func TestSpecRefuses(t *testing.T) {
	f := bind(t, twoModels+"parameters: {weight: {search: [0, 1]}, normalize: {choose: [true, false]}}", infos([]string{"w"}))
	for _, v := range [][]float64{nil, {0.5}, {math.NaN(), 0}, {1.1, 0}, {-0.1, 0}, {0.5, 0.5}, {0.5, 2}, {0.5, -1}, {0.5, math.NaN()}} {
		if _, err := f.Spec(v); err == nil {
			t.Errorf("Spec(%v) gave no error", v)
		}
		if _, err := f.Fill(v); err == nil {
			t.Errorf("Fill(%v) gave no error", v)
		}
	}
	spec, err := f.Spec([]float64{1 + 1e-12, 0})
	if err != nil {
		t.Fatal(err)
	}
	_, source := spec.Params("w")
	if got := source[0].Get("weight"); got != 1 {
		t.Errorf("a rounding beyond the bound is %v", got)
	}
	if global, _ := spec.Params("elsewhere"); !math.IsNaN(global.Get("lambda")) {
		t.Error("a tensor that was not bound has parameters")
	}
}

// What Fill writes is short where it can be.
func TestFillIsShort(t *testing.T) {
	is := checkpoints()["llama"]
	f := bind(t, twoModels+"parameters: {weight: {search: default, per: [model, layer]}, density: {search: default, per: {match: [self_attn, mlp]}}}", is)
	u := make([]float64, len(f.Box()))
	for i := range u {
		u[i] = float64(i) / float64(len(u))
	}
	r, err := f.Fill(f.Box().Values(u))
	if err != nil {
		t.Fatal(err)
	}
	text := string(r.Marshal())
	if n := strings.Count(text, "\n"); n > 50 {
		t.Errorf("%d lines:\n%s", n, text)
	}
	if _, err := recipes.Parse("filled", []byte(text)); err != nil {
		t.Error(err)
	}
}

func BenchmarkParams(b *testing.B) {
	is := checkpoints()["llama"]
	f := bind(b, twoModels+"parameters: {weight: {search: default, per: [model, layer]}, density: {search: default, per: tensor}}", is)
	v := f.Box().Values(f.Box().Start())
	b.ReportAllocs()
	for b.Loop() {
		spec, err := f.Spec(v)
		if err != nil {
			b.Fatal(err)
		}
		for _, i := range is {
			spec.Params(i.Name)
		}
	}
}
