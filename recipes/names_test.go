package recipes_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// checkpoints are names that are easy to get wrong: layers.1 is in layers.11, a
// name is in another, two towers count apart, an MLP's layers have gaps.
func checkpoints() map[string][]tensors.Info {
	llama := []string{"lm_head.weight", "model.embed_tokens.weight", "model.norm.weight"}
	for l := range 12 {
		for _, p := range []string{"self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj", "input_layernorm"} {
			llama = append(llama, fmt.Sprintf("model.layers.%d.%s.weight", l, p))
		}
	}
	mlp := []string{"0.weight", "0.bias", "2.weight", "2.bias", "12.weight", "12.bias"}
	towers := []string{"logit_scale", "text_projection.weight", "visual_projection.weight", "embed", "model.embed", "model.embed.extra"}
	for l := range 3 {
		for _, p := range []string{"self_attn.q_proj", "mlp.fc1"} {
			towers = append(towers, fmt.Sprintf("text_model.encoder.layers.%d.%s.weight", l, p))
		}
	}
	for l := range 12 {
		towers = append(towers, fmt.Sprintf("vision_text_model.encoder.layers.%d.mlp.fc1.weight", l))
	}
	one := []string{"h.0.attn.weight", "h.0.mlp.weight", "wte"}
	return map[string][]tensors.Info{"llama": infos(llama), "mlp": infos(mlp), "towers": infos(towers), "one": infos(one)}
}

func infos(names []string) []tensors.Info {
	var is []tensors.Info
	for _, n := range names {
		is = append(is, tensors.Info{Name: n, DType: tensors.F32, Shape: []int{2, 2}})
	}
	return is
}

// bind parses and binds, and fails the test on an error.
func bind(t testing.TB, text string, is []tensors.Info) *recipes.Family {
	t.Helper()
	r, err := recipes.Parse("recipe.yml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.Bind(is)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// sameMerge compares two specs bit for bit on all tensors.
func sameMerge(f, g *recipes.Family, a, b *merge.Spec) error {
	if a.Method != b.Method || a.Seed != b.Seed || a.DType != b.DType || f.Reads(a) != g.Reads(b) {
		return fmt.Errorf("%+v and %+v differ:\n%s\n%s", a, b, f.Reads(a), g.Reads(b))
	}
	for _, name := range f.Tensors() {
		ga, sa := a.Params(name)
		gb, sb := b.Params(name)
		if len(sa) != len(sb) {
			return fmt.Errorf("%s: %d and %d sources", name, len(sa), len(sb))
		}
		for _, p := range a.Method.Params {
			if !p.PerSource {
				if x, y := ga.Get(p.Name), gb.Get(p.Name); math.Float64bits(x) != math.Float64bits(y) {
					return fmt.Errorf("%s: %s is %v and %v", name, p.Name, x, y)
				}
				continue
			}
			for i := range sa {
				if x, y := sa[i].Get(p.Name), sb[i].Get(p.Name); math.Float64bits(x) != math.Float64bits(y) {
					return fmt.Errorf("%s: %s of source %d is %v and %v", name, p.Name, i, x, y)
				}
			}
		}
	}
	return nil
}
