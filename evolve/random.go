package evolve

import (
	"context"
	"fmt"
	"slices"
)

// RandomOptions configures random search.
type RandomOptions struct {
	// Population is the number of candidates a generation. Default 4 + floor(3 ln n).
	Population int

	// Seed chooses the run.
	Seed uint64
}

// Random is random search: the first candidate is Box.Start, all others are
// uniform in the unit cube. What cannot beat it is not worth its code.
type Random struct {
	options RandomOptions
	start   []float64
	asked
}

var _ = row(Algorithm{
	Name:       "random",
	Doc:        "Uniform random search from the start.",
	Use:        "the baseline: what cannot beat it is not worth its code",
	Population: "4 + floor(3 ln n)",
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		return NewRandom(box, RandomOptions{Population: o.Population, Seed: o.Seed})
	},
})

// NewRandom returns a search of the box. The error says what is wrong with the
// box or the options.
func NewRandom(box Box, o RandomOptions) (*Random, error) {
	if err := box.Validate(); err != nil {
		return nil, err
	}
	if o.Population == 0 {
		o.Population = defaultPopulation(len(box))
	}
	if o.Population < 1 || o.Population > maxPopulation {
		return nil, fmt.Errorf("population %d is not in [1, %d]", o.Population, maxPopulation)
	}
	return &Random{options: o, start: box.Start(), asked: asked{first: 1}}, nil
}

// Ask implements Optimizer.
func (r *Random) Ask(ctx context.Context) ([]Candidate[[]float64], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	pop := make([]Candidate[[]float64], r.options.Population)
	for k := range pop {
		id := r.first + uint64(k)
		pop[k] = Candidate[[]float64]{ID: id, Genome: r.genome(id)}
	}
	r.out = true
	return pop, nil
}

func (r *Random) genome(id uint64) []float64 {
	if id == 1 {
		return slices.Clone(r.start)
	}
	rng := Draws(r.options.Seed, id)
	u := make([]float64, len(r.start))
	for i := range u {
		u[i] = rng.Float64()
	}
	return u
}

// Tell implements Optimizer; there is nothing to learn.
func (r *Random) Tell(told []Scored[[]float64]) error {
	if err := match(r.asked, r.options.Population, told); err != nil {
		return err
	}
	r.asked = asked{first: r.first + uint64(len(told))}
	return nil
}

// Stop implements Optimizer: always "".
func (r *Random) Stop() string { return "" }

const (
	randomKind    = "evolve/random"
	randomVersion = 2

	// maxPopulation and maxGenes are far above use; they keep sizes of a hostile
	// state from overflowing.
	maxPopulation = 1 << 16
	maxGenes      = 1 << 14
)

// MarshalBinary implements Optimizer.
func (r *Random) MarshalBinary() ([]byte, error) {
	return marshal(randomKind, randomVersion, func(f fields) { r.state(f, len(r.start)) })
}

// UnmarshalBinary implements Optimizer.
func (r *Random) UnmarshalBinary(data []byte) error {
	var s Random
	if err := unmarshal(data, randomKind, randomVersion, func(f fields) { s.state(f, len(r.start)) }); err != nil {
		return err
	}
	*r = s
	return nil
}

// state is for n genes, any number for 0.
func (r *Random) state(f fields, n int) {
	f.int("population", &r.options.Population, 1, maxPopulation)
	f.uint(&r.options.Seed)
	f.asked(&r.asked)
	genes := len(r.start)
	f.genes(&genes, n)
	f.unit("start", &r.start, genes)
}
