package spectral

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/mergevo/mergevo/internal/dense"
)

const (
	// spare is the number of columns that the subspace has more than singular values
	// are asked for, so that the last of these converge.
	spare = 10
	// few is the side up to which all singular values are cheaper than a subspace.
	few = 64
	// small is the side up to which they are cheaper than several subspaces, and up to
	// which the eigenvectors of the Gram matrix take no longer than the iteration.
	small = 512
	// sweeps bounds the iterations, settled is the change of the energy caught at which
	// they end.
	sweeps  = 12
	settled = 1e-6
)

// Largest is the SVD of a matrix with its k largest singular values: subspace
// iteration from a random start (Halko, Martinsson & Tropp 2011, arXiv:0909.4061,
// algorithm 4.4) until the energy caught changes by less than 1e-6 of all, or all
// singular values where k is a large part of them. Where singular values lie close
// together, as those of noise do, that energy is near the largest while the directions
// are others; so up to a side of 512 the start is the answer, but for the digits that
// squaring costs. It takes, besides the matrix, (rows + cols) × (k + 10) numbers.
func Largest(m *mat.Dense, k int) (*SVD, error) {
	rows, cols := m.Dims()
	least := min(rows, cols)
	k = min(k, least)
	width := k + spare
	if least <= few || 3*width >= least {
		d, err := whole(m)
		if err != nil {
			return nil, err
		}
		return d.First(k), nil
	}
	energy := squares(m)
	from := start(cols, width)
	if least <= small {
		var err error
		if from, err = leading(m, width); err != nil {
			return nil, err
		}
	}
	q, _ := orthonormal(product(m, from))
	caught := 0.0
	for range sweeps {
		p, _ := orthonormal(product(m.T(), q))
		y := product(m, p)
		now := squares(y)
		q, _ = orthonormal(y)
		if now-caught <= settled*energy {
			break
		}
		caught = now
	}
	// m ≈ Q (QᵀM), of which the second factor is short.
	d, err := Product(q, product(q.T(), m))
	if err != nil {
		return nil, err
	}
	d.Energy = energy
	return d.First(k), nil
}

// Holding is the SVD of a matrix with as many of its largest singular values as hold a
// part of its energy, at least one and at most most of them.
func Holding(m *mat.Dense, part float64, most int) (*SVD, error) {
	rows, cols := m.Dims()
	most = min(most, rows, cols)
	if min(rows, cols) <= small {
		d, err := whole(m)
		if err != nil {
			return nil, err
		}
		n, _ := d.For(part)
		return d.First(max(1, min(n, most))), nil
	}
	for k := min(16, most); ; k = min(2*k, most) {
		d, err := Largest(m, k)
		if err != nil {
			return nil, err
		}
		if n, ok := d.For(part); ok || k == most {
			return d.First(max(1, n)), nil
		}
	}
}

// leading are the n right singular vectors of the largest singular values, cols × n, by
// the eigenvectors of the Gram matrix of the shorter side; of a wide matrix times those
// values.
func leading(m *mat.Dense, n int) (*mat.Dense, error) {
	rows, cols := m.Dims()
	of := m
	if rows < cols {
		of = mat.DenseCopyOf(m.T())
	}
	_, v, err := dense.Symmetric(dense.Gram(strided(of)))
	if err != nil {
		return nil, err
	}
	last := mat.NewDense(v.Rows, n, nil)
	for i := range v.Rows {
		for j := range n {
			last.Set(i, j, v.At(i, v.Cols-1-j))
		}
	}
	if rows < cols {
		return product(of, last), nil
	}
	return last, nil
}

// whole is Thin, of the triangle that a QR decomposition leaves of a long matrix.
func whole(m *mat.Dense) (*SVD, error) {
	rows, cols := m.Dims()
	if rows < cols {
		d, err := whole(mat.DenseCopyOf(m.T()))
		if err != nil {
			return nil, err
		}
		d.U, d.V = d.V, d.U
		return d, nil
	}
	q, r := orthonormal(m)
	d, err := Thin(r)
	if err != nil {
		return nil, err
	}
	d.U = product(q, d.U)
	return d, nil
}

// First keeps the first k singular values.
func (d *SVD) First(k int) *SVD {
	if k >= len(d.S) {
		return d
	}
	if k == 0 {
		return &SVD{U: new(mat.Dense), V: new(mat.Dense), Energy: d.Energy}
	}
	rows, _ := d.U.Dims()
	cols, _ := d.V.Dims()
	return &SVD{U: mat.DenseCopyOf(d.U.Slice(0, rows, 0, k)), V: mat.DenseCopyOf(d.V.Slice(0, cols, 0, k)), S: d.S[:k], Energy: d.Energy}
}

// product is a × b, on all cores.
func product(a, b mat.Matrix) *mat.Dense {
	x, y := strided(a), strided(b)
	c := mat.NewDense(x.Rows, y.Cols, nil)
	dense.Mul(strided(c), x, y)
	return c
}

// strided is the same numbers as a matrix of package dense.
func strided(m mat.Matrix) dense.Matrix {
	if t, ok := m.(mat.Transpose); ok {
		return strided(t.Matrix).T()
	}
	raw := m.(*mat.Dense).RawMatrix()
	return dense.Matrix{Rows: raw.Rows, Cols: raw.Cols, Row: raw.Stride, Col: 1, Data: raw.Data}
}

// squares is the sum of the squares of a matrix, in blocks of rows.
func squares(m *mat.Dense) float64 {
	rows, _ := m.Dims()
	total := 0.0
	for i := range rows {
		sum := 0.0
		for _, x := range m.RawRowView(i) {
			sum += x * x
		}
		total += sum
	}
	return total
}

// start is a matrix of numbers in [-1, 1) that are a hash of their places.
func start(rows, cols int) *mat.Dense {
	m := mat.NewDense(rows, cols, nil)
	raw := m.RawMatrix()
	for i := range raw.Data {
		z := uint64(i+1) * 0x9e3779b97f4a7c15 // splitmix64, Steele, Lea & Flood 2014
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		raw.Data[i] = float64(z>>11)*0x1p-52 - 1
	}
	return m
}

// Noise is how large the largest singular value of what rounding alone adds to a matrix
// of rows × cols numbers is, whose squares sum to energy, if each is rounded to a unit
// of its own size: about ulp/√3 · rms · (√rows + √cols).
func Noise(energy float64, rows, cols int, ulp float64) float64 {
	n := float64(rows) * float64(cols)
	if n == 0 {
		return 0
	}
	return ulp / math.Sqrt(3) * math.Sqrt(energy/n) * (math.Sqrt(float64(rows)) + math.Sqrt(float64(cols)))
}
