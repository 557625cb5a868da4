package models

import (
	"cmp"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// llamaConfig is the config.json of model_types "llama", "mistral", "qwen2" and
// "qwen3" (Touvron et al. 2023, Jiang et al. 2023, Yang et al. 2024 and 2025).
type llamaConfig struct {
	Type          string      `json:"model_type"`
	Hidden        int         `json:"hidden_size"`
	Intermediate  int         `json:"intermediate_size"`
	Layers        int         `json:"num_hidden_layers"`
	Heads         int         `json:"num_attention_heads"`
	KeyHeads      int         `json:"num_key_value_heads"`
	HeadDim       int         `json:"head_dim"`
	Vocabulary    int         `json:"vocab_size"`
	Positions     int         `json:"max_position_embeddings"`
	Eps           float64     `json:"rms_norm_eps"`
	Act           string      `json:"hidden_act"`
	Theta         float64     `json:"rope_theta"`
	Scaling       ropeScaling `json:"rope_scaling"`
	Parameters    ropeScaling `json:"rope_parameters"`
	Original      float64     `json:"original_max_position_embeddings"`
	Tied          bool        `json:"tie_word_embeddings"`
	AttentionBias bool        `json:"attention_bias"`
	MLPBias       bool        `json:"mlp_bias"`
	Window        *int        `json:"sliding_window"` // null sees all
	UseWindow     bool        `json:"use_sliding_window"`
	WindowFrom    int         `json:"max_window_layers"`
	LayerTypes    []string    `json:"layer_types"`

	body  string
	act   func(*graph.Node) *graph.Node
	freq  []float64
	scale float64
	// biases of q, k and v, and of o; norms of queries and keys.
	qkvBias, oBias, qkNorm bool
}

func parseLlama(data []byte, s *weightList) (*Model, error) {
	window := 4096
	c := llamaConfig{Eps: 1e-6, Act: "silu", Theta: 10000, Window: &window, WindowFrom: 28}
	if err := loose(data, &c); err != nil {
		return nil, err
	}
	c.KeyHeads = cmp.Or(c.KeyHeads, c.Heads)
	if err := positive(map[string]int{"hidden_size": c.Hidden, "intermediate_size": c.Intermediate, "num_hidden_layers": c.Layers,
		"num_attention_heads": c.Heads, "num_key_value_heads": c.KeyHeads, "vocab_size": c.Vocabulary, "max_position_embeddings": c.Positions}); err != nil {
		return nil, err
	}
	if c.Type == "qwen3" {
		c.HeadDim = cmp.Or(c.HeadDim, 128)
	}
	c.HeadDim = cmp.Or(c.HeadDim, c.Hidden/c.Heads)
	if c.Heads%c.KeyHeads != 0 || c.HeadDim%2 != 0 || c.HeadDim <= 0 {
		return nil, fmt.Errorf("%d heads of %d do not share %d key heads in pairs", c.Heads, c.HeadDim, c.KeyHeads)
	}
	var err error
	if c.freq, c.scale, err = c.rope(); err != nil {
		return nil, err
	}
	if c.act, err = activation("hidden_act", c.Act); err != nil {
		return nil, err
	}
	if err := c.checkWindows(); err != nil {
		return nil, err
	}
	// The keys of biases are llama's, and qwen3's but for its multilayer perceptrons.
	c.AttentionBias = c.AttentionBias && (c.Type == "llama" || c.Type == "qwen3")
	c.MLPBias = c.MLPBias && c.Type == "llama"
	c.qkvBias, c.oBias, c.qkNorm = c.AttentionBias || c.Type == "qwen2", c.AttentionBias, c.Type == "qwen3"
	c.body = s.under("embed_tokens.weight", "model.", "")
	s.add(c.body+"embed_tokens.weight", c.Vocabulary, c.Hidden)
	for i := range c.Layers {
		l := c.layer(i)
		s.add(l+"input_layernorm.weight", c.Hidden)
		s.affine(l+"self_attn.q_proj", c.Heads*c.HeadDim, c.Hidden, c.qkvBias)
		s.affine(l+"self_attn.k_proj", c.KeyHeads*c.HeadDim, c.Hidden, c.qkvBias)
		s.affine(l+"self_attn.v_proj", c.KeyHeads*c.HeadDim, c.Hidden, c.qkvBias)
		s.affine(l+"self_attn.o_proj", c.Hidden, c.Heads*c.HeadDim, c.oBias)
		if c.qkNorm {
			s.add(l+"self_attn.q_norm.weight", c.HeadDim)
			s.add(l+"self_attn.k_norm.weight", c.HeadDim)
		}
		s.add(l+"post_attention_layernorm.weight", c.Hidden)
		s.affine(l+"mlp.gate_proj", c.Intermediate, c.Hidden, c.MLPBias)
		s.affine(l+"mlp.up_proj", c.Intermediate, c.Hidden, c.MLPBias)
		s.affine(l+"mlp.down_proj", c.Hidden, c.Intermediate, c.MLPBias)
	}
	s.add(c.body+"norm.weight", c.Hidden)
	// A checkpoint without lm_head has it tied, whatever the config says; of one that has
	// both, the two may differ, and transformers 5 ties them only if they do not.
	tied := !s.has["lm_head.weight"] && (c.Tied || s.has[c.body+"embed_tokens.weight"])
	if !tied {
		s.add("lm_head.weight", c.Vocabulary, c.Hidden)
	}
	b := &Blocks{Layers: c.Layers, Prefix: c.body + "layers.", causal: true, window: c.window, scale: func(int) float64 { return rootOf(c.HeadDim) },
		begin: c.begin, layer: c.block, end: c.end}
	return &Model{Text: &Text{
		Blocks: b, Decode: &Decode{b, c.KeyHeads, c.HeadDim}, Vocabulary: c.Vocabulary, Width: c.Hidden, Positions: c.Positions, Wide: 4*c.Hidden + 3*c.Intermediate + 2*c.Heads*c.HeadDim, Heads: c.Heads,
		Hidden: b.hidden,
		Logits: func(w Weights, h *graph.Node) *graph.Node {
			name := "lm_head"
			if tied {
				name = c.body + "embed_tokens"
			}
			return dense(w, name, h, false)
		},
	}}, nil
}

// rope is what queries and keys are turned by.
func (c *llamaConfig) rope() (freq []float64, scale float64, err error) {
	r := c.Scaling // which transformers lets count before the newer key
	if r == (ropeScaling{}) {
		r = c.Parameters
	}
	r.Theta, r.Original = cmp.Or(r.Theta, c.Theta), cmp.Or(c.Original, r.Original)
	return r.frequencies(cmp.Or(c.HeadDim, c.Hidden/c.Heads), c.Positions)
}

func (c *llamaConfig) layer(i int) string { return fmt.Sprintf("%slayers.%d.", c.body, i) }

// window is the number of tokens that a layer sees, 0 for all: mistral's layers have
// one; of qwen2 and qwen3, where it is used at all, those that layer_types names, or those
// from max_window_layers on.
func (c *llamaConfig) window(layer int) int {
	windowed := false
	switch c.Type {
	case "mistral":
		windowed = true
	case "qwen2", "qwen3":
		windowed = c.UseWindow && layer >= c.WindowFrom
		if c.LayerTypes != nil {
			windowed = c.UseWindow && c.LayerTypes[layer] == "sliding_attention"
		}
	}
	if !windowed || c.Window == nil {
		return 0
	}
	return *c.Window
}

// checkWindows refuses layers that are of another kind than those here.
func (c *llamaConfig) checkWindows() error {
	if c.Type != "qwen2" && c.Type != "qwen3" || c.LayerTypes == nil {
		return nil // others have no such key
	}
	if len(c.LayerTypes) != c.Layers {
		return fmt.Errorf("layer_types names %d layers, num_hidden_layers is %d", len(c.LayerTypes), c.Layers)
	}
	for _, kind := range c.LayerTypes {
		if kind != "full_attention" && kind != "sliding_attention" {
			return fmt.Errorf("layer_types has %q, which is not known; known: full_attention, sliding_attention", kind)
		}
	}
	return nil
}

func (c *llamaConfig) begin(w Weights, ids, _ *graph.Node) *graph.Node {
	return embed(w(c.body+"embed_tokens.weight"), ids)
}

func (c *llamaConfig) block(w Weights, i int, x, at *graph.Node, look look) *graph.Node {
	b, t, l := x.Shape().Dim(0), x.Shape().Dim(1), c.layer(i)
	y := rmsNorm(w(l+"input_layernorm.weight"), x, c.Eps)
	heads := func(name string, n int) *graph.Node {
		return graph.Reshape(dense(w, l+"self_attn."+name+"_proj", y, c.qkvBias), b, t, n, c.HeadDim)
	}
	q, k := heads("q", c.Heads), heads("k", c.KeyHeads)
	if c.qkNorm {
		q = rmsNorm(w(l+"self_attn.q_norm.weight"), q, c.Eps)
		k = rmsNorm(w(l+"self_attn.k_norm.weight"), k, c.Eps)
	}
	q, k = rope(q, at, c.freq, c.scale), rope(k, at, c.freq, c.scale)
	a := look(i, q, k, heads("v", c.KeyHeads))
	x = graph.Add(x, dense(w, l+"self_attn.o_proj", a, c.oBias))
	y = rmsNorm(w(l+"post_attention_layernorm.weight"), x, c.Eps)
	y = graph.Mul(c.act(dense(w, l+"mlp.gate_proj", y, c.MLPBias)), dense(w, l+"mlp.up_proj", y, c.MLPBias))
	return graph.Add(x, dense(w, l+"mlp.down_proj", y, c.MLPBias))
}

func (c *llamaConfig) end(w Weights, x *graph.Node) *graph.Node {
	return rmsNorm(w(c.body+"norm.weight"), x, c.Eps)
}

// rmsNorm divides by the root mean square over the last axis (Zhang & Sennrich 2019).
func rmsNorm(weight, x *graph.Node, eps float64) *graph.Node {
	mean := graph.ReduceAndKeep(graph.Mul(x, x), graph.ReduceMean, -1)
	y := graph.Mul(x, graph.Rsqrt(graph.AddScalar(mean, eps)))
	return graph.Mul(y, graph.ExpandLeftToRank(weight, y.Rank()))
}

// rootOf is what queries of width d are multiplied with.
func rootOf(d int) float64 { return 1 / math.Sqrt(float64(d)) }
