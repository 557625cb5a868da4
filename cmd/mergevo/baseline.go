package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/mergevo/mergevo/evolve"
)

// unknownBaselines refuses names of no optimizer.
func unknownBaselines(names []string) error {
	for _, name := range names {
		if _, ok := evolve.LookupOptimizer(name); !ok {
			return usage(fmt.Errorf("--baseline %s: there is no such optimizer; known: %s%s", name, strings.Join(optimizers(), ", "), meant(name, optimizers())))
		}
	}
	return nil
}

// baselineSearches runs other optimizers on the same box with the same budget, and
// returns the best that each finds: what the search has to beat to be worth it. Their
// candidates are not kept.
func (s *search) baselineSearches(ctx context.Context, v *voice, names []string, evaluations int) ([]*entry, error) {
	var out []*entry
	for _, name := range names {
		a, _ := evolve.LookupOptimizer(name)
		settings := s.settings.optimizerSettings(s.recipe.Search)
		settings.Options, settings.Proposer = nil, s.proposals().propose
		opt, err := a.New(s.box, settings)
		if err != nil {
			return nil, fmt.Errorf("--baseline %s: %w", name, err)
		}
		b := newBar(v.err, int64(evaluations), 0, func(n int64) string { return fmt.Sprintf("%s: %d", name, n) }, v.json)
		objective := func(ctx context.Context, pop []evolve.Candidate[[]float64]) ([]evolve.Score, error) {
			return s.score(ctx, pop, newMarks())
		}
		var best *evolve.Scored[[]float64]
		spent := 0
		for e, err := range evolve.Run(ctx, opt, objective, evolve.Budget{Evaluations: evaluations}, evolve.Progress[[]float64]{}) {
			if err != nil {
				b.finish()
				return nil, err
			}
			best, spent = e.Best, e.Evaluations
			b.set(int64(spent), "")
		}
		b.finish()
		if best == nil {
			v.say("--baseline %s: every candidate failed", name)
			continue
		}
		spec, err := s.specOf(best.Genome)
		if err != nil {
			return nil, err
		}
		out = append(out, &entry{Name: fmt.Sprintf("%s, best of %d", name, spent), Optimizer: name, spec: spec, genome: best.Genome})
	}
	return out, s.arena.mark(ctx, out)
}
