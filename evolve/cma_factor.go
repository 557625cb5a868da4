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

// factorBlock is how many rows are worked on while others pass through the cache.
const factorBlock = 16

// factor computes U in place of the upper triangle of u, n rows of n. It reports
// whether the matrix is positive definite.
func factor(u []float64, n int) bool {
	row := func(i int) []float64 { return u[i*n : (i+1)*n] }
	for at := 0; at < n; at += factorBlock {
		end := min(at+factorBlock, n)
		// What the rows above say of the block's rows.
		share(n, end-at, func(k int) {
			i := at + k
			y := row(i)[i:]
			var a [4]float64
			p := 0
			for ; p+4 <= at; p += 4 {
				for q := range a {
					a[q] = -u[(p+q)*n+i]
				}
				addFour(y, row(p)[i:], row(p + 1)[i:], row(p + 2)[i:], row(p + 3)[i:], &a)
			}
			for ; p < at; p++ {
				addScaled(y, -u[p*n+i], row(p)[i:])
			}
		})
		for i := at; i < end; i++ {
			y := row(i)[i:]
			for p := at; p < i; p++ {
				addScaled(y, -u[p*n+i], row(p)[i:])
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

// shapeFactored sets y = Uᵀz for each row. A row of U is used for many candidates while
// it is in the cache.
func (d *distribution) shapeFactored(y, z [][]float64) {
	n := d.n
	chunk := (len(y) + 1) / 2
	share(n, (len(y)+chunk-1)/chunk, func(c int) {
		out, in := y[c*chunk:min((c+1)*chunk, len(y))], z[c*chunk:min((c+1)*chunk, len(y))]
		for k := range out {
			clear(out[k])
		}
		j := 0
		for ; j+4 <= n; j += 4 {
			rows := d.basis[j*n:]
			for k, v := range out {
				for q := range 4 { // the triangle before all four rows have begun
					for i := j + q; i < j+4; i++ {
						v[i] += in[k][j+q] * rows[q*n+i]
					}
				}
				addFour(v[j+4:], rows[j+4:n], rows[n+j+4:2*n], rows[2*n+j+4:3*n], rows[3*n+j+4:4*n], (*[4]float64)(in[k][j:j+4]))
			}
		}
		for ; j < n; j++ {
			for k, v := range out {
				addScaled(v[j:], in[k][j], d.basis[j*n+j:(j+1)*n])
			}
		}
	})
}

// whitenFactored solves Uᵀz = y.
func (d *distribution) whitenFactored(z, y []float64) {
	n := d.n
	copy(z, y)
	for j := range n {
		z[j] /= d.basis[j*n+j]
		addScaled(z[j+1:], -z[j], d.basis[j*n+j+1:(j+1)*n])
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
