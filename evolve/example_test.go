package evolve_test

import (
	"context"
	"fmt"

	"github.com/mergevo/mergevo/evolve"
)

// Two weights, the best of which are 0.3 and 0.6.
func Example() {
	box := evolve.Box{
		{Name: "left", Lo: 0, Hi: 1, Start: 0.5},
		{Name: "right", Lo: 0, Hi: 2, Start: 1},
	}
	cma, err := evolve.NewCMA(box, evolve.CMAOptions{Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	score := func(_ context.Context, pop []evolve.Candidate[[]float64]) ([]evolve.Score, error) {
		scores := make([]evolve.Score, len(pop))
		for i, c := range pop {
			v := box.Values(c.Genome)
			scores[i].Value = -(v[0]-0.3)*(v[0]-0.3) - (v[1]-0.6)*(v[1]-0.6)
		}
		return scores, nil
	}
	budget := evolve.Budget{Evaluations: 300}
	for e, err := range evolve.Run(context.Background(), cma, score, budget, evolve.Progress[[]float64]{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if e.Kind == evolve.Stopped {
			fmt.Printf("%s: %.3f\n", e.Reason, box.Values(e.Best.Genome))
		}
	}
	// Output: evaluations: [0.300 0.600]
}
