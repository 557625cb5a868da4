package dense

import (
	"math"

	"gonum.org/v1/gonum/blas/blas64"
)

// panel is how many columns are made tridiagonal before the rest of the matrix hears
// of it, by one product.
const panel = 64

// tridiagonal makes a symmetric matrix, of which it reads what is on the diagonal and
// below, tridiagonal: d is the diagonal, e what lies beside it. Column j of a then
// holds, from row j+1 on, the vector v of the reflection I - tau[j] v v^T (Dongarra,
// Sorensen & Hammarling 1989, Block reduction of matrices to condensed forms).
func tridiagonal(a Matrix) (d, e, tau []float64) {
	n := a.Rows
	d, e, tau = make([]float64, n), make([]float64, max(0, n-1)), make([]float64, max(0, n-1))
	s := &symmetric{}
	for j0 := 0; j0 < n; j0 += panel {
		cols := min(panel, n-j0)
		// The rest of the matrix is a - v w^T - w v^T, a column of each for every one done.
		v, w := New(cols, n), New(cols, n)
		for c := range cols {
			j := j0 + c
			x := v.row(c) // the column, as it is by now
			for i := j; i < n; i++ {
				x[i] = a.At(i, j)
			}
			for p := range c {
				axpy(-w.At(p, j), v.row(p)[j:], x[j:])
				axpy(-v.At(p, j), w.row(p)[j:], x[j:])
			}
			d[j] = x[j]
			clear(x[:j+1])
			if j+1 >= n {
				break
			}
			e[j], tau[j] = reflect(x[j+1:])
			for i := j + 1; i < n; i++ {
				a.Set(i, j, x[i])
			}
			if tau[j] == 0 {
				continue
			}
			y := w.row(c)
			s.times(a, x, y, j+1)
			for p := range c {
				vp, wp := v.row(p)[j+1:], w.row(p)[j+1:]
				f, g := dot(vp, x[j+1:]), dot(wp, x[j+1:])
				axpy(-g, vp, y[j+1:])
				axpy(-f, wp, y[j+1:])
			}
			for i := j + 1; i < n; i++ {
				y[i] *= tau[j]
			}
			axpy(-tau[j]/2*dot(y[j+1:], x[j+1:]), x[j+1:], y[j+1:])
		}
		if from := j0 + cols; from < n {
			rest := a.Part(from, n, from, n)
			product(rest, v.Columns(from, n).T(), w.Columns(from, n), -1, true)
			product(rest, w.Columns(from, n).T(), v.Columns(from, n), -1, true)
		}
	}
	return d, e, tau
}

func dot(x, y []float64) float64 {
	return blas64.Dot(blas64.Vector{N: len(x), Data: x, Inc: 1}, blas64.Vector{N: len(y), Data: y, Inc: 1})
}

func axpy(by float64, x, y []float64) {
	blas64.Axpy(by, blas64.Vector{N: len(x), Data: x, Inc: 1}, blas64.Vector{N: len(y), Data: y, Inc: 1})
}

// reflect replaces x by the vector v, v[0] = 1, of a reflection I - tau v v^T that
// takes x to a multiple beta of the first unit vector.
func reflect(x []float64) (beta, tau float64) {
	norm := blas64.Nrm2(blas64.Vector{N: len(x) - 1, Data: x[1:], Inc: 1})
	alpha := x[0]
	x[0] = 1
	if norm == 0 {
		return alpha, 0
	}
	beta = -math.Copysign(math.Hypot(alpha, norm), alpha)
	for i := range x[1:] {
		x[i+1] /= alpha - beta
	}
	return beta, (beta - alpha) / beta
}

// symmetric multiplies by a symmetric matrix that is stored below the diagonal, with
// buffers that it keeps.
type symmetric struct{ parts [][]float64 }

// shares is into how many parts of about the same size the rows fall. It does not
// depend on the machine, for the sum over them has an order.
const shares = 8

// times sets y to a x from row and column at on, x and y being as long as a column.
func (s *symmetric) times(a Matrix, x, y []float64, at int) {
	n := a.Rows - at
	if n < 512 { // too little for a part each
		clear(y[at:])
		s.rows(a, x, y, y, at, at, a.Rows)
		return
	}
	if s.parts == nil {
		for range shares {
			s.parts = append(s.parts, make([]float64, a.Rows))
		}
	}
	ends := [shares + 1]int{at}
	for i := 1; i <= shares; i++ { // rows grow longer
		ends[i] = at + int(float64(n)*math.Sqrt(float64(i)/shares))
	}
	ends[shares] = a.Rows
	clear(y[at:])
	Each(shares, func(i int) {
		clear(s.parts[i][at:ends[i+1]])
		s.rows(a, x, y, s.parts[i], at, ends[i], ends[i+1])
	})
	for i, part := range s.parts {
		axpy(1, part[at:ends[i+1]], y[at:ends[i+1]])
	}
}

// rows adds the products of rows [i0, i1) with x to y, and those of the same numbers
// as columns to z.
func (s *symmetric) rows(a Matrix, x, y, z []float64, at, i0, i1 int) {
	for i := i0; i < i1; i++ {
		row := a.Data[i*a.Row+at : i*a.Row+i]
		sum := pair(row, x[at:i], z[at:i], x[i])
		y[i] += sum + a.Data[i*a.Row+i]*x[i]
	}
}

// pair adds y times a to z and returns the product of a and x.
func pair(a, x, z []float64, y float64) float64 {
	n, sum := pairMany(a, x, z, y)
	for i := n; i < len(a); i++ {
		sum += a[i] * x[i]
		z[i] += y * a[i]
	}
	return sum
}

// reflections multiplies z from the left by the reflections that tridiagonal left in
// a, the first one last: blocks of them at once, I - v t v^T (Schreiber & Van Loan
// 1989, A storage-efficient WY representation).
func reflections(a Matrix, tau []float64, z Matrix) {
	n := a.Rows
	last := (len(tau) - 1) / panel * panel
	for j0 := last; j0 >= 0 && len(tau) > 0; j0 -= panel {
		cols := min(panel, len(tau)-j0)
		from := j0 + 1
		v := New(n-from, cols)
		for c := range cols {
			for i := from + c; i < n; i++ {
				v.Set(i-from, c, a.At(i, j0+c))
			}
		}
		g := Gram(v)
		t := New(cols, cols)
		for c := range cols {
			tc := tau[j0+c]
			for i := range c {
				var s float64
				for p := i; p < c; p++ {
					s += t.At(i, p) * g.At(p, c)
				}
				t.Set(i, c, -tc*s)
			}
			t.Set(c, c, tc)
		}
		part := z.Part(from, n, 0, z.Cols)
		vz, tvz := New(cols, z.Cols), New(cols, z.Cols)
		Mul(vz, v.T(), part)
		Mul(tvz, t, vz)
		AddMul(part, v, tvz, -1)
	}
}
