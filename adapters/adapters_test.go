package adapters_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/adapters"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

func open(t testing.TB, path string) *tensors.Checkpoint {
	t.Helper()
	c, err := tensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func adapter(t testing.TB, path string) *view.Adapter {
	t.Helper()
	a, err := view.OpenAdapter(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func join(t testing.TB, paths ...string) *adapters.Set {
	t.Helper()
	var list []*view.Adapter
	for _, p := range paths {
		list = append(list, adapter(t, filepath.Join("testdata", p)))
	}
	s, err := adapters.Join(list, paths)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// written writes a sum, as PEFT's folder where the set is one, and opens it again.
func written(t testing.TB, set *adapters.Set, sum *adapters.Sum) (*view.Adapter, []adapters.Kept) {
	t.Helper()
	path, options := filepath.Join(t.TempDir(), "out.safetensors"), tensors.Options{}
	if options.Single = path; set.Folder() {
		path, options = filepath.Dir(path), tensors.Options{Name: adapters.WeightsName}
		path = filepath.Join(path, "out")
	}
	w, err := tensors.Create(path, sum.Layout(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	kept, err := sum.Write(context.Background(), w, func(string, int64) {})
	if err != nil {
		t.Fatal(err)
	}
	if set.Folder() {
		config, err := sum.Config()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.AddFile(adapters.ConfigName, config); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return adapter(t, path), kept
}

// same compares an adapter's products with NumPy's, by the module's name behind parts.
func same(t *testing.T, a *view.Adapter, want *tensors.Checkpoint, limit float64) {
	t.Helper()
	got := map[string]int{}
	for i, m := range a.Modules() {
		got[m.Rest] = i
	}
	if len(got) != len(want.Tensors()) {
		t.Errorf("%d modules, want %d", len(got), len(want.Tensors()))
	}
	for _, info := range want.Tensors() {
		i, ok := got[strings.ReplaceAll(info.Name, ".", "_")]
		if !ok {
			t.Errorf("no module %s among %v", info.Name, got)
			continue
		}
		s := a.Changes([]view.Change{{Name: "x", Module: i, Shape: info.Shape}})
		x, y := make([]float32, info.Len()), make([]float32, info.Len())
		if err := s.ReadAt(x, "x", 0); err != nil {
			t.Fatal(err)
		}
		if err := want.ReadAt(y, info.Name, 0); err != nil {
			t.Fatal(err)
		}
		far, norm := 0.0, 0.0
		for j := range x {
			far, norm = math.Hypot(far, float64(x[j])-float64(y[j])), math.Hypot(norm, float64(y[j]))
		}
		if far > limit*norm {
			t.Errorf("%s lies %g of its norm away", info.Name, far/norm)
		}
	}
}

func weights(w ...float64) func(string) ([]float64, error) {
	return func(string) ([]float64, error) { return w, nil }
}

// Sums of products against NumPy's, exact and cut, whatever names the adapters have.
func TestSum(t *testing.T) {
	text, err := os.ReadFile("testdata/energy.json")
	if err != nil {
		t.Fatal(err)
	}
	var energy map[string]float64
	if err := json.Unmarshal(text, &energy); err != nil {
		t.Fatal(err)
	}
	for _, paths := range [][]string{{"one", "two"}, {"one-diffusers.safetensors", "two"}} {
		set := join(t, paths...)
		sum, err := set.Sum(t.Context(), weights(0.7, -0.4), adapters.Cut{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		a, kept := written(t, set, sum)
		same(t, a, open(t, "testdata/sum.safetensors"), 1e-6)
		for _, k := range kept {
			if k.Rank != k.Of || k.Energy != 1 || k.Error > 1e-6 {
				t.Errorf("%v: %+v", paths, k)
			}
		}
		if a.Naming().Name != adapter(t, filepath.Join("testdata", paths[0])).Naming().Name {
			t.Errorf("%v is written as %s", paths, a.Naming().Name)
		}

		sum, err = set.Sum(t.Context(), weights(0.7, -0.4), adapters.Cut{Rank: 2}, 0)
		if err != nil {
			t.Fatal(err)
		}
		a, kept = written(t, set, sum)
		same(t, a, open(t, "testdata/cut.safetensors"), 1e-5)
		for _, k := range kept {
			want := energy[strings.TrimPrefix(k.Module, "unet.")]
			if k.Rank != 2 || math.Abs(k.Energy-want) > 1e-8 || math.Abs(k.Error-math.Sqrt(1-want)) > 1e-5 {
				t.Errorf("%v: %+v, NumPy keeps %g", paths, k, want)
			}
		}
	}
}

// The first adapter's naming is written, kohya's too; what it lacks gets such a name, or
// is an error that lists it.
func TestNames(t *testing.T) {
	set := join(t, "two-kohya.safetensors", "one")
	sum, err := set.Sum(t.Context(), weights(-0.4, 0.7), adapters.Cut{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := written(t, set, sum)
	same(t, a, open(t, "testdata/sum.safetensors"), 1e-6)
	for _, m := range a.Modules() {
		if !strings.HasPrefix(m.Name, "lora_unet_model_") || m.Naming.Name != "kohya" || m.Alpha == "" || m.Scale != 1 {
			t.Errorf("%+v", m)
		}
	}
	list := []*view.Adapter{adapter(t, "testdata/one"), adapter(t, "testdata/two-kohya.safetensors")}
	_, err = adapters.Join(list, []string{"one", "two"})
	if err == nil || !strings.Contains(err.Error(), "lora_unet_model_layers_1_self_attn_q_proj in two") || !strings.Contains(err.Error(), "list this adapter first") {
		t.Errorf("%v", err)
	}
}

// As little as holds the energy, and no more than the rank.
func TestEnergy(t *testing.T) {
	set := join(t, "one", "two")
	for _, cut := range []adapters.Cut{{Energy: 0.8}, {Energy: 0.99, Rank: 3}, {Energy: 1}} {
		sum, err := set.Sum(t.Context(), weights(1, 1), cut, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, kept := written(t, set, sum)
		cuts := 0
		for _, k := range kept {
			if cut.Rank > 0 && k.Rank > cut.Rank || cut.Rank == 0 && k.Energy < cut.Energy-1e-12 {
				t.Errorf("%+v: %+v", cut, k)
			}
			if k.Rank < k.Of {
				cuts++
			}
		}
		if cut.Energy < 1 && cuts < 2 {
			t.Errorf("%+v: %+v", cut, kept)
		}
		energy, miss := adapters.Together(kept)
		if math.Abs(miss-math.Sqrt(1-energy)) > 1e-4 {
			t.Errorf("%+v: kept %g and missed %g", cut, energy, miss)
		}
	}
}

// Any merge of the products is written as the nearest factors: of a weighted sum, those
// that Sum writes.
func TestDense(t *testing.T) {
	set := join(t, "one", "two")
	set.Nothing() // has their names
	sum, err := set.Dense(t.Context(), &weighted{set.Products(), []float32{0.7, -0.4}}, adapters.Cut{Rank: 2}, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := written(t, set, sum)
	same(t, a, open(t, "testdata/cut.safetensors"), 1e-5)
	if sum, err = set.Dense(t.Context(), set.Nothing(), adapters.Cut{Energy: 0.9}, 0); err != nil {
		t.Fatal(err)
	}
	if a, kept := written(t, set, sum); a.Modules()[0].Rank != 1 || kept[0].Energy != 1 || kept[0].Error != 0 {
		t.Errorf("of zeros: %+v", kept[0])
	}
}

// weighted is a weighted sum of sources with the same tensors.
type weighted struct {
	of []tensors.Source
	w  []float32
}

func (s *weighted) Path() string                                      { return "a sum" }
func (s *weighted) Tensors() []tensors.Info                           { return s.of[0].Tensors() }
func (s *weighted) Lookup(name string) (tensors.Info, bool)           { return s.of[0].Lookup(name) }
func (s *weighted) Stored(string, int, int, func([]byte) error) error { panic("not read") }

func (s *weighted) ReadAt(dst []float32, name string, off int) error {
	x := make([]float32, len(dst))
	clear(dst)
	for i, src := range s.of {
		if err := src.ReadAt(x, name, off); err != nil {
			return err
		}
		for j, v := range x {
			dst[j] += s.w[i] * v
		}
	}
	return nil
}

// Averages of factors are those of A and of B, and refused where they mean nothing.
func TestFactors(t *testing.T) {
	set := join(t, "one", "three")
	sources, err := set.Factors()
	if err != nil {
		t.Fatal(err)
	}
	layout := sources[0].Tensors()
	dir := filepath.Join(t.TempDir(), "out")
	w, err := tensors.Create(dir, layout, tensors.Options{Name: adapters.WeightsName})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	mean := &weighted{sources, []float32{0.5, 0.5}}
	for _, info := range layout {
		x := make([]float32, info.Len())
		if err := mean.ReadAt(x, info.Name, 0); err != nil {
			t.Fatal(err)
		}
		if err := w.WriteAt(x, info.Name, 0); err != nil {
			t.Fatal(err)
		}
	}
	config, err := set.Config()
	if err == nil {
		err = w.AddFile(adapters.ConfigName, config)
	}
	if err == nil {
		err = w.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	same(t, adapter(t, dir), open(t, "testdata/averages.safetensors"), 1e-6)
	_, err = join(t, "one", "two").Factors()
	for _, want := range []string{"model.layers.0.mlp.up_proj: not in two", "model.layers.0.self_attn.q_proj: of rank 3 times 2 in one, of rank 4 times 1 in two"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// What is no product, or of other shapes, is refused by name.
func TestRefused(t *testing.T) {
	odd := filepath.Join(t.TempDir(), "odd.safetensors")
	w, err := tensors.Create("", []tensors.Info{
		{Name: "model.layers.0.self_attn.q_proj.lora_A.weight", DType: tensors.F32, Shape: []int{1, 9}},
		{Name: "model.layers.0.self_attn.q_proj.lora_B.weight", DType: tensors.F32, Shape: []int{12, 1}},
	}, tensors.Options{Single: odd})
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int{"A": 9, "B": 12} {
		if err := w.WriteAt(make([]float32, n), "model.layers.0.self_attn.q_proj.lora_"+name+".weight", 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	for want, paths := range map[string][]string{
		"is DoRA":         {"one", "../../tensors/view/testdata/dora-f32"},
		"modules_to_save": {"../../tensors/view/testdata/lora-f32"},
		"q_proj: changes a weight of [12 10] in one, of [12 9] in odd.safetensors": {"one", odd},
		"nothing is left":    {"one", "two"},
		"does not fit float": {"one", "two"},
	} {
		var list []*view.Adapter
		for i, p := range paths {
			if !filepath.IsAbs(p) {
				p = filepath.Join("testdata", p)
			}
			list = append(list, adapter(t, p))
			paths[i] = filepath.Base(p)
		}
		set, err := adapters.Join(list, paths)
		switch {
		case want == "nothing is left":
			_, err = set.Sum(t.Context(), weights(0, 0), adapters.Cut{}, 0)
		case want == "does not fit float":
			var sum *adapters.Sum
			if sum, err = set.Sum(t.Context(), weights(1e6, 1), adapters.Cut{}, tensors.F16); err != nil {
				break
			}
			w, cerr := tensors.Create("", sum.Layout(), tensors.Options{Single: filepath.Join(t.TempDir(), "x")})
			if cerr != nil {
				t.Fatal(cerr)
			}
			_, err = sum.Write(t.Context(), w, func(string, int64) {})
			w.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}
