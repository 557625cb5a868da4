package evolvetest

import (
	"math"
	"testing"

	"github.com/mergevo/mergevo/evolve"
)

type (
	candidates = []evolve.Candidate[[]float64]
	scored     = []evolve.Scored[[]float64]
)

// generations is how long the suite runs an optimizer: long enough for everything
// in a state to be in use.
const generations = 12

// bowl has its best point near a corner, with few values, so that ties happen.
func bowl(c evolve.Candidate[[]float64]) evolve.Score {
	d := 0.0
	for _, u := range c.Genome {
		d += (u - 0.9) * (u - 0.9)
	}
	last := c.Genome[len(c.Genome)-1]
	items := make([]float32, 16)
	for i := range items {
		if math.Abs(c.Genome[i%len(c.Genome)]-float64(i)/15) < 0.3 {
			items[i] = 1
		}
	}
	return evolve.Score{
		Value: math.Round(-20 * d), Tie: -d, Items: items,
		Objectives:  []float64{math.Round(-20 * d), -math.Abs(last - 0.1)},
		Descriptors: []float64{c.Genome[0], last},
	}
}

func ask(t *testing.T, o evolve.Optimizer[[]float64]) candidates {
	t.Helper()
	pop, err := o.Ask(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(pop) == 0 {
		t.Fatal("Ask returned no candidates")
	}
	return pop
}

func score(pop candidates, f func(evolve.Candidate[[]float64]) evolve.Score) scored {
	out := make(scored, len(pop))
	for i, c := range pop {
		out[i] = evolve.Scored[[]float64]{Candidate: c, Score: f(c)}
	}
	return out
}

func tell(t *testing.T, o evolve.Optimizer[[]float64], told scored) {
	t.Helper()
	if err := o.Tell(told); err != nil {
		t.Fatal(err)
	}
}

func state(t *testing.T, o evolve.Optimizer[[]float64]) []byte {
	t.Helper()
	b, err := o.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// record is a run as its candidates and the answers of Stop.
type record struct {
	Asked []candidates
	Stops []string
}

func play(t *testing.T, o evolve.Optimizer[[]float64]) record {
	t.Helper()
	var r record
	for range generations {
		pop := ask(t, o)
		r.Asked = append(r.Asked, pop)
		tell(t, o, score(pop, bowl))
		r.Stops = append(r.Stops, o.Stop())
	}
	return r
}
