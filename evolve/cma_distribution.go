package evolve

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// distribution is N(mean, sigma²·S·C·S), S = diag(scale), and how it moves: the
// part of CMA-ES which knows neither bounds nor scores.
//
// A sample is mean + sigma·S·y with y = B·D·z, z standard normal, C = B·D²·Bᵀ.
type distribution struct {
	strategy
	mean   []float64
	sigma  float64
	sigma0 float64   // sigma at the start
	moved  float64   // what sigma has been divided by, see keepSigma
	scale  []float64 // pycma's sigma_vec
	maxStd float64   // no coordinate's standard deviation is kept above this
	cov    []float64 // C, n rows of n
	basis  []float64 // eigenvector j of C is row j
	axes   []float64 // D: roots of the eigenvalues, ascending
	pc, ps []float64 // evolution paths of C and sigma

	updates    int // number of updates so far
	decomposed int // updates when basis and axes were computed
}

func newDistribution(s strategy, mean []float64, sigma, maxStd float64) *distribution {
	n := s.n
	d := &distribution{
		strategy: s, mean: slices.Clone(mean), sigma: sigma, sigma0: sigma, moved: 1, maxStd: maxStd,
		scale: make([]float64, n), pc: make([]float64, n), ps: make([]float64, n),
	}
	for i := range d.scale {
		d.scale[i] = 1
	}
	d.roundShape()
	d.limitStds()
	return d
}

// roundShape makes C the initial one: the identity but for a trace of order,
// as pycma's, so that eigenvalues are never equal.
func (d *distribution) roundShape() {
	n := d.n
	d.cov, d.basis, d.axes = make([]float64, n*n), make([]float64, n*n), make([]float64, n)
	for i := range n {
		v := math.Exp(1e-4 * float64(i) / float64(n))
		d.cov[i*n+i], d.basis[i*n+i], d.axes[i] = v, 1, math.Sqrt(v)
	}
}

// std is the standard deviation of coordinate i.
func (d *distribution) std(i int) float64 {
	return d.sigma * d.scale[i] * math.Sqrt(d.cov[i*d.n+i])
}

// shape sets y = B·D·z.
func (d *distribution) shape(y, z []float64) {
	clear(y)
	for j, v := range z {
		addScaled(y, d.axes[j]*v, d.basis[j*d.n:])
	}
}

// point sets x = mean + sigma·S·y.
func (d *distribution) point(x, y []float64) {
	for i := range x {
		x[i] = d.mean[i] + d.sigma*d.scale[i]*y[i]
	}
}

// update moves the distribution towards the steps y[0], y[1], …, best first, and
// away from the last ones; z are what shape made them of. It is the tutorial's
// (arXiv:1604.00772) figure 6 in pycma's order.
func (d *distribution) update(y, z [][]float64) {
	n := d.n
	yw, zw := make([]float64, n), make([]float64, n)
	for k, w := range d.weights[:d.mu] {
		addScaled(yw, w, y[k]) // eq. 41
		addScaled(zw, w, z[k])
	}
	for i := range d.mean {
		d.mean[i] += d.sigma * d.scale[i] * yw[i] // eq. 42, cm = 1
	}
	d.updates++

	// eq. 43, C^-½·yw = B·D⁻¹·Bᵀ·yw = B·zw
	step := math.Sqrt(d.cs * (2 - d.cs) * d.mueff)
	for i := range d.ps {
		d.ps[i] *= 1 - d.cs
	}
	for j, v := range zw {
		addScaled(d.ps, step*v, d.basis[j*n:])
	}

	// hsig stalls pc while ps is long, else C would grow along a direction in
	// which sigma is just growing.
	ps2 := dot(d.ps, d.ps)
	hsig := 0.0
	if ps2/(1-math.Pow(1-d.cs, float64(2*d.updates)))/float64(n) < 2+4/float64(n+1) {
		hsig = 1
	}
	step = hsig * math.Sqrt(d.cc*(2-d.cc)*d.mueff)
	for i := range d.pc {
		d.pc[i] = (1-d.cc)*d.pc[i] + step*yw[i] // eq. 45
	}

	d.updateCov(y, z, hsig)
	// eq. 44; pycma bounds the change of ln sigma by 1
	d.sigma *= math.Exp(math.Min(1, d.cs/d.damps*(math.Sqrt(ps2)/d.chiN-1)))
	d.limitStds()
	d.keepSigma()
	if float64(d.updates) >= float64(d.decomposed)+d.gap {
		d.decompose()
		d.balance()
	}
}

// updateCov is eq. 47: C decays, and learns pc (rank one) and the steps (rank mu).
func (d *distribution) updateCov(y, z [][]float64, hsig float64) {
	n := d.n
	sum := 0.0
	for _, w := range d.weights {
		sum += w
	}
	decay := 1 - d.c1*(1-(1-hsig)*d.cc*(2-d.cc)) - d.cmu*sum
	rates := make([]float64, d.lambda)
	for k, w := range d.weights {
		rates[k] = d.cmu * w
		if w < 0 { // eq. 46: a long bad step unlearns no more than a typical one
			norm := math.Sqrt(dot(z[k], z[k])) + 1e-9
			rates[k] *= float64(n) / (norm * norm)
		}
	}
	for i := range n {
		row := d.cov[i*n+i : (i+1)*n] // the upper triangle; the lower mirrors it
		for j := range row {
			row[j] *= decay
		}
		addScaled(row, d.c1*d.pc[i], d.pc[i:])
		for k, rate := range rates {
			addScaled(row, rate*y[k][i], y[k][i:])
		}
		for j := i + 1; j < n; j++ {
			d.cov[j*n+i] = d.cov[i*n+j]
		}
	}
}

// limitStds shrinks scales until no coordinate deviates by more than maxStd: in
// a bounded space more only samples the period of the bound transform.
func (d *distribution) limitStds() {
	slack := 1.0
	if d.updates <= 2 {
		slack = math.Exp(1e-4) // roundShape's trace
	}
	for i := range d.scale {
		if s := d.std(i); s > d.maxStd*slack {
			d.scale[i] *= d.maxStd / s
		}
	}
}

// keepSigma hands what sigma has grown beyond 1e9·sigma0 to the scales, which
// changes no sample, and keeps it from overflow and underflow, which only those
// meet who ignore Stop.
func (d *distribution) keepSigma() {
	if d.sigma > 1e9*d.sigma0 {
		f := d.sigma / d.sigma0
		for i := range d.scale {
			d.scale[i] *= f
		}
		d.sigma = d.sigma0
		d.moved = math.Min(d.moved*f, math.MaxFloat64)
	}
	d.sigma = math.Max(d.sigma, 1e-150)
}

// decompose computes basis and axes of C. An eigenvalue which rounding has made
// negative is lifted by the least of before, as pycma does.
func (d *distribution) decompose() {
	d.decomposed = d.updates
	n := d.n
	lift := d.axes[0] * d.axes[0]
	for range 50 {
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
		for j := range n {
			d.cov[i*n+j] /= f[i] * f[j]
		}
	}
	d.decompose()
}

// addScaled adds a·x to y, over the length of y.
func addScaled(y []float64, a float64, x []float64) {
	x = x[:len(y)]
	for i := range y {
		y[i] += a * x[i]
	}
}

func dot(x, y []float64) float64 {
	s := 0.0
	for i, v := range x {
		s += v * y[i]
	}
	return s
}

func allFinite(x []float64) bool {
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
