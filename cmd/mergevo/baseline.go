package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/runs"
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
// returns what each finds, chosen as the search's answer is: what the search has to beat
// to be worth it. Their candidates are not kept.
func (s *search) baselineSearches(ctx context.Context, v *voice, names []string, budget int) ([]*entry, error) {
	var out []*entry
	for _, name := range names {
		a, _ := evolve.LookupOptimizer(name)
		settings := s.settings.optimizerSettings(s.recipe.Search)
		settings.Options, settings.Proposer = nil, s.proposals().propose
		opt, err := a.New(s.box, settings)
		if err != nil {
			return nil, fmt.Errorf("--baseline %s: %w", name, err)
		}
		b := newBar(v.err, int64(budget), 0, evaluations, v.json)
		var ranked []runs.Record
		objective := func(ctx context.Context, pop []evolve.Candidate[[]float64]) ([]evolve.Score, error) {
			marks := newMarks()
			scores, err := s.score(ctx, pop, marks)
			for i, score := range scores {
				r, _ := marks.take(pop[i].ID)
				ranked = append(ranked, runs.Record{Scored: evolve.Scored[[]float64]{Candidate: pop[i], Score: score}, Outputs: r.Outputs})
			}
			slices.SortStableFunc(ranked, func(a, b runs.Record) int { return evolve.Compare(a.Scored, b.Scored) })
			ranked = ranked[:min(len(ranked), 16*mostFinalists)]
			return scores, err
		}
		spent := 0
		for e, err := range evolve.Run(ctx, opt, objective, evolve.Budget{Evaluations: budget}, evolve.Progress[[]float64]{}) {
			if err != nil {
				b.finish()
				return nil, err
			}
			spent = e.Evaluations
			b.set(int64(spent), name)
		}
		b.finish()
		list, err := s.finalists(opt, ranked)
		switch {
		case err != nil:
			return nil, err
		case len(list) == 0:
			v.say("--baseline %s: every candidate failed", name)
			continue
		}
		if err := s.elect(ctx, list, 1); err != nil {
			return nil, err
		}
		list[0].Name, list[0].Optimizer = fmt.Sprintf("%s, %d evaluations", name, spent), name
		out = append(out, list[0])
	}
	return out, nil
}
