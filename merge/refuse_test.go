package merge_test

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// apply merges and returns the error.
func apply(t *testing.T, s *merge.Spec, p *merge.Parents, o merge.ApplyOptions) error {
	t.Helper()
	w, err := tensors.Create(filepath.Join(t.TempDir(), "out"), merge.Layout(s, p), tensors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := merge.Apply(context.Background(), xlatest.Fastest(t).Backend, s, p, w, o); err != nil {
		return err
	}
	return w.Commit()
}

func pair(t *testing.T, d tensors.DType, base, model map[string][]float32) *merge.Parents {
	t.Helper()
	p, err := merge.NewParents([]string{"base", "tuned"}, []*tensors.Checkpoint{write(t, d, base), write(t, d, model)}, nil, merge.MissingRefuse, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRefusesNonfinite(t *testing.T) {
	nan := float32(math.NaN())
	one := map[string]float64{"weight": 1}
	for _, c := range []struct {
		name string
		err  string
		p    *merge.Parents
		s    *merge.Spec
	}{
		{"NaN in a model", "w: tuned holds NaN at index 2",
			pair(t, tensors.F32, map[string][]float32{"w": {1, 2, 3}}, map[string][]float32{"w": {1, 2, nan}}), spec(t, "task_arithmetic", 0, nil, one)},
		{"Inf in the base", "w: base holds +Inf at index 0",
			pair(t, tensors.F32, map[string][]float32{"w": {float32(math.Inf(1)), 2}}, map[string][]float32{"w": {1, 2}}), spec(t, "task_arithmetic", 0, nil, one)},
		{"NaN under a cut", "source 1 holds NaN or Inf",
			pair(t, tensors.F32, map[string][]float32{"w": {1, 2, 3}}, map[string][]float32{"w": {1, 2, nan}}), spec(t, "ties", 0, nil, map[string]float64{"weight": 1, "density": 0.5})},
		{"NaN in a matrix", "holds NaN at index 2: what a method derives from matrices",
			grid(t, []float32{1, 2, 3, 4}, []float32{1, 2, nan, 4}), spec(t, "iso_c", 0, nil, map[string]float64{})},
		{"made by the merge", "although every input is finite",
			pair(t, tensors.F32, map[string][]float32{"w": {1e30}}, map[string][]float32{"w": {3e30}}), spec(t, "task_arithmetic", 0, map[string]float64{"lambda": 1e20}, one)},
		{"weights that cancel", "the weights sum to 0",
			pair(t, tensors.F32, map[string][]float32{"w": {1}}, map[string][]float32{"w": {3}}), both(spec(t, "linear", 0, nil, one, map[string]float64{"weight": -1}))},
		{"float16 overflow", "at least 1 values overflow float16, the largest seen is 80000: use dtype: bfloat16",
			pair(t, tensors.F32, map[string][]float32{"w": {1, 40000}}, map[string][]float32{"w": {1, 80000}}), spec(t, "task_arithmetic", tensors.F16, nil, one)},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := apply(t, c.s, c.p, merge.ApplyOptions{})
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
	}
	p := pair(t, tensors.F32, map[string][]float32{"w": {1, 2}}, map[string][]float32{"w": {1, nan}})
	if err := apply(t, spec(t, "task_arithmetic", 0, nil, one), p, merge.ApplyOptions{AllowNonfinite: true}); err != nil {
		t.Errorf("allowed, yet %v", err)
	}
	if err := p.CheckFinite(context.Background()); err == nil || !strings.Contains(err.Error(), "model tuned: w holds NaN at index 1") {
		t.Errorf("CheckFinite: %v", err)
	}
}

// grid is a pair of one matrix of two rows.
func grid(t *testing.T, base, model []float32) *merge.Parents {
	t.Helper()
	shape := map[string][]int{"w": {2, len(base) / 2}}
	list := []*tensors.Checkpoint{writeShaped(t, tensors.F32, map[string][]float32{"w": base}, shape), writeShaped(t, tensors.F32, map[string][]float32{"w": model}, shape)}
	p, err := merge.NewParents([]string{"base", "tuned"}, list, nil, merge.MissingRefuse, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// both makes the base an input too.
func both(s *merge.Spec) *merge.Spec {
	s.Parts[0].Inputs = []int{0, 1}
	return s
}

// A search scores the others when one candidate's merge has no answer.
func TestCoefsReportEachCandidate(t *testing.T) {
	p := family(t, tensors.F32, 2, 50)
	pop, err := merge.Load(xlatest.Backends(t)[0].Backend, p)
	if err != nil {
		t.Fatal(err)
	}
	good := spec(t, "linear", 0, nil, map[string]float64{"weight": 1}, map[string]float64{"weight": 1})
	bad := spec(t, "linear", 0, nil, map[string]float64{"weight": 1}, map[string]float64{"weight": -1})
	_, _, errs := pop.Kind(good).Coefs([]*merge.Spec{good, bad, good})
	if errs[0] != nil || errs[1] == nil || errs[2] != nil {
		t.Errorf("errors %v", errs)
	}
}

func TestParentsMustFit(t *testing.T) {
	base := map[string][]float32{"a": {1}, "b": {1, 2}, "c": {1}}
	models := []*tensors.Checkpoint{write(t, tensors.F32, base), write(t, tensors.F32, map[string][]float32{"a": {1}, "b": {1, 2, 3}, "d": {1}})}
	names := []string{"base", "other"}
	_, err := merge.NewParents(names, models, nil, merge.MissingRefuse, false)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"b: shape [2] in base, [3] in other", "c: missing in other", "d: missing in base", "--allow-missing"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	models[1] = write(t, tensors.F32, map[string][]float32{"a": {2}, "b": {3, 4}})
	p, err := merge.NewParents(names, models, nil, merge.MissingBase, false)
	if err != nil || len(p.Merged()) != 3 {
		t.Fatalf("base stands in: %v", err)
	}
	got := streamed(t, xlatest.Backends(t)[0].Backend, spec(t, "task_arithmetic", 0, nil, map[string]float64{"weight": 1}), p)
	if got["c"][0] != 1 || got["a"][0] != 2 {
		t.Errorf("merged %v", got)
	}
	if p, err = merge.NewParents(names, models, nil, merge.MissingSkip, false); err != nil || len(p.Merged()) != 2 {
		t.Errorf("skipped: %v", err)
	}
	models[1] = write(t, tensors.BF16, base)
	if _, err := merge.NewParents(names, models, nil, merge.MissingRefuse, false); err == nil || !strings.Contains(err.Error(), "a: F32 in base, BF16 in other (set dtype") {
		t.Errorf("mixed types: %v", err)
	}
	if _, err := merge.NewParents(names, models, nil, merge.MissingRefuse, true); err != nil {
		t.Errorf("mixed types with a dtype: %v", err)
	}
}

// raw writes a checkpoint with one tensor of bytes beside a float tensor.
func raw(t *testing.T, d tensors.DType, b []byte) *tensors.Checkpoint {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m.safetensors")
	w, err := tensors.Create("", []tensors.Info{{Name: "ids", DType: d, Shape: []int{len(b) / d.Size()}}, {Name: "w", DType: tensors.F32, Shape: []int{1}}}, tensors.Options{Single: file})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.WriteBytes("ids", 0, b); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteAt([]float32{1}, "w", 0); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return open(t, file)
}

func TestIntegersPassThroughIfEqual(t *testing.T) {
	s := spec(t, "task_arithmetic", tensors.BF16, nil, map[string]float64{"weight": 1})
	fit := func(d tensors.DType, a, b []byte) (*merge.Parents, error) {
		return merge.NewParents([]string{"base", "other"}, []*tensors.Checkpoint{raw(t, d, a), raw(t, d, b)}, nil, merge.MissingRefuse, false)
	}
	p, err := fit(tensors.I32, []byte{1, 2, 3, 4}, []byte{1, 2, 3, 4})
	if err != nil {
		t.Fatal(err)
	}
	if err := apply(t, s, p, merge.ApplyOptions{}); err != nil {
		t.Error(err)
	}
	if got := merge.Layout(s, p); got[0].DType != tensors.I32 || got[1].DType != tensors.BF16 {
		t.Errorf("written as %v", got)
	}
	if p, err = fit(tensors.I32, []byte{1, 2, 3, 4}, []byte{1, 2, 3, 5}); err != nil {
		t.Fatal(err)
	}
	if err := apply(t, s, p, merge.ApplyOptions{}); err == nil || !strings.Contains(err.Error(), "ids is I32, which is copied and not merged, but differs between base and other") {
		t.Errorf("different integers: %v", err)
	}
	if _, err := fit(tensors.F8E4M3, []byte{1, 2}, []byte{1, 2}); err == nil || !strings.Contains(err.Error(), "ids: F8_E4M3 in base cannot be merged") {
		t.Errorf("F8: %v", err)
	}
}
