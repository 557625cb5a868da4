package evaluate

import (
	"context"

	"github.com/mergevo/mergevo/merge"
)

// Model is one candidate: a merge of the population's parents.
type Model struct {
	Spec *merge.Spec
	// Number is the candidate's, which programs are told; 0 for what is none.
	Number uint64
	// Genome or Name say to an evaluator in another process what Spec is of; others need
	// neither.
	Genome []float64
	Name   string
}

// ItemRange says where a task's examples lie in Result.Items.
type ItemRange struct {
	Task          string
	Offset, Count int
}

// Result is what one candidate scored. Bigger is better everywhere.
type Result struct {
	// Tasks is the accuracy of each task, in [0, 1].
	Tasks map[string]float64
	// Tie is the mean over tasks of the examples' mean log-likelihood: it ranks
	// candidates whose accuracies are equal.
	Tie float64
	// Items is 1 for each example that was answered right, else 0, in the order of
	// the evaluator's layout.
	Items []float32
	// Predicted is the class that was answered for each example.
	Predicted []int32
	// Outputs is a hash of the predictions: equal hashes behave equally.
	Outputs [16]byte
	// Err says why this candidate has no score; the others have theirs.
	Err error
}

// Evaluator scores populations on a fixed set of examples.
type Evaluator interface {
	// Layout names the tasks and their examples, fixed for the evaluator's life.
	Layout() []ItemRange
	// Evaluate scores each model. An error means that nobody was scored; a
	// candidate that fails alone carries its reason in Result.Err.
	Evaluate(ctx context.Context, pop []Model) ([]Result, error)
}
