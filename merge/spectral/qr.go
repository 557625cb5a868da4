package spectral

import (
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

// orthonormal is the thin QR decomposition of a tall matrix, n × r with n ≥ r, by
// Householder reflections: Q n × r, R r × r. gonum's own mat.QR makes Q n × n.
func orthonormal(m mat.Matrix) (q, r *mat.Dense) {
	q = mat.DenseCopyOf(m)
	n, k := q.Dims()
	raw := q.RawMatrix()
	tau := make([]float64, k)
	work := make([]float64, 1)
	lapack64.Geqrf(raw, tau, work, -1)
	work = make([]float64, max(1, int(work[0])))
	lapack64.Geqrf(raw, tau, work, len(work))
	r = mat.NewDense(k, k, nil)
	for i := range k {
		for j := i; j < k; j++ {
			r.Set(i, j, q.At(i, j))
		}
	}
	one := make([]float64, 1)
	general := blas64.General{Rows: n, Cols: k, Stride: raw.Stride, Data: raw.Data}
	lapack64.Orgqr(general, tau, one, -1)
	work = make([]float64, max(1, int(one[0])))
	lapack64.Orgqr(general, tau, work, len(work))
	return q, r
}
