package recipes

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
)

// Init is the `init:` block: small networks of random weights, instead of models, from
// which a niche merge with mutation makes its own.
type Init struct {
	// Config is the config.json of a sequential model.
	Config []byte
	// Sigma is the standard deviation of the first weights and of each mutation.
	Sigma float64
	// Count is how many networks there are at first.
	Count int

	block *node
}

// initKeys are those of the block.
var initKeys = []string{"input", "divide_by", "layers", "sigma", "count"}

const (
	defaultInitSigma = 0.01
	defaultInitCount = 2
)

// InitRef is what the models of an init block are called, from 0 on.
func InitRef(i int) string { return "init-" + strconv.Itoa(i+1) }

func (d *decoder) init(n *node, r *Recipe) {
	f := d.fields(n, "init", initKeys)
	if f == nil {
		return
	}
	if !r.niched() {
		d.hint(n.place, "merge_method: "+nicheMethod, "only niche merges begin with networks of random weights")
	}
	i := &Init{Sigma: defaultInitSigma, Count: defaultInitCount, block: n}
	if v, ok := f["sigma"]; ok {
		if i.Sigma = d.real(v, "sigma", 0, math.MaxFloat64); i.Sigma == 0 {
			d.at(v.place, "sigma is a standard deviation above 0")
		}
	}
	if v, ok := f["count"]; ok {
		i.Count = d.whole(v, "count", 1, 1<<10)
	}
	layers, ok := f["layers"]
	if !ok {
		d.at(n.place, "init needs layers: widths such as [64, 256, 10], or a list as in config.json")
		return
	}
	config := map[string]any{"model_type": "sequential"}
	input := map[string]any{}
	list := d.list1(layers, "layers")
	if len(list) > 0 && list[0].kind == scalarNode {
		widths := d.widths(list)
		if len(widths) < 2 {
			d.at(layers.place, "layers are two or more widths, from the inputs to the classes")
			return
		}
		config["layers"] = perceptron(widths)
		input["shape"] = []int{widths[0]}
	} else {
		var all []any
		for _, l := range list {
			if l.kind != mapNode {
				d.at(l.place, "a layer is {op: ...}, not %s", l.describe())
			}
			all = append(all, l.plain())
		}
		config["layers"] = all
	}
	if v, ok := f["input"]; ok {
		input["shape"] = d.widths(d.list1(v, "input"))
	} else if input["shape"] == nil {
		d.at(n.place, "init needs input: the shape of an example")
	}
	if v, ok := f["divide_by"]; ok {
		input["divide_by"] = d.real(v, "divide_by", math.SmallestNonzeroFloat64, math.MaxFloat64)
	}
	config["input"] = input
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		d.at(n.place, "%s", err)
	}
	i.Config = append(text, '\n')
	r.Init = i
	s := slice{place: n.place, module: -1}
	for k := range i.Count {
		s.models = append(s.models, len(r.models))
		r.models = append(r.models, model{place: n.place, ref: InitRef(k)})
	}
	r.slices = append(r.slices, s)
}

// widths decodes sizes of 1 or more.
func (d *decoder) widths(list []*node) []int {
	var out []int
	for _, n := range list {
		out = append(out, d.whole(n, "a size", 1, 1<<20))
	}
	return out
}

// perceptron is the layers of an MLP with ReLU between its linear layers.
func perceptron(widths []int) []any {
	layers := []any{map[string]any{"op": "flatten"}}
	for i := range len(widths) - 1 {
		if i > 0 {
			layers = append(layers, map[string]any{"op": "relu"})
		}
		layers = append(layers, map[string]any{"op": "linear", "name": "fc" + strconv.Itoa(i+1), "in": widths[i], "out": widths[i+1]})
	}
	return layers
}

// plain is a node as encoding/json takes it.
func (n *node) plain() any {
	switch n.kind {
	case listNode:
		out := []any{}
		for _, item := range n.items {
			out = append(out, item.plain())
		}
		return out
	case mapNode:
		out := map[string]any{}
		for i, k := range n.keys {
			out[k.text] = n.items[i].plain()
		}
		return out
	}
	if v, ok := n.number(); ok && !n.literal {
		return v
	}
	if b, err := strconv.ParseBool(n.text); err == nil && !n.literal && slices.Contains([]string{"true", "false"}, n.text) {
		return b
	}
	return n.text
}
