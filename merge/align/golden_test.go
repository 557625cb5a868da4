package align_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mergevo/mergevo/merge/align"
	"github.com/mergevo/mergevo/tensors"
)

// golden is what testdata/make.py found for a family.
type golden struct {
	Seeds []struct {
		Seed          uint64
		Visits        []string
		Orders        map[string][]int
		Before, After float64
	}
	Vectors  map[string][2]float64
	Together []map[string][]int
	Stream   map[string][]int
}

func readGolden(t *testing.T) map[string]golden {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]golden
	if err := json.Unmarshal(data, &all); err != nil || len(all) < 7 {
		t.Fatalf("%d families, %v", len(all), err)
	}
	return all
}

// open opens a model of the testdata and finds its units.
func open(t testing.TB, family, name string, o align.Options) (tensors.Source, *align.Spec) {
	t.Helper()
	dir := filepath.Join("testdata", family, name)
	c, err := tensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := align.New(config, c.Tensors(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

// named are orders by the names of their permutations.
func named(s *align.Spec, o align.Orders) map[string][]int {
	out := map[string][]int{}
	for k, p := range s.Permutations {
		out[p.Name] = o[k]
	}
	return out
}

// product is the sum of the products of two models' numbers.
func product(t testing.TB, a, b tensors.Source) (sum float64) {
	t.Helper()
	for _, info := range a.Tensors() {
		x, y := numbers(t, a, info.Name), numbers(t, b, info.Name)
		for i, v := range x {
			sum += float64(v) * float64(y[i])
		}
	}
	return sum
}

func numbers(t testing.TB, s tensors.Source, name string) []float32 {
	t.Helper()
	info, ok := s.Lookup(name)
	if !ok {
		t.Fatalf("%s lacks %s", s.Path(), name)
	}
	x := make([]float32, info.Len())
	if err := s.ReadAt(x, name, 0); err != nil {
		t.Fatal(err)
	}
	return x
}

// on is a model in orders.
func on(t testing.TB, s *align.Spec, src tensors.Source, o align.Orders) tensors.Source {
	t.Helper()
	v, err := s.On(src, func() (align.Orders, error) { return o, nil })
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The orders are those of an independent program that visits the permutations alike, of
// every family, for two models and for three, with the residual stream too.
func TestMatchIsTheReference(t *testing.T) {
	for family, want := range readGolden(t) {
		t.Run(family, func(t *testing.T) {
			a, spec := open(t, family, "a", align.Options{})
			b, other := open(t, family, "b", align.Options{})
			c, _ := open(t, family, "c", align.Options{})
			if err := spec.Same(other, "a", "b"); err != nil {
				t.Fatal(err)
			}
			for _, w := range want.Seeds {
				var visits []string
				for _, k := range spec.Visits(w.Seed, 0) {
					visits = append(visits, spec.Permutations[k].Name)
				}
				if !slices.Equal(visits, w.Visits) {
					t.Errorf("seed %d visits %v, want %v", w.Seed, visits, w.Visits)
				}
				o, err := spec.Match(t.Context(), a, b, align.Matching{Seed: w.Seed})
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(w.Orders, named(spec, o)); d != "" {
					t.Errorf("seed %d: other orders (-want +got):\n%s", w.Seed, d)
				}
				moved := on(t, spec, b, o)
				for _, p := range [][2]float64{{product(t, a, b), w.Before}, {product(t, a, moved), w.After}} {
					if math.Abs(p[0]-p[1]) > 1e-9*math.Abs(p[1]) {
						t.Errorf("seed %d: sum of products %v, want %v", w.Seed, p[0], p[1])
					}
				}
			}
			// The agreements are of the last seed's orders.
			last, err := spec.Match(t.Context(), a, b, align.Matching{Seed: want.Seeds[1].Seed})
			if err != nil {
				t.Fatal(err)
			}
			vectors, err := spec.Vectors(t.Context(), a, b, last, align.Leading{Gamma: 0.5, Most: 4}, nil)
			if err != nil || len(vectors) != len(want.Vectors) {
				t.Fatalf("%d agreements, want %d, %v", len(vectors), len(want.Vectors), err)
			}
			for _, v := range vectors {
				if w := want.Vectors[v.Tensor]; math.Abs(v.Before-w[0]) > 1e-6 || math.Abs(v.After-w[1]) > 1e-6 {
					t.Errorf("%s: agreement %v, %v, want %v", v.Tensor, v.Before, v.After, w)
				}
			}
			all, err := spec.Together(t.Context(), []tensors.Source{a, b, c}, 0, align.Matching{Seed: 3})
			if err != nil {
				t.Fatal(err)
			}
			for i, o := range all {
				if d := cmp.Diff(want.Together[i], named(spec, o)); d != "" {
					t.Errorf("model %d of three: other orders (-want +got):\n%s", i, d)
				}
			}
			if !all[0].Still() {
				t.Error("the model that stays was moved")
			}
			if want.Stream == nil {
				return
			}
			a, spec = open(t, family, "a", align.Options{Residual: true})
			o, err := spec.Match(t.Context(), a, b, align.Matching{})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want.Stream, named(spec, o)); d != "" {
				t.Errorf("with the stream: other orders (-want +got):\n%s", d)
			}
		})
	}
}
