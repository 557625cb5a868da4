package merge_test

import (
	"math"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// What methods make of zeros, equal and opposite models: numbers that mean something,
// or an error before anything is written. The base is 0 but where a row says otherwise.
func TestEdges(t *testing.T) {
	zero, a, minus, twice := []float32{0, 0, 0, 0}, []float32{3, -4, 0, 1}, []float32{-3, 4, 0, -1}, []float32{6, -8, 0, 2}
	other := []float32{1, 1, 5, -2}
	scaled := func(f float32, v []float32) []float32 {
		out := make([]float32, len(v))
		for i := range v {
			out[i] = f * v[i]
		}
		return out
	}
	w := func(weights ...float64) []map[string]float64 {
		var out []map[string]float64
		for _, x := range weights {
			out = append(out, map[string]float64{"weight": x})
		}
		return out
	}
	none := func(n int) []map[string]float64 { return make([]map[string]float64, n) }
	norm := func(v []float32) float32 {
		var s float64
		for _, x := range v {
			s += float64(x) * float64(x)
		}
		return float32(math.Sqrt(s))
	}
	for _, c := range []struct {
		name   string
		method string
		global map[string]float64
		source []map[string]float64
		models [][]float32
		want   []float32 // nil: an error
		err    string
	}{
		{"weights that cancel", "multislerp", nil, w(1, -1), [][]float32{a, other}, nil, "the weights sum to 0 and normalize_weights divides by it"},
		{"directions that cancel", "multislerp", map[string]float64{"normalize_weights": 0}, w(1, 1, -2), [][]float32{a, a, a}, nil, "they have no mean direction"},
		{"opposite", "multislerp", nil, w(0.5, 0.5), [][]float32{a, minus}, zero, ""},
		{"opposite of other length", "multislerp", nil, w(0.5, 0.5), [][]float32{a, scaled(-2, a)}, scaled(-0.5, a), ""},
		{"all zero", "multislerp", nil, w(0.2, 0.3, 0.4), [][]float32{zero, zero, zero}, zero, ""},
		{"one zero", "multislerp", nil, w(0.5, 0.5), [][]float32{a, zero}, scaled(0.5, a), ""},
		{"equal", "multislerp", nil, w(0.5, 0.5), [][]float32{a, a}, a, ""},
		{"alone", "multislerp", nil, w(0.5), [][]float32{a}, a, ""},

		{"all zero", "nuslerp", nil, w(0.5, 0.5), [][]float32{zero, zero}, zero, ""},
		{"one zero", "nuslerp", nil, w(0.5, 0.5), [][]float32{a, zero}, scaled(float32(math.Sqrt2/2), a), ""},
		{"opposite", "nuslerp", nil, w(0.75, 0.25), [][]float32{a, minus}, scaled(0.5, a), ""},
		{"weights that cancel", "nuslerp", nil, w(1, -1), [][]float32{a, twice}, scaled(1.5, a), ""},
		{"opposite, rounded", "nuslerp", nil, w(0.75, 0.25), [][]float32{{0.1, -0.7, 0.3, 1.1}, {-0.3, 2.1, -0.9, -3.3}}, zero, ""},
		{"opposite rows", "nuslerp", map[string]float64{"nuslerp_flatten": 0}, w(0.75, 0.25), [][]float32{a, minus}, scaled(0.5, a), ""},

		{"all zero", "karcher", nil, none(2), [][]float32{zero, zero}, zero, ""},
		{"one zero", "karcher", nil, none(2), [][]float32{a, zero}, scaled(0.5, a), ""},
		{"equal", "karcher", nil, none(3), [][]float32{a, a, a}, a, ""},
		{"opposite", "karcher", nil, none(2), [][]float32{a, scaled(-2, a)}, scaled(1.5, a), ""},
		{"opposite, rounded", "karcher", nil, none(2), [][]float32{{0.1, -0.7, 0.3, 1.1}, {-0.3, 2.1, -0.9, -3.3}}, []float32{0.2, -1.4, 0.6, 2.2}, ""},
		{"two of one and its opposite", "karcher", nil, none(3), [][]float32{a, minus, a}, a, ""},

		{"zero", "slerp", map[string]float64{"t": 0.25}, none(1), [][]float32{zero}, zero, ""},
		{"all at the base", "model_stock", nil, none(2), [][]float32{zero, zero}, zero, ""},
		{"one at the base", "model_stock", nil, none(2), [][]float32{a, zero}, zero, ""},
		{"opposite", "model_stock", nil, none(2), [][]float32{a, minus}, zero, ""},
		{"equal", "model_stock", nil, none(2), [][]float32{a, a}, a, ""},

		{"at the base", "sce", map[string]float64{"select_topk": 0.5}, none(2), [][]float32{zero, zero}, zero, ""},
		{"no variance", "sce", map[string]float64{"select_topk": 0.5}, none(2), [][]float32{a, a}, zero, ""},
		{"none selected", "sce", map[string]float64{"select_topk": 0}, none(2), [][]float32{a, other}, zero, ""},
		{"equal", "sce", nil, none(2), [][]float32{a, a}, a, ""},
		{"tiny", "sce", nil, none(2), [][]float32{scaled(1e-4, a), scaled(1e-4, a)}, scaled(1e-4, a), ""},

		{"at the base", "arcee_fusion", nil, none(1), [][]float32{zero}, zero, ""},
		{"none near", "nearswap", map[string]float64{"t": 0}, none(1), [][]float32{a}, zero, ""},
		{"all near", "nearswap", map[string]float64{"t": 10}, none(1), [][]float32{a}, a, ""},
		{"none changed", "ram", nil, none(2), [][]float32{zero, zero}, zero, ""},
		{"changed alone", "ram", nil, none(2), [][]float32{a, zero}, a, ""},
		{"epsilon 0", "ramplus_tl", map[string]float64{"epsilon": 0}, none(2), [][]float32{a, a}, a, ""},
		{"epsilon 0, alone", "ramplus_tl", map[string]float64{"epsilon": 0}, none(2), [][]float32{a, zero}, a, ""},

		{"opposite votes", "breadcrumbs_ties", map[string]float64{"normalize": 1}, []map[string]float64{{"weight": 1, "density": 1}, {"weight": 1, "density": 1}}, [][]float32{a, minus}, []float32{3, 4, 0, 1}, ""},
		{"all dropped", "breadcrumbs", nil, []map[string]float64{{"weight": 1, "density": 0.5, "gamma": 1}}, [][]float32{a}, nil, ""},
		{"odds of 1", "della", nil, []map[string]float64{{"weight": 1, "density": 1, "epsilon": 0.5}}, [][]float32{a}, a, ""},
	} {
		t.Run(c.method+"/"+c.name, func(t *testing.T) {
			names, open := []string{"base"}, []*tensors.Checkpoint{write(t, tensors.F32, map[string][]float32{"w": zero})}
			for i, m := range c.models {
				names, open = append(names, string(rune('A'+i))), append(open, write(t, tensors.F32, map[string][]float32{"w": m}))
			}
			p, err := merge.NewParents(names, open, nil, merge.MissingRefuse, false)
			if err != nil {
				t.Fatal(err)
			}
			s := spec(t, c.method, 0, c.global, c.source...)
			if c.err != "" {
				if err := apply(t, s, p, merge.ApplyOptions{}); err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, want %q", err, c.err)
				}
				return
			}
			for _, b := range xlatest.Backends(t) {
				got := streamed(t, b.Backend, s, p)["w"]
				for i, x := range got {
					if c.want != nil && math.Abs(float64(x-c.want[i])) > 1e-6*float64(1+norm(a)) {
						t.Fatalf("%s: %v, want %v", b.Kind, got, c.want)
					}
				}
			}
		})
	}
}

// Signed weights divide by the sum of their magnitudes, as mergekit by their sum.
func TestSignedDivisor(t *testing.T) {
	p, err := merge.NewParents([]string{"base", "A", "B"}, []*tensors.Checkpoint{
		write(t, tensors.F32, map[string][]float32{"w": {0, 0}}), write(t, tensors.F32, map[string][]float32{"w": {1, 1}}), write(t, tensors.F32, map[string][]float32{"w": {-2, 2}}),
	}, nil, merge.MissingRefuse, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"ties", "dare_ties", "della", "breadcrumbs_ties"} {
		for _, c := range []struct {
			asMergekit bool
			weight     float64
			want       []float32
		}{
			// Votes are 1 and 1 in the first entry, 1 and -1 in the second, a tie: +.
			{false, -0.5, []float32{2.0 / 1.5, 1}},
			{true, -0.5, []float32{4, 1}},
			// The weights sum to 0 in the first entry, where mergekit does not divide, and
			// to -1 in the second, where it turns the sign.
			{true, -1, []float32{3, 2}},
			{false, -1, []float32{1.5, -2}},
		} {
			s := spec(t, method, 0, map[string]float64{"normalize": 1}, map[string]float64{"weight": 1}, map[string]float64{"weight": c.weight})
			s.AsMergekit = c.asMergekit
			for _, b := range xlatest.Backends(t) {
				got := streamed(t, b.Backend, s, p)["w"]
				for i, x := range got {
					if math.Abs(float64(x-c.want[i])) > 1e-6 {
						t.Fatalf("%s on %s, weight %g, as mergekit %v: %v, want %v", method, b.Kind, c.weight, c.asMergekit, got, c.want)
					}
				}
			}
		}
	}
}
