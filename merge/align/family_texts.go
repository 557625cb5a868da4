package align

import (
	"cmp"
	"fmt"

	"github.com/mergevo/mergevo/tensors/view"
)

// bert: MLPs and heads of an encoder. What the stream holds is what the model gives out.
func bert(b *builder) error {
	var c struct {
		Layers int `json:"num_hidden_layers"`
		Heads  int `json:"num_attention_heads"`
	}
	if err := b.parse(&c); err != nil {
		return err
	}
	body := b.under("embeddings.word_embeddings.weight", "", "bert.")
	b.layers = body + "encoder.layer."
	for i := range c.Layers {
		l, ok := b.layer(i)
		if !ok {
			break
		}
		heads, d := b.heads(l+"attention.heads", l+"attention.self.query.weight", 0, 1, c.Heads, c.Heads)
		for _, name := range []string{"query", "key", "value"} {
			b.rows(l+"attention.self."+name, heads, d, 1)
		}
		b.columns(l+"attention.output.dense", heads, d)
		mlp := b.hidden(l+"mlp", l+"intermediate.dense.weight", 0)
		b.rows(l+"intermediate.dense", mlp, 1, 1)
		b.columns(l+"output.dense", mlp, 1)
		for _, norm := range []string{"attention.output.LayerNorm", "output.LayerNorm"} {
			b.know(l+norm+".weight", l+norm+".bias", l+norm+".gamma", l+norm+".beta")
		}
	}
	return nil
}

// llama: gated MLPs and grouped heads. Rotations turn coordinates of a head in fixed
// pairs, so heads move whole; qwen3's norms of queries and keys are one for all heads.
func llama(b *builder) error {
	var c struct {
		Layers   int `json:"num_hidden_layers"`
		Heads    int `json:"num_attention_heads"`
		KeyHeads int `json:"num_key_value_heads"`
	}
	if err := b.parse(&c); err != nil {
		return err
	}
	c.KeyHeads = cmp.Or(c.KeyHeads, c.Heads)
	body := b.under("embed_tokens.weight", "model.", "")
	b.layers = body + "layers."
	stream := b.stream(body+"stream", body+"embed_tokens.weight")
	b.table(body+"embed_tokens.weight", stream)
	for i := range c.Layers {
		l, ok := b.layer(i)
		if !ok {
			break
		}
		heads, d := b.heads(l+"self_attn.heads", l+"self_attn.q_proj.weight", 0, 1, c.Heads, c.KeyHeads)
		b.rows(l+"self_attn.q_proj", heads, d, 1)
		b.rows(l+"self_attn.k_proj", heads, d, c.Heads/max(1, c.KeyHeads))
		b.rows(l+"self_attn.v_proj", heads, d, c.Heads/max(1, c.KeyHeads))
		b.columns(l+"self_attn.o_proj", heads, d)
		mlp := b.hidden(l+"mlp", l+"mlp.gate_proj.weight", 0)
		b.rows(l+"mlp.gate_proj", mlp, 1, 1)
		b.rows(l+"mlp.up_proj", mlp, 1, 1)
		b.columns(l+"mlp.down_proj", mlp, 1)
		b.know(l+"self_attn.q_norm.weight", l+"self_attn.k_norm.weight")
		for _, name := range []string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.gate_proj", "mlp.up_proj"} {
			b.reads(l+name, 1, stream)
		}
		for _, name := range []string{"self_attn.o_proj", "mlp.down_proj"} {
			b.writes(l+name, 0, stream)
		}
		b.norm(l+"input_layernorm", stream)
		b.norm(l+"post_attention_layernorm", stream)
	}
	b.norm(body+"norm", stream)
	b.head(stream)
	return nil
}

// gpt2: its matrices are [in, out], queries, keys and values side by side in one.
func gpt2(b *builder) error {
	var c struct {
		Layers int `json:"n_layer"`
		Heads  int `json:"n_head"`
	}
	if err := b.parse(&c); err != nil {
		return err
	}
	body := b.under("wte.weight", "transformer.", "")
	b.layers = body + "h."
	stream := b.stream(body+"stream", body+"wte.weight")
	b.table(body+"wte.weight", stream)
	b.table(body+"wpe.weight", stream)
	for i := range c.Layers {
		l, ok := b.layer(i)
		if !ok {
			break
		}
		heads, d := b.heads(l+"attn.heads", l+"attn.c_attn.weight", 1, 3, c.Heads, c.Heads)
		for part := range 3 {
			at := part * c.Heads * d
			b.at(view.Place{Tensor: l + "attn.c_attn.weight", Axis: 1, At: at, Block: d, Order: heads}, 3, false)
			b.at(view.Place{Tensor: l + "attn.c_attn.bias", Axis: 0, At: at, Block: d, Order: heads}, 3, true)
		}
		b.place(view.Place{Tensor: l + "attn.c_proj.weight", Axis: 0, Block: d, Order: heads})
		mlp := b.hidden(l+"mlp", l+"mlp.c_fc.weight", 1)
		b.place(view.Place{Tensor: l + "mlp.c_fc.weight", Axis: 1, Block: 1, Order: mlp})
		b.bias(view.Place{Tensor: l + "mlp.c_fc.bias", Axis: 0, Block: 1, Order: mlp})
		b.place(view.Place{Tensor: l + "mlp.c_proj.weight", Axis: 0, Block: 1, Order: mlp})
		for _, name := range []string{"attn.c_attn", "mlp.c_fc"} {
			b.reads(l+name, 0, stream)
		}
		for _, name := range []string{"attn.c_proj", "mlp.c_proj"} {
			b.writes(l+name, 1, stream)
		}
		b.norm(l+"ln_1", stream)
		b.norm(l+"ln_2", stream)
	}
	b.norm(body+"ln_f", stream)
	b.head(stream)
	return nil
}

// heads begins the heads of a layer. The axis of a tensor that is named holds parts times
// all of them; d is what one has there. In groups, query heads share a key head.
func (b *builder) heads(name, tensor string, axis, parts, heads, keys int) (order, d int) {
	t := b.have[tensor]
	if heads < 1 || keys < 1 || heads%keys != 0 {
		b.problems = append(b.problems, fmt.Sprintf("%s: %d heads do not share %d key heads", name, heads, keys))
		heads, keys = 1, 1
	}
	d = 1
	if len(t.Shape) > axis {
		d = max(1, t.Shape[axis]/parts/heads)
	}
	return b.permutation(name, heads, heads/keys), d
}

// hidden begins the hidden units of an MLP, as many as an axis of a tensor is long.
func (b *builder) hidden(name, tensor string, axis int) int {
	units := 1
	if t, ok := b.have[tensor]; ok && len(t.Shape) > axis {
		units = max(1, t.Shape[axis])
	}
	return b.permutation(name, units, 1)
}

// stream begins the coordinates of the residual stream, the columns of a table; -1 where
// they are not asked for.
func (b *builder) stream(name, table string) int {
	if !b.options.Residual {
		return -1
	}
	return b.hidden(name, table, 1)
}

// rows places units on the rows of a linear layer, [out, in], and on its bias.
func (b *builder) rows(name string, order, block, group int) {
	b.place(view.Place{Tensor: name + ".weight", Axis: 0, Block: block, Order: order, Group: group})
	b.bias(view.Place{Tensor: name + ".bias", Axis: 0, Block: block, Order: order, Group: group})
}

// columns places units on the columns of a linear layer, whose bias they do not touch.
func (b *builder) columns(name string, order, block int) {
	b.place(view.Place{Tensor: name + ".weight", Axis: 1, Block: block, Order: order})
	b.know(name + ".bias")
}

// table places the stream on the columns of an embedding.
func (b *builder) table(name string, stream int) {
	b.place(view.Place{Tensor: name, Axis: 1, Block: 1, Order: stream})
}

// reads places the stream on an axis of a layer's weight: that of its inputs, where it reads
// the stream.
func (b *builder) reads(name string, axis, stream int) {
	b.place(view.Place{Tensor: name + ".weight", Axis: axis, Block: 1, Order: stream})
}

// writes places the stream on the outputs of a layer, and so on its bias.
func (b *builder) writes(name string, axis, stream int) {
	b.place(view.Place{Tensor: name + ".weight", Axis: axis, Block: 1, Order: stream})
	b.bias(view.Place{Tensor: name + ".bias", Axis: 0, Block: 1, Order: stream})
}

// norm places the stream on a norm.
func (b *builder) norm(name string, stream int) { b.writes(name, 0, stream) }

// head places the stream on the output matrix, if it is not tied. With the stream,
// every tensor of the model must be known.
func (b *builder) head(stream int) {
	b.bias(view.Place{Tensor: "lm_head.weight", Axis: 1, Block: 1, Order: stream})
	if stream >= 0 {
		b.layers = ""
	}
}
