package align

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/mergevo/mergevo/merge/spectral"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// Vectors is how well the leading singular vectors of two matrices agree, with the second
// one as it is and in new orders.
//
// With the singular values of each matrix that are at least Gamma of its largest, at
// most Most of them, k of the first and l of the second, and their left and right
// vectors u, v and u', v', it is
//
//	R = Σᵢⱼ |uᵢ·u'ⱼ| |vᵢ·v'ⱼ| / √(k l)
//
// 1 where they are the same but for signs, near 0 where they have nothing to do with
// each other, never more than 1. Orders change the vectors' entries' places and no
// singular value (after Ito, Yamada & Kumagai 2025, arXiv:2402.04051, who explain by
// it why matched models merge).
type Vectors struct {
	Tensor string  `json:"tensor"`
	Before float64 `json:"before"`
	After  float64 `json:"after"`
	// Values are k and l.
	Values [2]int `json:"values"`
}

// Leading says which singular values count.
type Leading struct {
	Gamma float64
	Most  int
}

// Vectors compares the leading singular vectors of the matrices in which units of the
// spec stand; a convolution is its output channels times the rest. Progress is told each
// tensor, before it is read.
func (s *Spec) Vectors(ctx context.Context, a, b tensors.Source, o Orders, which Leading, progress func(tensor string, done, of int)) ([]Vectors, error) {
	var infos []tensors.Info
	for _, t := range a.Tensors() {
		if len(s.places(t.Name)) > 0 && len(t.Shape) > 1 && t.Len() > 0 {
			infos = append(infos, t)
		}
	}
	var list []Vectors
	for i, t := range infos {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if progress != nil {
			progress(t.Name, i, len(infos))
		}
		x, err := which.of(a, t)
		if err != nil {
			return nil, err
		}
		y, err := which.of(b, t)
		if err != nil {
			return nil, err
		}
		v := Vectors{Tensor: t.Name, Values: [2]int{x.Rank(), y.Rank()}}
		v.Before = agreement(x, y)
		if maps := view.Indices(t.Shape, s.places(t.Name), o); maps != nil {
			y.U, y.V = turned(y.U, maps[0]), turned(y.V, inner(t.Shape[1:], maps[1:]))
		}
		v.After = agreement(x, y)
		list = append(list, v)
	}
	return list, nil
}

// of is the leading singular values of a tensor.
func (w Leading) of(src tensors.Source, t tensors.Info) (*spectral.SVD, error) {
	x := make([]float32, t.Len())
	if err := src.ReadAt(x, t.Name, 0); err != nil {
		return nil, err
	}
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	d, err := spectral.Largest(mat.NewDense(t.Shape[0], t.Len()/t.Shape[0], wide), w.Most)
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %q: %w", src.Path(), t.Name, err)
	}
	k := 0
	for k < len(d.S) && d.S[k] > 0 && d.S[k] >= w.Gamma*d.S[0] {
		k++
	}
	return d.First(k), nil
}

// turned are the rows of m in another order, nil for the same.
func turned(m *mat.Dense, order []int) *mat.Dense {
	if order == nil {
		return m
	}
	rows, cols := m.Dims()
	out := mat.NewDense(rows, cols, nil)
	for i, from := range order {
		out.SetRow(i, m.RawRowView(from))
	}
	return out
}

// agreement is R; 0 where a matrix has no singular value but zeros.
func agreement(x, y *spectral.SVD) float64 {
	if x.Rank() == 0 || y.Rank() == 0 {
		return 0
	}
	var u, v mat.Dense
	u.Mul(x.U.T(), y.U)
	v.Mul(x.V.T(), y.V)
	sum := 0.0
	for i := range x.Rank() {
		for j := range y.Rank() {
			sum += math.Abs(u.At(i, j)) * math.Abs(v.At(i, j))
		}
	}
	return sum / math.Sqrt(float64(x.Rank())*float64(y.Rank()))
}
