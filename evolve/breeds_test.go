package evolve_test

import (
	"math"
	"testing"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/evolve/evolvetest"
)

// best runs a row and returns the best value that it finds.
func best(t *testing.T, name string, n, evaluations int, f func([]float64) float64, s evolve.Settings) float64 {
	t.Helper()
	a, ok := evolve.LookupOptimizer(name)
	if !ok {
		t.Fatal("no optimizer ", name)
	}
	box := make(evolve.Box, n)
	for i := range box {
		box[i] = evolve.Gene{Lo: -5, Hi: 5, Start: 3}
	}
	s.Evaluations = evaluations
	if s.Seed == 0 {
		s.Seed = 1
	}
	o, err := a.New(box, s)
	if err != nil {
		t.Fatal(err)
	}
	value := math.Inf(-1)
	for e, err := range evolve.Run(t.Context(), o, evolvetest.Score(box, f), evolve.Budget{Evaluations: evaluations}, evolve.Progress[[]float64]{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Best != nil {
			value = e.Best.Value
		}
	}
	return value
}

// Each finds what it is for, in several times the evaluations that it took when this
// was written.
func TestEveryOptimizerFinds(t *testing.T) {
	if testing.Short() {
		t.Skip("many evaluations")
	}
	options := func(kv ...string) evolve.Settings {
		s := evolve.Settings{Options: map[string]string{}}
		for i := 0; i < len(kv); i += 2 {
			s.Options[kv[i]] = kv[i+1]
		}
		return s
	}
	for _, c := range []struct {
		row         string
		f           func([]float64) float64
		n           int
		evaluations int
		settings    evolve.Settings
		at          float64
	}{
		{"de", evolvetest.Sphere, 5, 6000, evolve.Settings{}, -1e-6},
		{"de", evolvetest.Sphere, 5, 6000, options("adapt", "none", "strategy", "best"), -1e-6},
		{"de", evolvetest.Rastrigin, 5, 20000, options("adapt", "lshade"), -1e-6},
		{"de", evolvetest.Rosenbrock, 5, 20000, evolve.Settings{}, -1e-3},
		{"genome", evolvetest.Sphere, 5, 4000, evolve.Settings{}, -1e-2},
		{"genome", evolvetest.Sphere, 5, 4000, options("combine", "blx"), -1e-2},
		{"genome-plus", evolvetest.Sphere, 5, 6000, evolve.Settings{}, -1e-2},
		{"deepga", evolvetest.Sphere, 5, 6000, evolve.Settings{Sigma: 0.05}, -0.1},
		{"pimp", evolvetest.Sphere, 5, 6000, evolve.Settings{Sigma: 0.05}, -0.1},
		{"map-elites", evolvetest.Sphere, 5, 6000, evolve.Settings{}, -0.3},
		{"cma-me", evolvetest.Sphere, 5, 6000, evolve.Settings{}, -2},
		{"cma-mae", evolvetest.Sphere, 5, 6000, options("lowest", "-200"), -2},
		{"nsga2", evolvetest.Sphere, 5, 6000, evolve.Settings{}, -1e-2},
		{"nsga3", evolvetest.Sphere, 5, 6000, evolve.Settings{}, -1e-2},
		{"neldermead", evolvetest.Rosenbrock, 5, 3000, evolve.Settings{}, -1e-3},
		{"sweep", evolvetest.Sphere, 5, 600, evolve.Settings{}, -1e-3},
		{"grid", evolvetest.Sphere, 2, 600, evolve.Settings{}, -0.1},
		{"lm-cmaes", evolvetest.Rosenbrock, 5, 20000, evolve.Settings{}, -1e-3},
		{"sep-cmaes", evolvetest.Ellipsoid, 10, 4000, evolve.Settings{}, -1e-6},
		{"cmaes", evolvetest.Rastrigin, 4, 60000, options("restarts", "bipop"), -1e-6},
		{"cmaes", evolvetest.Rastrigin, 4, 60000, options("restarts", "ipop"), -1e-6},
		{"metade", evolvetest.Sphere, 5, 60000, evolve.Settings{}, -1e-6},
	} {
		t.Run(c.row, func(t *testing.T) {
			if got := best(t, c.row, c.n, c.evaluations, c.f, c.settings); got < c.at {
				t.Errorf("%v after %d evaluations, want %v", got, c.evaluations, c.at)
			}
		})
	}
}

// MetaDE finds parameters with which differential evolution solves what it does not with
// the usual ones (F 0.5, CR 0.9, DE/rand/1/bin): Rastrigin's function in ten dimensions.
func TestMetaDEBeatsDE(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	const evaluations = 200000
	plain := best(t, "de", 10, evaluations, evolvetest.Rastrigin, evolve.Settings{Population: 100, Options: map[string]string{"strategy": "rand", "adapt": "none"}})
	meta := best(t, "metade", 10, evaluations, evolvetest.Rastrigin, evolve.Settings{})
	t.Logf("after %d evaluations: MetaDE %.3g, DE/rand/1/bin %.3g", evaluations, -meta, -plain)
	if meta < -1e-6 || plain > -0.5 {
		t.Errorf("MetaDE %v, DE %v", meta, plain)
	}
}

// GENOME+ does not have the faults of its authors' program: who moves is scored again,
// and candidates never have a score of another genome.
func TestGenomePlusScoresWhoMoved(t *testing.T) {
	a, _ := evolve.LookupOptimizer("genome-plus")
	o, err := a.New(wide(3, 0.25, 1), evolve.Settings{Seed: 1, Population: 6})
	if err != nil {
		t.Fatal(err)
	}
	asked := map[uint64][]float64{}
	for g := range 20 {
		pop, err := o.Ask(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		told := make([]evolve.Scored[[]float64], len(pop))
		moved := 0
		for i, c := range pop {
			if len(c.Parents) == 1 {
				d := 0.0
				for k, u := range c.Genome {
					d += math.Abs(u - asked[c.Parents[0]][k])
				}
				if d > 0 {
					moved++
				}
			}
			asked[c.ID] = c.Genome
			told[i] = evolve.Scored[[]float64]{Candidate: c, Score: evolve.Score{Value: -c.Genome[0]}}
		}
		if g > 0 && moved == 0 {
			t.Errorf("generation %d: nobody moved", g)
		}
		if err := o.Tell(told); err != nil {
			t.Fatal(err)
		}
	}
}
