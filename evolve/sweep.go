package evolve

import (
	"context"
	"math"
	"slices"
)

var _ = row(Algorithm{
	Name:       "sweep",
	Doc:        "One gene after the other: values spread about the best so far, closer together each time round.",
	Use:        "what people do by hand, as a baseline; good where genes hardly depend on each other",
	Seedless:   true,
	Population: "8",
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		set(&o.Population, 8)
		s := &Sweep{size: o.Population, width: 1, best: Scored[[]float64]{Score: Score{Value: math.NaN()}}, asked: asked{first: 1}}
		s.best.Genome = box.Start()
		if o.Start != nil {
			s.best.Genome = slices.Clone(o.Start)
		}
		return s, nil
	},
})

// Sweep is a coordinate search. It stops when the values it tries are within 1e-6.
type Sweep struct {
	size  int
	gene  int
	width float64 // of the interval that is swept, as a share of the box
	best  Scored[[]float64]
	asked
}

// Ask implements Optimizer. The first candidate of all is the start.
func (s *Sweep) Ask(ctx context.Context) ([]Candidate[[]float64], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	center := s.best.Genome[s.gene]
	lo, hi := math.Max(0, center-s.width/2), math.Min(1, center+s.width/2)
	points := make([][]float64, s.size)
	for k := range points {
		points[k] = slices.Clone(s.best.Genome)
		points[k][s.gene] = clampUnit(lo + (hi-lo)*(float64(k)+0.5)/float64(s.size))
	}
	if s.first == 1 {
		points[0] = slices.Clone(s.best.Genome)
	}
	s.out = true
	pop := candidates(s.first, points)
	for k := range pop {
		if s.best.ID > 0 {
			pop[k].Parents = []uint64{s.best.ID}
		}
	}
	return pop, nil
}

// Tell implements Optimizer.
func (s *Sweep) Tell(told []Scored[[]float64]) error {
	if err := match(s.asked, s.size, told); err != nil {
		return err
	}
	top := best(told, 1)[0]
	if !top.Failed() && (s.best.Failed() || Better(top, s.best)) {
		s.best = Scored[[]float64]{Candidate: Candidate[[]float64]{ID: top.ID, Genome: slices.Clone(top.Genome)}, Score: Score{Value: top.Value, Tie: top.Tie}}
	}
	if s.gene++; s.gene == len(s.best.Genome) {
		s.gene = 0
		s.width *= math.Min(0.5, 3/float64(s.size)) // three steps about the best
	}
	s.width = math.Max(s.width, 1e-9)
	s.asked = asked{first: s.first + uint64(len(told))}
	return nil
}

// Stop implements Optimizer: "tolx".
func (s *Sweep) Stop() string {
	if s.width < 1e-6 {
		return "tolx"
	}
	return ""
}

// Center implements Centered.
func (s *Sweep) Center() ([]float64, bool) { return slices.Clone(s.best.Genome), s.best.ID > 0 }

const (
	sweepKind    = "evolve/sweep"
	sweepVersion = 1
)

// MarshalBinary implements Optimizer.
func (s *Sweep) MarshalBinary() ([]byte, error) {
	return marshal(sweepKind, sweepVersion, func(f fields) { s.state(f, 0) })
}

// UnmarshalBinary implements Optimizer.
func (s *Sweep) UnmarshalBinary(data []byte) error {
	var r Sweep
	if err := unmarshal(data, sweepKind, sweepVersion, func(f fields) { r.state(f, len(s.best.Genome)) }); err != nil {
		return err
	}
	*s = r
	return nil
}

func (s *Sweep) state(f fields, n int) {
	genes := len(s.best.Genome)
	f.genes(&genes, n)
	f.int("population", &s.size, 1, maxPopulation)
	f.int("gene", &s.gene, 0, genes-1)
	f.within("width", &s.width, 1e-12, 1)
	list := []Scored[[]float64]{s.best}
	f.scored("best", &list, genes, 1)
	if f.reading() && f.ok() {
		if len(list) != 1 {
			f.fail("there is no best")
			return
		}
		s.best = list[0]
	}
	f.asked(&s.asked)
}
