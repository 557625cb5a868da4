package recipes

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// Family is a recipe on a set of tensors: for each point of its box, a merge.
// It is not changed after [Recipe.Bind], and may be used by several goroutines.
type Family struct {
	recipe  *Recipe
	tensors []tensor
	index   map[string]int // of a tensor by name
	genes   map[*hole]*geneSet
	box     evolve.Box
	decode  []decodeGene // by gene
	plans   []plan       // by method
	// leaves says for each setting with filters which entry each tensor gets.
	leaves map[*setting][]int32
}

// Bind decides what the recipe says of each tensor. The infos are the tensors
// that are merged: those of floating point.
func (r *Recipe) Bind(infos []tensors.Info) (*Family, error) {
	f := &Family{recipe: r, index: map[string]int{}, genes: map[*hole]*geneSet{}, leaves: map[*setting][]int32{}}
	var count map[string]int
	f.tensors, count = layered(infos)
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
	d.checkLayers(r, count)
	for _, s := range r.scopes() {
		for i := range s.params {
			f.match(d, &s.params[i].setting)
		}
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	f.findGenes(d)
	if err := d.err(); err != nil {
		return nil, err
	}
	f.makePlans()
	return f, nil
}

// match finds the entry of a list of filters that each tensor gets.
func (f *Family) match(d *decoder, s *setting) {
	for i := range s.filters {
		e := &s.filters[i]
		d.matches(f.tensors, e.filter, e.place, "filter")
	}
	for _, h := range s.holes() {
		if h.per == nil {
			continue
		}
		for i, m := range h.per.match {
			d.matches(f.tensors, m, h.per.matchAt[i], "match")
		}
	}
	if s.filters == nil {
		return
	}
	leaf := make([]int32, len(f.tensors))
	for i, t := range f.tensors {
		leaf[i] = int32(slices.IndexFunc(s.filters, func(e filtered) bool { return strings.Contains(t.name, e.filter) }))
	}
	f.leaves[s] = leaf
}

// matches reports a substring that is in no tensor's name.
func (d *decoder) matches(ts []tensor, sub string, p place, what string) {
	if slices.ContainsFunc(ts, func(t tensor) bool { return strings.Contains(t.name, sub) }) {
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

// leaf returns what a setting gives a tensor, or nil.
func (f *Family) leaf(s *setting, tensor int) *setting {
	if s.filters == nil {
		return s
	}
	if i := f.leaves[s][tensor]; i >= 0 {
		return &s.filters[i].value
	}
	return nil
}

// scopesOf lists the settings of a parameter in the order they are looked up:
// those of the model (the i-th, -1 for what is not a model's), of the slice, of
// the recipe.
func (r *Recipe) scopesOf(name string, i int) []*parameter {
	all := make([]*parameter, 0, 3)
	if i >= 0 {
		if p := r.models[i].params.find(name); p != nil {
			all = append(all, p)
		}
	}
	for _, s := range []*scope{&r.slice, &r.global} {
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
		inputs := f.recipe.inputs(m)
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
				scopes := f.recipe.scopesOf(p.Name, i)
				for u.tensor = range f.tensors {
					u.leaf = f.resolve(scopes, u.tensor)
					visit(u)
				}
			}
		}
	}
}

// resolve returns what the first scope that says something says.
func (f *Family) resolve(scopes []*parameter, tensor int) *setting {
	for _, p := range scopes {
		if leaf := f.leaf(&p.setting, tensor); leaf != nil {
			return leaf
		}
	}
	return nil
}
