package recipes

import (
	"fmt"
	"slices"

	"github.com/mergevo/mergevo/merge"
)

// models decodes whichever of models, slices and modules the recipe has.
func (d *decoder) models(r *Recipe, root *node, f map[string]*node) {
	var found []string
	for _, key := range []string{"models", "slices", "modules", "init"} {
		if n, ok := f[key]; ok {
			if found = append(found, key); len(found) > 1 {
				d.at(n.place, "a recipe has either %s or %s", found[0], key)
				return
			}
		}
	}
	switch {
	case found == nil && !d.meant["models"] && !d.meant["slices"] && !d.meant["modules"]:
		d.at(root.place, "models is missing")
	case found == nil:
	case found[0] == "init":
		d.init(f["init"], r)
	case found[0] == "modules":
		d.modules(r, f["modules"])
	default:
		r.form = asModels
		if found[0] == "slices" {
			r.form = asSlices
		}
		d.listed(r, f[found[0]], r.form == asSlices, -1)
	}
}

// listed decodes a list of models, or of slices, of a module or of the recipe.
func (d *decoder) listed(r *Recipe, n *node, sliced bool, module int) {
	if sliced {
		for _, item := range d.list1(n, "slices") {
			d.slice(r, item, module)
		}
		return
	}
	s := slice{place: n.place, module: module}
	var refs set[string]
	for _, item := range d.list1(n, "models") {
		d.model(r, &s, &refs, item, "an entry of models", modelKeys("model")...)
	}
	r.slices = append(r.slices, s)
}

func (d *decoder) slice(r *Recipe, n *node, module int) {
	s := slice{place: n.place, module: module}
	f := d.fields(n, "a slice", []string{"sources", "base_model", "parameters", "residual_weight"})
	if f == nil {
		return
	}
	if base, ok := f["base_model"]; ok && !base.null() {
		s.base = d.ref(base, "base_model")
	}
	var refs set[string]
	if sources, ok := f["sources"]; ok {
		for _, item := range d.list1(sources, "sources") {
			d.model(r, &s, &refs, item, "a source", modelKeys("model", "layer_range")...)
		}
	} else if !d.meant["sources"] {
		d.at(n.place, "sources is missing")
	}
	s.params = d.scope(f["parameters"], ofSlice, r.method.table, r)
	if w, ok := f["residual_weight"]; ok {
		s.residual = w
		r.note(w.place, "residual_weight is read and never used, as in mergekit")
	}
	for _, i := range s.models[min(1, len(s.models)):] {
		first, m := r.models[s.models[0]], r.models[i]
		if a, b := first.to-first.from, m.to-m.from; m.to != 0 && first.to != 0 && a != b && !first.chosen() && !m.chosen() {
			d.at(m.rangeAt, "%d layers, where the first source of the slice has %d: all must have as many", b, a)
		}
	}
	r.slices = append(r.slices, s)
}

func (d *decoder) modules(r *Recipe, n *node) {
	r.form = asModules
	if n.kind != mapNode || len(n.keys) == 0 {
		d.at(n.place, "modules is a mapping from a module's name to its slices or models, not %s", n.describe())
		return
	}
	for i, k := range n.keys {
		at := len(r.modules)
		f := d.fields(n.items[i], "a module", []string{"slices", "models", "parameters"})
		if f == nil {
			continue
		}
		m := module{place: k.place, name: k.text}
		list, isModels := f["models"]
		cut, isSlices := f["slices"]
		if isModels == isSlices {
			d.at(k.place, "module %s has either models or slices", shorten(k.text))
			continue
		}
		if m.sliced = isSlices; isSlices {
			list = cut
		}
		first := len(r.slices)
		d.listed(r, list, isSlices, at)
		for s := first; s < len(r.slices); s++ {
			m.slices = append(m.slices, s)
		}
		m.params = d.scope(f["parameters"], ofSlice, r.method.table, r)
		r.modules = append(r.modules, m)
	}
}

func (d *decoder) model(r *Recipe, s *slice, refs *set[string], n *node, what string, known ...string) {
	f := d.fields(n, what, known)
	if f == nil {
		return
	}
	m := model{place: n.place}
	if ref, ok := f["model"]; ok {
		if _, choice := ref.get("choose"); choice {
			m.ref, m.refs = d.chosenRef(ref)
		} else {
			m.ref = d.ref(ref, "model")
		}
		m.place = ref.place
	} else if !d.meant["model"] {
		d.at(n.place, "model is missing")
	}
	if m.ref != "" && !refs.add(m.ref) {
		d.at(m.place, "%s is listed twice", shorten(m.ref))
	}
	if lr, ok := f["layer_range"]; ok && !lr.null() {
		m.rangeAt = lr.place
		if lr.kind != listNode || len(lr.items) != 2 {
			d.at(lr.place, "layer_range is [first, end], not %s", lr.describe())
		} else {
			m.from, m.fromHole = d.layerEnd(lr.items[0], 0)
			m.to, m.toHole = d.layerEnd(lr.items[1], 1)
			if m.from >= m.to {
				d.hint(lr.place, "the end is not part of the range: [0, 16] is the first 16 layers", "layer_range [%d, %d] holds no layer", m.from, m.to)
			}
		}
	}
	m.files = d.statistics(r, f)
	m.params = d.scope(f["parameters"], ofModel, r.method.table, r)
	s.models = append(s.models, len(r.models))
	r.models = append(r.models, m)
}

// chosen reports whether a search chooses how many layers there are.
func (m *model) chosen() bool { return m.fromHole != nil || m.toHole != nil }

// baseOf returns the base model of a slice, "" without one.
func (r *Recipe) baseOf(s *slice) string {
	if s.base != "" {
		return s.base
	}
	return r.base
}

// inputs returns the positions in r.models of a method's sources in a slice.
func (r *Recipe) inputs(m *merge.Method, s *slice) []int {
	var in []int
	for _, i := range s.models {
		if m.Base == merge.BaseUnused || r.models[i].ref != r.baseOf(s) {
			in = append(in, i)
		}
	}
	return in
}

// rules checks what a method asks of the models of a slice, and of the parameters
// that have no default.
func (d *decoder) rules(r *Recipe, m *merge.Method, s *slice) {
	base := r.baseOf(s)
	if m.Base == merge.BaseRequired && base == "" && !d.meant["base_model"] {
		d.hint(r.method.place, "name the model from which the others were trained: base_model: ...", "%s needs a base_model", m.Name)
	}
	in := r.inputs(m, s)
	if n := len(in); r.flow == nil && len(s.models) > 0 && (n < m.MinSources || m.MaxSources > 0 && n > m.MaxSources) {
		at := r.method.place
		if r.form != asModels {
			at = s.place
		}
		d.at(at, "%s merges %s, there %s", m.Name, sourceCount(m), countOf(n))
	}
	d.described(r, m, in)
	if m.Base == merge.BaseRequired {
		for _, i := range s.models {
			if mod := r.models[i]; mod.ref == base && len(mod.params.params) > 0 {
				r.note(mod.place, "%s is the base of %s: its parameters are not used", shorten(mod.ref), m.Name)
			}
		}
	}
	for _, p := range m.Params {
		if !p.Required || d.meant[p.Name] || r.sharedSay(s, p.Name) {
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

// shared lists the scopes behind a model's own: those of its slice, of its
// module, of the recipe.
func (r *Recipe) shared(s *slice) []*scope {
	all := []*scope{&s.params}
	if s.module >= 0 {
		all = append(all, &r.modules[s.module].params)
	}
	return append(all, &r.global)
}

func (r *Recipe) sharedSay(s *slice, name string) bool {
	return slices.ContainsFunc(r.shared(s), func(sc *scope) bool { return sc.find(name) != nil })
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
