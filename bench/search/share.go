package main

import (
	"context"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"
)

// share measures what merging adds to a candidate's forward pass: the graph that
// merges and scores, against one that scores weights merged before.
func share(s *subject, e *exam, rounds int, p *printer) error {
	n := len(s.specs)
	kind := s.pop.Kind(s.specs[0])
	infos := kind.Tensors()
	program := func(build func(args []*graph.Node) []*graph.Node) (*graph.Exec, error) {
		return graph.NewExec(s.backend.Backend, build)
	}
	both, err := program(func(args []*graph.Node) []*graph.Node {
		return e.population(kind.Weights(args[2], args[3], args[4:]), args[0], args[1], n)
	})
	if err != nil {
		return err
	}
	defer both.Finalize()
	// Unrolled, each candidate's weights are an input of their own, so that the
	// baseline does not pay for cutting them out of a population.
	parts := 1
	if e.plan.Unrolled {
		parts = n
	}
	forward, err := program(func(args []*graph.Node) []*graph.Node {
		at := map[string][]*graph.Node{}
		for i, a := range args[2:] {
			name := infos[i/parts].Name
			at[name] = append(at[name], a)
		}
		return e.score(args[0], args[1], parts, func(part int, name string) *graph.Node { return at[name][part] })
	})
	if err != nil {
		return err
	}
	defer forward.Finalize()
	merged, err := program(func(args []*graph.Node) []*graph.Node {
		weights := kind.Weights(args[0], args[1], args[2:])
		var out []*graph.Node
		for _, t := range infos {
			out = append(out, graph.Split(weights(t.Name), 0, parts)...)
		}
		return out
	})
	if err != nil {
		return err
	}
	defer merged.Finalize()
	// A sum of every weight is the smallest result that lets no weight be left out.
	mergeOnly, err := program(func(args []*graph.Node) []*graph.Node {
		weights := kind.Weights(args[0], args[1], args[2:])
		var sum *graph.Node
		for _, t := range infos {
			if s := graph.ReduceAllSum(weights(t.Name)); sum == nil {
				sum = s
			} else {
				sum = graph.Add(sum, s)
			}
		}
		return []*graph.Node{sum}
	})
	if err != nil {
		return err
	}
	defer mergeOnly.Finalize()

	fixed, free, err := s.merging(merged.Call)
	if err != nil {
		return err
	}
	defer free(fixed)
	weights := make([]any, len(fixed))
	for i, t := range fixed {
		weights[i] = t
	}
	check := &agreement{tolerance: s.tolerance()}
	times, err := race(rounds,
		contender{"merge and forward", func() error {
			var marks [][]float64
			_, _, err := s.merging(func(args ...any) (_ []*gmlx.Tensor, err error) {
				marks, err = e.run(both, n, args)
				return nil, err
			})
			return check.same("merge and forward", marks, err)
		}},
		contender{"forward", func() error {
			marks, err := e.run(forward, n, weights)
			return check.same("forward", marks, err)
		}},
		contender{"merge", func() error {
			out, free, err := s.merging(mergeOnly.Call)
			if err == nil {
				_ = gmlx.ToScalar[float32](out[0]) // waits for it
				free(out)
			}
			return err
		}},
	)
	if err != nil {
		return err
	}
	each := func(k int) float64 { return 1000 * medianSeconds(times[k]) / float64(n) }
	l := line{What: "merge: (merge+forward - forward) / forward", Unit: "ms", Percent: true, Aim: 10, Ours: each(0), Baseline: each(1)}
	l.Ratio, l.Best = compare(times[0], times[1], func(both, forward float64) float64 { return 100 * (both - forward) / forward })
	if err := p.line(l); err != nil {
		return err
	}
	l = line{What: "merge: merge alone, to one scalar / forward", Unit: "ms", Percent: true, Ours: each(2), Baseline: each(1)}
	l.Ratio, l.Best = compare(times[2], times[1], func(merge, forward float64) float64 { return 100 * merge / forward })
	return p.line(l)
}

// merging calls a program with the coefficients of all candidates, computed anew as
// a search does for each generation, and the resident parents.
func (s *subject) merging(call func(args ...any) ([]*gmlx.Tensor, error)) (out []*gmlx.Tensor, free func([]*gmlx.Tensor), err error) {
	kind := s.pop.Kind(s.specs[0])
	f, u, errs := kind.Coefs(s.specs)
	defer f.FinalizeAll() //nolint:errcheck // nothing to do about a buffer that will not be freed
	defer u.FinalizeAll() //nolint:errcheck // as above
	for _, err := range errs {
		if err != nil {
			return nil, nil, err
		}
	}
	stored, err := kind.Resident(context.Background())
	if err != nil {
		return nil, nil, err
	}
	args := []any{f, u}
	for _, t := range stored {
		args = append(args, t)
	}
	out, err = call(args...)
	return out, func(all []*gmlx.Tensor) {
		for _, t := range all {
			_ = t.FinalizeAll()
		}
	}, err
}
