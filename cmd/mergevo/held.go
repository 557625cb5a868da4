package main

import (
	"time"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/runs"
)

// held are generations that are scored and not stored yet. A steady search, whose
// generations are a candidate or a few, would spend its time on storing them; what is
// lost with the process is scored again, to the same end.
type held struct {
	steady      bool
	generations []runs.Generation
	candidates  int
	since       time.Time
}

// Candidates and time that are held at most.
const (
	heldCandidates = 64
	heldTime       = 250 * time.Millisecond
)

// add reports whether all should be stored now.
func (h *held) add(g runs.Generation) bool {
	if len(h.generations) == 0 {
		h.since = time.Now()
	}
	h.generations = append(h.generations, g)
	h.candidates += len(g.Candidates)
	return !h.steady || h.candidates >= heldCandidates || time.Since(h.since) >= heldTime
}

// store puts what is held into the run, with the optimizer's state.
func (h *held) store(run *runs.Run, o evolve.Optimizer[[]float64]) error {
	if len(h.generations) == 0 {
		return nil
	}
	told := len(h.generations) - 1
	if !h.generations[told].Told {
		told-- // the budget cut the last one
	}
	if told >= 0 {
		state, err := o.MarshalBinary()
		if err != nil {
			return err
		}
		h.generations[told].State = state
	}
	err := run.Append(h.generations...)
	*h = held{steady: h.steady}
	return err
}
