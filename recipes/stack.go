package recipes

import (
	"fmt"
	"math"
	"slices"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// Stacks: recipes in which a search chooses not only numbers but which layers of which
// models there are. Genes say which; with their values a recipe of slices remains, whose
// parameters may still have holes.

// stack is the genes of a recipe's layers. They come first in the box.
type stack struct {
	recipe *Recipe
	box    evolve.Box
	decode []decodeGene
	flow   *flowStack // nil for slices with holes
	choose []choosing // of slices, a gene each
}

// choosing puts what a gene chose into a copy of the recipe's models.
type choosing func(models []model, value float64)

// layerRow is the row that holes in a layer_range are read by.
var layerRow = merge.Param{Name: "layer_range", Max: maxLayer, Low: 0, High: 0, Start: -1}

// Stacked reports whether a search chooses layers, so that candidates have different
// tensors.
func (r *Recipe) Stacked() bool {
	return r.flow != nil || slices.ContainsFunc(r.models, func(m model) bool { return m.fromHole != nil || m.toHole != nil || m.refs != nil })
}

// stack finds the genes of a recipe's layers, nil where there are none.
func (r *Recipe) stack(models map[string][]tensors.Info) (s *stack, err error) {
	if !r.Stacked() {
		return nil, nil
	}
	s = &stack{recipe: r}
	if r.flow != nil {
		if s.flow, s.box, err = newFlowStack(r, models); err != nil {
			return nil, err
		}
		for _, g := range s.box {
			s.decode = append(s.decode, decodeGene{lo: g.Lo, hi: g.Hi})
		}
		return s, nil
	}
	for k, sl := range r.slices {
		for j, i := range sl.models {
			at := fmt.Sprintf("slices.%d", k)
			if len(sl.models) > 1 {
				at += fmt.Sprintf(".sources.%d", j)
			}
			m := &r.models[i]
			if m.refs != nil {
				n := len(m.refs)
				refs := m.refs
				s.add(evolve.Gene{Name: at + ".model", Hi: float64(n - 1), Start: float64(slices.Index(refs, m.ref)), Choices: n}, nil,
					func(models []model, v float64) { models[i].ref, models[i].refs = refs[int(v)], nil })
			}
			s.hole(at+".first", m.fromHole, func(models []model, v float64) { models[i].from, models[i].fromHole = int(v), nil })
			s.hole(at+".end", m.toHole, func(models []model, v float64) { models[i].to, models[i].toHole = int(v), nil })
		}
	}
	return s, nil
}

func (s *stack) hole(name string, h *hole, put choosing) {
	switch {
	case h == nil:
	case h.choices != nil:
		n := len(h.choices)
		s.add(evolve.Gene{Name: name, Hi: float64(n - 1), Start: h.start, Choices: n}, h.choices, put)
	default:
		s.add(evolve.Gene{Name: name, Lo: h.lo, Hi: h.hi, Start: h.start, Int: true}, nil, put)
	}
}

func (s *stack) add(g evolve.Gene, choices []float64, put choosing) {
	s.box = append(s.box, g)
	s.decode = append(s.decode, decodeGene{lo: g.Lo, hi: g.Hi, choices: choices})
	s.choose = append(s.choose, put)
}

// at is the recipe that values of the genes stand for.
func (s *stack) at(values []float64) (*Recipe, error) {
	genes, _, err := readGenes(s.recipe.name, s.box, s.decode, values)
	if err != nil {
		return nil, err
	}
	if s.flow != nil {
		return s.flow.at(genes)
	}
	r := *s.recipe
	r.models = slices.Clone(r.models)
	for i, put := range s.choose {
		put(r.models, genes[i])
	}
	for _, sl := range r.slices {
		var seen set[string]
		layers := 0
		for _, i := range sl.models {
			m := &r.models[i]
			n := m.to - m.from
			switch {
			case m.to != 0 && n <= 0:
				return nil, m.rangeAt.fail("bounds that do not overlap, or starts in them, keep the end behind the first", fmt.Sprintf("layer_range [%d, %d] of %s holds no layer", m.from, m.to, shorten(m.ref)))
			case !seen.add(m.ref):
				return nil, m.place.fail("", fmt.Sprintf("%s is twice in a slice", shorten(m.ref)))
			case m.to != 0 && layers != 0 && n != layers:
				return nil, m.rangeAt.fail("", fmt.Sprintf("%d layers, where the first source of the slice has %d: all must have as many", n, layers))
			}
			layers = n
		}
	}
	return &r, nil
}

// Stacked reports whether the first genes choose layers, so that [Family.Choose] comes
// before all else.
func (f *Family) Stacked() bool { return f.stack != nil }

// Choose returns the recipe without genes for its layers that values of the box stand
// for, and the values that are left: those of the holes that it still has.
func (f *Family) Choose(values []float64) (*Recipe, []float64, error) {
	n := len(f.stack.box)
	if len(values) != len(f.stack.box)+len(f.box) {
		return nil, nil, fmt.Errorf("%s: %d values for %d genes", f.recipe.name, len(values), n+len(f.box))
	}
	r, err := f.stack.at(values[:n])
	return r, values[n:], err
}

// layerEnd decodes one end of a layer_range: a whole number, or a hole.
func (d *decoder) layerEnd(n *node, lo int) (int, *hole) {
	if n.kind != mapNode {
		return d.whole(n, "layer_range", lo, maxLayer), nil
	}
	before := len(d.list)
	h := d.hole(n, []merge.Param{layerRow})
	if h == nil || len(d.list) > before {
		return lo, nil
	}
	for _, v := range append([]float64{h.lo, h.hi}, h.choices...) {
		if v != math.Trunc(v) {
			d.at(n.place, "layers are counted in whole numbers")
			return lo, nil
		}
	}
	if h.per != nil || h.log {
		d.at(n.place, "a hole in layer_range takes search, choose and start")
	}
	if h.choices != nil {
		return int(h.choices[int(h.start)]), h
	}
	h.int, h.start = true, math.Floor(h.start)
	return int(h.start), h
}

// chosenRef decodes {choose: [...]} of models: the one to start with, and all.
func (d *decoder) chosenRef(n *node) (string, []string) {
	f := d.fields(n, "model", []string{"choose", "start"})
	if f == nil {
		return "", nil
	}
	var refs []string
	var seen set[string]
	for _, item := range d.list1(f["choose"], "choose") {
		ref := d.ref(item, "model")
		if !seen.add(ref) {
			d.at(item.place, "%s is in the list twice", shorten(ref))
		}
		refs = append(refs, ref)
	}
	if len(refs) < 2 {
		d.at(f["choose"].place, "choose needs a list of two or more values")
		return "", nil
	}
	if s, ok := f["start"]; ok {
		ref := d.ref(s, "start")
		if !slices.Contains(refs, ref) {
			d.hint(s.place, d.didYouMean(ref, refs), "start is not one of the choices")
		}
		return ref, refs
	}
	return refs[0], refs
}

// encodeChoice writes the choice of a model.
func (m *model) encodeChoice() *node {
	if m.refs == nil {
		return word(m.ref)
	}
	n, list := &node{flow: true}, flowList()
	for _, r := range m.refs {
		list.items = append(list.items, word(r))
	}
	n.put("choose", list)
	if m.ref != m.refs[0] {
		n.put("start", word(m.ref))
	}
	return n
}

// encodeRange writes a layer_range.
func (m *model) encodeRange() *node {
	end := func(v int, h *hole) *node {
		if h != nil {
			return h.encode(layerRow)
		}
		return intNode(v)
	}
	return flowList(end(m.from, m.fromHole), end(m.to, m.toHole))
}

// stackRules refuses holes of which the layers that are chosen would decide how many
// genes they have, and choices outside slices.
func (d *decoder) stackRules(r *Recipe) {
	if !r.Stacked() {
		return
	}
	for _, s := range r.scopes() {
		for i := range s.params {
			for _, h := range s.params[i].holes() {
				if p := h.per; p != nil && (p.layer || p.tensor || p.block > 0) {
					d.hint(h.place, "give each slice a hole, or use per: {match: [...]}", "a gene for each layer or tensor, where a search chooses the layers")
				}
			}
		}
	}
	if n, ok := r.root.get("align"); ok && !n.null() {
		d.hint(n.place, "mergevo align writes models that are aligned; search those", "a search that chooses layers or models may leave out the model that others are aligned to")
	}
	if r.niched() {
		d.at(r.method.place, "%s merges whole models: their layers cannot be chosen", nicheMethod)
	}
	for _, m := range r.models {
		if m.refs != nil && r.form == asModels {
			d.hint(m.place, "slices: [{sources: [...]}]", "a model to choose stands in a slice")
		}
	}
}
