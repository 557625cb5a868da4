package view

import (
	"math"
	"sync"

	"github.com/mergevo/mergevo/tensors"
)

// adapted is src with the products of an adapter's factors added.
type adapted struct {
	catalog
	src     tensors.Source
	patches map[string]*patch
	factors factorCache
}

// ReadAt reads the tensor of src and adds the adapter to it.
func (v *adapted) ReadAt(dst []float32, name string, off int) error {
	info, err := v.numbers(name, off, len(dst))
	if err != nil {
		return err
	}
	p, ok := v.patches[name]
	if !ok {
		return v.src.ReadAt(dst, name, off)
	}
	if err := v.merged(dst, name, p, off); err != nil {
		return err
	}
	return round(dst, info.DType)
}

// Stored gives use what ReadAt reads, in the type of src.
func (v *adapted) Stored(name string, off, n int, use func([]byte) error) error {
	info, err := v.piece(name, off, n)
	if err != nil {
		return err
	}
	p, ok := v.patches[name]
	if !ok {
		return v.src.Stored(name, off, n, use)
	}
	return stored(info.DType, off, n, use, func(dst []float32, off int) error {
		return v.merged(dst, name, p, off)
	})
}

// merged sets dst to elements of a patched tensor from off on, before rounding.
func (v *adapted) merged(dst []float32, name string, p *patch, off int) error {
	f, err := v.factors.get(p)
	if err != nil {
		return err
	}
	if p.dora == nil {
		return v.sum(dst, name, p, f, off)
	}
	factor, err := p.dora.get(v, name, p, f)
	if err != nil {
		return err
	}
	if err := v.sum(dst, name, p, f, off); err != nil {
		return err
	}
	eachRow(dst, off, p.cols, func(x []float32, row, col int) {
		if p.transposed {
			for j, m := range factor[col : col+len(x)] {
				x[j] *= m
			}
			return
		}
		m := factor[row]
		for j := range x {
			x[j] *= m
		}
	})
	return nil
}

// sum sets dst to W + s·BA, elements from off on.
func (v *adapted) sum(dst []float32, name string, p *patch, f *factors, off int) error {
	if err := v.src.ReadAt(dst, name, off); err != nil {
		return err
	}
	f.addTo(dst, p, off)
	return nil
}

// lengths is what DoRA multiplies with: for each output, the length it has learned
// over the length that W + s·BA has. Outputs are rows of the tensor, or columns of
// one that is transposed.
type lengths struct {
	magnitude string // in the adapter's file

	mu     sync.Mutex
	factor []float32
}

// get returns the factors, computed on first use over the whole tensor, squares
// being summed in float64. A failed read is tried again next time.
func (l *lengths) get(v *adapted, name string, p *patch, f *factors) ([]float32, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.factor != nil {
		return l.factor, nil
	}
	outputs := p.rows
	if p.transposed {
		outputs = p.cols
	}
	squares := make([]float64, outputs)
	all := p.rows * p.cols
	err := withScratch(&numberPool, min(all, pieceLen), func(x []float32) error {
		for off := 0; off < all; off += len(x) {
			x := x[:min(len(x), all-off)]
			if err := v.sum(x, name, p, f, off); err != nil {
				return err
			}
			eachRow(x, off, p.cols, func(x []float32, row, col int) {
				if p.transposed {
					for j, v := range x {
						squares[col+j] += float64(float64(v) * float64(v))
					}
					return
				}
				s := squares[row]
				for _, v := range x {
					s += float64(float64(v) * float64(v))
				}
				squares[row] = s
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	factor := make([]float32, outputs)
	if err := v.factors.weights.ReadAt(factor, l.magnitude, 0); err != nil {
		return nil, err
	}
	for i, s := range squares {
		factor[i] /= float32(math.Sqrt(s))
	}
	l.factor = factor
	return factor, nil
}

// eachRow cuts x, elements of a matrix from off on, at the ends of rows.
func eachRow(x []float32, off, cols int, do func(x []float32, row, col int)) {
	for len(x) > 0 {
		row, col := off/cols, off%cols
		n := min(len(x), cols-col)
		do(x[:n], row, col)
		x, off = x[n:], off+n
	}
}
