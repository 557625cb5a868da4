package view

import "github.com/mergevo/mergevo/tensors"

// overlaid is src with some tensors read from elsewhere instead, in src's types.
type overlaid struct {
	catalog
	src  tensors.Source
	from tensors.Source
	over map[string]string // name in from of each tensor replaced
}

// ReadAt reads the tensor of src, or what replaces it.
func (v *overlaid) ReadAt(dst []float32, name string, off int) error {
	info, err := v.numbers(name, off, len(dst))
	if err != nil {
		return err
	}
	other, ok := v.over[name]
	if !ok {
		return v.src.ReadAt(dst, name, off)
	}
	if err := v.from.ReadAt(dst, other, off); err != nil {
		return err
	}
	return round(dst, info.DType)
}

// Stored gives use the bytes of the tensor of src, or of what replaces it.
func (v *overlaid) Stored(name string, off, n int, use func([]byte) error) error {
	info, err := v.piece(name, off, n)
	if err != nil {
		return err
	}
	other, ok := v.over[name]
	if !ok {
		return v.src.Stored(name, off, n, use)
	}
	if t, ok := v.from.Lookup(other); ok && t.DType == info.DType {
		return v.from.Stored(other, off, n, use)
	}
	return stored(info.DType, off, n, use, func(dst []float32, off int) error {
		return v.from.ReadAt(dst, other, off)
	})
}
