package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/slope"
	"github.com/mergevo/mergevo/recipes"
)

// polish is how the numbers of a recipe are refined along gradients.
type polish struct {
	steps, batch int
	rate         float64
	objective    string
}

// usualPolish are the defaults of the flags.
var usualPolish = polish{steps: 200, batch: 64, rate: 0.01, objective: string(slope.Loss)}

// check refuses flags that make no descent.
func (p polish) check() error {
	switch {
	case p.steps < 1 || p.batch < 1:
		return usage(fmt.Errorf("%d steps on batches of %d: want 1 or more of both", p.steps, p.batch))
	case !(p.rate > 0 && p.rate <= 1):
		return usage(fmt.Errorf("--rate %g: want a part of each hole's range, more than 0 and at most 1", p.rate))
	case !slices.Contains(slope.Objectives(), p.objective):
		return usage(fmt.Errorf("--objective %s: want %s%s", p.objective, strings.Join(slope.Objectives(), " or "), meant(p.objective, slope.Objectives())))
	}
	return nil
}

// continuous refuses holes that have no gradient.
func (s *search) continuous() error {
	if s.niched != nil || s.plans.Search.Blocks {
		return usage(errors.New("gradients refine numbers: pieces, and the layers that run, are for evolution"))
	}
	if err := measurable(s.recipe.Search, "a gradient"); err != nil {
		return err
	}
	for _, g := range s.box {
		if g.Choices > 0 || g.Int {
			return usage(fmt.Errorf("the hole %s has no gradient: only numbers that need not be whole can be refined\nhint: fill it, and leave the others", g.Name))
		}
	}
	return nil
}

// polishedEvent is what a descent along gradients came to.
type polishedEvent struct {
	board
	Objective string `json:"objective"`
	Steps     int    `json:"steps"`
	// Accepted says that the score on the validation examples rose.
	Accepted bool                          `json:"accepted"`
	Gaps     map[string]*evaluate.Interval `json:"gap_to_before"`
	Written  string                        `json:"written,omitempty"`
}

func (polishedEvent) name() string { return "polished" }

func (e polishedEvent) text(w io.Writer) {
	fmt.Fprintf(w, "%d steps of Adam along the gradient of the %s:\n", e.Steps, e.Objective)
	e.board.text(w)
	for _, part := range e.Parts {
		if g := e.Gaps[part]; g != nil && !e.plain[part] {
			fmt.Fprintf(w, "%s: %+.2f ± %.2f points (95 %% interval) to before\n", part, 100*g.Mean, 100*g.Half)
		} else if g != nil {
			fmt.Fprintf(w, "%s: %+.4f ± %.4f (95 %% interval) to before\n", part, g.Mean, g.Half)
		}
	}
	if !e.Accepted {
		fmt.Fprintln(w, "the score that the answer is chosen by did not rise: the numbers stay as they were")
	}
	if e.Written != "" {
		fmt.Fprintf(w, "the recipe is in %s\n", e.Written)
	}
}

// refine descends from a genome, and returns it or where the descent ended, whichever does
// better on the examples that answers are chosen on.
func (s *search) refine(ctx context.Context, v *voice, p polish, from []float64, before *entry) (*answer, polishedEvent, error) {
	e := polishedEvent{Objective: p.objective, Steps: p.steps, Gaps: map[string]*evaluate.Interval{}}
	sl, err := slope.New(s.arena.pop, s.model, s.exams.search, s.recipe.Search.Weight, slope.Objective(p.objective), p.batch, s.settings.Seed)
	if err != nil {
		return nil, e, usage(err)
	}
	defer sl.Finalize()
	progress := newBar(v.err, int64(p.steps), 0, func(n int64) string { return count(int(n), "step") }, v.json)
	defer progress.finish()
	ended, err := slope.Descent{Steps: p.steps, Rate: p.rate, Spec: s.specOf, Progress: func(step int, value float64) {
		progress.set(int64(step+1), fmt.Sprintf("%s %.4f", p.objective, value))
	}}.Run(ctx, sl, from)
	if err != nil {
		return nil, e, err
	}
	progress.finish()
	spec, err := s.specOf(ended)
	if err != nil {
		return nil, e, err
	}
	after := &entry{Name: "after", spec: spec}
	if err := s.arena.mark(ctx, []*entry{after}); err != nil {
		return nil, e, err
	}
	e.Accepted = after.chooser() > before.chooser()
	for _, part := range parts {
		if g, ok := s.arena.gap(part, after, before); ok {
			e.Gaps[part] = &g
		}
	}
	e.board = s.arena.board([]*entry{before, after}, true)
	if e.Accepted {
		return &answer{entry: after, from: fmt.Sprintf("%s, %d steps along the gradient of the %s", before.Name, p.steps, p.objective), genome: ended}, e, nil
	}
	return &answer{entry: before, from: before.Name, genome: from}, e, nil
}

// polishAnswer refines what a search found, and writes the recipe beside it.
func (s *search) polishAnswer(ctx context.Context, v *voice, steps int, a *answer) (*answer, error) {
	p := usualPolish
	p.steps = steps
	better, e, err := s.refine(ctx, v, p, a.genome, a.entry)
	if err != nil {
		return nil, err
	}
	filled, err := s.fill(better.genome, "", "polished")
	if err == nil {
		filled, err = s.withProvenance(filled, better)
	}
	if err != nil {
		return nil, err
	}
	better.recipe = filled
	placed, err := s.placed(filled, "")
	if err != nil {
		return nil, err
	}
	if err := s.store.WriteFile("polished.yaml", placed.Marshal()); err != nil {
		return nil, err
	}
	e.Written = s.dir + "/polished.yaml"
	better.report = a.report
	return better, v.tell(e)
}

// refined is a recipe that says where its numbers come from and what they scored.
func (s *search) refined(ctx context.Context, a *answer) (*recipes.Recipe, error) {
	r, err := s.fill(a.genome, "", "refined")
	if err != nil {
		return nil, err
	}
	sources, err := s.opened.digests(ctx)
	if err != nil {
		return nil, err
	}
	data, err := s.opened.pinOrders(map[string]any{
		"by": "mergevo " + fullVersion(), "refined": recipeName(s.file), "from": a.from, "seed": s.settings.Seed,
		"backend": s.backend.Kind, "sources": sources, "scores": a.scores(),
	})
	if err != nil {
		return nil, err
	}
	if err := r.Set("provenance", string(data)); err != nil {
		return nil, err
	}
	return r, s.opened.pinCommits(r)
}
