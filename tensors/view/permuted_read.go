package view

import "github.com/mergevo/mergevo/tensors"

// ReadAt reads the elements of src that are in those places.
func (v *permuted) ReadAt(dst []float32, name string, off int) error {
	info, err := v.numbers(name, off, len(dst))
	if err != nil {
		return err
	}
	axes, err := v.axes(info)
	if err != nil {
		return err
	}
	if axes == nil {
		return v.src.ReadAt(dst, name, off)
	}
	return v.Stored(name, off, len(dst), func(b []byte) error { return tensors.Decode(dst, b, info.DType) })
}

// Stored gathers the bytes of the elements that are in those places.
func (v *permuted) Stored(name string, off, n int, use func([]byte) error) error {
	info, err := v.piece(name, off, n)
	if err != nil {
		return err
	}
	axes, err := v.axes(info)
	if err != nil {
		return err
	}
	if axes == nil || n == 0 {
		return v.src.Stored(name, off, n, use)
	}
	return withScratch(&bytePool, n*info.DType.Size(), func(b []byte) error {
		if err := v.gather(b, info, axes, off, n); err != nil {
			return err
		}
		return use(b)
	})
}

// gather copies elements [off, off+n) of a tensor to b. A slab is all that has the same
// indices on the axes before the last one that moves: in src it is one stretch, too.
func (v *permuted) gather(b []byte, t tensors.Info, axes [][]int, off, n int) error {
	last := len(axes) - 1
	for axes[last] == nil {
		last--
	}
	inner, size := 1, t.DType.Size()
	for _, d := range t.Shape[last+1:] {
		inner *= d
	}
	cols := axes[last]
	slab := len(cols) * inner
	for done := 0; done < n; {
		row, at := (off+done)/slab, (off+done)%slab
		part := min(n-done, slab-at)
		to := b[done*size : (done+part)*size]
		from := sourceRow(row, t.Shape[:last], axes[:last]) * slab
		if last == 0 { // one slab, and runs of it: it may be large
			if err := v.runs(to, t, cols, inner, at, part); err != nil {
				return err
			}
		} else if err := v.src.Stored(t.Name, from, slab, func(src []byte) error {
			pick(to, src, cols, inner*size, at*size)
			return nil
		}); err != nil {
			return err
		}
		done += part
	}
	return nil
}

// sourceRow is the row-major index in src of a row-major index over leading axes.
func sourceRow(row int, shape []int, axes [][]int) int {
	from, stride := 0, 1
	for k := len(shape) - 1; k >= 0; k-- {
		i := row % shape[k]
		row /= shape[k]
		if axes[k] != nil {
			i = axes[k][i]
		}
		from += i * stride
		stride *= shape[k]
	}
	return from
}

// pick copies bytes from at on of a slab whose columns, of width bytes, stand in another
// order in src.
func pick(to, src []byte, cols []int, width, at int) {
	for len(to) > 0 {
		col, in := at/width, at%width
		n := copy(to, src[cols[col]*width+in:(cols[col]+1)*width])
		to, at = to[n:], at+n
	}
}

// runs copies elements [at, at+n) of a tensor whose first axis alone moves; neighbours
// that stay neighbours are read together.
func (v *permuted) runs(to []byte, t tensors.Info, rows []int, inner, at, n int) error {
	size := t.DType.Size()
	for n > 0 {
		row, in := at/inner, at%inner
		end := row + 1
		for end < len(rows) && rows[end] == rows[end-1]+1 && end*inner < at+n {
			end++
		}
		part := min(n, end*inner-at)
		err := v.src.Stored(t.Name, rows[row]*inner+in, part, func(src []byte) error {
			copy(to[:part*size], src)
			return nil
		})
		if err != nil {
			return err
		}
		to, at, n = to[part*size:], at+part, n-part
	}
	return nil
}
