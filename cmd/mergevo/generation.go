package main

import (
	"fmt"
	"io"
	"math"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/runs"
)

// generationEvent is one generation scored and learnt from.
type generationEvent struct {
	Generation  int                `json:"generation"`
	Evaluations int                `json:"evaluations"`
	Failed      int                `json:"failed"`
	Best        *float64           `json:"best"`
	BestID      uint64             `json:"best_id,omitempty"`
	Gap         *evaluate.Interval `json:"gap_to_best_parent,omitempty"`
	Archive     *evolve.Diversity  `json:"archive,omitempty"`
	Seconds     float64            `json:"seconds"`
	plain       bool               // the objective is not read in percent
}

func (generationEvent) name() string   { return "generation" }
func (generationEvent) text(io.Writer) {}

func (s *search) generationEvent(e evolve.Event[[]float64], parent *entry) generationEvent {
	ev := generationEvent{Generation: e.Generations, Evaluations: e.Evaluations, Failed: e.Failed, Seconds: e.Elapsed.Seconds(), plain: s.arena.plain()}
	if m, ok := s.optimizer.(*evolve.M2N2[[]float64]); ok {
		d := m.Diversity()
		ev.Archive = &d
	}
	if e.Best != nil && !math.IsNaN(e.Best.Value) {
		value := e.Best.Value
		ev.Best, ev.BestID = &value, e.Best.ID
		if parent != nil && len(e.Best.Items) > 0 {
			gap := s.arena.searchGap(e.Best.Items, parent)
			ev.Gap = &gap
		}
	}
	return ev
}

// progress is the event beside the bar.
func (e generationEvent) progress() string {
	if e.Best == nil {
		return "no candidate has succeeded"
	}
	text := fmt.Sprintf("best %.2f", 100**e.Best)
	if e.plain {
		text = fmt.Sprintf("best %.4f", *e.Best)
	}
	if e.Gap != nil && e.plain {
		return text + fmt.Sprintf(" (%+.4f ± %.4f to the best parent)", e.Gap.Mean, e.Gap.Half)
	}
	if e.Gap != nil {
		text += fmt.Sprintf(" (%+.1f ± %.1f to the best parent)", 100*e.Gap.Mean, 100*e.Gap.Half)
	}
	return text
}

// generation is what the run stores of an event.
func (s *search) generation(e evolve.Event[[]float64], results *marks, known map[uint64]runs.Record) runs.Generation {
	g := runs.Generation{Index: e.Generations, Told: e.Told}
	for _, c := range e.Scored {
		rec := runs.Record{Scored: c}
		if s.niched.networks() != nil {
			rec.Genome = nil // all weights, which the archive's state has of its members
		}
		if r, ok := results.take(c.ID); ok {
			rec.Tasks, rec.Outputs = r.Tasks, r.Outputs
		} else if k, ok := known[c.ID]; ok {
			rec.Tasks, rec.Outputs = k.Tasks, k.Outputs
		}
		g.Candidates = append(g.Candidates, rec)
	}
	if !e.Told {
		g.Index++ // one that is not finished
	}
	return g
}
