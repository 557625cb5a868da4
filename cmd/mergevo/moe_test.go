package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/tensors"
)

// expertsDir holds the vectors of mixtures.
func expertsDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "experts", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// mixture writes a mixture of the vectors' experts and opens it.
func mixture(t *testing.T, backend, base, mode, more string) *tensors.Checkpoint {
	t.Helper()
	dir := expertsDir(t)
	text := fmt.Sprintf(`
base_model: %s
gate_mode: %s
experts:
  - source_model: %[3]s/a
    positive_prompts: ["the cat sat on the mat", "numbers: 1 2 3"]
    negative_prompts: ["never a word"]
  - source_model: %[3]s/b
    positive_prompts: ["a longer prompt, with commas, and words"]
`, base, mode, dir) + strings.ReplaceAll(more, "DIR", dir)
	file, out := filepath.Join(t.TempDir(), "experts.yaml"), filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	root := newRoot(&said, &said)
	root.SetArgs([]string{"moe", file, "--out", out, "--backend", backend})
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	c, err := tensors.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

const sharedExpert = `
shared_experts:
  - source_model: DIR/shared
    positive_prompts: [every text]
    residual_scale: 0.5
`

// Gates of prompts are those that transformers' hidden states make, one prompt at a time
// and without padding (experts/testdata/make.py).
func TestGates(t *testing.T) {
	golden, err := tensors.Open(filepath.Join(expertsDir(t), "gates.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer golden.Close()
	decoder := filepath.Join("..", "..", "evaluate", "testdata", "decoder")
	decoder, err = filepath.Abs(decoder)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range xlatest.Backends(t) {
		for _, mode := range []string{"hidden", "hidden_avg", "cheap_embed"} {
			llama := mixture(t, b.Kind, decoder, mode, "")
			qwen := mixture(t, b.Kind, filepath.Join(expertsDir(t), "qwen2"), mode, sharedExpert)
			for l := range 2 {
				gates := map[string][]float32{}
				for name, c := range map[string]*tensors.Checkpoint{"llama": llama, "qwen2": qwen} {
					block := map[string]string{"llama": "block_sparse_moe", "qwen2": "mlp"}[name]
					rows := whole(t, c, fmt.Sprintf("model.layers.%d.%s.gate.weight", l, block))
					gates[name+".a"], gates[name+".b"] = rows[:16], rows[16:]
				}
				gates["qwen2.shared"] = whole(t, qwen, fmt.Sprintf("model.layers.%d.mlp.shared_expert_gate.weight", l))
				for key, got := range gates {
					name, expert, _ := strings.Cut(key, ".")
					want := whole(t, golden, name+"."+mode+"."+expert)[16*l:][:16]
					for i := range want {
						if math.Abs(float64(got[i])-float64(want[i])) > 1e-5 {
							t.Fatalf("%s, %s, layer %d of %s: %v, transformers has %v", b.Kind, mode, l, key, got, want)
						}
					}
				}
			}
		}
	}
}

func whole(t *testing.T, c *tensors.Checkpoint, name string) []float32 {
	t.Helper()
	info, ok := c.Lookup(name)
	if !ok {
		t.Fatalf("%s has no %s", c.Path(), name)
	}
	x := make([]float32, info.Len())
	if err := c.ReadAt(x, name, 0); err != nil {
		t.Fatal(err)
	}
	return x
}

// A mixture has the tensors that transformers' class saves, and config.json says so.
func TestMixtureNames(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(expertsDir(t), "names.json"))
	if err != nil {
		t.Fatal(err)
	}
	var names map[string]map[string][]int
	if err := json.Unmarshal(text, &names); err != nil {
		t.Fatal(err)
	}
	decoder, err := filepath.Abs(filepath.Join("..", "..", "evaluate", "testdata", "decoder"))
	if err != nil {
		t.Fatal(err)
	}
	for kind, more := range map[string]string{"mixtral": "", "qwen2_moe": sharedExpert} {
		c := mixture(t, "go", decoder, "random", more)
		want := names[kind]
		if len(c.Tensors()) != len(want) {
			t.Errorf("%s: %d tensors, transformers saves %d", kind, len(c.Tensors()), len(want))
		}
		for _, info := range c.Tensors() {
			if shape, ok := want[info.Name]; !ok || fmt.Sprint(shape) != fmt.Sprint(info.Shape) {
				t.Errorf("%s: %s of %v, transformers has %v", kind, info.Name, info.Shape, shape)
			}
		}
		var config map[string]any
		text, err := os.ReadFile(filepath.Join(c.Dir(), "config.json"))
		if err == nil {
			err = json.Unmarshal(text, &config)
		}
		if err != nil {
			t.Fatal(err)
		}
		if config["model_type"] != kind || config["num_experts_per_tok"] != 2.0 || config["num_local_experts"] != 2.0 && config["num_experts"] != 2.0 || config["hidden_size"] != 16.0 {
			t.Errorf("%s: %v", kind, config)
		}
	}
}

// Experts are copied as they are, but for residual_scale and noise_scale.
func TestMixtureWeights(t *testing.T) {
	dir := expertsDir(t)
	decoder, err := filepath.Abs(filepath.Join("..", "..", "evaluate", "testdata", "decoder"))
	if err != nil {
		t.Fatal(err)
	}
	open := func(path string) *tensors.Checkpoint {
		c, err := tensors.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	c := mixture(t, "go", decoder, "random", "seed: 3\n"+strings.Replace(sharedExpert, "residual_scale", "noise_scale: 0.1\n    residual_scale", 1))
	for to, from := range map[string]*tensors.Checkpoint{"experts.0": open(filepath.Join(dir, "a")), "experts.1": open(filepath.Join(dir, "b"))} {
		for _, m := range []string{"gate_proj", "up_proj", "down_proj"} {
			got, want := whole(t, c, "model.layers.1.mlp."+to+"."+m+".weight"), whole(t, from, "model.layers.1.mlp."+m+".weight")
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("%s %s[%d]: %g, not %g", to, m, i, got[i], want[i])
				}
			}
		}
	}
	shared := open(filepath.Join(dir, "shared"))
	for m, scale := range map[string]float64{"gate_proj": 1, "down_proj": 0.5} {
		got, want := whole(t, c, "model.layers.0.mlp.shared_expert."+m+".weight"), whole(t, shared, "model.layers.0.mlp."+m+".weight")
		var sum, squares float64
		for i := range want {
			d := float64(got[i])/scale - float64(want[i])
			sum, squares = sum+d, squares+d*d
		}
		n := float64(len(want))
		if mean, deviation := sum/n, math.Sqrt(squares/n); math.Abs(mean) > 0.015 || math.Abs(deviation-0.1) > 0.01 {
			t.Errorf("%s: noise of mean %g and deviation %g", m, mean, deviation)
		}
	}
	if gate := whole(t, c, "model.layers.1.mlp.gate.weight"); math.Abs(norm(gate[:16])-1) > 1e-6 || norm(gate[:16]) == 0 {
		t.Errorf("a random row of length %g", norm(gate[:16]))
	}
	q := whole(t, c, "model.layers.1.self_attn.q_proj.bias")
	if norm(q) != 0 {
		t.Errorf("a bias that no model has: %v", q)
	}
}

func norm(x []float32) float64 {
	s := 0.0
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return math.Sqrt(s)
}
