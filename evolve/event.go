package evolve

import (
	"fmt"
	"time"
)

// Kind says what an Event reports.
type Kind int

const (
	// Started comes first, once, with where the run stands.
	Started Kind = iota + 1

	// Generation comes after each generation is scored and, if Told, learnt
	// from. It is the moment to store Scored and the optimizer's state together.
	Generation

	// Stopped comes last, with the Reason. A run which fails ends with an error
	// in its place.
	Stopped
)

// String is "started", "generation" or "stopped".
func (k Kind) String() string {
	switch k {
	case Started:
		return "started"
	case Generation:
		return "generation"
	case Stopped:
		return "stopped"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// MarshalText implements encoding.TextMarshaler, so that JSON has the word.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Event is one thing which happened in a run. All events carry the totals;
// fields below them belong to the kinds named.
type Event[G any] struct {
	Kind Kind

	// Generations is how many generations the optimizer has been told,
	// Evaluations how many candidates have a score and Failed how many of those
	// failed; all since the run began, resumed or not.
	Generations, Evaluations, Failed int

	// Best is the best candidate so far; nil while none succeeded.
	Best *Scored[G]

	// Elapsed is the time since Run was called.
	Elapsed time.Duration

	// Optimizer may be marshalled during the event, and used in no other way.
	Optimizer Optimizer[G]

	// Scored are the generation's candidates in the order of asking (Kind
	// Generation). Scores from Progress.Known are among them.
	Scored []Scored[G]

	// Told says that the optimizer has learnt from Scored. It has not when the
	// budget ended within the generation: its state is as before, and Scored are
	// the Known of a run resumed with a larger budget (Kind Generation).
	Told bool

	// Reason is the optimizer's, or "evaluations" or "time" when the budget is
	// spent (Kind Stopped).
	Reason string
}
