package evolve_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/evolve/evolvetest"
)

func evollm(t *testing.T, n int, p evolve.Proposer, options map[string]string) evolve.Optimizer[[]float64] {
	t.Helper()
	a, ok := evolve.LookupOptimizer("evollm")
	if !ok {
		t.Fatal("no evollm")
	}
	o, err := a.New(wide(n, 0.25, 2), evolve.Settings{Seed: 1, Population: 4, Proposer: p, Options: options})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// A generation is told with scores that grow towards the upper corner.
func generation(t *testing.T, o evolve.Optimizer[[]float64]) []evolve.Candidate[[]float64] {
	t.Helper()
	pop, err := o.Ask(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told := make([]evolve.Scored[[]float64], len(pop))
	for i, c := range pop {
		told[i].Candidate = c
		for _, u := range c.Genome {
			told[i].Value += u
		}
	}
	if err := o.Tell(told); err != nil {
		t.Fatal(err)
	}
	return pop
}

// The prompt has the history from the worst to the best, and the answer is the mean of
// the next generation, whose first candidate it is; many coordinates come in blocks.
func TestEvoLLMFollowsTheAnswer(t *testing.T) {
	var prompts []string
	o := evollm(t, 5, func(_ context.Context, prompt string) (string, int, error) {
		prompts = append(prompts, prompt)
		return []string{"", "x [3, 1, 4] so: [900, 800, 1000]", "[0, 100]"}[len(prompts)], 7, nil
	}, map[string]string{"block": "3"})
	generation(t, o)
	if len(prompts) != 0 {
		t.Error("the start needs no prompt")
	}
	pop := generation(t, o)
	if got := fmt.Sprint(pop[0].Genome); got != "[0.9 0.8 1 0 0.1]" {
		t.Errorf("the mean is %s", got)
	}
	if len(prompts) != 2 {
		t.Fatalf("%d prompts for 5 coordinates in blocks of 3", len(prompts))
	}
	var last float64 = -1
	for _, m := range regexp.MustCompile(`(?m)^fitness (\S+): \[`).FindAllStringSubmatch(prompts[0], -1) {
		var f float64
		if _, err := fmt.Sscan(m[1], &f); err != nil || f < last {
			t.Errorf("fitness %s after %g", m[1], last)
		}
		last = f
	}
	if last < 0 || !strings.HasSuffix(prompts[0], ": ") {
		t.Errorf("prompt %q", prompts[0])
	}
}

// Answers that are none leave the mean at the best candidate, and end the search in the
// end; a model that never answers is an error at once.
func TestEvoLLMFallsBack(t *testing.T) {
	for _, answer := range []string{"", "no", "[1, 2]", "[1, 2, 3, 4]", "[1, 2, 1001]", "[1, 2, x]", "[1, 2, -3]", "[1, 2, 99999999999999999999]"} {
		o := evollm(t, 3, func(context.Context, string) (string, int, error) { return answer, 5, nil }, nil)
		first := generation(t, o)
		best := first[0]
		sum := func(c evolve.Candidate[[]float64]) (s float64) {
			for _, u := range c.Genome {
				s += u
			}
			return s
		}
		for _, c := range first {
			if sum(c) > sum(best) {
				best = c
			}
		}
		if pop := generation(t, o); fmt.Sprint(pop[0].Genome) != fmt.Sprint(best.Genome) {
			t.Errorf("%q: the mean is %v, want %v", answer, pop[0].Genome, best.Genome)
		}
		for range 12 {
			generation(t, o)
		}
		if o.Stop() != "answers" {
			t.Errorf("%q: Stop is %q", answer, o.Stop())
		}
	}
	refused := errors.New("connection refused")
	o := evollm(t, 3, func(context.Context, string) (string, int, error) { return "", 0, refused }, nil)
	generation(t, o)
	if _, err := o.Ask(t.Context()); !errors.Is(err, refused) {
		t.Errorf("%v", err)
	}
	o = evollm(t, 3, evolvetest.Propose, map[string]string{"tokens": "25"})
	for range 4 {
		generation(t, o)
	}
	if o.Stop() != "tokens" {
		t.Errorf("Stop is %q with every token spent", o.Stop())
	}
}
