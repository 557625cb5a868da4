package main

import (
	"fmt"
	"strings"

	"github.com/mergevo/mergevo/merge"
)

// baselines lists what a search has to beat: every parent, the average of the
// models, and task arithmetic with one lambda for all. The first are linear merges
// of all parents, most with weight 0, so that one graph scores them all. Where a score
// is costly, fewer values of lambda are tried.
func baselines(o *opened, like *merge.Spec, costly bool) []*entry {
	var out []*entry
	if o.family.Stacked() {
		return o.wholes(like)
	}
	if len(like.Parts) > 1 {
		return nil // slices and modules: no model is a merge of theirs
	}
	names := o.parents.Names()
	part := like.Parts[0]
	all := merge.Part{Base: -1}
	for i := range names {
		all.Inputs = append(all.Inputs, i)
	}
	for i, n := range names {
		one := make([]float64, len(names))
		one[i] = 1
		out = append(out, &entry{Name: n, Parent: true, spec: constant("linear", all, one, nil, like)})
	}
	if len(part.Inputs) > 1 {
		average := make([]float64, len(names))
		for _, i := range part.Inputs {
			average[i] = 1
		}
		out = append(out, &entry{Name: "average of the models", spec: constant("linear", all, average, nil, like)})
	}
	if part.Base >= 0 {
		ones := make([]float64, len(part.Inputs))
		for i := range ones {
			ones[i] = 1
		}
		step := 1
		if costly {
			step = 3
		}
		for i := step; i <= 15; i += step {
			lambda := map[string]float64{"lambda": float64(i) / 10}
			out = append(out, &entry{Name: fmt.Sprintf("task arithmetic, λ = %.1f", lambda["lambda"]),
				spec: constant("task_arithmetic", part, ones, lambda, like)})
		}
	}
	return out
}

// constant is a merge in which a model has the same weight in every tensor.
func constant(method string, part merge.Part, weights []float64, global map[string]float64, like *merge.Spec) *merge.Spec {
	m, ok := merge.Lookup(method)
	if !ok {
		panic("mergevo: no method " + method)
	}
	once := m.NewValues()
	for name, x := range global {
		once.Set(name, x)
	}
	sources := make([]merge.Values, len(part.Inputs))
	for i, w := range weights {
		sources[i] = m.NewValues()
		sources[i].Set("weight", w)
	}
	return &merge.Spec{Method: m, Parts: []merge.Part{part}, Seed: like.Seed, DType: like.DType,
		Params: func(string) (merge.Values, []merge.Values) { return once, sources }}
}

// bestLambda keeps, of the task arithmetic entries, the one that does best on all
// examples that are not held out: with one number to choose, none need be set aside.
func (a *arena) bestLambda(list []*entry) []*entry {
	var keep []*entry
	var best *entry
	for _, e := range list {
		switch {
		case !strings.HasPrefix(e.Name, "task arithmetic"):
			keep = append(keep, e)
		case best == nil || a.notHeldOut(e) > a.notHeldOut(best):
			best = e
		}
	}
	if best != nil {
		keep = append(keep, best)
	}
	return keep
}
