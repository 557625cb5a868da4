package evolve_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/evolve/evolvetest"
)

// With noise that hides small differences, steps shrink no further than they tell
// anything; without noise it converges as ever. Every setting of CMA-ES keeps the
// contract.
func TestNoiseHandling(t *testing.T) {
	run := func(noise float64, handled bool) (center float64) {
		box := wide(5, 1, 10)
		o, err := evolve.NewCMA(box, evolve.CMAOptions{Seed: 3, Noise: handled, Sigma: 0.1, TolStagnation: -1, MaxFlat: -1})
		if err != nil {
			t.Fatal(err)
		}
		calls := uint64(0)
		f := func(_ context.Context, pop []evolve.Candidate[[]float64]) ([]evolve.Score, error) {
			scores := make([]evolve.Score, len(pop))
			for i, c := range pop {
				calls++
				x := math.Sin(float64(calls) * 12.9898 * float64(calls%97+1)) // anything, but the same each run
				scores[i].Value = evolvetest.Sphere(box.Values(c.Genome)) + noise*x
			}
			return scores, nil
		}
		for _, err := range evolve.Run(t.Context(), o, f, evolve.Budget{Evaluations: 3000}, evolve.Progress[[]float64]{}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		u, ok := o.Center()
		if !ok {
			t.Fatal("no center")
		}
		return -evolvetest.Sphere(box.Values(u))
	}
	if got := run(0, true); got > 1e-6 {
		t.Errorf("without noise it is at %v", got)
	}
	with, without := run(0.5, true), run(0.5, false)
	t.Logf("noise 0.5: %.3g from the best with the handler, %.3g without", with, without)
	if with > 0.5 {
		t.Errorf("with noise it is at %v", with)
	}
}

func TestCMAVariantsKeepTheContract(t *testing.T) {
	if testing.Short() {
		t.Skip("many evaluations")
	}
	for _, options := range []map[string]string{
		{"noise": "on"}, {"restarts": "ipop", "noise": "on"}, {"restarts": "bipop", "active": "off"},
	} {
		a, _ := evolve.LookupOptimizer("cmaes")
		inner := a.New
		a.New = func(box evolve.Box, o evolve.Settings) (evolve.Optimizer[[]float64], error) {
			o.Options = options
			return inner(slices.Clone(box), o)
		}
		evolvetest.Suite(t, a)
	}
}

// Whole numbers and choices keep moving: the best of them is found, in a mixed space
// that rounding alone freezes.
func TestMargin(t *testing.T) {
	if testing.Short() {
		t.Skip("many evaluations")
	}
	box := evolve.Box{
		{Name: "real", Lo: -5, Hi: 5, Start: 3}, {Name: "real2", Lo: -5, Hi: 5, Start: 3},
		{Name: "whole", Lo: -10, Hi: 10, Start: 7, Int: true}, {Name: "whole2", Lo: -10, Hi: 10, Start: -8, Int: true},
		{Name: "flag", Choices: 2, Start: 0}, {Name: "choice", Choices: 5, Start: 0},
	}
	f := func(x []float64) float64 {
		return -(x[0]*x[0] + x[1]*x[1] + 100*(x[2]-1)*(x[2]-1) + (x[3]-2)*(x[3]-2) + 1 - x[4] + (x[5]-3)*(x[5]-3))
	}
	for _, name := range []string{"cmaes", "cmaes-plain", "sep-cmaes"} {
		a, _ := evolve.LookupOptimizer(name)
		found := 0
		for seed := range uint64(10) {
			o, err := a.New(box, evolve.Settings{Seed: seed + 1})
			if err != nil {
				t.Fatal(err)
			}
			for e, err := range evolve.Run(t.Context(), o, evolvetest.Score(box, f), evolve.Budget{Evaluations: 4000}, evolve.Progress[[]float64]{}) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Best != nil && e.Best.Value > -1e-6 {
					found++
					break
				}
			}
		}
		if found < 9 {
			t.Errorf("%s finds it with %d seeds of 10", name, found)
		}
	}
}

// A point that is injected is asked for, and a good one speeds the search; a prior
// search of a similar function does, too.
func TestInjectionAndWarmStart(t *testing.T) {
	box := wide(8, 0, 10)
	near := box.Unit([]float64{0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9})
	f := func(x []float64) float64 {
		s := 0.0
		for _, v := range x {
			s -= (v - 1) * (v - 1)
		}
		return s
	}
	needed := func(o evolve.CMAOptions) int {
		o.Seed = 5
		c, err := evolve.NewCMA(box, o)
		if err != nil {
			t.Fatal(err)
		}
		return evaluations(t, c, evolvetest.Score(box, f), -1e-6)
	}
	var prior []evolve.Scored[[]float64]
	r, err := evolve.NewRandom(box, evolve.RandomOptions{Seed: 1, Population: 2000})
	if err != nil {
		t.Fatal(err)
	}
	pop, err := r.Ask(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range pop {
		for i := range c.Genome {
			c.Genome[i] = 0.6 + (c.Genome[i]-0.5)/5 // a search that was near
		}
		prior = append(prior, evolve.Scored[[]float64]{Candidate: c, Score: evolve.Score{Value: f(box.Values(c.Genome))}})
	}
	plain, injected, warm := needed(evolve.CMAOptions{}), needed(evolve.CMAOptions{Inject: [][]float64{near}}), needed(evolve.CMAOptions{Prior: prior})
	t.Logf("%d evaluations, %d with a good point, %d from a prior search", plain, injected, warm)
	if injected >= plain || warm >= plain {
		t.Errorf("%d evaluations, %d with a good point, %d from a prior search", plain, injected, warm)
	}
	c, err := evolve.NewCMA(box, evolve.CMAOptions{Inject: [][]float64{near}})
	if err != nil {
		t.Fatal(err)
	}
	first, err := c.Ask(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(first, func(c evolve.Candidate[[]float64]) bool {
		return math.Abs(c.Genome[0]-near[0]) < 1e-12 && math.Abs(c.Genome[7]-near[7]) < 1e-12
	}) {
		t.Error("the injected point is not asked for")
	}
	if _, err := evolve.NewCMA(box, evolve.CMAOptions{Inject: [][]float64{{0.5}}}); err == nil {
		t.Error("a point of another length is taken")
	}
}
