package recipes

import (
	"fmt"

	"github.com/mergevo/mergevo/merge"
)

const noStacking = "slices that cut or stack layers are not supported yet"

// models decodes `models`, or the one form of `slices` that means the same.
func (d *decoder) models(r *Recipe, root *node, f map[string]*node) {
	list, isModels := f["models"]
	slices, isSlices := f["slices"]
	switch {
	case isModels && isSlices:
		d.at(slices.place, "a recipe has either models or slices")
	case isModels:
		for _, item := range d.list1(list, "models") {
			d.model(r, item, "an entry of models", "model", "parameters")
		}
	case isSlices:
		d.slices(r, slices)
	case !d.meant["models"] && !d.meant["slices"]:
		d.at(root.place, "models is missing")
	}
}

func (d *decoder) slices(r *Recipe, n *node) {
	r.sliced = true
	items := d.list1(n, "slices")
	if len(items) > 1 {
		d.at(items[1].place, noStacking)
	}
	if len(items) == 0 {
		return
	}
	f := d.fields(items[0], "a slice", []string{"sources", "parameters", "residual_weight"}, map[string]string{"base_model": notYet})
	if f == nil {
		return
	}
	if sources, ok := f["sources"]; ok {
		for _, item := range d.list1(sources, "sources") {
			d.model(r, item, "a source", "model", "layer_range", "parameters")
		}
	} else if !d.meant["sources"] {
		d.at(items[0].place, "sources is missing")
	}
	r.slice = d.scope(f["parameters"], ofSlice, r.method.table, r)
	if w, ok := f["residual_weight"]; ok {
		r.residual = w
		r.note(w.place, "residual_weight is read and never used, as in mergekit")
	}
	for _, m := range r.models[min(1, len(r.models)):] {
		if first := r.models[0]; m.layers != 0 && first.layers != 0 && m.layers != first.layers {
			d.at(m.rangeAt, noStacking)
		}
	}
}

func (d *decoder) model(r *Recipe, n *node, what string, known ...string) {
	f := d.fields(n, what, known, nil)
	if f == nil {
		return
	}
	m := model{place: n.place}
	if ref, ok := f["model"]; ok {
		m.ref = d.ref(ref, "model")
		m.place = ref.place
	} else if !d.meant["model"] {
		d.at(n.place, "model is missing")
	}
	if m.ref != "" && !d.refs.add(m.ref) {
		d.at(m.place, "%s is listed twice", shorten(m.ref))
	}
	if lr, ok := f["layer_range"]; ok && !lr.null() {
		m.rangeAt = lr.place
		if lr.kind != listNode || len(lr.items) != 2 {
			d.at(lr.place, "layer_range is [0, n], not %s", lr.describe())
		} else {
			if d.whole(lr.items[0], "layer_range", 0, 1<<30) != 0 {
				d.at(lr.place, noStacking)
			}
			m.layers = d.whole(lr.items[1], "layer_range", 1, 1<<30)
		}
	}
	m.params = d.scope(f["parameters"], ofModel, r.method.table, r)
	r.models = append(r.models, m)
}

// inputs returns the positions in r.models of a method's sources.
func (r *Recipe) inputs(m *merge.Method) []int {
	var in []int
	for i := range r.models {
		if m.Base != merge.BaseRequired || r.models[i].ref != r.base {
			in = append(in, i)
		}
	}
	return in
}

// rules checks what a method asks of the models and of the parameters that have
// no default.
func (d *decoder) rules(r *Recipe, m *merge.Method) {
	if m.Base == merge.BaseRequired && r.base == "" && !d.meant["base_model"] {
		d.hint(r.method.place, "name the model from which the others were trained: base_model: ...", "%s needs a base_model", m.Name)
	}
	in := r.inputs(m)
	if n := len(in); len(r.models) > 0 && (n < m.MinSources || m.MaxSources > 0 && n > m.MaxSources) {
		d.at(r.method.place, "%s merges %s, there %s", m.Name, sourceCount(m), countOf(n))
	}
	if m.Base == merge.BaseRequired {
		for _, mod := range r.models {
			if mod.ref == r.base && len(mod.params.params) > 0 {
				r.note(mod.place, "%s is the base of %s: its parameters are not used", shorten(mod.ref), m.Name)
			}
		}
	}
	for _, p := range m.Params {
		if !p.Required || r.slice.find(p.Name) != nil || r.global.find(p.Name) != nil || d.meant[p.Name] {
			continue
		}
		if !p.PerSource {
			d.hint(r.method.place, fmt.Sprintf("add parameters: {%s: ...} at the top level", p.Name), "%s needs %s", m.Name, p.Name)
			continue
		}
		for _, i := range in {
			if mod := &r.models[i]; mod.params.find(p.Name) == nil {
				d.hint(mod.place, fmt.Sprintf("add parameters: {%s: ...} to the model, or at the top level for all", p.Name),
					"%s has no %s, which %s needs", shorten(mod.ref), p.Name, m.Name)
			}
		}
	}
}

func sourceCount(m *merge.Method) string {
	besides := ""
	if m.Base == merge.BaseRequired {
		besides = " besides the base"
	}
	switch {
	case m.MinSources == m.MaxSources && m.MinSources == 1:
		return "exactly 1 model" + besides
	case m.MinSources == m.MaxSources:
		return fmt.Sprintf("exactly %d models%s", m.MinSources, besides)
	case m.MaxSources == 0:
		return fmt.Sprintf("%d or more models%s", m.MinSources, besides)
	}
	return fmt.Sprintf("%d to %d models%s", m.MinSources, m.MaxSources, besides)
}

func countOf(n int) string {
	if n == 1 {
		return "is 1"
	}
	return fmt.Sprintf("are %d", n)
}
