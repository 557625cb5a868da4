package recipes

import (
	"slices"
	"strings"

	"github.com/mergevo/mergevo/tensors"
)

// Experts is a file for a mixture of experts, in the grammar of mergekit-moe.
type Experts struct {
	// Base is the model that gives everything but the experts.
	Base string
	// Gate says how gates are made, a row of [GateModes].
	Gate string
	// DType is what is written, 0 for the base's.
	DType tensors.DType
	// PerToken is the number of experts that each token goes through.
	PerToken int
	// Architecture is the layout that the file asks for, "" for the one that fits.
	Architecture string
	Experts      []Expert
	// Shared is what every token goes through besides, nil for none.
	Shared *Expert
	// Seed keys random gates and noise.
	Seed uint64

	name string
	root *node
}

// Expert is a dense model that an expert is made of.
type Expert struct {
	Model string
	// Positive and Negative are prompts of which its gate is made.
	Positive, Negative []string
	// Noise is the standard deviation of what is added to its weights, Residual the
	// factor of its output.
	Noise, Residual float64
}

// GateMode is a way to make gates.
type GateMode struct {
	Name, Doc string
	// Prompts says that every expert needs some; Hidden that the base runs on them.
	Prompts, Hidden bool
}

// GateModes lists the ways, the default first.
func GateModes() []GateMode { return slices.Clone(gateModes) }

var gateModes = []GateMode{
	{"hidden", "what the layer reads of a prompt's last token, by the base", true, true},
	{"hidden_avg", "what the layer reads of a prompt's tokens on average, by the base", true, true},
	{"hidden_last", "another name of hidden", true, true},
	{"cheap_embed", "the sum of the embeddings of the prompts' tokens, the same in all layers", true, false},
	{"random", "normal noise, for models that are trained afterwards", false, false},
	{"uniform_random", "uniform noise in [-1, 1], likewise", false, false},
}

// Mode returns the row of a gate mode.
func (e *Experts) Mode() GateMode {
	return gateModes[slices.IndexFunc(gateModes, func(m GateMode) bool { return m.Name == e.Gate })]
}

// ReadExperts reads and checks such a file.
func ReadExperts(path string) (*Experts, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	return ParseExperts(path, data)
}

// ParseExperts is ReadExperts of a file's text.
func ParseExperts(name string, data []byte) (*Experts, error) {
	root, err := parseOne(name, data)
	if err != nil {
		return nil, err
	}
	d := &decoder{}
	e := &Experts{Gate: gateModes[0].Name, PerToken: 2, name: name, root: root}
	f := d.fields(root, "a file of experts", []string{"mergevo", "base_model", "gate_mode", "dtype", "experts_per_token", "experts", "shared_experts", "architecture", "seed"})
	if f == nil {
		return nil, d.err()
	}
	if n, ok := f["mergevo"]; ok {
		d.version(n)
	}
	if n, ok := f["base_model"]; ok {
		e.Base = d.ref(n, "base_model")
	} else if !d.meant["base_model"] {
		d.at(root.place, "base_model is missing: which model gives attention, norms and embeddings?")
	}
	if n, ok := f["gate_mode"]; ok {
		var names []string
		for _, m := range gateModes {
			names = append(names, m.Name)
		}
		e.Gate = d.oneOf(n, "gate_mode", names...)
	}
	if n, ok := f["dtype"]; ok && !n.null() {
		e.DType = d.dtype(n, "dtype")
	}
	if n, ok := f["architecture"]; ok && !n.null() {
		e.Architecture = d.named(n, "architecture")
	}
	if n, ok := f["seed"]; ok {
		e.Seed = d.seed(n, "seed")
	}
	if d.err() != nil {
		return nil, d.err()
	}
	if list, ok := f["experts"]; ok {
		for _, n := range d.list1(list, "experts") {
			e.Experts = append(e.Experts, d.expert(n, e.Mode()))
		}
	} else if !d.meant["experts"] {
		d.at(root.place, "experts is missing")
	}
	if list, ok := f["shared_experts"]; ok && !list.null() && len(list.items) > 0 {
		for i, n := range d.list1(list, "shared_experts") {
			x := d.expert(n, e.Mode())
			if e.Shared = &x; i > 0 {
				d.at(n.place, "a second shared expert: there is room for one")
			}
		}
	}
	if n, ok := f["experts_per_token"]; ok {
		e.PerToken = d.whole(n, "experts_per_token", 1, max(1, len(e.Experts)))
	} else {
		e.PerToken = min(e.PerToken, max(1, len(e.Experts)))
	}
	return e, d.err()
}

func (d *decoder) expert(n *node, mode GateMode) Expert {
	x := Expert{Residual: 1}
	f := d.fields(n, "an expert", []string{"source_model", "positive_prompts", "negative_prompts", "noise_scale", "residual_scale"})
	if f == nil {
		return x
	}
	if m, ok := f["source_model"]; ok {
		x.Model = d.ref(m, "source_model")
	} else if !d.meant["source_model"] {
		d.at(n.place, "source_model is missing")
	}
	for key, to := range map[string]*[]string{"positive_prompts": &x.Positive, "negative_prompts": &x.Negative} {
		list, ok := f[key]
		if !ok || list.null() || len(list.items) == 0 {
			continue
		}
		for _, item := range d.list1(list, key) {
			s, ok := d.text(item, "a prompt")
			if ok && s == "" {
				d.at(item.place, "a prompt is empty")
			}
			*to = append(*to, s)
		}
	}
	if mode.Prompts && len(x.Positive) == 0 && !d.meant["positive_prompts"] {
		d.hint(n.place, "gate_mode: random needs none", "positive_prompts is missing: gate_mode %s makes the expert's gate of them", mode.Name)
	}
	if v, ok := f["noise_scale"]; ok && !v.null() {
		x.Noise = d.real(v, "noise_scale", 0, 1e6)
	}
	if v, ok := f["residual_scale"]; ok && !v.null() {
		x.Residual = d.real(v, "residual_scale", -1e6, 1e6)
	}
	return x
}

// Models lists the models that the file names, each once, the base first.
func (e *Experts) Models() []string {
	refs := []string{e.Base}
	for _, x := range e.all() {
		if !slices.Contains(refs, x.Model) {
			refs = append(refs, x.Model)
		}
	}
	return refs
}

// all are the experts, the shared one last.
func (e *Experts) all() []Expert {
	if e.Shared == nil {
		return e.Experts
	}
	return append(slices.Clone(e.Experts), *e.Shared)
}

// Text is the file as it was read, for the output to keep.
func (e *Experts) Text() []byte {
	n := &node{kind: mapNode}
	n.put("mergevo", intNode(formatVersion))
	for i, k := range e.root.keys {
		if k.text != "mergevo" {
			n.put(k.text, e.root.items[i])
		}
	}
	return writeYAML(n)
}

// String names the file.
func (e *Experts) String() string { return strings.TrimSpace(e.name) }
