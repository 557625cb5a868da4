package evolve

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// learningRates slow the moves of the mean and of the covariance down while what they
// follow is mostly noise, be it the function's or that of its many hills (Nomura,
// Akimoto and Ono 2023, CMA-ES with Learning Rate Adaptation, arXiv:2304.03473; the
// names of the paper are in brackets).
type learningRates struct {
	mean, shape trend
}

// trend says of moves, in the coordinates of the distribution that they were made
// from, how far they have gone together and how far each for itself.
type trend struct {
	rate    float64   // of the moves, in (0, 1] (η)
	sum     []float64 // smoothed moves (E)
	squares float64   // smoothed squared lengths (V)
}

// The paper's table 1, as the package cmaes has it.
const (
	snrAim      = 1.4 // signal-to-noise ratio that a rate of 1 needs (α)
	meanMemory  = 0.1
	shapeMemory = 0.03
	rateChange  = 0.1 // (γ)
)

func newLearningRates(n int) *learningRates {
	return &learningRates{
		mean:  trend{rate: 1, sum: make([]float64, n)},
		shape: trend{rate: 1, sum: make([]float64, n*n)},
	}
}

// follow takes a move, and changes the rate by at most memory.
func (t *trend) follow(move []float64, memory float64) {
	for i, v := range move {
		t.sum[i] = (1-memory)*t.sum[i] + memory*v
	}
	t.squares = (1-memory)*t.squares + memory*dot(move, move)
	together := dot(t.sum, t.sum)
	noise := t.squares - together
	if noise <= 0 { // a single direction, or no move at all
		return
	}
	snr := (together - memory/(2-memory)*t.squares) / noise
	change := math.Max(-1, math.Min(1, snr/snrAim/t.rate-1))
	t.rate = math.Min(1, t.rate*math.Exp(math.Min(rateChange*t.rate, memory)*change))
}

// before is what a move is measured from.
type before struct {
	mean  []float64
	sigma float64
	cov   *mat.SymDense // sigma²·C
	root  *mat.Dense    // (sigma²·C)^-½
}

// remember copies what adaptRates needs to know of the distribution before its update.
func (d *distribution) remember() before {
	n := d.n
	b := before{mean: append([]float64(nil), d.mean...), sigma: d.sigma, cov: mat.NewSymDense(n, nil)}
	b.cov.ScaleSym(d.sigma*d.sigma, mat.NewSymDense(n, d.cov))
	basis := mat.NewDense(n, n, d.basis) // eigenvectors are its rows
	scaled := mat.DenseCopyOf(basis)
	for j, axis := range d.axes {
		row := scaled.RawRowView(j)
		for i := range row {
			row[i] /= axis * d.sigma
		}
	}
	b.root = mat.NewDense(n, n, nil)
	b.root.Mul(basis.T(), scaled)
	return b
}

// adaptRates takes back a part of the update since b, by rates which it adapts first.
func (d *distribution) adaptRates(b before) {
	n := d.n
	step, local := mat.NewVecDense(n, nil), mat.NewVecDense(n, nil)
	for i := range n {
		step.SetVec(i, (d.mean[i]-b.mean[i])/d.scale[i])
	}
	local.MulVec(b.root, step)
	turn := mat.NewSymDense(n, nil)
	turn.ScaleSym(-1, b.cov)
	now := mat.NewSymDense(n, nil)
	now.ScaleSym(d.sigma*d.sigma, mat.NewSymDense(n, d.cov))
	turn.AddSym(turn, now)
	var localTurn mat.Dense
	localTurn.Mul(b.root, turn)
	localTurn.Mul(&localTurn, b.root)
	localTurn.Scale(math.Sqrt2/2, &localTurn)

	r := d.rates
	rate := r.mean.rate
	r.mean.follow(local.RawVector().Data, meanMemory)
	r.shape.follow(localTurn.RawMatrix().Data, shapeMemory)

	for i := range n {
		d.mean[i] = b.mean[i] + r.mean.rate*(d.mean[i]-b.mean[i])
	}
	turn.ScaleSym(r.shape.rate, turn)
	turn.AddSym(turn, b.cov)
	var chol mat.Cholesky
	if !chol.Factorize(turn) {
		return // decompose mends what rounding did to C
	}
	d.sigma = math.Exp(chol.LogDet() / 2 / float64(n))
	turn.ScaleSym(1/(d.sigma*d.sigma), turn)
	for i := range n {
		for j := range n {
			d.cov[i*n+j] = turn.At(i, j)
		}
	}
	d.sigma *= rate / r.mean.rate // eq. 24: the best step for a slower mean is longer
}

func (r *learningRates) state(f fields, n int) {
	for _, t := range []*trend{&r.mean, &r.shape} {
		size := n
		if t == &r.shape {
			size = n * n
		}
		f.within("learning rate", &t.rate, math.SmallestNonzeroFloat64, 1)
		f.vector("smoothed moves", &t.sum, size)
		f.within("smoothed squares", &t.squares, 0, math.MaxFloat64)
	}
}
