package merge

import (
	"context"
	"errors"
	"fmt"

	"github.com/mergevo/mergevo/internal/dense"
)

// matrices are a tensor's task vectors as matrices of at least as many rows as
// columns: transposed, where the tensor is wide. They are read in blocks of rows, so
// that none need be kept.
type matrices struct {
	p          *Profile
	rows, cols int // rows >= cols
	wide       bool
}

// asMatrix returns the rows and columns of a tensor as a matrix, 0 if it is none: of a
// convolution, if asked for, the output channels and everything else.
func (p *Profile) asMatrix(convolutions bool) (rows, cols int) {
	if len(p.shape) < 2 || len(p.shape) > 2 && !convolutions {
		return 0, 0
	}
	return p.shape[0], p.n / max(1, p.shape[0])
}

// matrices returns the task vectors as matrices of that shape.
func (p *Profile) matrices(rows, cols int) matrices {
	if rows < cols {
		return matrices{p: p, rows: cols, cols: rows, wide: true}
	}
	return matrices{p: p, rows: rows, cols: cols}
}

// blockRows is how many rows are read at a time: a multiple of what products are
// summed over at once, so that sums are the same however much is read.
func blockRows(cols int) int { return max(256, 1<<19/max(1, cols)&^255) }

// each calls visit for the blocks of rows of the task matrices of some sources, in
// order; the sum of all is source -1. A block is not to be kept.
func (m matrices) each(ctx context.Context, sources []int, visit func(lo, hi int, blocks []dense.Matrix)) error {
	step := min(blockRows(m.cols), m.rows)
	all := make([]dense.Matrix, len(sources))
	for i := range all {
		all[i] = dense.New(step, m.cols)
	}
	for lo := 0; lo < m.rows; lo += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		hi := min(lo+step, m.rows)
		blocks := make([]dense.Matrix, len(sources))
		for i, s := range sources {
			blocks[i] = all[i].Part(0, hi-lo, 0, m.cols)
			if err := m.read(s, lo, hi, blocks[i]); err != nil {
				return err
			}
		}
		visit(lo, hi, blocks)
	}
	return nil
}

// summed stands for the sum of all sources.
const summed = -1

// read sets dst to rows [lo, hi) of a source's task matrix.
func (m matrices) read(source, lo, hi int, dst dense.Matrix) error {
	dst.Clear()
	if source != summed {
		return m.add(source, lo, hi, dst)
	}
	for i := range m.p.source {
		if err := m.add(i, lo, hi, dst); err != nil {
			return err
		}
	}
	return nil
}

// add adds rows [lo, hi) of a source's task matrix to dst.
func (m matrices) add(source, lo, hi int, dst dense.Matrix) error {
	if !m.wide {
		return m.line(source, lo*m.cols, (hi-lo)*m.cols, func(at int, v []float32) {
			for i, x := range v {
				dst.Data[at+i] += float64(x)
			}
		})
	}
	for c := range m.cols {
		err := m.line(source, c*m.rows+lo, hi-lo, func(at int, v []float32) {
			for i, x := range v {
				dst.Data[(at+i)*dst.Row+c] += float64(x)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// line visits n elements of a source's task vector.
func (m matrices) line(source, off, n int, visit func(at int, v []float32)) error {
	v, scratch := make([]float32, min(n, blockLen)), make([]float32, min(n, blockLen))
	for at := 0; at < n; at += blockLen {
		part := v[:min(blockLen, n-at)]
		if err := m.p.delta(source, off+at, part, scratch); err != nil {
			return err
		}
		visit(at, part)
	}
	return nil
}

// notFinite says which model holds NaN or Inf in this tensor, the base before others.
func (p *Profile) notFinite(ctx context.Context) error {
	for _, s := range p.inputs() {
		at, value, err := firstNonfinite(ctx, s, p.tensor, p.n)
		if err != nil {
			return err
		}
		if at >= 0 {
			return fmt.Errorf("%s holds %g at index %d: what a method derives from matrices needs finite numbers", s.Path(), value, at)
		}
	}
	return errors.New("differences of the models are too large for float32: what a method derives from matrices needs finite numbers")
}

// grams returns d^T d of some sources, n x n.
func (m matrices) grams(ctx context.Context, sources ...int) ([]dense.Matrix, error) {
	out := make([]dense.Matrix, len(sources))
	for i := range out {
		out[i] = dense.New(m.cols, m.cols)
	}
	err := m.each(ctx, sources, func(_, _ int, blocks []dense.Matrix) {
		for i, b := range blocks {
			dense.AddGram(out[i], b)
		}
	})
	for _, g := range out {
		dense.Mirror(g)
		for j := range g.Rows {
			if x := g.At(j, j); x-x != 0 && err == nil {
				err = m.p.notFinite(ctx)
			}
		}
	}
	return out, err
}
