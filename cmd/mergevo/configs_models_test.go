package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// parentsOf makes a tiny checkpoint for each model that a file of recipes names, at
// the path that its reference is under dir: of llama's shape with as many layers as
// the file's ranges need, or of a vision model's where the file has modules.
func parentsOf(t *testing.T, dir, file string) {
	t.Helper()
	docs, err := recipes.ReadDocuments(file)
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]bool{}
	for _, r := range docs {
		made[r.Name()] = true // by the file itself
	}
	depth := depthsOf(t, file)
	for _, r := range docs {
		for i, ref := range r.Models() {
			path, adapter, adapted := cutLast(ref, "+")
			if adapted {
				tinyAdapter(t, filepath.Join(dir, adapter))
			}
			if made[path] {
				continue
			}
			made[path] = true
			// Models that own tokens: every second one, where vocabularies are united.
			tokens := vocabulary
			if r.Tokenizer != nil && i%2 == 1 {
				tokens = append(tokens, chatTokens...)
			}
			tinyModel(t, filepath.Join(dir, path), depth, tokens)
		}
	}
}

// depthsOf reads how many layers a file's ranges need, of each of its modules or of
// "", by a reader of YAML that is not the one under test.
func depthsOf(t *testing.T, file string) map[string]int {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	depth := map[string]int{}
	for d := yaml.NewDecoder(f); ; {
		var doc map[string]any
		if err := d.Decode(&doc); err != nil {
			break
		}
		parts, ok := doc["modules"].(map[string]any)
		if !ok {
			parts = map[string]any{"": doc}
		}
		for name, part := range parts {
			depth[name] = max(depth[name], lastLayer(part))
		}
	}
	for name, n := range depth {
		if n == 0 {
			depth[name] = 4 // no ranges: as many as make a gradient
		}
	}
	return depth
}

func lastLayer(v any) (last int) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			last = max(last, lastLayer(item))
		}
	case map[string]any:
		if lr, ok := v["layer_range"].([]any); ok && len(lr) == 2 {
			end, _ := lr[1].(uint64)
			last = int(end)
		}
		for _, item := range v {
			last = max(last, lastLayer(item))
		}
	}
	return last
}

var (
	vocabulary = []string{"<s>", "</s>", "<unk>", "a", "b", "c", "d", "ab", "cd"}
	chatTokens = []string{"<|im_start|>", "<|im_end|>"}
)

const (
	tinyWidth = 4
	tinyInner = 6
)

// tinyModel writes a checkpoint with its configuration and tokenizer.
func tinyModel(t *testing.T, dir string, depth map[string]int, tokens []string) {
	t.Helper()
	layer := func(prefix string, n int) map[string][]int {
		out := map[string][]int{}
		for i := range n {
			p := fmt.Sprintf("%slayers.%d.", prefix, i)
			for _, name := range []string{"q_proj", "k_proj", "v_proj", "o_proj"} {
				out[p+"self_attn."+name+".weight"] = []int{tinyWidth, tinyWidth}
			}
			out[p+"mlp.gate_proj.weight"] = []int{tinyInner, tinyWidth}
			out[p+"mlp.up_proj.weight"] = []int{tinyInner, tinyWidth}
			out[p+"mlp.down_proj.weight"] = []int{tinyWidth, tinyInner}
			out[p+"input_layernorm.weight"] = []int{tinyWidth}
			out[p+"post_attention_layernorm.weight"] = []int{tinyWidth}
		}
		return out
	}
	text := map[string]any{"model_type": "llama", "hidden_size": tinyWidth, "intermediate_size": tinyInner,
		"num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": len(tokens), "rms_norm_eps": 1e-5}
	prefix, config, shapes := "model.", text, map[string][]int{}
	if n, ok := depth["text_decoder"]; ok {
		text["num_hidden_layers"] = n
		vision := map[string]any{"model_type": "clip_vision_model", "hidden_size": tinyWidth, "num_hidden_layers": depth["vision_tower"]}
		config = map[string]any{"architectures": []string{"LlavaForConditionalGeneration"}, "model_type": "llava", "text_config": text, "vision_config": vision}
		prefix = "language_model.model."
		maps.Copy(shapes, layer(prefix, n))
		maps.Copy(shapes, layer("vision_tower.vision_model.encoder.", depth["vision_tower"]))
		shapes["multi_modal_projector.linear_1.weight"] = []int{tinyWidth, tinyWidth}
	} else {
		text["architectures"], text["num_hidden_layers"] = []string{"LlamaForCausalLM"}, depth[""]
		maps.Copy(shapes, layer(prefix, depth[""]))
	}
	shapes[prefix+"embed_tokens.weight"] = []int{len(tokens), tinyWidth}
	shapes[prefix+"norm.weight"] = []int{tinyWidth}
	shapes[strings.TrimSuffix(prefix, "model.")+"lm_head.weight"] = []int{len(tokens), tinyWidth}
	randomTensors(t, filepath.Join(dir, "model.safetensors"), tensors.BF16, shapes)
	writeJSON(t, filepath.Join(dir, "config.json"), config)

	vocab, added := map[string]int{}, []any{}
	for i, token := range tokens {
		vocab[token] = i
		if strings.HasPrefix(token, "<") {
			added = append(added, map[string]any{"id": i, "content": token, "special": true})
		}
	}
	writeJSON(t, filepath.Join(dir, "tokenizer.json"), map[string]any{"version": "1.0", "added_tokens": added,
		"model": map[string]any{"type": "BPE", "unk_token": "<unk>", "vocab": vocab, "merges": []string{"a b", "c d"}}})
	writeJSON(t, filepath.Join(dir, "tokenizer_config.json"), map[string]any{"tokenizer_class": "PreTrainedTokenizerFast",
		"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "chat_template": "{{ messages }}"})
}

// tinyAdapter writes a LoRA of the first layer, as PEFT lays one out.
func tinyAdapter(t *testing.T, dir string) {
	t.Helper()
	const rank, module = 2, "base_model.model.model.layers.0.self_attn.q_proj."
	randomTensors(t, filepath.Join(dir, "adapter_model.safetensors"), tensors.F32, map[string][]int{
		module + "lora_A.weight": {rank, tinyWidth}, module + "lora_B.weight": {tinyWidth, rank}})
	writeJSON(t, filepath.Join(dir, "adapter_config.json"), map[string]any{"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank,
		"target_modules": []string{"q_proj"}, "base_model_name_or_path": "made/up"})
}

// randomTensors writes a file of numbers that its path and tensors decide.
func randomTensors(t *testing.T, path string, dtype tensors.DType, shapes map[string][]int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	var layout []tensors.Info
	for name, shape := range shapes {
		layout = append(layout, tensors.Info{Name: name, DType: dtype, Shape: shape})
	}
	w, err := tensors.Create("", layout, tensors.Options{Single: path})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, info := range layout {
		h := fnv.New64a()
		fmt.Fprint(h, filepath.Base(filepath.Dir(path)), info.Name)
		rng := rand.New(rand.NewPCG(h.Sum64(), 1))
		v := make([]float32, info.Len())
		for i := range v {
			v[i] = float32(rng.NormFloat64()) / 8
		}
		if err := w.WriteAt(v, info.Name, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

func writeJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// spoil makes the third number of a file's last tensor NaN.
func spoil(t *testing.T, path string) {
	t.Helper()
	c, err := tensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := c.Tensors()[len(c.Tensors())-1]
	at := len(text) - int(last.Bytes()) + 2*last.DType.Size()
	text[at], text[at+1] = 0xc0, 0x7f
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
