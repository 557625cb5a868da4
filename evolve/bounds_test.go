package evolve

import (
	"context"
	"fmt"
	"math"
	"testing"
)

// With a penalty the mean stays within the bounds while the best point is in a corner,
// and that is found all the same.
func TestCMAPenalty(t *testing.T) {
	box := make(Box, 5)
	for i := range box {
		box[i] = Gene{Name: fmt.Sprint(i), Hi: 1, Start: 0.5}
	}
	away := map[float64]float64{}
	for _, penalty := range []float64{0, 10} {
		c, err := NewCMA(box, CMAOptions{Seed: 3, Sigma: 0.3, Penalty: penalty, TolFun: -1, TolFunHist: -1, TolX: -1})
		if err != nil {
			t.Fatal(err)
		}
		best := 0.0
		for range 60 {
			pop, err := c.Ask(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			var told []Scored[[]float64]
			for _, p := range pop {
				sum := 0.0
				for _, u := range p.Genome {
					sum += u
				}
				best = math.Max(best, sum)
				told = append(told, Scored[[]float64]{Candidate: p, Score: Score{Value: sum}})
			}
			if err := c.Tell(told); err != nil {
				t.Fatal(err)
			}
			for _, x := range c.dist.mean {
				away[penalty] = math.Max(away[penalty], unitBounds.beyond(x))
			}
		}
		if best < 4.99 {
			t.Errorf("penalty %g: best %v of 5", penalty, best)
		}
	}
	t.Logf("the mean was as far as %.3f behind the bounds, %.3f with a penalty", away[0], away[10])
	if away[10] > away[0]/2 {
		t.Errorf("the mean was as far as %.3f behind the bounds, %.3f with a penalty", away[0], away[10])
	}
}

// A run that restarts after it was resumed keeps its options.
func TestRestartsKeepOptions(t *testing.T) {
	box := Box{{Name: "a", Hi: 1, Start: 0.5}, {Name: "b", Hi: 1, Start: 0.5}}
	settings := Settings{Seed: 1, Options: map[string]string{"restarts": "ipop", "learning_rate": "adapted", "penalty": "2"}}
	a, _ := LookupOptimizer("cmaes-plain")
	first, err := a.New(box, settings)
	if err != nil {
		t.Fatal(err)
	}
	state, err := first.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	second, err := a.New(box, Settings{Seed: 2, Options: map[string]string{"restarts": "ipop"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.UnmarshalBinary(state); err != nil {
		t.Fatal(err)
	}
	if base := second.(*Restarts).base; !base.Rated || base.Penalty != 2 {
		t.Errorf("a restart has learning rates adapted: %v, penalty %v", base.Rated, base.Penalty)
	}
}
