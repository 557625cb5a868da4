package recipes_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/merge/niche"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

func nicheFamily(t *testing.T, block string, infos []tensors.Info) *recipes.Family {
	t.Helper()
	r, err := recipes.Parse("test.yaml", []byte("merge_method: niche\nmodels: [{model: a}, {model: b}, {model: c}]\n"+block))
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.Bind(infos)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// decoderTensors are of three weights each, but for the biases.
func decoderTensors() []tensors.Info {
	var infos []tensors.Info
	for _, name := range []string{"lm_head.weight", "model.embed_tokens.weight", "model.layers.0.attn.q.bias", "model.layers.0.attn.q.weight",
		"model.layers.0.mlp.up.weight", "model.layers.10.attn.q.weight", "model.layers.2.attn.q.weight", "model.norm.weight"} {
		shape := []int{3}
		if strings.HasSuffix(name, "bias") {
			shape = []int{1}
		}
		infos = append(infos, tensors.Info{Name: name, DType: tensors.F32, Shape: shape})
	}
	return infos
}

func TestFlatOrder(t *testing.T) {
	for name, c := range map[string]struct {
		block       string
		want        string
		chromosomes []int64
	}{
		"as a model stands": {"", "embed_tokens layers.0.attn.q.weight layers.0.attn.q.bias layers.0.mlp layers.2 layers.10 lm_head norm", []int64{22}},
		"given":             {"niche: {order: [norm, mlp]}", "norm layers.0.mlp embed_tokens layers.0.attn.q.weight layers.0.attn.q.bias layers.2 layers.10 lm_head", []int64{22}},
		"chromosomes":       {"niche: {chromosomes: [attn, mlp]}", "layers.0.attn.q.weight layers.0.attn.q.bias layers.2 layers.10 layers.0.mlp embed_tokens lm_head norm", []int64{10, 13, 22}},
		"all of a kind":     {"niche: {chromosomes: [e]}", "embed_tokens layers.0.attn.q.weight layers.0.attn.q.bias layers.0.mlp layers.2 layers.10 lm_head norm", []int64{22}},
	} {
		f := nicheFamily(t, c.block, decoderTensors()).Flat()
		want := strings.Fields(c.want)
		if len(want) != len(f.Tensors) || !slices.Equal(f.Chromosomes, c.chromosomes) {
			t.Fatalf("%s: %v, chromosomes %v", name, f.Tensors, f.Chromosomes)
		}
		for i, part := range want {
			if !strings.Contains(f.Tensors[i], part) {
				t.Errorf("%s: tensor %d is %s, not %s", name, i, f.Tensors[i], part)
			}
		}
	}
}

// Each weight has the shares of the segment it lies in, whether the segments are values
// or stand in the recipe that Fill makes of them.
func TestSegmentsOfTensors(t *testing.T) {
	f := nicheFamily(t, "niche: {chromosomes: [mlp]}", decoderTensors())
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var s niche.Segments
		for at := int64(0); at < f.Flat().Len(); {
			at = min(f.Flat().Len(), at+1+rng.Int64N(8))
			s.Ends, s.Shares = append(s.Ends, at), append(s.Shares, []float64{rng.Float64(), rng.NormFloat64(), 0})
		}
		filled, err := f.Fill(s.Numbers())
		if err != nil {
			t.Fatal(err)
		}
		if filled.HasHoles() || filled.Search != nil {
			t.Fatal("what Fill makes is to be searched")
		}
		again, err := filled.Bind(decoderTensors())
		if err != nil {
			t.Fatal(err)
		}
		byValues, err := f.Spec(s.Numbers())
		if err != nil {
			t.Fatal(err)
		}
		byRecipe, err := again.Spec(nil)
		if err != nil {
			t.Fatal(err)
		}
		at := int64(0)
		for i, name := range f.Flat().Tensors {
			one, _ := byValues.Params(name)
			two, _ := byRecipe.Params(name)
			from := at
			for ; at < f.Flat().Ends[i]; at++ {
				k, _ := slices.BinarySearch(s.Ends, at+1)
				for _, p := range []int{0, 1} {
					v := one
					if p == 1 {
						v = two
					}
					j, _ := slices.BinarySearch(v.Pieces.Ends, int(at-from)+1)
					if !slices.Equal(v.Pieces.Shares[j], s.Shares[k]) {
						t.Fatalf("%s, weight %d: shares %v, want %v", name, at-from, v.Pieces.Shares[j], s.Shares[k])
					}
					if len(v.Pieces.Ends) > v.Pieces.Most {
						t.Fatalf("%s: %d pieces, at most %d", name, len(v.Pieces.Ends), v.Pieces.Most)
					}
				}
			}
		}
	}
	for name, bad := range map[string][]float64{"short": {21, 1, 0, 0}, "long": {23, 1, 0, 0}, "odd": {22, 1, 0}, "backwards": {5, 1, 0, 0, 4, 1, 0, 0, 22, 1, 0, 0}} {
		if _, err := f.Spec(bad); err == nil {
			t.Errorf("%s numbers were taken", name)
		}
	}
}
