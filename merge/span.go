package merge

import (
	"context"

	"github.com/mergevo/mergevo/internal/dense"
)

// span is a matrix whose columns are combinations of those of the task matrices: the
// sum of d_i P over its terms, from column at on.
type span struct {
	m     matrices
	cols  int
	terms []term
}

type term struct {
	source int // summed stands for all
	by     dense.Matrix
	at     int
}

// sources are those that the terms need.
func (s *span) sources() []int {
	var list []int
	at := map[int]bool{}
	for _, t := range s.terms {
		if !at[t.source] {
			at[t.source] = true
			list = append(list, t.source)
		}
	}
	return list
}

// set sets dst to the rows of the span whose task matrices are given.
func (s *span) set(dst dense.Matrix, sources []int, blocks []dense.Matrix) {
	dst.Clear()
	for _, t := range s.terms {
		for i, source := range sources {
			if source == t.source {
				dense.AddMul(dst.Columns(t.at, t.at+t.by.Cols), blocks[i], t.by, 1)
			}
		}
	}
}

// gram returns that of the span.
func (s *span) gram(ctx context.Context) (dense.Matrix, error) {
	g := dense.New(s.cols, s.cols)
	sources := s.sources()
	a := dense.New(min(blockRows(s.m.cols), s.m.rows), s.cols)
	err := s.m.each(ctx, sources, func(lo, hi int, blocks []dense.Matrix) {
		part := a.Part(0, hi-lo, 0, s.cols)
		s.set(part, sources, blocks)
		dense.AddGram(g, part)
	})
	dense.Mirror(g)
	return g, err
}

// times derives the products of the span with some matrices, cols x n: task matrices
// again, an operand each. Tall ones are made as they are asked for, wide ones at once.
func (s *span) times(by []dense.Matrix) Derivation {
	if !s.m.wide {
		return &byRows{rows: s.m.rows, cols: s.m.cols, block: min(blockRows(s.m.cols), s.m.rows),
			fill: func(ctx context.Context, lo, hi int, dst [][]float32) error {
				return s.products(ctx, by, lo, hi, func(i, row int, v []float64) {
					to := dst[i][(row-lo)*s.m.cols:]
					for j, x := range v {
						to[j] = float32(x)
					}
				})
			}}
	}
	return &byRows{rows: s.m.cols, cols: s.m.rows, block: s.m.cols,
		fill: func(ctx context.Context, _, _ int, dst [][]float32) error {
			return s.products(ctx, by, 0, s.m.rows, func(i, row int, v []float64) {
				for j, x := range v {
					dst[i][j*s.m.rows+row] = float32(x)
				}
			})
		}}
}

// products calls visit with rows [lo, hi) of the products.
func (s *span) products(ctx context.Context, by []dense.Matrix, lo, hi int, visit func(i, row int, v []float64)) error {
	sources := s.sources()
	step := min(blockRows(s.m.cols), hi-lo)
	blocks := make([]dense.Matrix, len(sources))
	for ; lo < hi; lo += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(step, hi-lo)
		for i, source := range sources {
			if blocks[i].Rows != n {
				blocks[i] = dense.New(n, s.m.cols)
			}
			if err := s.m.read(source, lo, lo+n, blocks[i]); err != nil {
				return err
			}
		}
		a, out := dense.New(n, s.cols), dense.New(n, s.m.cols)
		s.set(a, sources, blocks)
		for i, b := range by {
			dense.Mul(out, a, b)
			for r := range n {
				visit(i, lo+r, out.Data[r*out.Row:][:out.Cols])
			}
		}
	}
	return nil
}
