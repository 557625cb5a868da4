package main

import (
	"context"
	"errors"
	"math"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// way scores averages of models as they are and of models in new orders.
type way struct {
	*arena
	of     int // models
	points int
}

// step is a point of a straight way, at T from the first model to the other.
type step struct {
	T float64 `json:"t"`
	// Loss is minus the mean log-likelihood of the right answers, over tasks; Score the
	// weighted mean of the tasks' scores; Tasks each task's.
	Loss  float64            `json:"loss"`
	Score float64            `json:"score"`
	Tasks map[string]float64 `json:"tasks"`
	// Error says why there are none.
	Error string `json:"error,omitempty"`
}

// course is the way from the first model to another, as it was and in new orders.
type course struct {
	Before []step `json:"before"`
	After  []step `json:"after"`
	// Barriers are by how much the worst point of the way is worse than the straight line
	// between its ends (Frankle et al. 2020, arXiv:1912.05671).
	BarrierBefore barrier `json:"barrier_before"`
	BarrierAfter  barrier `json:"barrier_after"`
}

// barrier is the highest rise of the loss above the line between the ends, and the
// deepest fall of the score below it.
type barrier struct {
	Loss  float64 `json:"loss"`
	Score float64 `json:"score"`
}

// newWay puts the models, and those in new orders, where they are scored.
func newWay(c *cobra.Command, v *voice, op *opened, o alignOptions) (*way, error) {
	r, dir, _, err := readTasks(o.tasks)
	if err != nil {
		return nil, err
	}
	names, sources := []string{}, []tensors.Source{}
	for i, m := range op.models {
		names, sources = append(names, m.ref), append(sources, op.aligned.sources[i])
	}
	for _, m := range op.models[1:] {
		names, sources = append(names, m.ref+" aligned"), append(sources, m.source)
	}
	if op.parents, err = merge.NewParents(names, sources, nil, merge.MissingRefuse, false); err != nil {
		return nil, err
	}
	m, err := modelOf(op, r.Search)
	if err != nil {
		return nil, err
	}
	e, err := loadExams(r.Search, dir, m, op.donor().folder.Dir())
	if err != nil {
		return nil, err
	}
	if len(e.panel.Tasks) > 0 {
		return nil, usage(errors.New("--tasks: a way is not scored by programs; name tasks that mergevo scores itself"))
	}
	b, err := openBackend(c, o.backend)
	if err != nil {
		return nil, err
	}
	if err := op.orders(c.Context(), v); err != nil { // parents are read next
		return nil, err
	}
	w := &way{of: len(op.models), points: o.points}
	pl := newPlans(m, e, false, o.points, b.Kind == "xla:cuda")
	room, forced, err := o.memory.read(b.Kind)
	if err != nil {
		return nil, err
	}
	in, err := newFitting(m, e, op, w.average(nil), b.Kind).settle(room, pl, false, forced)
	if err != nil {
		return nil, err
	}
	if w.arena, err = newArena(b, op.parents, nil, m, e, in, r.Search); err != nil {
		return nil, err
	}
	w.bars = func(total int64) *bar { return newBar(v.err, total, 0, pointsDone, v.json) }
	return w, nil
}

func pointsDone(n int64) string { return count(int(n), "point") }

// average is the mean of the parents, by weights; nil is the first.
func (w *way) average(weights map[int]float64) *merge.Spec {
	part, list := merge.Part{Base: -1}, make([]float64, 2*w.of-1)
	if weights == nil {
		weights = map[int]float64{0: 1}
	}
	for i := range list {
		part.Inputs, list[i] = append(part.Inputs, i), weights[i]
	}
	return constant("linear", part, list, nil, &merge.Spec{})
}

// between scores the way from the first model to model i.
func (w *way) between(ctx context.Context, i int) (*course, error) {
	var all []*merge.Spec
	at := func(k int) float64 { return float64(k) / float64(w.points-1) }
	for _, to := range []int{i, w.of + i - 1} {
		for k := range w.points {
			all = append(all, w.average(map[int]float64{0: 1 - at(k), to: at(k)}))
		}
	}
	steps, err := w.score(ctx, all)
	if err != nil {
		return nil, err
	}
	for k := range steps {
		steps[k].T = at(k % w.points)
	}
	p := &course{Before: steps[:w.points], After: steps[w.points:]}
	p.BarrierBefore, p.BarrierAfter = barrierOf(p.Before), barrierOf(p.After)
	return p, nil
}

// mean scores the mean of all models as they are, and in new orders.
func (w *way) mean(ctx context.Context) ([]step, error) {
	before, after := map[int]float64{}, map[int]float64{}
	for i := range w.of {
		before[i], after[i] = 1, 1
		if i > 0 {
			delete(after, i)
			after[w.of+i-1] = 1
		}
	}
	return w.score(ctx, []*merge.Spec{w.average(before), w.average(after)})
}

// score scores merges on the tasks.
func (w *way) score(ctx context.Context, all []*merge.Spec) ([]step, error) {
	out := make([]step, 0, len(all))
	progress := w.bars(int64(len(all)))
	defer progress.finish()
	at := 1
	if !w.single {
		at = w.points // one call
	}
	for len(all) > 0 {
		n := min(at, len(all))
		pop := make([]evaluate.Model, n)
		for i, s := range all[:n] {
			pop[i].Spec = s
		}
		results, err := w.evaluate(ctx, w.search, pop)
		if err != nil {
			return nil, err
		}
		for _, r := range results {
			s := step{Tasks: r.Tasks, Loss: -r.Tie, Score: w.value(r)}
			if r.Err != nil {
				s = step{Error: r.Err.Error()}
			}
			out = append(out, s)
		}
		all = all[n:]
		progress.set(int64(len(out)), "scored on the way")
	}
	return out, nil
}

// barrierOf is how much worse the worst point is than the line between the ends.
func barrierOf(steps []step) (b barrier) {
	first, last := steps[0], steps[len(steps)-1]
	for _, s := range steps {
		b.Loss = math.Max(b.Loss, s.Loss-(1-s.T)*first.Loss-s.T*last.Loss)
		b.Score = math.Max(b.Score, (1-s.T)*first.Score+s.T*last.Score-s.Score)
	}
	return b
}
