package evolve

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// What of a prior search the start is taken from, and how wide it is made:
// WS-CMA-ES's gamma and alpha.
const (
	warmShare = 0.1
	warmWidth = 0.1
)

// warm makes the distribution that of the best of prior (Nomura et al. 2021,
// WS-CMA-ES, arXiv:2012.06932).
func (d *distribution) warm(prior []Scored[[]float64]) {
	ranked := append([]Scored[[]float64](nil), prior...)
	Rank(ranked)
	var points [][]float64
	for _, s := range ranked[:max(1, int(warmShare*float64(len(ranked))))] {
		if len(s.Genome) == d.n && !s.Failed() {
			points = append(points, unfolded(s.Genome))
		}
	}
	if len(points) == 0 {
		return
	}
	mean, sigma, cov, ok := promising(points, warmWidth)
	if !ok {
		return
	}
	d.mean, d.sigma, d.sigma0 = mean, sigma, sigma
	if d.separable {
		for i := range d.scale {
			d.scale[i] = math.Sqrt(cov[i*d.n+i])
		}
	} else {
		d.cov = cov
		d.decompose()
	}
	d.limitStds()
}

// promising returns mean, step size and covariance of determinant 1 of a normal
// distribution over points, each widened by a normal one of deviation width.
func promising(points [][]float64, width float64) (mean []float64, sigma float64, cov []float64, ok bool) {
	n := len(points[0])
	mean = make([]float64, n)
	for _, x := range points {
		addScaled(mean, 1/float64(len(points)), x)
	}
	s := mat.NewSymDense(n, nil)
	for i := range n {
		s.SetSym(i, i, width*width)
	}
	for _, x := range points {
		step := make([]float64, n)
		for i := range step {
			step[i] = x[i] - mean[i]
		}
		s.SymRankOne(s, 1/float64(len(points)), mat.NewVecDense(n, step))
	}
	var c mat.Cholesky
	if !c.Factorize(s) {
		return nil, 0, nil, false
	}
	logDet := c.LogDet() / float64(n)
	cov = make([]float64, n*n)
	for i := range n {
		for j := range n {
			cov[i*n+j] = s.At(i, j) / math.Exp(logDet)
		}
	}
	return mean, math.Exp(logDet / 2), cov, true
}
