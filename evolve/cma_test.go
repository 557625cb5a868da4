package evolve_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/evolve/evolvetest"
)

// wide is a box around start, so wide that its ends play no part: start lies in
// its middle, and every value within 90 % of it is as the optimizer proposed it.
func wide(n int, start, width float64) evolve.Box {
	box := make(evolve.Box, n)
	for i := range box {
		box[i] = evolve.Gene{Name: fmt.Sprint("x", i), Lo: start - width/2, Hi: start + width/2, Start: start}
	}
	return box
}

// CMA-ES needs as many evaluations to 1e-9 as pycma does, within 10 %. The
// numbers are pycma 4.5's medians of 31 seeds, from the same starts and step sizes.
func TestCMAEvaluations(t *testing.T) {
	const seeds = 9
	for _, c := range []struct {
		name         string
		f            func([]float64) float64
		n            int
		start, sigma float64
		pycma        float64
	}{
		{"sphere", evolvetest.Sphere, 5, 3, 2, 799},
		{"sphere", evolvetest.Sphere, 10, 3, 2, 1616},
		{"ellipsoid", evolvetest.Ellipsoid, 5, 3, 2, 1571},
		{"ellipsoid", evolvetest.Ellipsoid, 10, 3, 2, 4282},
		{"rosenbrock", evolvetest.Rosenbrock, 5, 0, 0.1, 1757},
		{"rosenbrock", evolvetest.Rosenbrock, 10, 0, 0.1, 5046},
	} {
		t.Run(fmt.Sprintf("%s_n%d", c.name, c.n), func(t *testing.T) {
			width := 1000.0
			box := wide(c.n, c.start, width)
			var needed []int
			for seed := range uint64(seeds) {
				o, err := evolve.NewCMA(box, evolve.CMAOptions{Sigma: c.sigma / width, Seed: seed + 1, Covariance: evolve.Full})
				if err != nil {
					t.Fatal(err)
				}
				needed = append(needed, evaluations(t, o, evolvetest.Score(box, c.f), -1e-9))
			}
			slices.Sort(needed)
			median := float64(needed[seeds/2])
			t.Logf("median %v of %v, pycma %v: %+.1f %%", median, needed, c.pycma, 100*(median/c.pycma-1))
			if math.Abs(median/c.pycma-1) > 0.10 {
				t.Errorf("median %v, pycma's is %v", median, c.pycma)
			}
		})
	}
}

// evaluations is how many candidates it takes to the first above target.
func evaluations(t *testing.T, o *evolve.CMA, f evolve.Objective[[]float64], target float64) int {
	t.Helper()
	for e, err := range evolve.Run(t.Context(), o, f, evolve.Budget{Evaluations: 100000}, evolve.Progress[[]float64]{}) {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.Kind == evolve.Stopped:
			t.Fatalf("stopped by %q at %v", e.Reason, e.Best.Value)
		}
		for i, s := range e.Scored {
			if s.Value > target {
				return e.Evaluations - len(e.Scored) + i + 1
			}
		}
	}
	return 0
}

// The optimum at a corner or an edge of the box is found too.
func TestCMABounds(t *testing.T) {
	box := wide(6, 0.5, 1)
	best := []float64{0, 1, 0, 1, 0.5, 0.01}
	f := func(x []float64) float64 {
		s := 0.0
		for i, v := range x {
			s -= (v - best[i]) * (v - best[i])
		}
		return s
	}
	o, err := evolve.NewCMA(box, evolve.CMAOptions{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := o.Center(); ok {
		t.Error("a center before the first Tell")
	}
	if got := evaluations(t, o, evolvetest.Score(box, f), -1e-9); got > 2500 {
		t.Errorf("%d evaluations", got)
	}
	center, ok := o.Center()
	if !ok || f(box.Values(center)) < -1e-6 {
		t.Errorf("center %v, %v", center, ok)
	}
}

func TestCMAStop(t *testing.T) {
	accuracy := func(step float64) func([]float64) float64 {
		return func(x []float64) float64 { return math.Ceil(evolvetest.Sphere(x)/step) * step }
	}
	for _, c := range []struct {
		name    string
		options evolve.CMAOptions
		f       func([]float64) float64
		want    string
	}{
		{"converged", evolve.CMAOptions{}, evolvetest.Sphere, "tolfun"},
		{"small steps", evolve.CMAOptions{TolFun: -1, TolFunHist: -1, TolX: 1e-6}, evolvetest.Sphere, "tolx"},
		{"history", evolve.CMAOptions{TolFun: -1, TolFunHist: 1e-6}, evolvetest.Sphere, "tolfunhist"},
		{"flat", evolve.CMAOptions{}, func([]float64) float64 { return 1 }, "tolflatfitness"},
		{"failing", evolve.CMAOptions{}, func([]float64) float64 { return math.NaN() }, "tolflatfitness"},
		{"few values", evolve.CMAOptions{}, accuracy(0.01), "tolflatfitness"},
		{"generations", evolve.CMAOptions{MaxIter: 7}, evolvetest.Sphere, "maxiter"},
		{"relative", evolve.CMAOptions{TolFunRel: 1e-3}, evolvetest.Sphere, "tolfunrel"},
		{"standing still", evolve.CMAOptions{TolX: -1, TolFun: -1, TolFunHist: -1, MaxFlat: -1, TolStagnation: -1, TolXStagnation: 1e-3}, evolvetest.Sphere, "tolxstagnation"},
		{"growing steps", evolve.CMAOptions{Sigma: 1e-6}, func(x []float64) float64 { return x[0] }, "tolfacupx"},
		{"condition", evolve.CMAOptions{TolConditionCov: 1e4, Covariance: evolve.Full}, evolvetest.Ellipsoid, "tolconditioncov"},
		{"no effect", evolve.CMAOptions{TolX: -1, TolFun: -1, TolFunHist: -1, MaxFlat: -1, TolStagnation: -1, TolXStagnation: -1}, evolvetest.Sphere, "noeffect"},
		{"stagnation", evolve.CMAOptions{TolX: -1, TolFun: -1, TolFunHist: -1, TolStagnation: 20, TolConditionCov: -1}, noise, "tolstagnation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			box := wide(4, 1, 20)
			c.options.Seed = 1
			o, err := evolve.NewCMA(box, c.options)
			if err != nil {
				t.Fatal(err)
			}
			if got := o.Stop(); got != "" {
				t.Errorf("stops with %q before it began", got)
			}
			var last evolve.Event[[]float64]
			for e, err := range evolve.Run(context.Background(), o, evolvetest.Score(box, c.f), evolve.Budget{Evaluations: 30000}, evolve.Progress[[]float64]{}) {
				if err != nil {
					t.Fatal(err)
				}
				last = e
			}
			if !strings.Contains(last.Reason, c.want) {
				t.Errorf("stopped by %q after %d generations, want %q", last.Reason, last.Generations, c.want)
			}
		})
	}
}

// noise is a different number everywhere and leads nowhere.
func noise(x []float64) float64 {
	s := 0.0
	for i, v := range x {
		s += math.Sin(1e9 * v * float64(i+1))
	}
	return s
}

// Accuracies take few values: ties then lead on where values are equal.
func TestCMATies(t *testing.T) {
	box := wide(4, 1, 20)
	o, err := evolve.NewCMA(box, evolve.CMAOptions{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	f := func(_ context.Context, pop []evolve.Candidate[[]float64]) ([]evolve.Score, error) {
		scores := make([]evolve.Score, len(pop))
		for i, c := range pop {
			scores[i].Tie = evolvetest.Sphere(box.Values(c.Genome))
		}
		return scores, nil
	}
	var best float64
	for e, err := range evolve.Run(t.Context(), o, f, evolve.Budget{Evaluations: 1500}, evolve.Progress[[]float64]{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Best != nil {
			best = e.Best.Tie
		}
	}
	if best < -1e-8 {
		t.Errorf("best tie %v", best)
	}
}

func TestCMAOptionsRefused(t *testing.T) {
	box := wide(2, 0, 1)
	for _, o := range []evolve.CMAOptions{
		{Population: 1}, {Population: -3}, {Sigma: -1}, {Sigma: 1.5}, {Sigma: math.NaN()}, {TolX: math.NaN()},
	} {
		if c, err := evolve.NewCMA(box, o); err == nil {
			t.Errorf("%+v made %v", o, c)
		}
	}
}

// The bench reports what Ask and Tell cost, scores apart.
func BenchmarkCMAGeneration(b *testing.B) {
	for _, n := range []int{10, 40, 100} {
		b.Run(fmt.Sprintf("n%d", n), func(b *testing.B) {
			o, err := evolve.NewCMA(wide(n, 3, 1000), evolve.CMAOptions{Sigma: 0.002, Seed: 1})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				pop, err := o.Ask(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				told := make([]evolve.Scored[[]float64], len(pop))
				for i, c := range pop {
					told[i] = evolve.Scored[[]float64]{Candidate: c, Score: evolve.Score{Value: evolvetest.Ellipsoid(c.Genome)}}
				}
				if err := o.Tell(told); err != nil {
					b.Fatal(err)
				}
				o.Stop()
			}
		})
	}
}
