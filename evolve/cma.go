package evolve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
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

	// Covariance is what is learnt of the distribution's shape. Default Decoded,
	// which pycma has to be asked for.
	Covariance Covariance

	// Passive learns from the better half only, as CMA-ES did before 2016.
	Passive bool

	// Free searches all of ℝⁿ: no point is folded, and Start, Inject and Sigma are
	// in the units of the space, of which the box says the number of genes only. It
	// is for comparisons on functions without bounds.
	Free bool

	// Noise scores some candidates of each generation twice, and widens the steps while
	// their ranks change by more than chance allows (Hansen et al. 2009, UH-CMA-ES).
	Noise bool

	// Start is the first mean, in the unit cube. Default the box's.
	Start []float64

	// Inject are points of the unit cube to have in the first generation.
	Inject [][]float64

	// Prior are scored points of a similar search; mean, step size and covariance
	// then begin as the best tenth of them lie (Nomura et al. 2021, WS-CMA-ES,
	// arXiv:2012.06932), and Start and Sigma do not count.
	Prior []Scored[[]float64]

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
	set(&o.Covariance, Decoded)
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
	if !(o.Sigma > 0 && (o.Sigma <= 1 || o.Free) && !math.IsInf(o.Sigma, 0)) {
		return fmt.Errorf("sigma %v is not in (0, 1]", o.Sigma)
	}
	switch o.Covariance {
	case Decoded, Full, Separable:
	default:
		return fmt.Errorf("covariance %q is not one of %s, %s and %s", o.Covariance, Decoded, Full, Separable)
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
// in an unbounded space, which is folded onto the unit cube; whole numbers and
// choices keep a margin of probability.
//
// pycma changes to another step-size rule at n ≥ 300; CMA does not. Work per
// generation is O(n²·Population), and O(n³) whenever the covariance has changed
// enough to be decomposed again; O(n·Population) with Separable.
type CMA struct {
	options CMAOptions // defaults filled in; Start, Inject and Prior are used up
	dist    *distribution
	margin  *margin
	history cmaHistory
	inject  [][]float64 // what is left of Inject
	noise   noiseHandler
	asked

	// What was drawn for the generation that is out. It follows from the rest of
	// the state, so a snapshot leaves it out.
	x, y, z [][]float64
}

var (
	_ = row(cmaRow("cmaes", Decoded,
		"CMA-ES with full covariance, active updates, pycma's constants and diagonal decoding.",
		"up to a few hundred numbers; the default",
		"; Akimoto and Hansen 2020, Diagonal Acceleration for CMA-ES, Evolutionary Computation 28(3)"))
	_ = row(cmaRow("cmaes-plain", Full,
		"CMA-ES as pycma runs it by default: no diagonal decoding.",
		"to compare with pycma; cmaes needs fewer evaluations",
		""))
	_ = row(cmaRow("sep-cmaes", Separable,
		"CMA-ES that learns a variance a gene, and no correlations.",
		"hundreds to thousands of numbers which do not depend on each other much",
		"; Ros and Hansen 2008, A Simple Modification in CMA-ES"))
)

func cmaRow(name string, c Covariance, doc, use, cite string) Algorithm {
	return Algorithm{
		Name: name, Doc: doc, Use: use,
		Cite:       "Hansen, The CMA Evolution Strategy: A Tutorial, arXiv:1604.00772; Hansen et al., pycma 4.5.0, doi:10.5281/zenodo.2559634" + cite,
		Population: "4 + floor(3 ln n)",
		Options:    append([]Option{activeOption, noiseOption}, restartOptions...),
		Free:       true,
		New: func(box Box, o Settings) (Optimizer[[]float64], error) {
			return restarted(box, o, CMAOptions{
				Population: o.Population, Sigma: o.Sigma, Seed: o.Seed, Covariance: c,
				Passive: o.word("active") == "off", Noise: o.word("noise") == "on", Start: o.Start, Free: o.Free, Inject: o.Inject, Prior: o.Prior,
			})
		},
	}
}

var activeOption = Option{Name: "active", Default: "on", Words: []string{"on", "off"}, Doc: "learn from bad candidates too"}

var noiseOption = Option{Name: "noise", Default: "off", Words: []string{"on", "off"}, Doc: "score some candidates twice, for scores that differ from time to time: those of mergevo's tasks do not"}

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
	for _, u := range append(o.Inject[:len(o.Inject):len(o.Inject)], o.Start) {
		if u != nil && len(u) != len(box) {
			return nil, fmt.Errorf("a point of %d coordinates is given for %d genes", len(u), len(box))
		}
	}
	if o.Start == nil {
		o.Start = box.Start()
	}
	c := &CMA{options: o, inject: o.Inject[:min(len(o.Inject), o.Population)], asked: asked{first: 1}}
	s := o.strategy(len(box))
	c.dist = newDistribution(s, o.unfold(o.Start), o.Sigma, o.widest())
	if len(o.Prior) > 0 {
		c.dist.warm(o.Prior)
	}
	c.margin = newMargin(s)
	for i, g := range box {
		if k := g.values(); k > 1 && !o.Free {
			c.margin.add(lattice{gene: i, low: 0.5 / float64(k), step: 1 / float64(k), size: k})
			c.dist.mean[i] = o.Start[i] // which is not folded
		}
	}
	c.options.Start, c.options.Inject, c.options.Prior = nil, nil, nil
	return c, nil
}

func (o CMAOptions) strategy(n int) strategy {
	s := newVariant(n, o.Population, o.Covariance)
	if o.Passive {
		s.setWeights(1, 0)
	}
	return s
}

// maxStd is pycma's maxstd_boundrange: beyond a third of the range a normal
// distribution is about uniform over it.
const maxStd = 1. / 3

// widest is the standard deviation that no coordinate may exceed.
func (o CMAOptions) widest() float64 {
	if o.Free {
		return math.Inf(1)
	}
	return maxStd
}

// unfold is the point of the distribution's space that is folded onto u.
func (o CMAOptions) unfold(u []float64) []float64 {
	if o.Free {
		return slices.Clone(u)
	}
	return unfolded(u)
}

func unfolded(u []float64) []float64 {
	x := make([]float64, len(u))
	for i, v := range u {
		x[i] = unitBounds.unfold(clampUnit(v))
	}
	return x
}

// Ask implements Optimizer.
func (c *CMA) Ask(ctx context.Context) ([]Candidate[[]float64], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.draw()
	c.out = true
	if again := c.noise.again; len(again) > 0 {
		pop := make([]Candidate[[]float64], len(again))
		for i, k := range again {
			pop[i] = Candidate[[]float64]{ID: c.first + uint64(i), Parents: []uint64{c.noise.begun + uint64(k)}, Genome: c.fold(c.x[k])}
		}
		return pop, nil
	}
	pop := make([]Candidate[[]float64], len(c.x))
	for k, x := range c.x {
		pop[k] = Candidate[[]float64]{ID: c.first + uint64(k), Genome: c.fold(x)}
	}
	return pop, nil
}

// draw fills x, y and z for the generation which begins with first.
func (c *CMA) draw() {
	if c.y != nil {
		return
	}
	d := c.dist
	c.x, c.y, c.z = newRows(d.lambda, d.n), newRows(d.lambda, d.n), newRows(d.lambda, d.n)
	for k, z := range c.z {
		rng := draws(c.options.Seed, c.generation()+uint64(k))
		for i := range z {
			z[i] = rng.NormFloat64()
		}
	}
	d.shapeAll(c.y, c.z)
	for k, y := range c.y {
		d.point(c.x[k], y)
	}
	for k, u := range c.inject { // the last candidates give way
		c.place(len(c.x)-1-k, u)
	}
}

// place makes candidate k the point u. What is learnt from it is a step of usual
// length at most (Hansen 2011, Injecting External Solutions into CMA-ES,
// arXiv:1110.4181).
func (c *CMA) place(k int, u []float64) {
	d, x, y, z := c.dist, c.x[k], c.y[k], c.z[k]
	copy(x, c.options.unfold(u))
	for _, l := range c.margin.lattices {
		x[l.gene] = u[l.gene]
	}
	for i := range y {
		y[i] = (x[i] - d.mean[i]) / (d.sigma * d.scale[i])
	}
	d.whiten(z, y)
	n := float64(d.n)
	if f := (math.Sqrt(n) + 2*n/(n+2)) / math.Sqrt(dot(z, z)); f < 1 {
		for i := range y {
			y[i] *= f
			z[i] *= f
		}
	}
}

// generation is the ID of the first candidate of the generation that is under way.
func (c *CMA) generation() uint64 {
	if len(c.noise.again) > 0 {
		return c.noise.begun
	}
	return c.first
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

// fold is the point of the unit cube that a sample means.
func (c *CMA) fold(x []float64) []float64 {
	u := slices.Clone(x)
	if c.options.Free {
		return u
	}
	c.margin.encode(u, c.dist)
	next := 0
	for i, v := range u {
		if next < len(c.margin.lattices) && c.margin.lattices[next].gene == i {
			next++
			continue
		}
		u[i] = unitBounds.fold(v)
	}
	return u
}

// Tell implements Optimizer. Failed candidates rank last. A generation of which
// all failed says nothing about where to go: the distribution stays.
func (c *CMA) Tell(told []Scored[[]float64]) error {
	if again := c.noise.again; len(again) > 0 {
		if err := match(c.asked, len(again), told); err != nil {
			return err
		}
		c.draw()
		both := c.noise.merge(told, c.first, c.dist)
		begun := c.noise.begun
		c.first += uint64(len(told))
		c.noise.again, c.noise.scored = nil, nil
		c.learn(both, begun)
		c.out = false
		return nil
	}
	if err := match(c.asked, c.dist.lambda, told); err != nil {
		return err
	}
	c.draw() // for who restored a snapshot and tells without asking again
	begun := c.first
	if c.options.Noise && c.noise.begin(told, begun) {
		c.asked = asked{first: c.first + uint64(len(told))}
		return nil
	}
	c.learn(told, begun)
	c.asked = asked{first: c.first + uint64(len(told))}
	return nil
}

// learn takes a generation whose first candidate is begun.
func (c *CMA) learn(told []Scored[[]float64], begun uint64) {
	ranked := append([]Scored[[]float64](nil), told...)
	Rank(ranked)
	scores := make([]Score, len(ranked))
	y, z := make([][]float64, len(ranked)), make([][]float64, len(ranked))
	for i, s := range ranked {
		k := int(s.ID - begun)
		scores[i], y[i], z[i] = s.Score, c.y[k], c.z[k]
		if k >= len(c.y)-len(c.inject) && i >= c.dist.mu {
			clear(y[i]) // nothing is unlearnt from a point that was not drawn
			clear(z[i])
		}
	}
	c.history.observe(c.dist.strategy, scores)
	if !scores[0].Failed() {
		c.dist.update(y, z)
		c.margin.correct(c.dist)
	}
	c.x, c.y, c.z, c.inject = nil, nil, nil, nil
}

// Center implements Centered.
func (c *CMA) Center() ([]float64, bool) {
	if c.history.generations == 0 {
		return nil, false
	}
	return c.fold(c.dist.mean), true
}
