package experts

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mergevo/mergevo/modeldir"
	"github.com/mergevo/mergevo/tensors"
)

// Expert is a dense model of which an expert is made.
type Expert struct {
	Name   string // in messages
	Source tensors.Source
	// Noise is the standard deviation of what is added to its weights, Residual the
	// factor of its last matrix, and so of its output.
	Noise, Residual float64
}

// Mixture is a mixture of experts, ready to be written.
type Mixture struct {
	Architecture *Architecture
	// Layers and Width are those of the base: the gates are [Layers][experts][Width].
	Layers, Width int

	of       string // the base's model_type
	rope     bool   // its config says how positions turn
	heads    int
	inner    int // width of an expert
	spare    int // width of the shared expert
	experts  int
	perToken int
	seed     uint64
	parts    []part
}

// part is a tensor that is written.
type part struct {
	tensors.Info
	// src and from are what it is copied of; a nil src is what fill makes.
	src         tensors.Source
	from        string
	noise       float64
	scale       float64
	gate        int // row of gates of a layer: the layer; -1 for none
	sharedGate  bool
	keyedSource int // of the noise
}

// Config is what a mixture is made of.
type Config struct {
	Architecture string // asked for, "" for what fits
	Base         Expert
	JSON         []byte // the base's config.json
	Experts      []Expert
	Shared       *Expert // nil without one
	PerToken     int
	Seed         uint64
	DType        tensors.DType // 0 keeps the base's
}

var mlpName = regexp.MustCompile(`^(model\.layers\.([0-9]+)\.)mlp\.(gate_proj|up_proj|down_proj)\.weight$`)

// bareShared is the width of the shared expert that is all zeros.
const bareShared = 64

// New checks that models make a mixture, from headers alone, and lists every tensor that
// does not fit.
func New(c Config) (*Mixture, error) {
	var base struct {
		Type   string          `json:"model_type"`
		Heads  int             `json:"num_attention_heads"`
		Layers int             `json:"num_hidden_layers"`
		Theta  json.RawMessage `json:"rope_theta"`
		Rope   json.RawMessage `json:"rope_parameters"`
	}
	if err := json.Unmarshal(c.JSON, &base); err != nil {
		return nil, fmt.Errorf("the base's config.json: %w", err)
	}
	a, err := Fit(c.Architecture, base.Type, c.Shared != nil)
	if err != nil {
		return nil, err
	}
	m := &Mixture{Architecture: a, of: base.Type, rope: base.Theta != nil || base.Rope != nil, heads: base.Heads, experts: len(c.Experts), perToken: c.PerToken, seed: c.Seed, Layers: base.Layers}
	var problems []string
	bad := func(format string, args ...any) { problems = append(problems, "  "+fmt.Sprintf(format, args...)) }
	mlps := 0
	for _, t := range c.Base.Source.Tensors() {
		out := c.DType
		if out == 0 || !t.DType.Float() {
			out = t.DType
		}
		switch at := mlpName.FindStringSubmatch(t.Name); {
		case at != nil:
			mlps++
			if len(t.Shape) != 2 {
				bad("%s: shape %v is no matrix", t.Name, t.Shape)
				continue
			}
			if at[3] == "gate_proj" {
				m.inner, m.Width = t.Shape[0], t.Shape[1]
			}
			m.expertParts(c, at[1]+a.block, at[3], t, out, bad)
		case strings.Contains(t.Name, ".mlp."):
			bad("%s: an expert has no such tensor", t.Name)
		case strings.HasSuffix(t.Name, ".bias") && (!a.biases || !qkvBias.MatchString(t.Name)):
			bad("%s: %s has no such bias", t.Name, a.Name)
		default:
			m.add(part{Info: tensors.Info{Name: t.Name, DType: out, Shape: t.Shape}, src: c.Base.Source, from: t.Name, scale: 1, gate: -1})
			if a.biases && qkvWeight.MatchString(t.Name) {
				bias := strings.TrimSuffix(t.Name, "weight") + "bias"
				if _, has := c.Base.Source.Lookup(bias); !has {
					m.add(part{Info: tensors.Info{Name: bias, DType: out, Shape: t.Shape[:1]}, gate: -1})
				}
			}
		}
	}
	if mlps == 0 || mlps != 3*m.Layers {
		bad("%d matrices model.layers.*.mlp.{gate,up,down}_proj.weight in %s, whose config.json counts %d layers", mlps, c.Base.Name, m.Layers)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("the models make no %s:\n%s", a.Name, strings.Join(problems[:min(len(problems), 40)], "\n"))
	}
	m.gates(c)
	slices.SortFunc(m.parts, func(a, b part) int { return strings.Compare(a.Name, b.Name) })
	return m, nil
}

var (
	qkvBias   = regexp.MustCompile(`\.self_attn\.[qkv]_proj\.bias$`)
	qkvWeight = regexp.MustCompile(`\.self_attn\.[qkv]_proj\.weight$`)
)

func (m *Mixture) add(p part) { m.parts = append(m.parts, p) }

// expertParts adds one matrix of a layer of all experts.
func (m *Mixture) expertParts(c Config, block, matrix string, t tensors.Info, out tensors.DType, bad func(string, ...any)) {
	name := m.Architecture.names[matrix]
	one := func(to string, x Expert, source int) {
		mine, ok := x.Source.Lookup(t.Name)
		switch {
		case !ok:
			bad("%s: missing in %s", t.Name, x.Name)
			return
		case !slices.Equal(mine.Shape, t.Shape):
			bad("%s: shape %v in %s, %v in %s", t.Name, t.Shape, c.Base.Name, mine.Shape, x.Name)
			return
		case !mine.DType.Float():
			bad("%s: is %v in %s; convert it to a floating-point type", t.Name, mine.DType, x.Name)
			return
		}
		p := part{Info: tensors.Info{Name: to + name + ".weight", DType: out, Shape: t.Shape}, src: x.Source, from: t.Name, noise: x.Noise, scale: 1, gate: -1, keyedSource: source}
		if matrix == "down_proj" {
			p.scale = x.Residual
		}
		m.add(p)
	}
	for i, x := range c.Experts {
		one(block+"experts."+strconv.Itoa(i)+".", x, i)
	}
	if !m.Architecture.shared {
		return
	}
	to := block + "shared_expert."
	if c.Shared != nil {
		m.spare = m.inner
		one(to, *c.Shared, len(c.Experts))
		return
	}
	m.spare = bareShared
	shape := []int{bareShared, t.Shape[1]}
	if matrix == "down_proj" {
		shape = []int{t.Shape[0], bareShared}
	}
	m.add(part{Info: tensors.Info{Name: to + name + ".weight", DType: out, Shape: shape}, gate: -1})
}

// gates adds the gates of all layers.
func (m *Mixture) gates(c Config) {
	dtype := m.parts[0].DType
	for l := range m.Layers {
		block := fmt.Sprintf("model.layers.%d.%s", l, m.Architecture.block)
		m.add(part{Info: tensors.Info{Name: block + m.Architecture.gate + ".weight", DType: dtype, Shape: []int{m.experts, m.Width}}, gate: l})
		if m.Architecture.shared {
			m.add(part{Info: tensors.Info{Name: block + "shared_expert_gate.weight", DType: dtype, Shape: []int{1, m.Width}}, gate: l, sharedGate: true})
		}
	}
}

// Layout lists the tensors that are written.
func (m *Mixture) Layout() []tensors.Info {
	var out []tensors.Info
	for _, p := range m.parts {
		out = append(out, p.Info)
	}
	return out
}

// Keys are what config.json says of the mixture.
func (m *Mixture) Keys() []modeldir.Key {
	return m.Architecture.config(m.of, m.rope, m.heads, m.experts, m.perToken, m.inner, m.spare)
}

// ErrGates is wrapped where gates do not fit the mixture.
var ErrGates = errors.New("gates of another shape than the mixture's")
