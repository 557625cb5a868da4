package view

import "github.com/mergevo/mergevo/tensors"

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
