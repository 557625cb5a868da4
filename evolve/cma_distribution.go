package evolve

import (
	"math"
	"slices"
)

// distribution is N(mean, sigma²·S·C·S), S = diag(scale), and how it moves: the
// part of CMA-ES which knows neither bounds nor scores.
//
// A sample is mean + sigma·S·y with y = B·D·z, z standard normal, C = B·D²·Bᵀ. A
// separable distribution has C = I, and none of its matrices.
type distribution struct {
	strategy
	mean   []float64
	sigma  float64
	sigma0 float64   // sigma at the start
	moved  float64   // what sigma has been divided by, see keepSigma
	scale  []float64 // pycma's sigma_vec
	maxStd float64   // no coordinate's standard deviation is kept above this
	cov    []float64 // C, n rows of n; its lower triangle may be stale if factored
	basis  []float64 // eigenvector j of C is row j; U of C = UᵀU if factored
	axes   []float64 // D: roots of the eigenvalues, ascending; U's diagonal if factored
	pc, ps []float64 // evolution paths of C and sigma

	rates     *learningRates // nil: all are 1
	scalePath []float64      // evolution path of the scales under diagonal decoding
	beta      float64        // what slows that down, from the correlations in C

	updates    int // number of updates so far
	decomposed int // updates when basis and axes were computed
}

func newDistribution(s strategy, mean []float64, sigma, maxStd float64) *distribution {
	n := s.n
	d := &distribution{
		strategy: s, mean: slices.Clone(mean), sigma: sigma, sigma0: sigma, moved: 1, maxStd: maxStd,
		scale: make([]float64, n), pc: make([]float64, n), ps: make([]float64, n), beta: 1,
	}
	if s.rated {
		d.rates = newLearningRates(n)
	}
	if s.c1Scale > 0 {
		d.scalePath = make([]float64, n)
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
	if d.separable {
		return
	}
	n := d.n
	d.cov, d.basis, d.axes = make([]float64, n*n), make([]float64, n*n), make([]float64, n)
	for i := range n {
		v := math.Exp(1e-4 * float64(i) / float64(n))
		if d.tutorial {
			v = 1
		}
		d.cov[i*n+i], d.basis[i*n+i], d.axes[i] = v, 1, math.Sqrt(v)
	}
}

// std is the standard deviation of coordinate i.
func (d *distribution) std(i int) float64 {
	s := d.sigma * d.scale[i]
	if d.separable {
		return s
	}
	return s * math.Sqrt(d.cov[i*d.n+i])
}

// shape sets y = B·D·z.
func (d *distribution) shape(y, z []float64) {
	switch {
	case d.separable:
		copy(y, z)
		return
	case d.factored():
		d.shapeFactored([][]float64{y}, [][]float64{z})
		return
	}
	clear(y)
	for j, v := range z {
		addScaled(y, d.axes[j]*v, d.basis[j*d.n:])
	}
}

// shapeAll is shape of each row.
func (d *distribution) shapeAll(y, z [][]float64) {
	if d.factored() {
		d.shapeFactored(y, z)
		return
	}
	for k := range z {
		d.shape(y[k], z[k])
	}
}

// turn sets v = B·z, which is C^-½·y of what shape makes of z.
func (d *distribution) turn(v, z []float64) {
	if d.separable || d.factored() {
		copy(v, z)
		return
	}
	clear(v)
	for j, x := range z {
		addScaled(v, x, d.basis[j*d.n:])
	}
}

// whiten sets z = D⁻¹·Bᵀ·y, of which shape makes y.
func (d *distribution) whiten(z, y []float64) {
	switch {
	case d.separable:
		copy(z, y)
		return
	case d.factored():
		d.whitenFactored(z, y)
		return
	}
	for j := range z {
		z[j] = dot(d.basis[j*d.n:(j+1)*d.n], y) / d.axes[j]
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
	var old before
	if d.rates != nil {
		old = d.remember()
	}
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
	shift := make([]float64, n)
	d.turn(shift, zw)
	for i := range d.ps {
		d.ps[i] = (1-d.cs)*d.ps[i] + step*shift[i]
	}
	ps2 := dot(d.ps, d.ps)
	hsig := d.hsig(ps2)
	step = hsig * math.Sqrt(d.cc*(2-d.cc)*d.mueff)
	for i := range d.pc {
		if d.linear {
			yw[i] *= d.scale[i]
		}
		d.pc[i] = (1-d.cc)*d.pc[i] + step*yw[i] // eq. 45
	}
	switch {
	case d.linear:
		d.updateDiagonal(y, hsig)
	case d.separable:
		d.updateVariances(y, hsig)
	case d.c1Scale > 0:
		d.updateScale(z, yw, hsig)
		d.updateCov(y, z, hsig) // of the steps in the scales that they were drawn in
	default:
		d.updateCov(y, z, hsig)
	}

	// eq. 44; pycma bounds the change of ln sigma by 1
	change := d.cs / d.damps * (math.Sqrt(ps2)/d.chiN - 1)
	if !d.tutorial {
		change = math.Min(1, change)
	}
	d.sigma *= math.Exp(change)
	if d.rates != nil {
		d.adaptRates(old)
	}
	d.limitStds()
	d.keepSigma()
	gap := d.gap
	if d.factored() {
		gap *= 3 // as many evaluations to a target, measured at n = 80
	}
	if !d.separable && float64(d.updates) >= float64(d.decomposed)+gap {
		d.decompose()
		d.balance()
	}
}

// hsig is 0 while ps is long, which stalls pc: else C would grow along a direction
// in which sigma is just growing.
func (d *distribution) hsig(ps2 float64) float64 {
	g, n := float64(d.updates), float64(d.n)
	low := ps2/(1-math.Pow(1-d.cs, 2*g))/n < 2+4/(n+1)
	if d.tutorial {
		low = math.Sqrt(ps2)/math.Sqrt(1-math.Pow(1-d.cs, 2*(g+1))) < (1.4+2/(n+1))*d.chiN
	}
	if low {
		return 1
	}
	return 0
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
			rates[k] *= float64(n) / d.length2(z[k])
		}
	}
	steps := make([]float64, 0, (1+len(y))*n)
	steps = append(steps, d.pc...)
	for _, v := range y {
		steps = append(steps, v...)
	}
	share(n, (n+3)/4, func(t int) {
		i := 4 * t
		from := whole(i, n) // of the upper triangle; the lower mirrors it
		var rows [4][]float64
		at := make([][4]float64, 1+len(y))
		for r := range rows {
			if i+r >= n {
				rows[r] = make([]float64, n-from)
				continue
			}
			rows[r] = d.cov[(i+r)*n+from : (i+r+1)*n]
			at[0][r] = d.c1 * d.pc[i+r]
			for k, rate := range rates {
				at[k+1][r] = rate * y[k][i+r]
			}
		}
		tile(rows, decay, steps[from:], n, at)
	})
	if !d.factored() {
		for i := range n {
			for j := i + 1; j < n; j++ {
				d.cov[j*n+i] = d.cov[i*n+j]
			}
		}
	}
}

// length2 is the squared length of z, kept from zero.
func (d *distribution) length2(z []float64) float64 {
	if d.tutorial {
		return dot(z, z) + 1e-8
	}
	norm := math.Sqrt(dot(z, z)) + 1e-9
	return norm * norm
}

// limitStds shrinks scales until no coordinate deviates by more than maxStd: in
// a bounded space more only samples the period of the bound transform.
func (d *distribution) limitStds() {
	slack := 1.0
	if d.updates <= 2 && !d.separable {
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
		for i := range d.scalePath {
			d.scalePath[i] *= f // it is in units of sigma
		}
		for i := range d.pc {
			if d.linear {
				d.pc[i] *= f // as well
			}
		}
		d.sigma = d.sigma0
		d.moved = math.Min(d.moved*f, math.MaxFloat64)
	}
	d.sigma = math.Max(d.sigma, 1e-150)
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
