package align

import (
	"fmt"

	"github.com/mergevo/mergevo/tensors/view"
)

// sequential follows a chain of layers: what a layer gives out, the next one takes in.
func sequential(b *builder) error {
	var c struct {
		Layers []struct {
			Op    string `json:"op"`
			Name  string `json:"name"`
			Shape []int  `json:"shape"`
		} `json:"layers"`
	}
	if err := b.parse(&c); err != nil {
		return err
	}
	last := -1 // whose outputs are the model's
	for i, l := range c.Layers {
		if l.Op == "linear" || l.Op == "conv2d" {
			last = i
		}
	}
	// The units that the next layer takes in, -1 for the model's inputs, and how many
	// elements each has in a row: 1 until a flatten behind a convolution.
	in, flat := -1, true
	for i, l := range c.Layers {
		switch l.Op {
		case "relu", "gelu", "max_pool2d":
		case "flatten":
			flat = true
		case "layer_norm":
			b.sequentialNorm(l.Name, in, flat, len(l.Shape))
		case "linear", "conv2d":
			w, ok := b.have[l.Name+".weight"]
			if !ok || len(w.Shape) < 2 {
				b.problems = append(b.problems, fmt.Sprintf("%s.weight: layer %d (%s) of config.json reads it as a matrix; the model lacks it or has it in another shape", l.Name, i, l.Op))
				return nil
			}
			if in >= 0 {
				block := w.Shape[1] / b.spec.Permutations[in].Units
				b.place(view.Place{Tensor: w.Name, Axis: 1, Block: max(1, block), Order: in})
			}
			b.know(w.Name, l.Name+".bias")
			if in, flat = -1, l.Op == "linear"; i != last {
				in = b.permutation(l.Name, w.Shape[0], 1)
				b.place(view.Place{Tensor: w.Name, Axis: 0, Block: 1, Order: in})
				b.bias(view.Place{Tensor: l.Name + ".bias", Axis: 0, Block: 1, Order: in})
			}
		default:
			return fmt.Errorf("layer %d of config.json is %q, of which it is not known how it treats units", i, l.Op)
		}
	}
	return nil
}

// sequentialNorm places the numbers of a layer norm. Of an image that is normed without
// its channels, over rows or pixels, none belongs to a channel.
func (b *builder) sequentialNorm(name string, in int, flat bool, axes int) {
	b.know(name+".weight", name+".bias")
	if in < 0 || !flat && axes < 3 {
		return
	}
	for _, part := range []string{".weight", ".bias"} {
		if t, ok := b.have[name+part]; ok && len(t.Shape) > 0 {
			b.place(view.Place{Tensor: t.Name, Axis: 0, Block: max(1, t.Shape[0]/b.spec.Permutations[in].Units), Order: in})
		}
	}
}
