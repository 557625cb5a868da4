package evolve

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
)

// population is what methods which breed from a population of scored candidates have
// in common: who is asked, who is told, and how that is kept. What they differ in is a
// breed.
type population struct {
	breed   breed
	kind    string // of the state
	n, size int    // genes; candidates in the first generation
	seed    uint64
	start   []float64
	inject  [][]float64
	// members are the scored candidates to breed from; none before the first Tell.
	members    []Scored[[]float64]
	generation int
	asked
}

// breed is a method's own part.
type breed interface {
	// count is the number of children of the generation to come.
	count(p *population) int
	// child is child k of them, with the IDs of its parents.
	child(p *population, rng *rand.Rand, k int) ([]float64, []uint64)
	// survive returns the members after a generation was told, which is in the order
	// of asking; it may change its argument.
	survive(p *population, told []Scored[[]float64]) []Scored[[]float64]
	// stop is Optimizer.Stop.
	stop(p *population) string
	// state has the breed's own settings and memories.
	state(f fields, p *population)
	// fresh is an empty one, to be read into.
	fresh() breed
}

// newPopulation makes the optimizer of a breed, whose first generation has size
// candidates.
func newPopulation(name string, b breed, box Box, o Settings, size int) *population {
	p := &population{breed: b, kind: "evolve/" + name, n: len(box), size: size, seed: o.Seed, start: box.Start(), asked: asked{first: 1}}
	if o.Start != nil {
		p.start = slices.Clone(o.Start)
	}
	for _, u := range o.Inject[:min(len(o.Inject), size-1)] {
		p.inject = append(p.inject, slices.Clone(u))
	}
	return p
}

// Ask implements Optimizer.
func (p *population) Ask(ctx context.Context) ([]Candidate[[]float64], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	pop := make([]Candidate[[]float64], p.pending())
	for k := range pop {
		c := &pop[k]
		c.ID = p.first + uint64(k)
		rng := Draws(p.seed, c.ID)
		switch {
		case p.generation > 0:
			c.Genome, c.Parents = p.breed.child(p, rng, k)
			for i, u := range c.Genome {
				c.Genome[i] = clampUnit(u)
			}
		case k == 0:
			c.Genome = slices.Clone(p.start)
		case k <= len(p.inject):
			c.Genome = slices.Clone(p.inject[k-1])
		default:
			c.Genome = uniformPoint(rng, p.n)
		}
	}
	p.out = true
	return pop, nil
}

func (p *population) pending() int {
	if p.generation == 0 {
		return p.size
	}
	return p.breed.count(p)
}

func uniformPoint(rng *rand.Rand, n int) []float64 {
	u := make([]float64, n)
	for i := range u {
		u[i] = rng.Float64()
	}
	return u
}

// Tell implements Optimizer.
func (p *population) Tell(told []Scored[[]float64]) error {
	if err := match(p.asked, p.pending(), told); err != nil {
		return err
	}
	own := slices.Clone(told)
	slices.SortFunc(own, func(a, b Scored[[]float64]) int { return int(int64(a.ID - b.ID)) })
	for i := range own {
		s := &own[i]
		s.Genome, s.Parents = slices.Clone(s.Genome), nil
		if s.Failed() {
			s.Value, s.Err = math.NaN(), nil
		}
	}
	p.members = p.breed.survive(p, own)
	p.generation++
	p.asked = asked{first: p.first + uint64(len(told))}
	return nil
}

// Stop implements Optimizer.
func (p *population) Stop() string {
	if p.generation == 0 {
		return ""
	}
	return p.breed.stop(p)
}

const populationVersion = 3

// MarshalBinary implements Optimizer.
func (p *population) MarshalBinary() ([]byte, error) {
	return marshal(p.kind, populationVersion, func(f fields) { p.state(f, 0) })
}

// UnmarshalBinary implements Optimizer.
func (p *population) UnmarshalBinary(data []byte) error {
	s := population{breed: p.breed.fresh(), kind: p.kind}
	if err := unmarshal(data, p.kind, populationVersion, func(f fields) { s.state(f, p.n) }); err != nil {
		return err
	}
	*p = s
	return nil
}

func (p *population) state(f fields, n int) {
	f.genes(&p.n, n)
	f.int("first generation", &p.size, 1, maxPopulation)
	f.uint(&p.seed)
	f.unit("start", &p.start, p.n)
	count := len(p.inject)
	f.count("injected", &count, p.size-1, 8*p.n)
	if f.reading() && count > 0 {
		p.inject = make([][]float64, count)
	}
	for i := range p.inject {
		f.unit("injected", &p.inject[i], p.n)
	}
	f.int("generation", &p.generation, 0, math.MaxInt32)
	f.asked(&p.asked)
	f.scored("members", &p.members, p.n, maxPopulation)
	items := len(p.members)
	for i := 0; i < items && f.ok(); i++ {
		f.items("items", &p.members[i].Items)
	}
	if f.reading() && p.generation > 0 && len(p.members) == 0 {
		f.fail("nobody is left to breed from")
	}
	if f.ok() {
		p.breed.state(f, p)
	}
}

// best returns the best so many, best first.
func best(list []Scored[[]float64], n int) []Scored[[]float64] {
	ranked := slices.Clone(list)
	Rank(ranked)
	return ranked[:min(n, len(ranked))]
}
