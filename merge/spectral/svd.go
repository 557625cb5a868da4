package spectral

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// SVD is U diag(S) Vᵀ: U rows × k and V cols × k with orthonormal columns, S falling,
// none negative. Energy is the sum of squares of all of the matrix, those of the
// singular values left out among them.
type SVD struct {
	U, V   *mat.Dense
	S      []float64
	Energy float64
}

// Rank returns k, the number of singular values that are held.
func (d *SVD) Rank() int { return len(d.S) }

// Kept is the part of the energy that the first k singular values hold: 1 for a matrix
// of zeros.
func (d *SVD) Kept(k int) float64 {
	if d.Energy == 0 {
		return 1
	}
	sum := 0.0
	for _, s := range d.S[:min(k, len(d.S))] {
		sum += s * s
	}
	return min(1, sum/d.Energy)
}

// For returns the least number of singular values that hold a part of the energy, and
// whether those that are held do.
func (d *SVD) For(part float64) (k int, ok bool) {
	want, sum := part*d.Energy, 0.0
	for k := range d.S {
		if sum >= want {
			return k, true
		}
		sum += d.S[k] * d.S[k]
	}
	return len(d.S), sum >= want
}

// Above returns how many of the first k singular values lie above a floor.
func (d *SVD) Above(floor float64, k int) int {
	k = min(k, len(d.S))
	for k > 0 && d.S[k-1] <= floor {
		k--
	}
	return k
}

// Factors returns the left factor U √S, rows × k, and the right one √S Vᵀ, k × cols,
// of the first k singular values: the nearest product of that rank (Eckart & Young
// 1936), with the lengths shared out evenly.
func (d *SVD) Factors(k int) (left, right *mat.Dense) {
	k = min(k, len(d.S))
	rows, _ := d.U.Dims()
	cols, _ := d.V.Dims()
	left, right = mat.NewDense(rows, k, nil), mat.NewDense(k, cols, nil)
	for j := range k {
		root := math.Sqrt(d.S[j])
		for i := range rows {
			left.Set(i, j, d.U.At(i, j)*root)
		}
		for i := range cols {
			right.Set(j, i, d.V.At(i, j)*root)
		}
	}
	return left, right
}

// Thin is the SVD of a whole matrix, all of its min(rows, cols) singular values.
func Thin(m *mat.Dense) (*SVD, error) {
	var svd mat.SVD
	if !svd.Factorize(m, mat.SVDThin) {
		r, c := m.Dims()
		return nil, fmt.Errorf("the singular values of a matrix of %d × %d do not converge; does it hold NaN?", r, c)
	}
	d := &SVD{U: new(mat.Dense), V: new(mat.Dense), S: svd.Values(nil)}
	svd.UTo(d.U)
	svd.VTo(d.V)
	for _, s := range d.S {
		d.Energy += s * s
	}
	return d, nil
}

// Product is the SVD of left × right, of rows × r and r × cols numbers: all singular
// values that such a product can have. The product itself is never made: with
// left = Q₁R₁ and rightᵀ = Q₂R₂ its singular values are those of R₁R₂ᵀ, which is
// small.
func Product(left, right *mat.Dense) (*SVD, error) {
	q1, r1 := reduced(left)
	q2, r2 := reduced(right.T())
	d, err := Thin(product(r1, r2.T()))
	if err != nil {
		return nil, err
	}
	d.U, d.V = product(q1, d.U), product(q2, d.V)
	return d, nil
}

// reduced is a QR decomposition of n × r: Q n × k with orthonormal columns and R k × r,
// k being the smaller of n and r.
func reduced(m mat.Matrix) (q, r *mat.Dense) {
	rows, cols := m.Dims()
	if rows <= cols {
		q = mat.NewDense(rows, rows, nil)
		for i := range rows {
			q.Set(i, i, 1)
		}
		return q, mat.DenseCopyOf(m)
	}
	return orthonormal(m)
}
