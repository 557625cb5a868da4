package evolve

import "math"

// factorFrom is from how many genes on C is factored by Cholesky instead of decomposed
// into eigenvectors, which takes some twenty times as long. Samples have the same
// distribution. The path of sigma, and diagonal decoding, then see steps in the
// coordinates of the factor instead of those of the symmetric root (Krause, Arbonès and
// Igel 2016, CMA-ES with Optimal Covariance Update and Storage Complexity, NeurIPS 29).
const factorFrom = 64

// factored reports whether basis holds U of C = UᵀU, its upper triangle in rows.
func (s strategy) factored() bool {
	return s.n >= factorFrom && !s.separable && !s.tutorial && !s.rated
}

// factorBlock is how many rows are finished together, and factorDepth how many rows above
// are worked in while they are in the cache; both are multiples of 4.
const (
	factorBlock = 16
	factorDepth = 64
)

// factor computes U in place of the upper triangle of u, n rows of n. It reports
// whether the matrix is positive definite. The lower triangle is of no meaning.
func factor(u []float64, n int) bool {
	// row is row i, from a little before the diagonal of row from on: what is there is no
	// part of U, and may be written.
	row := func(i, from int) []float64 { return u[i*n+whole(from, n) : (i+1)*n] }
	// above takes from the four rows that begin with i what rows p … end-1 say of them.
	above := func(i, p, end int) {
		var y [4][]float64
		for r := range y {
			if i+r < n {
				y[r] = row(i+r, i)
			} else {
				y[r] = make([]float64, len(y[0]))
			}
		}
		var a [factorDepth][4]float64
		for ; p < end; p += factorDepth {
			deep := min(factorDepth, end-p)
			for q := range deep {
				for r := range min(4, n-i) {
					a[q][r] = -u[(p+q)*n+i+r]
				}
			}
			tile(y, 1, u[p*n+whole(i, n):], n, a[:deep])
		}
	}
	for at := 0; at < n; at += factorBlock {
		end := min(at+factorBlock, n)
		share(n, (end-at+3)/4, func(k int) { above(at+4*k, 0, at) })
		for i := at; i < end; i++ {
			if j := i &^ 3; i == j && i > at {
				for k := i; k < end; k += 4 {
					above(k, i-4, i)
				}
			}
			y := u[i*n+i : (i+1)*n]
			for p := i &^ 3; p < i; p++ {
				addScaled(y, -u[p*n+i], u[p*n+i:(p+1)*n])
			}
			if !(y[0] > 0) || math.IsInf(y[0], 0) {
				return false
			}
			f := 1 / math.Sqrt(y[0])
			for j := range y {
				y[j] *= f
			}
		}
	}
	return true
}

// shapeColumns is how many columns of U are used for all candidates while they are in the
// cache, factorBlock rows at a time; a multiple of 8.
const shapeColumns = 128

// shapeFactored sets y = Uᵀz for each row.
func (d *distribution) shapeFactored(y, z [][]float64) {
	n, groups := d.n, (len(y)+3)/4
	out, a := make([][4][]float64, groups), make([][][4]float64, groups)
	for g := range out {
		a[g] = make([][4]float64, n)
		for r := range 4 {
			k := 4*g + r
			if k >= len(y) {
				out[g][r] = make([]float64, n)
				continue
			}
			out[g][r] = y[k]
			for j, v := range z[k] {
				a[g][j][r] = v
			}
		}
	}
	share(n, (n+shapeColumns-1)/shapeColumns, func(c int) {
		from, to := c*shapeColumns, min((c+1)*shapeColumns, n)
		for _, four := range out {
			for _, v := range four {
				clear(v[from:to])
			}
		}
		for j := 0; j < to; j += factorBlock { // U is 0 before its diagonal
			deep := min(factorBlock, to-j)
			for g := range out {
				var part [4][]float64
				for r, v := range out[g] {
					part[r] = v[from:to]
				}
				tile(part, 1, d.basis[j*n+from:], n, a[g][j:j+deep])
			}
		}
	})
}

// whitenFactored solves Uᵀz = y.
func (d *distribution) whitenFactored(z, y []float64) {
	n := d.n
	copy(z, y)
	row := func(j, from int) []float64 { return d.basis[j*n+from : (j+1)*n] }
	var j int
	for ; j+4 <= n; j += 4 {
		var a [4]float64
		for q := range a {
			z[j+q] /= row(j+q, j+q)[0]
			a[q] = -z[j+q]
			addScaled(z[j+q+1:j+4], a[q], row(j+q, j+q+1))
		}
		addFour(z[j+4:], row(j, j+4), row(j+1, j+4), row(j+2, j+4), row(j+3, j+4), &a)
	}
	for ; j < n; j++ {
		z[j] /= row(j, j)[0]
		addScaled(z[j+1:], -z[j], row(j, j+1))
	}
}

// conditionFactored estimates the condition number of the correlations in C from
// below, by a few steps of power iteration on them and on their inverse.
func (d *distribution) conditionFactored() float64 {
	const steps = 6
	n := d.n
	std := make([]float64, n)
	for i := range std {
		std[i] = math.Sqrt(d.cov[i*n+i])
	}
	row := func(i int) []float64 { return d.basis[i*n+i : (i+1)*n] }
	grow := func(apply func(v, w []float64)) float64 {
		v, w := make([]float64, n), make([]float64, n)
		for i := range v {
			v[i] = 1 + 0.5*math.Sin(float64(i+1)) // no eigenvector of anything likely
		}
		value := 1.0
		for range steps {
			apply(w, v)
			value = math.Sqrt(dot(w, w) / dot(v, v))
			for i := range w {
				v[i] = w[i] / math.Sqrt(dot(w, w))
			}
		}
		return value
	}
	largest := grow(func(w, v []float64) { // S⁻¹UᵀU S⁻¹ v
		t := make([]float64, n)
		for i := range v {
			t[i] = v[i] / std[i]
		}
		u := make([]float64, n)
		for i := range u {
			u[i] = dot(row(i), t[i:])
		}
		clear(w)
		for i := range u {
			addScaled(w[i:], u[i], row(i))
		}
		for i := range w {
			w[i] /= std[i]
		}
	})
	inverse := grow(func(w, v []float64) { // S U⁻¹U⁻ᵀS v
		for i := range v {
			w[i] = v[i] * std[i]
		}
		for j := range n {
			r := row(j)
			w[j] /= r[0]
			addScaled(w[j+1:], -w[j], r[1:])
		}
		for j := n - 1; j >= 0; j-- {
			r := row(j)
			w[j] = (w[j] - dot(r[1:], w[j+1:])) / r[0]
		}
		for i := range w {
			w[i] *= std[i]
		}
	})
	return largest * inverse
}
