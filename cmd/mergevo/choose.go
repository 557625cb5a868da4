package main

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/recipes"
)

// finalists is how many of the best candidates the answer is chosen among, besides
// the optimizer's mean. More would overfit the validation examples in their turn.
const finalists = 8

// answer is the recipe that a search returns.
type answer struct {
	entry  *entry
	recipe *recipes.Recipe
	genome []float64
	from   string
	report reportEvent
}

// choose scores the best candidates and the optimizer's mean on examples that the
// search did not see, writes the winner as best.yaml, and reports, with what a majority
// of so many of them answers.
func (s *search) choose(ctx context.Context, v *voice, base []*entry, voters int) (*answer, error) {
	ranked, err := s.store.Best(16 * finalists)
	if err != nil {
		return nil, err
	}
	if n := s.niched.networks(); n != nil {
		ranked = n.best(s.optimizer.(*evolve.M2N2[[]float64]))
	}
	type finalist struct {
		*entry
		genome []float64
	}
	var list []finalist
	add := func(name string, genome []float64) error {
		spec, err := s.specOf(genome)
		if err != nil {
			return err
		}
		list = append(list, finalist{&entry{Name: name, spec: spec, genome: genome}, genome})
		return nil
	}
	if c, ok := s.optimizer.(evolve.Centered[[]float64]); ok {
		if mean, ok := c.Center(); ok {
			if err := add("the optimizer's mean", mean); err != nil {
				return nil, err
			}
		}
	}
	seen := map[[16]byte]bool{}
	for _, r := range ranked {
		if len(seen) == finalists || r.Failed() {
			break
		}
		if seen[r.Outputs] {
			continue // the same answers to every example: the same model
		}
		seen[r.Outputs] = true
		if err := add(fmt.Sprintf("candidate %d", r.ID), r.Genome); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, coded{errCandidates, fmt.Errorf("no candidate has a score; the reasons are in: mergevo runs show %s", quote(s.dir))}
	}
	entries := make([]*entry, len(list))
	for i, f := range list {
		entries[i] = f.entry
	}
	if err := s.arena.mark(ctx, entries); err != nil {
		return nil, err
	}
	// The mean comes first and wins ties: it overfits least.
	sort.SliceStable(list, func(i, j int) bool { return list[i].chooser() > list[j].chooser() })
	won := list[0]
	if won.result.Err != nil {
		return nil, coded{errCandidates, fmt.Errorf("every finalist fails on the validation examples: %w", won.result.Err)}
	}
	filled, err := s.fill(won.genome, "", "best")
	if err != nil {
		return nil, err
	}
	a := &answer{entry: won.entry, from: won.Name, genome: won.genome}
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
		var best []*entry
		for _, f := range list[:min(voters, len(list))] {
			best = append(best, f.entry)
		}
		a.report.Ensemble = s.arena.ensemble(best)
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
