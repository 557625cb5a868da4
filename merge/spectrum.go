package merge

import (
	"math"

	"github.com/mergevo/mergevo/internal/dense"
)

// spectrum is the singular values of a matrix, largest first, and its right singular
// vectors as columns, n x r: of those that are more than rounding noise.
type spectrum struct {
	values  []float64
	vectors dense.Matrix
	// sum is that of all singular values.
	sum float64
}

// Directions whose singular value is below noise of the largest are left out: what is
// in them are the rounding errors of the models' own numbers, and a Gram matrix in
// float64 has no digit of them. Likewise singular values of what is to be made
// orthogonal.
const (
	noise      = 1e-6
	degenerate = 1e-10 // of the squares
)

// spectrumOf finds the spectrum of a matrix from its Gram matrix, which it overwrites,
// at most `most` values of it. Squaring costs half the digits, and is 20 times as fast at
// 1,024 columns as the decompositions of merge/spectral, whose comment compares the two;
// besides, a Gram matrix is summed over blocks of rows, so that a task matrix is never
// there as a whole. scale is a singular value against which noise counts,
// if it is larger than those of the matrix.
func spectrumOf(gram dense.Matrix, most int, scale float64) (spectrum, error) {
	squares, v, err := dense.Symmetric(gram)
	if err != nil {
		return spectrum{}, err
	}
	n := len(squares)
	s := spectrum{}
	for i := n - 1; i >= 0; i-- {
		x := math.Sqrt(max(0, squares[i]))
		scale = max(scale, x)
		if x <= noise*scale {
			break
		}
		s.sum += x
		if len(s.values) < most {
			s.values = append(s.values, x)
		}
	}
	r := len(s.values)
	s.vectors = dense.New(n, r)
	for i := range n {
		for j := range r {
			s.vectors.Set(i, j, v.At(i, n-1-j))
		}
	}
	return s, nil
}

// over returns the vectors divided by their values, n x r: a matrix times them are its
// left singular vectors.
func (s spectrum) over() dense.Matrix {
	by := make([]float64, len(s.values))
	for i, x := range s.values {
		by[i] = 1 / x
	}
	out := dense.New(s.vectors.Rows, len(by))
	out.Copy(s.vectors)
	out.ScaleColumns(by)
	return out
}

// whitening returns g^(-1/2) of a Gram matrix a^T a, which it overwrites: a times that
// is the nearest matrix with orthogonal columns. Directions that a has not stay out.
func whitening(g dense.Matrix) (dense.Matrix, error) {
	squares, v, err := dense.Symmetric(g)
	if err != nil {
		return g, err
	}
	n := len(squares)
	by := make([]float64, n)
	for i, x := range squares {
		if x > degenerate*squares[n-1] {
			by[i] = 1 / math.Sqrt(x)
		}
	}
	scaled, out := dense.New(n, n), dense.New(n, n)
	scaled.Copy(v)
	scaled.ScaleColumns(by)
	dense.Mul(out, scaled, v.T())
	return out, nil
}
