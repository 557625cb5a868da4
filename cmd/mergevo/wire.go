package main

import (
	"errors"
	"time"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/merge"
)

// What a search and the processes that score for it say to each other, over the
// processes' standard input and output, in encoding/gob: a setup and then assignments
// one way, ready and then replies the other way. The end of its input is the end of a
// process.

// setup is what a process cannot read in the run's folder.
type setup struct {
	Plans   plans
	Place   merge.Placement
	Moved   map[string]string // where models are, by their references
	Threads int
}

// ready says that a process has its models and examples on its device, or why not.
type ready struct {
	Failed string
	Kind   string // of backend
	// Layouts and Keys are those of the search's evaluator and of the report's.
	Layouts [2][]evaluate.ItemRange
	Keys    [2][]evaluate.Key
}

// assignment is candidates to score, on the search's examples or on all.
type assignment struct {
	Report     bool
	Candidates []subject
}

// subject is how a process makes a candidate for itself: of a genome, or by the name of
// a simple merge.
type subject struct {
	Name   string
	Genome []float64
}

// reply is an assignment's results; Failed says why there are none.
type reply struct {
	Results []wireResult
	Failed  string
	Calls   int
	Busy    time.Duration
}

// wireResult is a result whose error is a text.
type wireResult struct {
	Result evaluate.Result
	Failed string
}

func toWire(results []evaluate.Result) []wireResult {
	out := make([]wireResult, len(results))
	for i, r := range results {
		if r.Err != nil {
			out[i].Failed, r.Err = r.Err.Error(), nil
		}
		out[i].Result = r
	}
	return out
}

func fromWire(results []wireResult) []evaluate.Result {
	out := make([]evaluate.Result, len(results))
	for i, r := range results {
		if out[i] = r.Result; r.Failed != "" {
			out[i].Err = errors.New(r.Failed)
		}
	}
	return out
}
