package align_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/merge/align"
	"github.com/mergevo/mergevo/tensors"
)

// shuffled draws orders, whole groups first and units inside.
func shuffled(s *align.Spec, rng *rand.Rand) align.Orders {
	var all align.Orders
	for _, p := range s.Permutations {
		var order []int
		for _, g := range rng.Perm(p.Units / p.Group) {
			for _, u := range rng.Perm(p.Group) {
				order = append(order, g*p.Group+u)
			}
		}
		all = append(all, order)
	}
	return all
}

// A model whose units were shuffled is put back exactly, whatever the order in which
// they are visited. Where permutations share tensors, the start decides where coordinate
// ascent ends; these shuffles it undoes.
func TestShuffledIsPutBack(t *testing.T) {
	for _, family := range []string{"mlp", "cnn", "bert", "llama", "qwen2", "qwen3", "gpt2"} {
		a, spec := open(t, family, "a", align.Options{})
		for seed := range uint64(5) {
			o := shuffled(spec, rand.New(rand.NewPCG(seed, 1)))
			away := on(t, spec, a, o)
			back, err := spec.Match(t.Context(), a, away, align.Matching{Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			for k, order := range back {
				for u, from := range order {
					if o[k][from] != u {
						t.Fatalf("%s, seed %d: unit %d of %s is %d", family, seed, u, spec.Permutations[k].Name, o[k][from])
					}
				}
			}
			home := on(t, spec, away, back)
			for _, info := range a.Tensors() {
				if !slices.Equal(numbers(t, home, info.Name), numbers(t, a, info.Name)) {
					t.Errorf("%s: %s differs", family, info.Name)
				}
			}
			list, err := align.Distances(t.Context(), a, away, home)
			if err != nil {
				t.Fatal(err)
			}
			if whole := align.Whole(list); whole.After != 0 || whole.Before == 0 || whole.ProductAfter <= whole.ProductBefore {
				t.Errorf("%s: distances %+v", family, whole)
			}
			if seed > 0 {
				continue
			}
			vectors, err := spec.Vectors(t.Context(), a, away, back, align.Leading{Gamma: 0.3, Most: 8}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range vectors {
				if v.After < 1-1e-6 || v.After > 1+1e-9 || v.Before > v.After {
					t.Errorf("%s: agreement %+v", family, v)
				}
			}
		}
	}
}

// A model that is in the order already stays.
func TestSameStays(t *testing.T) {
	a, spec := open(t, "qwen2", "a", align.Options{})
	o, err := spec.Match(t.Context(), a, a, align.Matching{})
	if err != nil || !o.Still() {
		t.Errorf("%v, %v", o, err)
	}
}

func TestInterrupted(t *testing.T) {
	a, spec := open(t, "mlp", "a", align.Options{})
	ctx, stop := context.WithCancel(t.Context())
	how := align.Matching{Progress: func(int, string, int, int) { stop() }}
	if _, err := spec.Match(ctx, a, a, how); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := spec.Together(ctx, []tensors.Source{a, a}, 0, how); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := align.Distances(ctx, a, a, a); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// nan is a source with a NaN in a tensor.
type nan struct {
	tensors.Source
	tensor string
}

func (n nan) ReadAt(dst []float32, name string, off int) error {
	err := n.Source.ReadAt(dst, name, off)
	if name == n.tensor && len(dst) > 0 {
		zero := float32(0)
		dst[0] = zero / zero
	}
	return err
}

func TestNaNIsNamed(t *testing.T) {
	a, spec := open(t, "mlp", "a", align.Options{})
	_, err := spec.Match(t.Context(), a, nan{a, "fc2.weight"}, align.Matching{})
	if err == nil || !strings.Contains(err.Error(), `"fc2.weight"`) {
		t.Error(err)
	}
}

// Configurations and tensors that do not tell what the units are get errors that say
// which tensor, which shape.
func TestRefuse(t *testing.T) {
	read := func(family string) (string, []tensors.Info) {
		c, err := tensors.Open(filepath.Join("testdata", family, "a"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		config, err := os.ReadFile(filepath.Join("testdata", family, "a", "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(config), c.Tensors()
	}
	for _, test := range []struct {
		family, old, now string // in config.json
		options          align.Options
		edit             func([]tensors.Info) []tensors.Info
		want             []string
	}{
		{"mlp", `"sequential"`, `"resnet"`, align.Options{}, nil, []string{`"resnet"`, "known: sequential, bert, llama, mistral, qwen2, qwen3, gpt2"}},
		{"mlp", `{`, `[`, align.Options{}, nil, []string{"config.json"}},
		{"mlp", `"relu"`, `"softmax"`, align.Options{}, nil, []string{"layer 1", `"softmax"`}},
		{"mlp", `"fc2"`, `"fc9"`, align.Options{}, nil, []string{"fc9.weight", "lacks"}},
		{"mlp", "", "", align.Options{Residual: true}, nil, []string{"residual"}},
		{"mlp", "", "", align.Options{}, func(l []tensors.Info) []tensors.Info {
			return append(l, tensors.Info{Name: "gate.weight", DType: tensors.F32, Shape: []int{16}})
		}, []string{"gate.weight", "not a tensor"}},
		{"llama", `"num_attention_heads": 6`, `"num_attention_heads": 5`, align.Options{}, nil, []string{"5 heads do not share 3"}},
		{"llama", `"num_key_value_heads": 3`, `"num_key_value_heads": 2`, align.Options{}, nil, []string{"k_proj.weight", "[12 16]", "should have 8"}},
		{"llama", "", "", align.Options{}, func(l []tensors.Info) []tensors.Info {
			return slices.DeleteFunc(l, func(t tensors.Info) bool { return t.Name == "model.layers.1.mlp.up_proj.weight" })
		}, []string{"model.layers.1.mlp.up_proj.weight", "lacks"}},
		{"llama", "", "", align.Options{}, func(l []tensors.Info) []tensors.Info {
			return append(l, tensors.Info{Name: "model.layers.0.mlp.experts.0.weight", DType: tensors.F32, Shape: []int{2, 2}})
		}, []string{"model.layers.0.mlp.experts.0.weight", "family llama"}},
		{"llama", "", "", align.Options{Residual: true}, func(l []tensors.Info) []tensors.Info {
			return append(l, tensors.Info{Name: "score.weight", DType: tensors.F32, Shape: []int{2, 16}})
		}, []string{"score.weight"}},
		{"gpt2", "", "", align.Options{}, func(l []tensors.Info) []tensors.Info {
			for i := range l {
				if l[i].Name == "transformer.h.0.mlp.c_fc.weight" {
					l[i].DType = tensors.I8
				}
			}
			return l
		}, []string{"transformer.h.0.mlp.c_fc.weight", "I8", "quantised"}},
		{"bert", "", "", align.Options{Residual: true}, nil, []string{"bert"}},
	} {
		config, infos := read(test.family)
		if test.edit != nil {
			infos = test.edit(infos)
		}
		_, err := align.New([]byte(strings.Replace(config, test.old, test.now, 1)), infos, test.options)
		if err == nil {
			t.Errorf("%s with %s: no error", test.family, test.now)
			continue
		}
		for _, w := range test.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s with %s: %q is not in %v", test.family, test.now, w, err)
			}
		}
	}
	one := `{"model_type": "sequential", "layers": [{"op": "linear", "name": "fc1"}]}`
	if _, err := align.New([]byte(one), []tensors.Info{{Name: "fc1.weight", DType: tensors.F32, Shape: []int{3, 4}}}, align.Options{}); err == nil || !strings.Contains(err.Error(), "no hidden layer") {
		t.Error(err)
	}
}

// Whatever stands in a config.json, it is read or refused.
func FuzzNew(f *testing.F) {
	for _, family := range []string{"mlp", "cnn", "bert", "llama", "gpt2"} {
		config, err := os.ReadFile(filepath.Join("testdata", family, "a", "config.json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(config, false)
		f.Add(config, true)
	}
	var all [][]tensors.Info
	for _, family := range []string{"mlp", "cnn", "bert", "llama", "gpt2"} {
		c, err := tensors.Open(filepath.Join("testdata", family, "a"))
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, c.Tensors())
		c.Close()
	}
	f.Fuzz(func(t *testing.T, config []byte, residual bool) {
		for _, infos := range all {
			s, err := align.New(config, infos, align.Options{Residual: residual})
			if err == nil && len(s.Permutations) == 0 {
				t.Error("no units, and no error")
			}
		}
	})
}
