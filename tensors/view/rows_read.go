package view

import (
	"github.com/mergevo/mergevo/tensors"
)

// ReadAt reads the rows that the tensor is made of.
func (v *rowed) ReadAt(dst []float32, name string, off int) error {
	info, err := v.numbers(name, off, len(dst))
	if err != nil {
		return err
	}
	table, ok := v.tables[name]
	if !ok {
		return v.src.ReadAt(dst, name, off)
	}
	return pieces(info, table, off, len(dst), func(r *run, at, from, n int) error {
		part := dst[at-off : at-off+n]
		if r.copies() {
			return r.of[0].Source.ReadAt(part, r.of[0].Tensor, from)
		}
		return r.compute(part, info, from)
	})
}

// Stored copies the bytes of the rows that the tensor is made of; a range inside
// one run of another tensor's rows is given as it is there.
func (v *rowed) Stored(name string, off, n int, use func([]byte) error) error {
	info, err := v.piece(name, off, n)
	if err != nil {
		return err
	}
	table, ok := v.tables[name]
	if !ok {
		return v.src.Stored(name, off, n, use)
	}
	if _, cols := dims(info.Shape); n > 0 {
		if r := &table[find(table, off/cols)]; r.copies() && off+n <= (r.at+r.rows)*cols {
			return r.of[0].Source.Stored(r.of[0].Tensor, off+(r.of[0].Row-r.at)*cols, n, use)
		}
	}
	size := info.DType.Size()
	return withScratch(&bytePool, n*size, func(b []byte) error {
		err := pieces(info, table, off, n, func(r *run, at, from, n int) error {
			part := b[(at-off)*size : (at-off+n)*size]
			switch {
			case r.copies():
				return r.of[0].Source.Stored(r.of[0].Tensor, from, n, func(b []byte) error {
					copy(part, b)
					return nil
				})
			case len(r.of) == 0:
				clear(part) // of any type, also one that is not read as numbers
				return nil
			}
			return withScratch(&numberPool, n, func(x []float32) error {
				if err := r.compute(x, info, from); err != nil {
					return err
				}
				return tensors.Encode(part, x, info.DType)
			})
		})
		if err != nil {
			return err
		}
		return use(b)
	})
}

// pieces cuts elements [off, off+n) of a tensor at the ends of runs, and at the
// ends of rows where a row is computed. from is where a piece lies: in the tensor
// that it is copied from, or in its row.
func pieces(t tensors.Info, table []run, off, n int, do func(r *run, at, from, n int) error) error {
	if n == 0 {
		return nil
	}
	_, cols := dims(t.Shape)
	for i, at, end := find(table, off/cols), off, off+n; at < end; {
		r := &table[i]
		stop, from := (r.at+r.rows)*cols, 0
		switch {
		case r.copies():
			from = at + (r.of[0].Row-r.at)*cols
		case len(r.of) > 0:
			from = at % cols
			stop = at - from + cols
		}
		stop = min(stop, end)
		if err := do(r, at, from, stop-at); err != nil {
			return err
		}
		at = stop
		if at == (r.at+r.rows)*cols {
			i++
		}
	}
	return nil
}

// compute sets dst to elements of one row, from column on: the mean of what the
// row names, rounded to the tensor's type.
func (r *run) compute(dst []float32, t tensors.Info, column int) error {
	clear(dst)
	if len(r.of) == 0 {
		return nil
	}
	_, cols := dims(t.Shape)
	err := withScratch(&numberPool, len(dst), func(x []float32) error {
		for i, ref := range r.of {
			if ref.Row == MeanRow {
				mean, err := r.means[i].get()
				if err != nil {
					return err
				}
				copy(x, mean[column:])
			} else if err := ref.Source.ReadAt(x, ref.Tensor, ref.Row*cols+column); err != nil {
				return err
			}
			for j, v := range x {
				dst[j] += v
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if k := float32(len(r.of)); k > 1 {
		for j := range dst {
			dst[j] /= k
		}
	}
	return round(dst, t.DType)
}
