package models

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
)

// bertConfig is the config.json of model_type "bert" (Devlin et al. 2019).
type bertConfig struct {
	Hidden       int     `json:"hidden_size"`
	Intermediate int     `json:"intermediate_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	Vocabulary   int     `json:"vocab_size"`
	Positions    int     `json:"max_position_embeddings"`
	Types        int     `json:"type_vocab_size"`
	Eps          float64 `json:"layer_norm_eps"`
	Act          string  `json:"hidden_act"`
	Position     string  `json:"position_embedding_type"`
	Decoder      bool    `json:"is_decoder"`

	body string
	old  bool // norms have gamma and beta in the place of weight and bias, as BERT's first checkpoints
	act  func(*graph.Node) *graph.Node
}

func parseBert(data []byte, s *weightList) (*Model, error) {
	c := bertConfig{Eps: 1e-12, Act: "gelu", Types: 2}
	if err := loose(data, &c); err != nil {
		return nil, err
	}
	if err := positive(map[string]int{"hidden_size": c.Hidden, "intermediate_size": c.Intermediate, "num_hidden_layers": c.Layers,
		"num_attention_heads": c.Heads, "vocab_size": c.Vocabulary, "max_position_embeddings": c.Positions, "type_vocab_size": c.Types}); err != nil {
		return nil, err
	}
	if c.Hidden%c.Heads != 0 {
		return nil, fmt.Errorf("hidden_size %d is not a multiple of num_attention_heads %d", c.Hidden, c.Heads)
	}
	if p := cmp.Or(c.Position, "absolute"); p != "absolute" {
		return nil, fmt.Errorf("position_embedding_type %q is not known; known: absolute", p)
	}
	if c.Decoder {
		return nil, errors.New("is_decoder: a bert that writes is not known here")
	}
	act, err := activation("hidden_act", c.Act)
	if err != nil {
		return nil, err
	}
	body := s.under("embeddings.word_embeddings.weight", "", "bert.")
	for _, t := range []struct {
		name string
		rows int
	}{{"word", c.Vocabulary}, {"position", c.Positions}, {"token_type", c.Types}} {
		s.add(body+"embeddings."+t.name+"_embeddings.weight", t.rows, c.Hidden)
	}
	c.old = s.has[body+"embeddings.LayerNorm.gamma"]
	norm := func(name string) {
		for _, part := range []string{".weight", ".bias"} {
			s.add(c.normName(name+part), c.Hidden)
		}
	}
	norm(body + "embeddings.LayerNorm")
	for i := range c.Layers {
		l := fmt.Sprintf("%sencoder.layer.%d.", body, i)
		for _, name := range []string{"query", "key", "value"} {
			s.affine(l+"attention.self."+name, c.Hidden, c.Hidden, true)
		}
		s.affine(l+"attention.output.dense", c.Hidden, c.Hidden, true)
		norm(l + "attention.output.LayerNorm")
		s.affine(l+"intermediate.dense", c.Intermediate, c.Hidden, true)
		s.affine(l+"output.dense", c.Hidden, c.Intermediate, true)
		norm(l + "output.LayerNorm")
	}
	c.body, c.act = body, act
	b := &Blocks{Layers: c.Layers, Prefix: body + "encoder.layer.", window: func(int) int { return 0 }, scale: func(int) float64 { return rootOf(c.Hidden / c.Heads) },
		begin: c.begin, layer: c.block, end: func(_ Weights, x *graph.Node) *graph.Node { return x }}
	return &Model{Text: &Text{
		Blocks: b, Vocabulary: c.Vocabulary, Width: c.Hidden, Positions: c.Positions, Wide: 4*c.Hidden + 2*c.Intermediate, Heads: c.Heads,
		Hidden: b.hidden,
	}}, nil
}

// normName is what the checkpoint calls a norm's weight or bias; other names stay.
func (c *bertConfig) normName(name string) string {
	if !c.old {
		return name
	}
	return strings.NewReplacer("LayerNorm.weight", "LayerNorm.gamma", "LayerNorm.bias", "LayerNorm.beta").Replace(name)
}

// named gives weights by their names of today.
func (c *bertConfig) named(w Weights) Weights {
	return func(name string) *graph.Node { return w(c.normName(name)) }
}

func (c *bertConfig) begin(w Weights, ids, _ *graph.Node) *graph.Node {
	t, w := ids.Shape().Dim(1), c.named(w)
	table := func(name string) *graph.Node { return w(c.body + "embeddings." + name + "_embeddings.weight") }
	x := embed(table("word"), ids)
	place := graph.SliceAxis(table("position"), 0, graph.AxisRange(0, t))
	first := graph.SliceAxis(table("token_type"), 0, graph.AxisRange(0, 1))
	x = graph.Add(x, graph.BroadcastToShape(graph.InsertAxes(graph.Add(place, graph.BroadcastToShape(first, place.Shape())), 0), x.Shape()))
	return normalize(w, c.body+"embeddings.LayerNorm", x, c.Eps)
}

func (c *bertConfig) block(w Weights, i int, x, _ *graph.Node, look look) *graph.Node {
	w = c.named(w)
	b, t, l := x.Shape().Dim(0), x.Shape().Dim(1), fmt.Sprintf("%sencoder.layer.%d.", c.body, i)
	heads := func(name string) *graph.Node {
		return graph.Reshape(dense(w, l+"attention.self."+name, x, true), b, t, c.Heads, c.Hidden/c.Heads)
	}
	a := look(i, heads("query"), heads("key"), heads("value"))
	x = normalize(w, l+"attention.output.LayerNorm", graph.Add(x, dense(w, l+"attention.output.dense", a, true)), c.Eps)
	m := c.act(dense(w, l+"intermediate.dense", x, true))
	return normalize(w, l+"output.LayerNorm", graph.Add(x, dense(w, l+"output.dense", m, true)), c.Eps)
}
