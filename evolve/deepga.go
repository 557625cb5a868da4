package evolve

import (
	"context"
	"math"
	"slices"
)

var _ = row(Algorithm{
	Name:       "deepga",
	Doc:        "Deep GA: mutation and truncation alone, of genomes kept as lists of seeds.",
	Use:        "very many genes of which little is known, and many evaluations; a state stays small however many genes there are",
	Cite:       "Such et al. 2017, Deep Neuroevolution, arXiv:1712.06567",
	Population: "20",
	Options: []Option{
		{Name: "truncation", Default: "0.2", Min: 0, Max: 1, Doc: "share of a generation that becomes parents"},
	},
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		set(&o.Population, 20)
		d := &DeepGA{n: len(box), size: max(2, o.Population), seed: o.Seed, sigma: o.Sigma / 2, truncation: o.number("truncation"),
			start: box.Start(), asked: asked{first: 1}}
		if o.Start != nil {
			d.start = slices.Clone(o.Start)
		}
		return d, nil
	},
})

// DeepGA is a genetic algorithm without crossover whose individuals are the IDs of
// their ancestors: each has added noise that its ID says. Parents' numbers are kept in
// memory, so that a child costs one addition; a state holds the IDs only.
type DeepGA struct {
	n, size    int
	seed       uint64
	sigma      float64
	truncation float64
	start      []float64
	parents    []lineage // best first
	asked
}

// lineage is a parent: the start, moved by the noise of each of the IDs in turn.
type lineage struct {
	ids    []uint64
	score  Score     // Value and Tie
	genome []float64 // as they make it; nil until wanted
	ownID  uint64
}

const (
	deepGAKind    = "evolve/deepga"
	deepGAVersion = 1
	// maxLineage bounds a list of seeds that is read.
	maxLineage = 1 << 20
)

// mutated is a genome moved by the noise of an ID.
func (d *DeepGA) mutated(u []float64, id uint64) []float64 {
	rng := Draws(d.seed, id)
	_ = rng.Uint64() // the choice of the parent
	out := make([]float64, len(u))
	for i := range out {
		out[i] = bounce(u[i] + d.sigma*rng.NormFloat64())
	}
	return out
}

// of is a parent's genome.
func (d *DeepGA) of(l *lineage) []float64 {
	if l.genome == nil {
		l.genome = slices.Clone(d.start)
		for _, id := range l.ids {
			l.genome = d.mutated(l.genome, id)
		}
	}
	return l.genome
}

// parentOf is the parent that a child of this generation has; -1 for the start.
func (d *DeepGA) parentOf(id uint64) int {
	if len(d.parents) == 0 {
		return -1
	}
	return int(Draws(d.seed, id).Uint64() % uint64(len(d.parents)))
}

// Ask implements Optimizer. The first candidate of all is the start, the first of later
// generations the elite's own mutant as the others are.
func (d *DeepGA) Ask(ctx context.Context) ([]Candidate[[]float64], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.out = true
	pop := make([]Candidate[[]float64], d.size)
	for k := range pop {
		id := d.first + uint64(k)
		pop[k].ID = id
		switch i := d.parentOf(id); {
		case id == 1:
			pop[k].Genome = slices.Clone(d.start)
		case i < 0:
			pop[k].Genome = d.mutated(d.start, id)
		default:
			pop[k].Genome, pop[k].Parents = d.mutated(d.of(&d.parents[i]), id), []uint64{d.parents[i].ownID}
		}
	}
	return pop, nil
}

// Tell implements Optimizer: the best of the generation, and of the parents the best,
// are the next parents.
func (d *DeepGA) Tell(told []Scored[[]float64]) error {
	if err := match(d.asked, d.size, told); err != nil {
		return err
	}
	ranked := best(told, len(told))
	keep := max(1, int(math.Round(d.truncation*float64(d.size))))
	var next []lineage
	if len(d.parents) > 0 {
		next = append(next, d.parents[0]) // the elite
	}
	for _, s := range ranked {
		if s.Failed() || len(next) >= keep+1 {
			break
		}
		l := lineage{ownID: s.ID, score: Score{Value: s.Value, Tie: s.Tie}, genome: slices.Clone(s.Genome)}
		if i := d.parentOf(s.ID); i >= 0 {
			l.ids = slices.Clone(d.parents[i].ids)
		}
		if s.ID != 1 {
			l.ids = append(l.ids, s.ID)
		}
		next = append(next, l)
	}
	slices.SortStableFunc(next, func(a, b lineage) int { return Compare(a.scored(), b.scored()) })
	d.parents = next[:min(keep, len(next))]
	d.asked = asked{first: d.first + uint64(len(told))}
	return nil
}

func (l lineage) scored() Scored[[]float64] {
	return Scored[[]float64]{Candidate: Candidate[[]float64]{ID: l.ownID}, Score: l.score}
}

// Stop implements Optimizer: always "".
func (d *DeepGA) Stop() string { return "" }

// MarshalBinary implements Optimizer.
func (d *DeepGA) MarshalBinary() ([]byte, error) {
	return marshal(deepGAKind, deepGAVersion, func(f fields) { d.state(f, 0) })
}

// UnmarshalBinary implements Optimizer.
func (d *DeepGA) UnmarshalBinary(data []byte) error {
	var s DeepGA
	if err := unmarshal(data, deepGAKind, deepGAVersion, func(f fields) { s.state(f, d.n) }); err != nil {
		return err
	}
	*d = s
	return nil
}

func (d *DeepGA) state(f fields, n int) {
	f.genes(&d.n, n)
	f.int("population", &d.size, 2, maxPopulation)
	f.uint(&d.seed)
	f.within("sigma", &d.sigma, 0, 1)
	f.within("truncation", &d.truncation, 0, 1)
	f.unit("start", &d.start, d.n)
	f.asked(&d.asked)
	count := len(d.parents)
	f.count("parents", &count, d.size, 32)
	if f.reading() {
		d.parents = nil
		if count > 0 {
			d.parents = make([]lineage, count)
		}
	}
	for i := range d.parents {
		l := &d.parents[i]
		f.ids("seeds", &l.ids, maxLineage)
		f.uint(&l.ownID)
		f.float(&l.score.Value)
		f.float(&l.score.Tie)
		if !f.ok() {
			return
		}
	}
}
