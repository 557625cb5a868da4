package evolve

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// CMAOptions configures CMA-ES. The zero value is good: pycma's defaults but
// where said. Lengths are in coordinates of the unit cube; a negative tolerance
// switches its criterion off.
type CMAOptions struct {
	// Population is the number of candidates a generation, at least 2.
	// Default 4 + floor(3 ln n).
	Population int

	// Sigma is the first standard deviation in every coordinate, in (0, 1];
	// above 1/3 it is cut to that. It should be such that the best point is
	// expected within Start ± 2·Sigma. Default 0.25.
	Sigma float64

	// Seed chooses the run.
	Seed uint64

	// TolX stops when all standard deviations, and Sigma times the path pc, are
	// below it. Default 1e-11.
	TolX float64

	// TolFun stops when the values of the last generation, and the best ones of
	// the last 10 + 30n/Population, differ by less, but not by zero. Default 1e-11.
	TolFun float64

	// TolFunHist stops when the best values of the last 10 + 30n/Population
	// generations differ by less, but not by zero. Default 1e-12.
	TolFunHist float64

	// TolFacUpX stops when a standard deviation is so many times its first.
	// Default 1000.
	TolFacUpX float64

	// TolUpSigma stops when sigma has grown by more than this times the longest
	// axis of C: it creeps without getting anywhere. Default 1e20.
	TolUpSigma float64

	// TolConditionCov stops when the condition number of C is above it.
	// Default 1e14.
	TolConditionCov float64

	// TolStagnation stops when for about so many generations neither the best
	// nor the median values have become better. Default 100 + 100 n^1.5/Population.
	TolStagnation int

	// MaxFlat is how many generations in a row may be flat: best and
	// three-quarter candidate equal in value and tie, or all failed. Fitness like
	// accuracy has few values and is flat often; pycma's is 1. Default 10.
	MaxFlat int

	// MaxIter stops after so many generations. Default 100 + 150 (n+3)²/√Population.
	MaxIter int
}

// withDefaults returns the options for n genes with no zeros left, but perhaps Seed.
func (o CMAOptions) withDefaults(n int) CMAOptions {
	set(&o.Population, defaultPopulation(n))
	set(&o.Sigma, 0.25)
	set(&o.TolX, 1e-11)
	set(&o.TolFun, 1e-11)
	set(&o.TolFunHist, 1e-12)
	set(&o.TolFacUpX, 1000)
	set(&o.TolUpSigma, 1e20)
	set(&o.TolConditionCov, 1e14)
	set(&o.MaxFlat, 10)
	if o.Population > 1 {
		s := strategy{n: n, lambda: o.Population}
		set(&o.TolStagnation, s.stagnation())
		set(&o.MaxIter, s.maxIter())
	}
	return o
}

// set gives an unset option its default.
func set[T comparable](option *T, value T) {
	var zero T
	if *option == zero {
		*option = value
	}
}

func (o CMAOptions) validate() error {
	if o.Population < 2 || o.Population > maxPopulation {
		return fmt.Errorf("population %d is not in [2, %d]", o.Population, maxPopulation)
	}
	if !(o.Sigma > 0 && o.Sigma <= 1) {
		return fmt.Errorf("sigma %v is not in (0, 1]", o.Sigma)
	}
	for _, tol := range [...]float64{o.TolX, o.TolFun, o.TolFunHist, o.TolFacUpX, o.TolUpSigma, o.TolConditionCov} {
		if math.IsNaN(tol) {
			return errors.New("a tolerance is NaN")
		}
	}
	return nil
}

// CMA is the covariance matrix adaptation evolution strategy with weighted
// recombination, active covariance updates and cumulative step-size adaptation
// (Hansen, arXiv:1604.00772), with pycma 4.5's constants. Its distribution lives
// in an unbounded space, which is folded onto the unit cube.
//
// pycma changes to another step-size rule at n ≥ 300; CMA does not. Work per
// generation is O(n²·Population), and O(n³) whenever the covariance has changed
// enough to be decomposed again.
type CMA struct {
	options CMAOptions // defaults filled in
	dist    *distribution
	history cmaHistory
	asked

	// What was drawn for the generation that is out. It follows from the rest of
	// the state, so a snapshot leaves it out.
	y, z [][]float64
}

// maxStd is pycma's maxstd_boundrange: beyond a third of the range a normal
// distribution is about uniform over it.
const maxStd = 1. / 3

var _ = row(Algorithm{
	Name:       "cmaes",
	Doc:        "CMA-ES with full covariance, active updates and pycma's constants.",
	Use:        "up to a few hundred numbers; the default",
	Cite:       "Hansen, The CMA Evolution Strategy: A Tutorial, arXiv:1604.00772; Hansen et al., pycma 4.5.0, doi:10.5281/zenodo.2559634",
	Population: "4 + floor(3 ln n)",
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		return NewCMA(box, CMAOptions{Population: o.Population, Sigma: o.Sigma, Seed: o.Seed})
	},
})

// NewCMA returns a search of the box. The error says what is wrong with the box
// or the options.
func NewCMA(box Box, o CMAOptions) (*CMA, error) {
	if err := box.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults(len(box))
	if err := o.validate(); err != nil {
		return nil, err
	}
	mean := box.Start()
	for i, u := range mean {
		mean[i] = unitBounds.unfold(u)
	}
	s := newStrategy(len(box), o.Population)
	return &CMA{options: o, dist: newDistribution(s, mean, o.Sigma, maxStd), asked: asked{first: 1}}, nil
}

// Ask implements Optimizer.
func (c *CMA) Ask(ctx context.Context) ([]Candidate[[]float64], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.draw()
	pop := make([]Candidate[[]float64], len(c.y))
	for k, y := range c.y {
		x := make([]float64, len(y))
		c.dist.point(x, y)
		foldAll(x)
		pop[k] = Candidate[[]float64]{ID: c.first + uint64(k), Genome: x}
	}
	c.out = true
	return pop, nil
}

// draw fills y and z for the generation which begins with first.
func (c *CMA) draw() {
	if c.y != nil {
		return
	}
	c.y, c.z = newRows(c.dist.lambda, c.dist.n), newRows(c.dist.lambda, c.dist.n)
	for k, z := range c.z {
		rng := draws(c.options.Seed, c.first+uint64(k))
		for i := range z {
			z[i] = rng.NormFloat64()
		}
		c.dist.shape(c.y[k], z)
	}
}

// newRows returns rows of one block of memory.
func newRows(rows, n int) [][]float64 {
	block := make([]float64, rows*n)
	out := make([][]float64, rows)
	for k := range out {
		out[k] = block[k*n : (k+1)*n : (k+1)*n]
	}
	return out
}

func foldAll(x []float64) {
	for i, v := range x {
		x[i] = unitBounds.fold(v)
	}
}

// Tell implements Optimizer. Failed candidates rank last. A generation of which
// all failed says nothing about where to go: the distribution stays.
func (c *CMA) Tell(told []Scored[[]float64]) error {
	if err := match(c.asked, c.dist.lambda, told); err != nil {
		return err
	}
	c.draw() // for who restored a snapshot and tells without asking again

	ranked := append([]Scored[[]float64](nil), told...)
	Rank(ranked)
	scores := make([]Score, len(ranked))
	y, z := make([][]float64, len(ranked)), make([][]float64, len(ranked))
	for i, s := range ranked {
		k := s.ID - c.first
		scores[i], y[i], z[i] = s.Score, c.y[k], c.z[k]
	}
	c.history.observe(c.dist.strategy, scores)
	if !scores[0].Failed() {
		c.dist.update(y, z)
	}
	c.asked = asked{first: c.first + uint64(len(told))}
	c.y, c.z = nil, nil
	return nil
}

// Center implements Centered.
func (c *CMA) Center() ([]float64, bool) {
	if c.history.generations == 0 {
		return nil, false
	}
	x := append([]float64(nil), c.dist.mean...)
	foldAll(x)
	return x, true
}
