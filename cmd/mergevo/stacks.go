package main

import (
	"context"
	"slices"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// at is the recipe that values of the box stand for, bound to the open models, and the
// values of the holes that it still has. A recipe in which a search chooses the layers is
// another for each choice: it is bound here just as it is when its file is opened, so that
// what is scored is what will be written.
func (o *opened) at(values []float64) (*opened, []float64, error) {
	if o.family == nil || !o.family.Stacked() {
		return o, values, nil
	}
	r, rest, err := o.family.Choose(values)
	if err != nil {
		return nil, nil, err
	}
	c := &opened{recipe: r, missing: o.missing, vocabulary: o.vocabulary}
	for _, ref := range r.Models() {
		i := slices.IndexFunc(o.models, func(m *model) bool { return m.ref == ref })
		c.models = append(c.models, o.models[i])
	}
	return c, rest, c.bind()
}

// specAt is the merge that values of the box stand for.
func (o *opened) specAt(values []float64) (*merge.Spec, error) {
	c, rest, err := o.at(values)
	if err != nil {
		return nil, err
	}
	spec, err := c.family.Spec(rest)
	if err == nil && c != o {
		spec.Parents = c.parents
	}
	return spec, err
}

// fill is the recipe without holes that values of the box stand for.
func (o *opened) fill(values []float64) (*recipes.Recipe, error) {
	c, rest, err := o.at(values)
	if err != nil {
		return nil, err
	}
	return c.family.Fill(rest)
}

// wholes are the models themselves, for a table in which no simple merge has their layers.
func (o *opened) wholes(like *merge.Spec) (out []*entry) {
	for _, m := range o.models {
		p, err := m.alone()
		if err != nil {
			continue
		}
		spec := constant("linear", merge.Part{Base: -1, Inputs: []int{0}}, []float64{1}, nil, like)
		spec.Parents = p
		out = append(out, &entry{Name: m.ref, Parent: true, spec: spec})
	}
	return out
}

// alone is a model as the one parent of a merge.
func (m *model) alone() (*merge.Parents, error) {
	return merge.NewParents([]string{m.ref}, []tensors.Source{m.source}, nil, merge.MissingRefuse, true)
}

// checkFinite reads what is merged, and names each model and tensor with NaN or Inf.
func (o *opened) checkFinite(ctx context.Context) error {
	if !o.family.Stacked() {
		return o.parents.CheckFinite(ctx)
	}
	for _, m := range o.models {
		p, err := m.alone()
		if err == nil {
			err = p.CheckFinite(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// resident is the bytes of the parents on the device: what several share counts once.
func (o *opened) resident() int64 {
	if o.onto != nil {
		return merge.Resident(append(o.parents.Sources(), o.onto.source))
	}
	if o.family == nil || !o.family.Stacked() {
		return merge.Resident(o.parents.Sources())
	}
	var all []tensors.Source
	for _, m := range o.models {
		all = append(all, m.source)
	}
	return merge.Resident(all)
}
