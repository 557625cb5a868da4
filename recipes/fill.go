package recipes

import (
	"fmt"
	"slices"

	"github.com/mergevo/mergevo/merge"
)

// Fill returns the recipe of one point of the box: numbers where the holes were,
// and no search block. On the same tensors it gives every parameter the same
// bits as [Family.Spec] at that point.
func (f *Family) Fill(values []float64) (*Recipe, error) {
	old := f.recipe
	if f.flat != nil {
		return f.fillPieces(values)
	}
	genes, method, err := f.read(values)
	if err != nil {
		return nil, err
	}
	r := *old
	r.Search = nil
	r.method = methodChoice{table: table{old.method.methods[method : method+1]}}
	fl := &filler{f: f, genes: genes, table: r.method.table, moved: perModel(old)}
	r.models, r.slices, r.modules = slices.Clone(old.models), slices.Clone(old.slices), slices.Clone(old.modules)
	for k := range old.slices {
		s := &old.slices[k]
		inputs := old.inputs(r.method.methods[0], s)
		for _, i := range s.models {
			r.models[i].files = r.kept(old.models[i].files)
			if slices.Contains(inputs, i) {
				r.models[i].params = fl.model(i, k)
			} else {
				r.models[i].params = fl.unused(&old.models[i].params)
			}
		}
		r.slices[k].params = fl.shared(&s.params, []int{k}, old.shared(s)[1:])
	}
	for i := range old.modules {
		m := &old.modules[i]
		r.modules[i].params = fl.shared(&m.params, m.slices, []*scope{&old.global})
	}
	r.global = fl.shared(&old.global, seq(len(old.slices)), nil)
	return r.reread()
}

// reread is the recipe through its text, so that it is what would be read back.
func (r *Recipe) reread() (*Recipe, error) {
	read, err := Parse(r.name, r.Marshal())
	if err != nil {
		return nil, fmt.Errorf("%s: filling its holes gave a recipe that is not valid: %w", r.name, err)
	}
	return read, nil
}

// filler writes numbers into the holes of a recipe.
type filler struct {
	f     *Family
	genes []float64
	table table // of the one method
	// moved are the parameters that have, outside the models, a hole for each
	// model, or one told apart by tensors, which slices may call differently in
	// each model: what all scopes say of those is spelled out in each model.
	moved set[string]
}

func perModel(r *Recipe) set[string] {
	var names set[string]
	of := map[*scope]bool{}
	for i := range r.models {
		of[&r.models[i].params] = true
	}
	for _, s := range r.scopes() {
		if of[s] {
			continue
		}
		for i := range s.params {
			row := r.method.rows(s.params[i].name)[0]
			for _, h := range s.params[i].holes() {
				if h.per != nil && (h.per.model || row.PerSource && r.form != asModels) {
					names.add(s.params[i].name)
				}
			}
		}
	}
	return names
}

// model fills the parameters of an input of slice k.
func (fl *filler) model(i, k int) scope {
	own := &fl.f.recipe.models[i].params
	s := scope{inert: fl.inert(own)}
	for _, row := range fl.table.methods[0].Params {
		if !row.PerSource {
			continue
		}
		scopes := fl.f.recipe.scopesOf(row.Name, i, &fl.f.recipe.slices[k])
		p := own.find(row.Name)
		switch {
		case fl.moved[row.Name] && fl.reads(scopes, p, i, k):
			// The scopes in their order are all there is to say.
			fl.put(&s, row, fl.spelled(row, i, []int{k}, scopes, nil))
		case p != nil:
			fl.put(&s, row, fl.filled(row, i, []int{k}, p, scopes[1:]))
		}
	}
	return s
}

// reads reports whether any tensor gets its number from another scope than the
// model's own parameter, which may be nil.
func (fl *filler) reads(scopes []*parameter, own *parameter, model, slice int) bool {
	if own == nil {
		return true
	}
	for t := range fl.f.tensors {
		if fl.f.tensors[t].slice == slice && fl.f.leaf(&own.setting, model, t) == nil {
			return len(scopes) > 1
		}
	}
	return false
}

// shared fills the parameters of a slice, of a module or of the recipe, which
// hold for some slices. Behind it are the scopes that what it leaves unset falls
// to.
func (fl *filler) shared(old *scope, of []int, behind []*scope) scope {
	s := scope{inert: fl.inert(old)}
	for i := range old.params {
		p := &old.params[i]
		row, ok := fl.table.methods[0].Param(p.name)
		if !ok || fl.moved[p.name] {
			continue
		}
		var next []*parameter
		for _, b := range behind {
			if q := b.find(p.name); q != nil {
				next = append(next, q)
			}
		}
		fl.put(&s, row, fl.filled(row, -1, of, p, next))
	}
	return s
}

// unused fills the parameters of a model that the method takes no parameters of:
// numbers stay as they are, holes go.
func (fl *filler) unused(old *scope) scope {
	s := scope{inert: fl.inert(old)}
	for _, p := range old.params {
		if _, ok := fl.table.methods[0].Param(p.name); ok && len(p.holes()) == 0 {
			s.params = append(s.params, p)
		}
	}
	return s
}

func (fl *filler) inert(old *scope) []inert {
	var kept []inert
	for _, p := range old.inert {
		if fl.table.inert(p.name) {
			kept = append(kept, p)
		}
	}
	return kept
}

func (fl *filler) put(s *scope, row merge.Param, v *setting) {
	if v != nil {
		s.params = append(s.params, parameter{name: row.Name, setting: *v})
	}
}

// filled fills one scope's setting: in place, where each hole has one gene, and
// otherwise spelled out. What it leaves unset falls to the scopes behind.
func (fl *filler) filled(row merge.Param, model int, of []int, p *parameter, behind []*parameter) *setting {
	if slices.ContainsFunc(p.holes(), func(h *hole) bool { return h.per != nil }) {
		return fl.spelled(row, model, of, []*parameter{p}, behind)
	}
	return fl.replaced(&p.setting)
}

// replaced copies a setting with numbers for holes.
func (fl *filler) replaced(s *setting) *setting {
	c := *s
	if s.hole != nil {
		return &setting{place: s.place, number: fl.genes[fl.f.genes[s.hole].gene[[2]int{-1, 0}]]}
	}
	c.gradient = slices.Clone(s.gradient)
	for i := range c.gradient {
		c.gradient[i] = *fl.replaced(&c.gradient[i])
	}
	c.filters = slices.Clone(s.filters)
	for i := range c.filters {
		c.filters[i].value = *fl.replaced(&c.filters[i].value)
	}
	return &c
}

// spelled says for each tensor of some slices what some scopes give it, as a list
// of filters.
func (fl *filler) spelled(row merge.Param, model int, of []int, scopes, behind []*parameter) *setting {
	want := make([]target, len(fl.f.tensors))
	named := slices.Clone(fl.f.tensors)
	for t := range want {
		w := &want[t]
		if !slices.Contains(of, named[t].slice) {
			w.state = free
			continue
		}
		named[t].name = fl.f.nameFor(t, model)
		named[t].prefix, named[t].layer = layerOf(named[t].name)
		leaf := fl.f.resolve(scopes, model, t)
		if leaf == nil {
			w.state, w.value = unset, row.Default
			leaf = fl.f.resolve(behind, model, t)
		}
		if leaf == nil {
			continue
		}
		if v, ok := fl.number(leaf, row, model, t); ok {
			w.value = v
		} else {
			w.state = free
		}
	}
	var hints []string
	for _, p := range scopes {
		for _, e := range p.filters {
			hints = append(hints, e.filter)
		}
		for _, h := range p.holes() {
			if h.per != nil {
				hints = append(hints, h.per.match...)
			}
		}
	}
	return filtersFor(named, want, hints)
}

// number reads a leaf; false if no merge of the family reads it there, so that
// it has no gene.
func (fl *filler) number(leaf *setting, row merge.Param, model, t int) (float64, bool) {
	for _, h := range leaf.read() {
		set := fl.f.genes[h]
		if _, ok := set.gene[set.key(h, model, t)]; !ok {
			return 0, false
		}
	}
	return fl.f.slot(leaf, stepped(row), model, t).value(fl.genes), true
}
