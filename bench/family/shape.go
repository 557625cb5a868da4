package family

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/tensors"
)

// Shape is the architecture of a family: a llama whose output is not tied to its
// embedding.
type Shape struct {
	Hidden, Intermediate, Layers, Vocabulary int
	// Heads of queries, and of keys and values; Hidden is a multiple of Heads.
	Heads, KVHeads int
}

// shapes are the families by name: about so many billions of parameters.
var shapes = map[float64]Shape{
	0.02: {Hidden: 256, Intermediate: 688, Layers: 4, Vocabulary: 32000, Heads: 4, KVHeads: 1},
	0.1:  {Hidden: 512, Intermediate: 1376, Layers: 24, Vocabulary: 32000, Heads: 8, KVHeads: 2},
	0.5:  {Hidden: 1280, Intermediate: 3413, Layers: 24, Vocabulary: 32000, Heads: 20, KVHeads: 5},
	1:    {Hidden: 1792, Intermediate: 4864, Layers: 26, Vocabulary: 32000, Heads: 28, KVHeads: 7},
	2:    {Hidden: 2560, Intermediate: 6912, Layers: 26, Vocabulary: 32000, Heads: 40, KVHeads: 10},
	7:    {Hidden: 4096, Intermediate: 11008, Layers: 32, Vocabulary: 32000, Heads: 32, KVHeads: 32},
	70:   {Hidden: 8192, Intermediate: 28672, Layers: 80, Vocabulary: 128256, Heads: 64, KVHeads: 8},
}

// OfSize returns the shape of about so many billions of parameters: 0.02, 0.1, 0.5, 1,
// 2, 7 or 70; any other is an error.
func OfSize(billions float64) (Shape, error) {
	if s, ok := shapes[billions]; ok {
		return s, nil
	}
	var known []string
	for b := range shapes {
		known = append(known, fmt.Sprint(b))
	}
	slices.Sort(known)
	return Shape{}, fmt.Errorf("no family of %g billion parameters; choose one of %s", billions, strings.Join(known, ", "))
}

// kv is the width of keys and values.
func (s Shape) kv() int { return s.Hidden / s.Heads * s.KVHeads }

// Tensors lists the tensors of a model, bfloat16, sorted by name.
func (s Shape) Tensors() []tensors.Info {
	var out []tensors.Info
	add := func(name string, shape ...int) {
		out = append(out, tensors.Info{Name: name, DType: tensors.BF16, Shape: shape})
	}
	add("lm_head.weight", s.Vocabulary, s.Hidden)
	add("model.embed_tokens.weight", s.Vocabulary, s.Hidden)
	for l := range s.Layers {
		p := fmt.Sprintf("model.layers.%d.", l)
		add(p+"input_layernorm.weight", s.Hidden)
		add(p+"mlp.down_proj.weight", s.Hidden, s.Intermediate)
		add(p+"mlp.gate_proj.weight", s.Intermediate, s.Hidden)
		add(p+"mlp.up_proj.weight", s.Intermediate, s.Hidden)
		add(p+"post_attention_layernorm.weight", s.Hidden)
		add(p+"self_attn.k_proj.weight", s.kv(), s.Hidden)
		add(p+"self_attn.o_proj.weight", s.Hidden, s.Hidden)
		add(p+"self_attn.q_proj.weight", s.Hidden, s.Hidden)
		add(p+"self_attn.v_proj.weight", s.kv(), s.Hidden)
	}
	add("model.norm.weight", s.Hidden)
	slices.SortFunc(out, func(a, b tensors.Info) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Parameters counts the elements of a model.
func (s Shape) Parameters() int {
	n := 0
	for _, t := range s.Tensors() {
		n += t.Len()
	}
	return n
}

// config is config.json, as transformers and mergekit read it.
func (s Shape) config() ([]byte, error) {
	return json.MarshalIndent(map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "hidden_size": s.Hidden,
		"intermediate_size": s.Intermediate, "num_hidden_layers": s.Layers, "vocab_size": s.Vocabulary,
		"num_attention_heads": s.Heads, "num_key_value_heads": s.KVHeads, "head_dim": s.Hidden / s.Heads,
		"rms_norm_eps": 1e-5, "max_position_embeddings": 4096, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
	}, "", "  ")
}
