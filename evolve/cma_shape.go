package evolve

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// decompose computes basis and axes of C. An eigenvalue which rounding has made
// negative is lifted by the least of before, as pycma does.
func (d *distribution) decompose() {
	d.decomposed = d.updates
	n := d.n
	lift := d.axes[0] * d.axes[0]
	for range 50 {
		if d.factored() {
			u := d.basis
			for j := range n {
				copy(u[j*n+j:(j+1)*n], d.cov[j*n+j:(j+1)*n])
			}
			if factor(u, n) {
				for j := range n {
					d.axes[j] = u[j*n+j]
					clear(u[j*n : j*n+j])
				}
				slices.Sort(d.axes)
				d.slowScale()
				return
			}
			for i := range n {
				d.cov[i*n+i] += lift
			}
			lift *= 2
			continue
		}
		var eigen mat.EigenSym
		if !allFinite(d.cov) || !eigen.Factorize(mat.NewSymDense(n, slices.Clone(d.cov)), true) {
			break
		}
		values := eigen.Values(nil)
		if values[0] > 0 {
			var vectors mat.Dense
			eigen.VectorsTo(&vectors)
			for j := range n {
				d.axes[j] = math.Sqrt(values[j])
				for i := range n {
					d.basis[j*n+i] = vectors.At(i, j)
				}
			}
			d.slowScale()
			return
		}
		for i := range n {
			d.cov[i*n+i] += lift
		}
		lift *= 2
	}
	// Nothing is left of C to save; mean and step size are.
	d.roundShape()
	clear(d.pc)
}

// balance moves the coordinates' variances from C to the scales when they span
// more than 1e8, so that what is left is a correlation matrix and rounding has
// something to hold on to (pycma's alleviate_conditioning_in_coordinates).
func (d *distribution) balance() {
	n := d.n
	lo, hi := math.Inf(1), 0.0
	for i := range n {
		v := d.cov[i*n+i]
		lo, hi = math.Min(lo, v), math.Max(hi, v)
	}
	if hi < 1e8*lo {
		return
	}
	f := make([]float64, n)
	for i := range n {
		f[i] = math.Sqrt(d.cov[i*n+i])
		d.scale[i] *= f[i]
		d.pc[i] /= f[i]
	}
	for i := range n {
		for j := i; j < n; j++ {
			d.cov[i*n+j] /= f[i] * f[j]
			d.cov[j*n+i] = d.cov[i*n+j]
		}
	}
	d.decompose()
}
