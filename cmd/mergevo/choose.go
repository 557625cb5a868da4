package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/recipes"
)

// answer is the recipe that a search returns.
type answer struct {
	entry  *entry
	recipe *recipes.Recipe
	genome []float64
	from   string
	report reportEvent
}

// choose scores the [search.finalists] on examples that the search did not see, writes the
// winner as best.yaml, and reports, with what a majority of so many of them answers.
func (s *search) choose(ctx context.Context, v *voice, base []*entry, voters int) (*answer, error) {
	ranked, err := s.store.Best(16 * mostFinalists)
	if err != nil {
		return nil, err
	}
	if n := s.niched.networks(); n != nil {
		ranked = n.best(s.optimizer.(*evolve.M2N2[[]float64]))
	}
	list, err := s.finalists(s.optimizer, ranked)
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0:
		return nil, coded{errCandidates, fmt.Errorf("no candidate has a score; the reasons are in: mergevo runs show %s", quote(s.dir))}
	}
	if err := s.elect(ctx, list, max(1, voters)); err != nil {
		return nil, err
	}
	won := list[0]
	if won.result.Err != nil {
		return nil, coded{errCandidates, fmt.Errorf("every finalist fails on the validation examples: %w", won.result.Err)}
	}
	filled, err := s.fill(won.genome, "", "best")
	if err != nil {
		return nil, err
	}
	a := &answer{entry: won, from: won.Name, genome: won.genome}
	if a.recipe, err = s.withProvenance(filled, a); err != nil {
		return nil, err
	}
	if err := s.opened.pinCommits(a.recipe); err != nil {
		return nil, err
	}
	best, err := s.placed(a.recipe, "")
	if err != nil {
		return nil, err
	}
	if err := s.store.WriteFile("best.yaml", best.Marshal()); err != nil {
		return nil, err
	}
	a.entry.Name = "found (" + a.from + ")"
	a.report = s.report(base, a, best)
	if voters > 0 {
		a.report.Ensemble = s.arena.ensemble(list[:min(voters, len(list))])
	}
	if err := s.store.SetNote("report", a.report); err != nil {
		return nil, err
	}
	return a, v.tell(a.report)
}

// withProvenance says in the recipe where it comes from and what it scored.
func (s *search) withProvenance(r *recipes.Recipe, a *answer) (*recipes.Recipe, error) {
	m := s.store.Manifest()
	sources := map[string]string{}
	for _, p := range m.Parents {
		sources[p.Ref] = p.Digest
	}
	from := map[string]any{
		"by": "mergevo " + m.Version, "search": recipeName(m.RecipePath), "from": a.from, "seed": s.settings.Seed,
		"backend": s.backend.Kind, "sources": sources, "scores": a.scores(),
	}
	data, err := s.opened.pinOrders(from)
	if err != nil {
		return nil, err
	}
	if err := r.Set("provenance", string(data)); err != nil {
		return nil, fmt.Errorf("writing the provenance: %w", err)
	}
	return r, nil
}

// scores are the answer's, by part, as a provenance keeps them.
func (a *answer) scores() map[string]any {
	scores := map[string]any{}
	for part, i := range a.entry.Parts {
		scores[strings.ReplaceAll(part, " ", "_")] = map[string]float64{"mean": i.Mean, "interval": i.Half}
	}
	return scores
}
