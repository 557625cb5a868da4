package recipes

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/merge/niche"
	"github.com/mergevo/mergevo/tensors"
)

// Family is a recipe on a set of tensors: for each point of its box, a merge.
// It is not changed after [Recipe.Bind], and may be used by several goroutines.
type Family struct {
	recipe  *Recipe
	from    *Arrangement
	tensors []tensor
	index   map[string]int // of a tensor by name
	genes   map[*hole]*geneSet
	box     evolve.Box
	decode  []decodeGene // by gene
	plans   []plan       // by method
	flat    *niche.Flat  // of a niche merge
	stack   *stack       // nil unless a search chooses the layers; its genes come first
}

// Bind is Arrange and Bind for models that all hold the same tensors.
func (r *Recipe) Bind(infos []tensors.Info) (*Family, error) {
	have := map[string][]tensors.Info{}
	for _, ref := range r.Models() {
		have[ref] = infos
	}
	a, err := r.Arrange(have)
	if err != nil {
		return nil, err
	}
	if r.form != asModels {
		infos = a.tensors()
	}
	return a.Bind(infos)
}

// Bind decides what the recipe says of each tensor. The infos are the tensors
// that are merged, by their names in the output: those of floating point.
func (a *Arrangement) Bind(infos []tensors.Info) (*Family, error) {
	r := a.recipe
	f := &Family{recipe: r, from: a, stack: a.stack, index: map[string]int{}, genes: map[*hole]*geneSet{}}
	f.tensors = a.layered(infos)
	if len(f.tensors) == 0 {
		return nil, fmt.Errorf("%s: there are no tensors to merge", r.name)
	}
	for i, t := range f.tensors {
		if _, ok := f.index[t.name]; ok {
			return nil, fmt.Errorf("%s: tensor %q appears twice", r.name, t.name)
		}
		f.index[t.name] = i
	}
	d := &decoder{}
	for _, s := range r.scopes() {
		for i := range s.params {
			f.match(d, &s.params[i].setting)
		}
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	f.findGenes(d)
	if r.niched() {
		f.flatten(d, infos)
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	f.makePlans()
	return f, nil
}

// match reports filters and matches that are in no tensor's name.
func (f *Family) match(d *decoder, s *setting) {
	for i := range s.filters {
		e := &s.filters[i]
		f.matches(d, e.filter, e.place, "filter")
	}
	for _, h := range s.holes() {
		if h.per == nil {
			continue
		}
		for i, m := range h.per.match {
			f.matches(d, m, h.per.matchAt[i], "match")
		}
	}
}

// matches reports a substring that is in no tensor's name.
func (f *Family) matches(d *decoder, sub string, p place, what string) {
	ts := f.tensors
	if slices.ContainsFunc(ts, func(t tensor) bool { return strings.Contains(t.name, sub) }) || f.from.anyInput(sub) {
		return
	}
	var parts set[string]
	var words []string
	for _, t := range ts {
		for part := range strings.SplitSeq(t.name, ".") {
			if parts.add(part) {
				words = append(words, part)
			}
		}
	}
	hint := d.didYouMean(sub, words)
	if hint == "" {
		hint = fmt.Sprintf("a tensor's name is such as %q", ts[len(ts)/2].name)
	}
	d.hint(p, hint, "%s %q matches no tensor", what, shorten(sub))
}

// nameFor is what a tensor is called where a parameter of a model is looked up,
// its name in that model's checkpoint; model is -1 for its name in the output.
func (f *Family) nameFor(tensor, model int) string {
	name := f.tensors[tensor].name
	if model >= 0 {
		if in, ok := f.from.input(model, name); ok {
			return in
		}
	}
	return name
}

// leaf returns what a setting gives a tensor, of a model or of all, or nil.
func (f *Family) leaf(s *setting, model, tensor int) *setting {
	if s.filters == nil {
		return s
	}
	name := f.nameFor(tensor, model)
	for i := range s.filters {
		if strings.Contains(name, s.filters[i].filter) {
			return &s.filters[i].value
		}
	}
	return nil
}

// scopesOf lists the settings of a parameter in the order they are looked up for
// a slice: those of the model (the i-th, -1 for what is not a model's), of the
// slice, of the module, of the recipe.
func (r *Recipe) scopesOf(name string, i int, s *slice) []*parameter {
	all := make([]*parameter, 0, 4)
	if i >= 0 {
		if p := r.models[i].params.find(name); p != nil {
			all = append(all, p)
		}
	}
	for _, s := range r.shared(s) {
		if p := s.find(name); p != nil {
			all = append(all, p)
		}
	}
	return all
}

// slotUse is a place where a merge reads a number: a method's parameter, of one
// model or of the tensor, and what the recipe says there. leaf is nil where it
// says nothing.
type slotUse struct {
	method, input, model, tensor int // input and model are -1 for a tensor's
	param                        merge.Param
	leaf                         *setting
}

// uses visits every number that any of the methods reads of any tensor.
func (f *Family) uses(visit func(slotUse)) {
	for k, m := range f.recipe.method.methods {
		for si := range f.recipe.slices {
			s := &f.recipe.slices[si]
			inputs := f.recipe.inputs(m, s)
			for _, p := range m.Params {
				of := []int{-1}
				if p.PerSource {
					of = inputs
				}
				for j, i := range of {
					u := slotUse{method: k, input: j, model: i, param: p}
					if i < 0 {
						u.input = -1
					}
					scopes := f.recipe.scopesOf(p.Name, i, s)
					for u.tensor = range f.tensors {
						if f.tensors[u.tensor].slice != si {
							continue
						}
						u.leaf = f.resolve(scopes, i, u.tensor)
						visit(u)
					}
				}
			}
		}
	}
}

// resolve returns what the first scope that says something says.
func (f *Family) resolve(scopes []*parameter, model, tensor int) *setting {
	for _, p := range scopes {
		if leaf := f.leaf(&p.setting, model, tensor); leaf != nil {
			return leaf
		}
	}
	return nil
}
