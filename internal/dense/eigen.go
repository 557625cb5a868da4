package dense

import (
	"errors"
	"math"
)

// Symmetric returns the eigenvalues of a symmetric matrix, ascending, and its
// eigenvectors as columns. Of a, n x n and stored row by row, it reads what is on the
// diagonal and below, and overwrites that. It needs room for four more such matrices,
// and some 5 n^3 operations.
func Symmetric(a Matrix) (values []float64, vectors Matrix, err error) {
	n := a.Rows
	var most float64
	for i := range n {
		for _, x := range a.row(i)[:i+1] {
			most = max(most, math.Abs(x))
			if x-x != 0 {
				return nil, Matrix{}, errors.New("the matrix holds NaN or Inf")
			}
		}
	}
	vectors = New(n, n)
	if most == 0 {
		for i := range n {
			vectors.Set(i, i, 1)
		}
		return make([]float64, n), vectors, nil
	}
	// Scaled by a power of two, so that squares neither overflow nor vanish.
	_, exp := math.Frexp(most)
	for i := range n {
		r := a.row(i)[:i+1]
		for j, x := range r {
			r[j] = math.Ldexp(x, -exp)
		}
	}
	values, e, tau := tridiagonal(a)
	if !divide(values, e, vectors, newJoining(n)) {
		return nil, Matrix{}, errors.New("the eigenvalues were not found")
	}
	reflections(a, tau, vectors)
	for i, x := range values {
		values[i] = math.Ldexp(x, exp)
	}
	return values, vectors, nil
}
