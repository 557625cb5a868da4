package view

import (
	"fmt"

	"github.com/mergevo/mergevo/tensors"
)

// Factors returns, for each module that the adapter adapts, the scale of the product of
// its factors. It is an error where the adapter is more than such products, so that
// merging its tensors one by one says nothing of what it does.
func (a *Adapter) Factors() (map[string]float32, error) {
	switch {
	case a.config.Dora:
		return nil, fmt.Errorf("%s is a DoRA adapter, whose lengths say nothing without its base: merge it on its base, as base+adapter", a.path)
	case len(a.whole) > 0:
		return nil, fmt.Errorf("%s holds %s whole: merge it on its base, as base+adapter", a.path, a.whole[0].name)
	}
	scales := map[string]float32{}
	for _, m := range a.modules {
		scales[m.name] = m.scale
	}
	return scales, nil
}

// Products returns what the adapter adds to the tensors of src, by their names; the
// factors are named as in the adapter's file. See [Adapter.On] for what must match.
func (a *Adapter) Products(src tensors.Source) (map[string]*tensors.Product, error) {
	v, err := a.On(src)
	if err != nil {
		return nil, err
	}
	out := map[string]*tensors.Product{}
	for _, t := range v.Tensors() {
		if _, _, add := v.(tensors.Derived).Behind(t.Name); add != nil {
			out[t.Name] = add
		}
	}
	return out, nil
}
