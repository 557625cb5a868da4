package view

import "github.com/mergevo/mergevo/tensors"

var _, _, _, _, _ tensors.Derived = (*renamed)(nil), (*overlaid)(nil), (*adapted)(nil), (*rowed)(nil), (*permuted)(nil)

// Behind implements [tensors.Derived].
func (v *renamed) Behind(name string) (tensors.Source, string, *tensors.Product) {
	return v.src, v.from[name], nil
}

// Behind implements [tensors.Derived].
func (v *overlaid) Behind(name string) (tensors.Source, string, *tensors.Product) {
	other, ok := v.over[name]
	if !ok {
		return v.src, name, nil
	}
	mine, _ := v.Lookup(name)
	if t, ok := v.from.Lookup(other); ok && t.DType == mine.DType {
		return v.from, other, nil
	}
	return nil, "", nil // rounded
}

// Behind implements [tensors.Derived].
func (v *rowed) Behind(name string) (tensors.Source, string, *tensors.Product) {
	if _, ok := v.tables[name]; ok {
		return nil, "", nil
	}
	return v.src, name, nil
}

// Behind implements [tensors.Derived].
func (v *permuted) Behind(name string) (tensors.Source, string, *tensors.Product) {
	if v.places[name] != nil {
		return nil, "", nil
	}
	return v.src, name, nil
}

// Behind implements [tensors.Derived].
func (v *adapted) Behind(name string) (tensors.Source, string, *tensors.Product) {
	p, ok := v.patches[name]
	if !ok {
		return v.src, name, nil
	}
	if p.mid != "" {
		return nil, "", nil // three factors
	}
	add := &tensors.Product{Rows: p.rows, Cols: p.cols, Rank: p.rank, Scale: p.scale,
		From: v.factors.weights, Left: p.left, Right: p.right, Transposed: p.transposed}
	if p.dora != nil {
		add.Lengths = func() ([]float32, error) {
			f, err := v.factors.get(p)
			if err != nil {
				return nil, err
			}
			return p.dora.get(v, name, p, f)
		}
	}
	return v.src, name, add
}
