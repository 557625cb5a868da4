package main

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/runs"
)

// mostFinalists is how many of the best candidates an answer is chosen among, besides what an
// optimizer and the recipe say of the middle. More would overfit the validation examples
// in their turn.
const mostFinalists = 8

// finalists are what may be the answer of an optimizer that scored candidates, best first:
// its mean, half of the way there from where it began, the best that answer differently,
// and the start. Few examples are overfitted soon; what lies nearer to the start is so less.
func (s *search) finalists(opt evolve.Optimizer[[]float64], ranked []runs.Record) (list []*entry, err error) {
	add := func(name string, genome []float64) {
		spec, e := s.specOf(genome)
		if e != nil && err == nil {
			err = e
		}
		list = append(list, &entry{Name: name, spec: spec, genome: genome})
	}
	if c, ok := opt.(evolve.Centered[[]float64]); ok {
		if mean, ok := c.Center(); ok {
			add("the optimizer's mean", mean)
			add("halfway to the optimizer's mean", s.halfway(mean))
		}
	}
	seen := map[[16]byte]bool{}
	for _, r := range ranked {
		if len(seen) == mostFinalists || r.Failed() {
			break
		}
		if seen[r.Outputs] {
			continue // the same answers to every example: the same model
		}
		seen[r.Outputs] = true
		add(fmt.Sprintf("candidate %d", r.ID), r.Genome)
	}
	if len(seen) > 0 && s.niched == nil {
		add("the start", s.box.Start())
	}
	return list, err
}

// halfway is the point between the start and a genome; what is one of several choices is the
// genome's.
func (s *search) halfway(to []float64) []float64 {
	half := slices.Clone(to)
	for i, x := range s.box.Start() {
		if s.box[i].Choices == 0 {
			half[i] = (x + to[i]) / 2
		}
	}
	return half
}

// elect scores finalists on examples that no search saw, orders them, best first, and marks
// the first of them. Of equals what came first stays so: the mean overfits least.
func (s *search) elect(ctx context.Context, list []*entry, first int) error {
	if err := s.arena.compare(ctx, list); err != nil {
		return err
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].chooser() > list[j].chooser() })
	var unmarked []*entry
	for _, e := range list[:min(first, len(list))] {
		if e.Parts == nil && e.result.Err == nil {
			unmarked = append(unmarked, e)
		}
	}
	return s.arena.mark(ctx, unmarked)
}
