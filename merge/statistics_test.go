package merge_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// described opens the models of testdata/statistics with their files of a kind.
func described(t *testing.T, s *merge.Statistic) *merge.Parents {
	t.Helper()
	var opened, files []tensors.Source
	names := []string{"a", "b", "c"}
	for _, name := range names {
		opened = append(opened, open(t, filepath.Join("testdata", "statistics", name+".safetensors")))
		files = append(files, open(t, filepath.Join("testdata", "statistics", name+"."+s.Name+".safetensors")))
	}
	p, err := merge.NewParents(names, opened, nil, merge.MissingRefuse, false)
	if err == nil {
		err = p.Attach(s, files, files)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Fisher-weighted averages and RegMean are what NumPy makes of the papers' formulas.
func TestStatisticsLikeNumPy(t *testing.T) {
	expected := read(t, open(t, filepath.Join("testdata", "statistics", "expected.safetensors")))
	for name, c := range map[string]struct {
		weights []float64
		global  map[string]float64
	}{
		"fisher":          {[]float64{1, 1, 1}, nil},
		"fisher-weights":  {[]float64{0.2, 1, 0.5}, nil},
		"fisher-plain":    {[]float64{1, 0.5, 1}, map[string]float64{"favor_target": 0, "normalize": 0}},
		"fisher-bare":     {[]float64{1, 2, 3}, map[string]float64{"floor": 0, "normalize": 0}},
		"regmean":         {[]float64{1, 1, 1}, nil},
		"regmean-weights": {[]float64{0.2, 1, 0.5}, map[string]float64{"alpha": 0.5}},
		"regmean-full":    {[]float64{1, 1, 1}, map[string]float64{"alpha": 1, "ridge": 1e-3}},
	} {
		method, _, _ := strings.Cut(name, "-")
		m, ok := merge.Lookup(method)
		if !ok {
			t.Fatal(method)
		}
		p := described(t, m.Statistic)
		global := m.NewValues()
		for k, v := range c.global {
			global.Set(k, v)
		}
		var source []merge.Values
		for _, w := range c.weights {
			v := m.NewValues()
			v.Set("weight", w)
			source = append(source, v)
		}
		spec := &merge.Spec{Method: m, Parts: []merge.Part{{Base: -1, Inputs: []int{0, 1, 2}}},
			Params: func(string) (merge.Values, []merge.Values) { return global, source }}
		for _, b := range xlatest.Backends(t) {
			t.Run(name+"/"+b.Kind, func(t *testing.T) {
				for tensor, got := range streamed(t, b.Backend, spec, p) {
					want := expected[name+"/"+tensor]
					if len(want) != len(got) {
						t.Fatalf("%s has %d elements, want %d", tensor, len(got), len(want))
					}
					for i, x := range got {
						if d := math.Abs(float64(x) - float64(want[i])); d > 1e-5 {
							t.Errorf("%s[%d] = %g, want %g", tensor, i, x, want[i])
						}
					}
				}
			})
		}
	}
}

// NaN in what data say is no fault of the merge: the file is named.
func TestNonfiniteStatistics(t *testing.T) {
	good := map[string][]float32{"v": {1, 1}, "w": {1, 2, 3}}
	p := pair(t, tensors.F32, good, good)
	bad := write(t, tensors.F32, map[string][]float32{"v": {1, 1}, "w": {1, float32(math.NaN()), 3}})
	files := []tensors.Source{write(t, tensors.F32, good), bad}
	if err := p.Attach(merge.Fisher, files, files); err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{"normalised": " holds NaN or Inf in w", "plain": " holds NaN at index 1"} {
		global := map[string]float64{}
		if name == "plain" {
			global["normalize"] = 0
		}
		s := both(spec(t, "fisher", 0, global, map[string]float64{"weight": 1}, map[string]float64{"weight": 1}))
		if err := apply(t, s, p, merge.ApplyOptions{}); err == nil || !strings.Contains(err.Error(), bad.Path()+says) {
			t.Errorf("%s: got %v, want %q", name, err, bad.Path()+says)
		}
	}
}

// Files that do not fit are refused, with file, tensor and shape.
func TestAttachRefuses(t *testing.T) {
	models := filepath.Join("testdata", "statistics", "a.safetensors")
	full := map[string][]float32{"fc.weight": make([]float32, 20), "fc.bias": make([]float32, 5), "conv.weight": make([]float32, 24), "h.weight": make([]float32, 24), "norm": make([]float32, 6)}
	shapes := map[string][]int{"fc.weight": {5, 4}, "fc.bias": {5}, "conv.weight": {3, 2, 2, 2}, "h.weight": {4, 6}, "norm": {6}}
	for name, c := range map[string]struct {
		kind   *merge.Statistic
		change func(data map[string][]float32, shapes map[string][]int)
		says   string
	}{
		"missing": {merge.Fisher, func(d map[string][]float32, _ map[string][]int) { delete(d, "norm") },
			"no norm, a tensor of the models with shape [6]"},
		"shape": {merge.Fisher, func(_ map[string][]float32, s map[string][]int) { s["fc.weight"] = []int{4, 5} },
			"fc.weight has shape [4 5], the tensor of the models [5 4]: want [5 4]"},
		"gram of another width": {merge.GramMatrices, func(d map[string][]float32, s map[string][]int) {
			clear(d)
			d["fc.weight"], s["fc.weight"] = make([]float32, 25), []int{5, 5}
		}, "fc.weight has shape [5 5], the tensor of the models [5 4]: want [4 4]"},
		"gram of nothing": {merge.GramMatrices, func(d map[string][]float32, _ map[string][]int) {
			clear(d)
			d["other"] = []float32{1}
		}, "hold nothing of any tensor"},
	} {
		t.Run(name, func(t *testing.T) {
			data, dims := map[string][]float32{}, map[string][]int{"other": {1}}
			for k, v := range full {
				data[k], dims[k] = v, shapes[k]
			}
			c.change(data, dims)
			file := writeShaped(t, tensors.F32, data, dims)
			p, err := merge.NewParents([]string{"a"}, []*tensors.Checkpoint{open(t, models)}, nil, merge.MissingRefuse, false)
			if err != nil {
				t.Fatal(err)
			}
			err = p.Attach(c.kind, []tensors.Source{file}, []tensors.Source{file})
			if err == nil || !strings.Contains(err.Error(), c.says) || name != "gram of nothing" && !strings.Contains(err.Error(), file.Path()) {
				t.Errorf("it says %v, want %q with the file", err, c.says)
			}
		})
	}
}
