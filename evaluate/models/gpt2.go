package models

import (
	"cmp"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// gpt2Config is the config.json of model_type "gpt2" (Radford et al. 2019).
type gpt2Config struct {
	Hidden     int     `json:"n_embd"`
	Inner      int     `json:"n_inner"`
	Layers     int     `json:"n_layer"`
	Heads      int     `json:"n_head"`
	Vocabulary int     `json:"vocab_size"`
	Positions  int     `json:"n_positions"`
	Eps        float64 `json:"layer_norm_epsilon"`
	Act        string  `json:"activation_function"`
	Scaled     *bool   `json:"scale_attn_weights"`
	ByLayer    bool    `json:"scale_attn_by_inverse_layer_idx"`

	body string
	act  func(*graph.Node) *graph.Node
}

func parseGPT2(data []byte, s *weightList) (*Model, error) {
	c := gpt2Config{Eps: 1e-5, Act: "gelu_new"}
	if err := loose(data, &c); err != nil {
		return nil, err
	}
	c.Inner = cmp.Or(c.Inner, 4*c.Hidden)
	if err := positive(map[string]int{"n_embd": c.Hidden, "n_inner": c.Inner, "n_layer": c.Layers, "n_head": c.Heads, "vocab_size": c.Vocabulary, "n_positions": c.Positions}); err != nil {
		return nil, err
	}
	if c.Hidden%c.Heads != 0 {
		return nil, fmt.Errorf("n_embd %d is not a multiple of n_head %d", c.Hidden, c.Heads)
	}
	var err error
	if c.act, err = activation("activation_function", c.Act); err != nil {
		return nil, err
	}
	c.body = s.under("wte.weight", "transformer.", "")
	s.add(c.body+"wte.weight", c.Vocabulary, c.Hidden)
	s.add(c.body+"wpe.weight", c.Positions, c.Hidden)
	for i := range c.Layers {
		l := c.layer(i)
		s.norm(l+"ln_1", c.Hidden)
		s.transposed(l+"attn.c_attn", c.Hidden, 3*c.Hidden)
		s.transposed(l+"attn.c_proj", c.Hidden, c.Hidden)
		s.norm(l+"ln_2", c.Hidden)
		s.transposed(l+"mlp.c_fc", c.Hidden, c.Inner)
		s.transposed(l+"mlp.c_proj", c.Inner, c.Hidden)
	}
	s.norm(c.body+"ln_f", c.Hidden)
	head := c.body + "wte"
	if s.has["lm_head.weight"] { // as of llama
		head = "lm_head"
		s.add("lm_head.weight", c.Vocabulary, c.Hidden)
	}
	b := &Blocks{Layers: c.Layers, Prefix: c.body + "h.", causal: true, window: func(int) int { return 0 }, scale: c.scale, begin: c.begin, layer: c.block, end: c.end}
	return &Model{Text: &Text{
		Blocks: b, Decode: &Decode{b, c.Heads, c.Hidden / c.Heads}, Vocabulary: c.Vocabulary, Width: c.Hidden, Positions: c.Positions, Wide: 6*c.Hidden + 2*c.Inner, Heads: c.Heads,
		Hidden: b.hidden,
		Logits: func(w Weights, h *graph.Node) *graph.Node { return dense(w, head, h, false) },
	}}, nil
}

func (c *gpt2Config) layer(i int) string { return fmt.Sprintf("%sh.%d.", c.body, i) }

// transposed is transformers' Conv1D: a linear layer whose weight is [in, out].
func (s *weightList) transposed(name string, in, out int) {
	s.add(name+".weight", in, out)
	s.add(name+".bias", out)
}

// conv1D is transformers' Conv1D on the last axis.
func conv1D(w Weights, name string, x *graph.Node) *graph.Node {
	seen(name+".weight", x, true)
	y := graph.EinsumAxes(x, w(name+".weight"), [][2]int{{x.Rank() - 1, 0}}, nil)
	return graph.Add(y, graph.ExpandLeftToRank(w(name+".bias"), y.Rank()))
}

func (c *gpt2Config) begin(w Weights, ids, at *graph.Node) *graph.Node {
	x := embed(w(c.body+"wte.weight"), ids)
	at = graph.MinScalar(at, c.Positions-1) // padding, and a last token that is only asked for
	return graph.Add(x, graph.BroadcastToShape(embed(w(c.body+"wpe.weight"), at), x.Shape()))
}

func (c *gpt2Config) block(w Weights, i int, x, _ *graph.Node, look look) *graph.Node {
	b, t, l := x.Shape().Dim(0), x.Shape().Dim(1), c.layer(i)
	qkv := conv1D(w, l+"attn.c_attn", normalize(w, l+"ln_1", x, c.Eps))
	heads := func(n int) *graph.Node {
		return graph.Reshape(graph.SliceAxis(qkv, 2, graph.AxisRange(n*c.Hidden, (n+1)*c.Hidden)), b, t, c.Heads, c.Hidden/c.Heads)
	}
	x = graph.Add(x, conv1D(w, l+"attn.c_proj", look(i, heads(0), heads(1), heads(2))))
	m := c.act(conv1D(w, l+"mlp.c_fc", normalize(w, l+"ln_2", x, c.Eps)))
	return graph.Add(x, conv1D(w, l+"mlp.c_proj", m))
}

func (c *gpt2Config) end(w Weights, x *graph.Node) *graph.Node {
	return normalize(w, c.body+"ln_f", x, c.Eps)
}

// scale is what a layer's queries are multiplied with.
func (c *gpt2Config) scale(layer int) float64 {
	scale := rootOf(c.Hidden / c.Heads)
	if c.Scaled != nil && !*c.Scaled {
		scale = 1
	}
	if c.ByLayer {
		scale /= float64(layer + 1)
	}
	return scale
}
