package evolve

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Diagonal decoding adapts the scales beside C (Akimoto and Hansen 2020, Diagonal
// Acceleration for Covariance Matrix Adaptation Evolution Strategies, Evolutionary
// Computation 28(3); pycma's CMA_diagonal_decoding): n numbers are learnt in far
// fewer evaluations than the n² of C, which is left with the correlations.

// updateScale learns from the whitened steps, before C does. z are what shape made
// the steps of, yw their weighted mean.
func (d *distribution) updateScale(z [][]float64, yw []float64, hsig float64) {
	n := d.n
	step := hsig * math.Sqrt(d.ccScale*(2-d.ccScale)*d.mueff)
	path := make([]float64, n)
	for i := range d.scalePath {
		d.scalePath[i] = (1-d.ccScale)*d.scalePath[i] + step*d.scale[i]*yw[i]
		path[i] = d.scalePath[i] / d.scale[i]
	}
	white, v := make([]float64, n), make([]float64, n)
	d.whiten(white, path)
	grow := newGrowth(n)
	d.turn(v, white)
	grow.add(d.c1Scale/d.beta, v)
	for k, w := range d.weights {
		d.turn(v, z[k])
		grow.add(d.cmuScale*w/d.beta, v)
	}
	grow.apply(d.scale)
}

// updateVariances is the update of a separable distribution.
func (d *distribution) updateVariances(y [][]float64, hsig float64) {
	grow := newGrowth(d.n)
	// pycma's factor: a step of twice the variance then doubles it at rate 1
	grow.add(math.Ln2*d.c1*(1-(1-hsig)*d.cc*(2-d.cc)), d.pc)
	for k, w := range d.weights {
		grow.add(math.Ln2*d.cmu*w, y[k])
	}
	grow.apply(d.scale)
}

// updateDiagonal is eq. 47 for the diagonal of C alone, whose roots are the scales.
func (d *distribution) updateDiagonal(y [][]float64, hsig float64) {
	for i, s := range d.scale {
		v := (1 - d.c1*(1-(1-hsig)*d.cc*(2-d.cc)) - d.cmu) * s * s
		v += d.c1 * d.pc[i] * d.pc[i]
		for k, w := range d.weights[:d.mu] {
			v += d.cmu * w * y[k][i] * y[k][i] * s * s
		}
		d.scale[i] = math.Sqrt(math.Max(v, 1e-300))
	}
}

// growth gathers by how much scales grow: 1 + w(v²-1) to first order, as an
// exponential, which no negative weight makes negative.
type growth struct {
	sum     float64   // of weights
	squares []float64 // weighted
}

func newGrowth(n int) *growth { return &growth{squares: make([]float64, n)} }

func (g *growth) add(w float64, v []float64) {
	g.sum += w
	for i, x := range v {
		g.squares[i] += w * x * x
	}
}

// apply multiplies the scales, by no more than 1000 either way: only scores that
// make no sense lead there.
func (g *growth) apply(scale []float64) {
	for i := range scale {
		f := math.Exp((g.squares[i] - g.sum) / 2)
		scale[i] *= math.Max(1e-3, math.Min(f, 1e3))
	}
}

// slowScale sets beta from the condition of the correlations in C: the more of them
// there are, the less the scales alone can say.
func (d *distribution) slowScale() {
	if d.c1Scale == 0 {
		return
	}
	if d.factored() {
		d.setBeta(d.conditionFactored())
		return
	}
	n := d.n
	corr := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			corr.SetSym(i, j, d.cov[i*n+j]/math.Sqrt(d.cov[i*n+i]*d.cov[j*n+j]))
		}
	}
	d.beta = 1
	var eigen mat.EigenSym
	if !eigen.Factorize(corr, false) {
		return
	}
	values := eigen.Values(nil)
	d.setBeta(values[n-1] / values[0])
}

func (d *distribution) setBeta(condition float64) {
	d.beta = 1
	if condition > 0 && !math.IsInf(condition, 0) {
		d.beta = math.Max(1, math.Sqrt(condition)-1)
	}
}
