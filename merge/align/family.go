package align

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// Family is models whose units are known, and a row of [Families].
type Family struct {
	// Name is what messages call it, Types are the config's model_types.
	Name  string
	Types []string
	// Doc says which units may change places.
	Doc string
	// Residual says that the units of the residual stream may be asked for.
	Residual bool

	build func(*builder) error
}

// Families lists the families in the order in which they are documented.
func Families() []Family { return slices.Clone(families) }

var families = []Family{
	{Name: "sequential", Types: []string{"sequential"}, build: sequential,
		Doc: "the outputs of every linear layer and the channels of every convolution but the last layer's; a flatten behind a convolution makes each channel a block, and layer norms go with what they norm"},
	{Name: "bert", Types: []string{"bert"}, build: bert,
		Doc: "hidden units of each layer's MLP; attention heads"},
	{Name: "llama", Types: []string{"llama", "mistral", "qwen2", "qwen3"}, build: llama, Residual: true,
		Doc: "hidden units of each layer's MLP (rows of gate and up, columns of down); key heads with their groups of query heads, and query heads inside a group, with their biases"},
	{Name: "gpt2", Types: []string{"gpt2"}, build: gpt2, Residual: true,
		Doc: "hidden units of each layer's MLP; attention heads, in the three parts of c_attn"},
}

// Options are what a Spec holds besides what every model of its family has.
type Options struct {
	// Residual adds the coordinates of the residual stream, one permutation of a whole
	// decoder: embeddings, norms, and every matrix that reads or writes the stream.
	Residual bool
}

// New finds the units of a model by its config.json and its tensors.
//
// A model_type without a row in [Families] is an error that lists those there are, as
// are tensors of layers that the family does not know, missing ones, and shapes that
// the config contradicts.
func New(config []byte, have []tensors.Info, o Options) (*Spec, error) {
	var head struct {
		Type string `json:"model_type"`
	}
	if err := json.Unmarshal(config, &head); err != nil {
		return nil, fmt.Errorf("not a config.json: %w", err)
	}
	var known []string
	for i := range families {
		f := &families[i]
		known = append(known, f.Types...)
		if !slices.Contains(f.Types, head.Type) {
			continue
		}
		if o.Residual && !f.Residual {
			return nil, fmt.Errorf("the residual stream of the family %s is what the model gives out: its order cannot change", f.Name)
		}
		b := &builder{spec: &Spec{Family: f.Name}, config: config, have: map[string]tensors.Info{}, options: o, placed: map[string]bool{}}
		for _, t := range have {
			b.have[t.Name] = t
		}
		if err := f.build(b); err != nil {
			return nil, err
		}
		if err := problem("config.json and the tensors do not agree on the units", b.problems); err != nil {
			return nil, err
		}
		if err := b.leftovers(); err != nil {
			return nil, err
		}
		if len(b.spec.Permutations) == 0 {
			return nil, errors.New("no units of this model can change places: it has no hidden layer")
		}
		return b.spec, nil
	}
	return nil, fmt.Errorf("models of type %q cannot be aligned; known: %s", head.Type, strings.Join(known, ", "))
}

// builder collects the places of a model.
type builder struct {
	spec     *Spec
	config   []byte
	have     map[string]tensors.Info
	options  Options
	layers   string // prefix of the layers' tensors, all of which must be known; "" for all
	placed   map[string]bool
	problems []string
}

// parse reads what a family needs of config.json; other keys change no unit's place.
func (b *builder) parse(v any) error {
	if err := json.Unmarshal(b.config, v); err != nil {
		return fmt.Errorf("not a config.json: %w", err)
	}
	return nil
}

// under returns the first prefix under which the model has a tensor, the first of all
// where it has none.
func (b *builder) under(name string, prefixes ...string) string {
	for _, p := range prefixes {
		if _, ok := b.have[p+name]; ok {
			return p
		}
	}
	return prefixes[0]
}

// permutation begins a set of units; it returns its position. Sets of one unit are
// kept, so that models of one family have the same.
func (b *builder) permutation(name string, units, group int) int {
	b.spec.Permutations = append(b.spec.Permutations, Permutation{Name: name, Units: units, Group: max(1, group)})
	return len(b.spec.Permutations) - 1
}

// layer is the prefix of a layer's tensors, false where an earlier layer is not as the
// config says: there may be no end of layers.
func (b *builder) layer(i int) (prefix string, ok bool) {
	return fmt.Sprintf("%s%d.", b.layers, i), len(b.problems) == 0
}

// know notes tensors that no permutation touches.
func (b *builder) know(names ...string) {
	for _, n := range names {
		b.placed[n] = true
	}
}

// place puts units on an axis that they must fill.
func (b *builder) place(p view.Place) { b.at(p, 1, false) }

// bias is place for a tensor that a model may lack.
func (b *builder) bias(p view.Place) { b.at(p, 1, true) }

// at puts units on one of several parts that fill an axis.
func (b *builder) at(p view.Place, parts int, optional bool) {
	if p.Order < 0 {
		b.know(p.Tensor)
		return
	}
	t, ok := b.have[p.Tensor]
	units := p.Span(b.spec.Permutations[p.Order].Units)
	switch {
	case !ok && optional:
		return
	case !ok:
		b.problems = append(b.problems, p.Tensor+": the model lacks it")
	case !t.DType.Float():
		b.problems = append(b.problems, fmt.Sprintf("%s: is %v; align models before they are quantised", p.Tensor, t.DType))
	case p.Axis >= len(t.Shape) || t.Shape[p.Axis] != parts*units*p.Block:
		b.problems = append(b.problems, fmt.Sprintf("%s: shape %v, where axis %d should have %d", p.Tensor, t.Shape, p.Axis, parts*units*p.Block))
	default:
		b.spec.Places = append(b.spec.Places, p)
	}
	b.placed[p.Tensor] = true
}

// leftovers refuses tensors of layers that the family does not know: units may stand in
// them, too.
func (b *builder) leftovers() error {
	var unknown []string
	for name := range b.have {
		// Tables that are computed, not learned, are the same in every model.
		if !b.placed[name] && strings.HasPrefix(name, b.layers) && !strings.HasSuffix(name, ".inv_freq") && !strings.HasSuffix(name, ".masked_bias") && !strings.HasSuffix(name, ".attn.bias") {
			unknown = append(unknown, name+": not a tensor that layers of the family "+b.spec.Family+" have")
		}
	}
	slices.Sort(unknown)
	return problem("units may stand in tensors that are not known", unknown)
}
