package evolve

import (
	"context"
	"fmt"
	"math"
	"slices"
)

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
	spare   [3][][]float64 // their memory, between generations
}

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
	if c.spare[0] == nil {
		for i := range c.spare {
			c.spare[i] = newRows(d.lambda, d.n)
		}
	}
	c.x, c.y, c.z = c.spare[0], c.spare[1], c.spare[2]
	share(d.n, d.lambda, func(k int) {
		rng := Draws(c.options.Seed, c.generation()+uint64(k))
		for i := range c.z[k] {
			c.z[k][i] = rng.NormFloat64()
		}
	})
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
	if c.options.Penalty > 0 && !c.options.Free {
		c.penalize(ranked, begun)
	}
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
	c.history.follow(c.dist.mean, c.options.TolXStagnation)
	c.x, c.y, c.z, c.inject = nil, nil, nil, nil
}

// Center implements Centered.
func (c *CMA) Center() ([]float64, bool) {
	if c.history.generations == 0 {
		return nil, false
	}
	return c.fold(c.dist.mean), true
}
