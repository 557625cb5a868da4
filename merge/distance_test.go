package merge

import (
	"math"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

func TestDistances(t *testing.T) {
	values := func(f func(i int) float32) []float32 {
		v := make([]float32, 3*sampleLen)
		for i := range v {
			v[i] = f(i)
		}
		return v
	}
	base := values(func(i int) float32 { return float32(1 + i%2) })
	p := parentsOf(t, map[string][]float32{
		"base": base,
		"near": values(func(i int) float32 { return base[i] * 1.1 }),
		"far":  values(func(i int) float32 { return -base[i] }),
		"same": base,
		"nan":  values(func(int) float32 { return float32(math.NaN()) }),
	}, "base", "near", "far", "same", "nan")
	got, err := Distances(&Spec{Parts: []Part{{Base: 0, Inputs: []int{1, 2, 3, 4}}}}, p)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{"near": 0.1, "far": 2, "same": 0} {
		if d, ok := got[name]; !ok || math.Abs(d-want) > 1e-6 {
			t.Errorf("%s is at %g (%v), want %g", name, d, ok, want)
		}
	}
	if len(got) != 3 {
		t.Errorf("%v: neither the base nor what holds NaN has a distance", got)
	}
	if got, err := Distances(&Spec{Parts: []Part{{Base: -1, Inputs: []int{0, 1}}}}, p); err != nil || len(got) != 0 {
		t.Errorf("without a base: %v, %v", got, err)
	}
}

// parentsOf writes checkpoints of one tensor, and opens them.
func parentsOf(t *testing.T, values map[string][]float32, names ...string) *Parents {
	t.Helper()
	var all []tensors.Source
	for _, name := range names {
		v := values[name]
		path := t.TempDir() + "/" + name + ".safetensors"
		w, err := tensors.Create("", []tensors.Info{{Name: "w", DType: tensors.F32, Shape: []int{len(v)}}}, tensors.Options{Single: path})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if err := w.WriteAt(v, "w", 0); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		c, err := tensors.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		all = append(all, c)
	}
	p, err := NewParents(names, all, nil, MissingRefuse, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
