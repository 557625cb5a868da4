package recipes

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// flow is the `flow:` block: the data-flow space of Akiba et al. 2024 (Evolutionary
// Optimization of Model Merging Recipes, arXiv:2403.13187). The layers of all models are
// laid out one behind the other, all of that several times; a search says which of them
// run, and by what a layer's input is scaled. Its zero value is a recipe without one.
type flow struct {
	place
	repeats, block int
	start          string // the model whose layers run at first
	scale          *hole
	scalePer       string // one of scalePers, "" without a scale
}

var flowKeys = []string{"repeats", "block", "start", "input_scale", "scale_per"}

// scalePers are what input_scale has a number for: a place of the layout, a layer
// wherever it stands, or a layer behind a layer.
var scalePers = []string{"place", "layer", "pair"}

// inputScale is the row that a hole of input_scale is read by.
var inputScale = merge.Param{Name: "input_scale", Min: math.SmallestNonzeroFloat32, Max: math.MaxFloat32, Low: 0.5, High: 2, Start: 1}

func (d *decoder) flow(n *node, r *Recipe) {
	f := d.fields(n, "flow", flowKeys)
	if f == nil {
		return
	}
	r.flow = &flow{place: n.place, repeats: 1, block: 1}
	if v, ok := f["repeats"]; ok {
		r.flow.repeats = d.whole(v, "repeats", 1, 1024)
	}
	if v, ok := f["block"]; ok {
		r.flow.block = d.whole(v, "block", 1, maxLayer)
	}
	if v, ok := f["input_scale"]; ok {
		if v.kind != mapNode {
			d.at(v.place, "input_scale is a hole, {search: [lo, hi]}, not %s", v.describe())
		} else {
			r.flow.scale = d.hole(v, []merge.Param{inputScale})
		}
		r.flow.scalePer = scalePers[0]
	}
	if v, ok := f["scale_per"]; ok {
		if r.flow.scale == nil {
			d.hint(v.place, "input_scale: {search: [0.5, 2], scale: log}", "scale_per without input_scale")
		}
		r.flow.scalePer = d.oneOf(v, "scale_per", scalePers...)
	}
	if h := r.flow.scale; h != nil && h.per != nil {
		d.hint(h.place, "scale_per: "+strings.Join(scalePers, " | "), "input_scale takes no per")
	}
	if v, ok := f["start"]; ok {
		r.flow.start = d.ref(v, "start")
	}
	d.flowRules(r, f)
}

// flowRules checks what the block needs of the rest of a recipe.
func (d *decoder) flowRules(r *Recipe, f map[string]*node) {
	if len(r.method.methods) == 1 && r.method.methods[0].Name != "passthrough" || r.method.hole() {
		d.hint(r.method.place, "merge_method: passthrough; merge the layers first, in a document of their own", "a flow runs layers as they are")
	}
	if r.form != asModels || len(r.slices) == 0 {
		d.at(r.flow.place, "a flow lays out models: list them under models")
		return
	}
	var refs []string
	for _, i := range r.slices[0].models {
		m := &r.models[i]
		refs = append(refs, m.ref)
		if len(m.params.params) > 0 {
			d.at(m.place, "models of a flow have no parameters: input_scale is the flow's")
		}
	}
	if len(r.global.params) > 0 {
		d.at(r.flow.place, "a flow has no parameters: input_scale is its own")
	}
	if r.flow.start == "" && len(refs) > 0 {
		r.flow.start = refs[0]
	}
	if !slices.Contains(refs, r.flow.start) {
		d.hint(f["start"].place, d.didYouMean(r.flow.start, refs), "start %s is none of the models", shorten(r.flow.start))
	}
}

func (fl *flow) encode(n *node, r *Recipe) {
	b := &node{kind: mapNode}
	b.put("repeats", intNode(fl.repeats))
	if fl.block > 1 {
		b.put("block", intNode(fl.block))
	}
	if fl.start != r.models[r.slices[0].models[0]].ref {
		b.put("start", word(fl.start))
	}
	if fl.scale != nil {
		b.put("input_scale", fl.scale.encode(inputScale))
		b.put("scale_per", word(fl.scalePer))
	}
	n.put("flow", b)
}

// residuals are, for each way of naming them, the parts of names of the tensors by which
// a block adds to what flows through it.
var residuals = [][]string{{".o_proj.", ".down_proj."}, {".attn.c_proj.", ".mlp.c_proj."}}

// filters are residuals as a recipe's filters.
func residualFilters(names []string) []string {
	var out []string
	for _, n := range names {
		out = append(out, strings.Trim(n, "."))
	}
	return out
}

// flowStack is the genes of a flow, and how its layers are laid out.
type flowStack struct {
	*flow
	recipe    *Recipe
	places    []flowPlace
	layers    int      // of all models
	residuals []string // filters
}

// flowPlace is a layer at its place in the layout.
type flowPlace struct {
	repeat, model int // model as in the recipe's
	layer, global int // of its model, and of all
	gene          int // its indicator
	scale         int // its input's gene; of pairs unused
}

// newFlowStack lays out the layers of the models.
func newFlowStack(r *Recipe, models map[string][]tensors.Info) (*flowStack, evolve.Box, error) {
	s := &flowStack{flow: r.flow, recipe: r}
	depth := make([]int, len(r.models))
	for _, i := range r.slices[0].models {
		for _, n := range Depths(models[r.models[i].ref]) {
			depth[i] = max(depth[i], n)
		}
		if depth[i] == 0 {
			return nil, nil, r.models[i].fail("its tensors have no numbered layers", fmt.Sprintf("%s has no layers to run", shorten(r.models[i].ref)))
		}
		s.layers += depth[i]
	}
	var box evolve.Box
	short := newNamer(r).short
	again := func(repeat int) string {
		if s.repeats == 1 {
			return ""
		}
		return "@" + strconv.Itoa(repeat+1)
	}
	for repeat := range s.repeats {
		global := 0
		for _, i := range r.slices[0].models {
			for l := range depth[i] {
				if l%s.block == 0 {
					g := evolve.Gene{Name: "run" + again(repeat) + "[" + short[i] + "]." + layerLabel("layers.", l, min(l+s.block, depth[i])-1, 1), Hi: 1, Int: true}
					if repeat == 0 && r.models[i].ref == s.start {
						g.Start = 1
					}
					box = append(box, g)
				}
				s.places = append(s.places, flowPlace{repeat: repeat, model: i, layer: l, global: global, gene: len(box) - 1})
				global++
			}
		}
	}
	if s.scale == nil {
		return s, box, nil
	}
	for _, names := range residuals {
		if slices.IndexFunc(r.slices[0].models, func(i int) bool { return !hasAll(models[r.models[i].ref], names) }) < 0 {
			s.residuals = residualFilters(names)
		}
	}
	if s.residuals == nil {
		return nil, nil, s.scale.fail("leave input_scale out", "input_scale needs layers that add to what flows through them by tensors called o_proj and down_proj, or c_proj")
	}
	add := func(name string) int {
		h := s.scale
		box = append(box, evolve.Gene{Name: "input_scale" + name, Lo: h.lo, Hi: h.hi, Start: h.start, Log: h.log})
		return len(box) - 1
	}
	name := func(p flowPlace) string { return short[p.model] + "." + strconv.Itoa(p.layer) }
	switch s.scalePer {
	case "place":
		for k := range s.places {
			p := &s.places[k]
			p.scale = add(again(p.repeat) + "[" + name(*p) + "]")
		}
	case "layer":
		first := len(box)
		for k := range s.places {
			p := &s.places[k]
			if p.scale = first + p.global; p.repeat == 0 {
				add("[" + name(*p) + "]")
			}
		}
	case "pair":
		first := len(box)
		for k := range s.places {
			s.places[k].scale = first
		}
		for _, from := range s.places[:s.layers] {
			for _, to := range s.places[:s.layers] {
				add("[" + name(from) + ">" + name(to) + "]")
			}
		}
	}
	return s, box, nil
}

func hasAll(infos []tensors.Info, parts []string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool {
		return !slices.ContainsFunc(infos, func(t tensors.Info) bool { return strings.Contains(t.Name, part) })
	})
}

// at is the recipe of slices that the genes' values stand for: the layers that run, each
// run of them that is scaled alike a slice.
//
// A layer's input scaled by s is, but for the norms' epsilon, its output scaled by 1/s
// and all that is added behind it too, since a norm takes a scale away: with c the product
// of the scales so far, what the layer adds is multiplied by 1/c.
func (s *flowStack) at(values []float64) (*Recipe, error) {
	r := *s.recipe
	r.form, r.flow = asSlices, nil
	r.slices, r.models = nil, nil
	product, before := 1.0, -1
	var last *model
	lastScale := 1.0
	for _, p := range s.places {
		if values[p.gene] == 0 {
			continue
		}
		switch {
		case s.scale == nil:
		case s.scalePer != "pair":
			product *= values[p.scale]
		case before >= 0:
			product *= values[p.scale+before*s.layers+p.global]
		}
		before = p.global
		scale := 1 / product
		of := &s.recipe.models[p.model]
		if last != nil && last.ref == of.ref && last.to == p.layer && scale == lastScale {
			last.to++
			continue
		}
		m := model{place: of.place, ref: of.ref, from: p.layer, to: p.layer + 1, rangeAt: of.place}
		if scale != 1 {
			m.params.params = []parameter{{place: of.place, name: "scale", setting: s.scaled(of.place, scale)}}
		}
		r.slices = append(r.slices, slice{place: s.place, models: []int{len(r.models)}, module: -1})
		r.models = append(r.models, m)
		last, lastScale = &r.models[len(r.models)-1], scale
	}
	if len(r.models) == 0 {
		return nil, fmt.Errorf("%s: no layer runs", s.recipe.name)
	}
	return &r, nil
}

// scaled is a scale of what a layer adds.
func (s *flowStack) scaled(at place, scale float64) setting {
	out := setting{place: at}
	for _, f := range s.residuals {
		out.filters = append(out.filters, filtered{place: at, filter: f, value: setting{place: at, number: scale}})
	}
	return out
}
