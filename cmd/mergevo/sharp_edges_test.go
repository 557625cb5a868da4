package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

// Where mergekit decides by chance or in silence, apply says what it did, and did it.
// The page that lists these edges quotes each line.
func TestSharpEdges(t *testing.T) {
	t.Parallel()
	page := fromMergekit(t)
	dir := t.TempDir()
	two := map[string]int{"": 2}
	for _, name := range []string{"base", "a", "b", "tied", "small"} {
		tinyModel(t, filepath.Join(dir, name), two, vocabulary)
	}
	wide := slices.Concat(vocabulary, chatTokens)
	tinyModel(t, filepath.Join(dir, "wide"), two, wide)
	tinyModel(t, filepath.Join(dir, "padded"), two, wide)
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		copyFile(t, filepath.Join(dir, "small", name), filepath.Join(dir, "padded", name))
	}
	tie(t, filepath.Join(dir, "tied"))

	for _, c := range []struct {
		name, recipe string
		says         string // "" where nothing needs saying
		see          func(t *testing.T, out string)
	}{
		{"donor", "merge_method: linear\nmodels: [{model: tied}, {model: a}]\nparameters: {weight: 0.5}\n",
			"config.json and the tokenizer come from tied, the first model; a base_model would decide", nil},
		{"head", "merge_method: linear\nmodels: [{model: tied}, {model: a}]\nparameters: {weight: 0.5}\n",
			"the output says tie_word_embeddings: false, so that it is read", func(t *testing.T, out string) {
				if config := configOf(t, out); config["tie_word_embeddings"] != false {
					t.Errorf("config.json says %v", config["tie_word_embeddings"])
				}
				tensorOf(t, out, "lm_head.weight")
			}},
		{"padding", "merge_method: linear\nmodels: [{model: padded}]\nparameters: {weight: 1}\n",
			"padded vocabulary kept: 11 rows for 9 entries of the tokenizer", func(t *testing.T, out string) {
				if config := configOf(t, out); config["vocab_size"] != 11. {
					t.Errorf("config.json says %v", config["vocab_size"])
				}
			}},
		{"signs", "merge_method: ties\nbase_model: base\nmodels: [{model: a, parameters: {weight: 1}}, {model: b, parameters: {weight: -0.999}}]\n",
			"negative", func(t *testing.T, out string) {
				const name = "model.norm.weight"
				base := tensorOf(t, filepath.Join(dir, "base"), name)
				for i, x := range tensorOf(t, out, name) {
					if math.Abs(float64(x-base[i])) > 1 {
						t.Errorf("%s[%d] is %g from the base", name, i, x-base[i])
					}
				}
			}},
		{"density", "merge_method: task_arithmetic\nbase_model: base\nmodels: [{model: a, parameters: {weight: 1, density: 0.1}}]\n",
			"density changes no number with task_arithmetic: accepted and ignored, as mergekit does", func(t *testing.T, out string) {
				nearly(t, out, filepath.Join(dir, "a"), "model.norm.weight")
			}},
		{"base", "merge_method: karcher\nbase_model: base\nmodels: [{model: a}, {model: a2}]\n", "", func(t *testing.T, out string) {
			nearly(t, out, filepath.Join(dir, "a"), "model.norm.weight")
		}},
		{"donation", "merge_method: linear\nbase_model: base\nmodels: [{model: a, parameters: {weight: 2}}]\n", "", func(t *testing.T, out string) {
			nearly(t, out, filepath.Join(dir, "a"), "model.norm.weight")
		}},
		{"type", "merge_method: arcee_fusion\nbase_model: base\nmodels: [{model: a}]\ndtype: bfloat16\n", "", func(t *testing.T, out string) {
			c, err := tensors.Open(out)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for _, info := range c.Tensors() {
				if info.DType != tensors.BF16 {
					t.Errorf("%s is %v", info.Name, info.DType)
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "base" { // the same model under another name, in a folder of its own
				tinyModel(t, filepath.Join(dir, "a2"), two, vocabulary)
				copyFile(t, filepath.Join(dir, "a", "model.safetensors"), filepath.Join(dir, "a2", "model.safetensors"))
			}
			file, out := filepath.Join(dir, c.name+".yml"), filepath.Join(dir, "out-"+c.name)
			if err := os.WriteFile(file, []byte(c.recipe), 0o644); err != nil {
				t.Fatal(err)
			}
			o := finish(t, process(t, dir, "apply", file, "--out", out, "--backend", "go"))
			if o.code != 0 || !strings.Contains(o.stderr, c.says) {
				t.Fatalf("exit %d, it says %q, not %q", o.code, o.stderr, c.says)
			}
			if !strings.Contains(page, c.says) {
				t.Errorf("docs/from-mergekit.md does not quote %q", c.says)
			}
			if c.see != nil {
				c.see(t, out)
			}
		})
	}

	const stack = "merge_method: passthrough\nslices:\n  - sources: [{model: a, layer_range: [0, 2]}]\n  - sources: [{model: wide, layer_range: [0, 2]}]\n"
	if err := os.WriteFile(filepath.Join(dir, "stack.yml"), []byte(stack), 0o644); err != nil {
		t.Fatal(err)
	}
	says := "the embedding would have 9 rows, and the output matrix 11"
	if o := finish(t, process(t, dir, "check", "stack.yml")); o.code == 0 || !strings.Contains(o.stderr, says) || !strings.Contains(page, says) {
		t.Errorf("exit %d, it says %q", o.code, o.stderr)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// tie makes a model one whose output matrix is its embedding.
func tie(t *testing.T, dir string) {
	t.Helper()
	config := configOf(t, dir)
	config["tie_word_embeddings"] = true
	writeJSON(t, filepath.Join(dir, "config.json"), config)
	c, err := tensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	shapes := map[string][]int{}
	for _, info := range c.Tensors() {
		if info.Name != "lm_head.weight" {
			shapes[info.Name] = info.Shape
		}
	}
	if err := os.Remove(filepath.Join(dir, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	randomTensors(t, filepath.Join(dir, "model.safetensors"), tensors.BF16, shapes)
}

func configOf(t *testing.T, dir string) (config map[string]any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func tensorOf(t *testing.T, path, name string) []float32 {
	t.Helper()
	c, err := tensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	info, ok := c.Lookup(name)
	if !ok {
		t.Fatalf("%s has no %s", path, name)
	}
	v := make([]float32, info.Len())
	if err := c.ReadAt(v, name, 0); err != nil {
		t.Fatal(err)
	}
	return v
}

func nearly(t *testing.T, a, b, name string) {
	t.Helper()
	x, y := tensorOf(t, a, name), tensorOf(t, b, name)
	for i := range x {
		if math.Abs(float64(x[i]-y[i])) > 1e-2*math.Abs(float64(y[i])) {
			t.Errorf("%s[%d]: %g and %g", name, i, x[i], y[i])
		}
	}
}
