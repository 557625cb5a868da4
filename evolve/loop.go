package evolve

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Objective scores candidates: one Score each, in their order. Who could not be
// scored has Score.Err; an error means that nobody was scored, and ends the run.
type Objective[G any] func(ctx context.Context, pop []Candidate[G]) ([]Score, error)

// Budget limits a run. The zero value sets no limit.
type Budget struct {
	// Evaluations is a hard cap on candidates scored since the run began.
	Evaluations int

	// Time is looked at between generations and counts from the call of Run.
	Time time.Duration
}

// Progress is where a run stands which is resumed from an optimizer's state. The
// zero value is a new run.
type Progress[G any] struct {
	// Generation, Evaluations and Failed are the totals when the state was
	// taken, Best the best candidate by then.
	Generation, Evaluations, Failed int
	Best                            *Scored[G]

	// Known are the scores of candidates evaluated after that, by ID. They are
	// used and never evaluated again, and count against the cap.
	Known map[uint64]Score
}

// Run asks, evaluates and tells until the optimizer or the budget says stop, and
// yields what happens: Started, Generation …, Stopped. Nothing runs between two
// pulls, but for a [Steady] optimizer, whose candidates are scored side by side by calls
// of the objective that go on; who breaks off has a state from which to resume.
//
// The last generation may be cut by Budget.Evaluations: its first candidates are
// evaluated and reported, but not told. Resumed with a larger budget the run is
// the same as if it had had that from the start.
//
// The iterator ends with an error when the context is done (its error, with
// nothing half told), or when the objective or the optimizer returns one.
// Panics in the objective are the caller's.
func Run[G any](ctx context.Context, o Optimizer[G], f Objective[G], b Budget, from Progress[G]) iter.Seq2[Event[G], error] {
	return func(yield func(Event[G], error) bool) {
		r := run[G]{optimizer: o, objective: f, budget: b, progress: from, began: time.Now()}
		if !yield(r.event(Started), nil) {
			return
		}
		if s, ok := o.(Steady[G]); ok && s.InFlight() > 1 {
			r.steady(ctx, yield)
			return
		}
		for {
			if reason := r.stop(); reason != "" {
				e := r.event(Stopped)
				e.Reason = reason
				yield(e, nil)
				return
			}
			e, err := r.generation(ctx)
			if err != nil {
				yield(Event[G]{}, err)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

type run[G any] struct {
	optimizer Optimizer[G]
	objective Objective[G]
	budget    Budget
	progress  Progress[G]
	began     time.Time
}

func (r *run[G]) event(k Kind) Event[G] {
	p := r.progress
	return Event[G]{
		Kind: k, Generations: p.Generation, Evaluations: p.Evaluations, Failed: p.Failed,
		Best: p.Best, Elapsed: time.Since(r.began), Optimizer: r.optimizer,
	}
}

func (r *run[G]) stop() string {
	if reason := r.optimizer.Stop(); reason != "" {
		return reason
	}
	switch b := r.budget; {
	case b.Evaluations > 0 && r.progress.Evaluations >= b.Evaluations:
		return "evaluations"
	case b.Time > 0 && time.Since(r.began) >= b.Time:
		return "time"
	}
	return ""
}

// generation takes the run one generation further, or as far as the budget goes.
func (r *run[G]) generation(ctx context.Context) (Event[G], error) {
	if err := ctx.Err(); err != nil {
		return Event[G]{}, err
	}
	pop, err := r.optimizer.Ask(ctx)
	if err != nil {
		return Event[G]{}, fmt.Errorf("generation %d: ask: %w", r.progress.Generation+1, err)
	}
	if len(pop) == 0 {
		return Event[G]{}, fmt.Errorf("generation %d: the optimizer asked for nothing", r.progress.Generation+1)
	}
	whole := true
	if left := r.budget.Evaluations - r.progress.Evaluations; r.budget.Evaluations > 0 && left < len(pop) {
		pop, whole = pop[:left], false
	}
	scored, err := r.score(ctx, pop)
	if err != nil {
		return Event[G]{}, err
	}
	if whole {
		if err := r.optimizer.Tell(scored); err != nil {
			return Event[G]{}, fmt.Errorf("generation %d: tell: %w", r.progress.Generation+1, err)
		}
		r.progress.Generation++
	}
	r.count(scored)
	e := r.event(Generation)
	e.Scored, e.Told = scored, whole
	return e, nil
}

// score evaluates those of pop whose score is not known.
func (r *run[G]) score(ctx context.Context, pop []Candidate[G]) ([]Scored[G], error) {
	var fresh []Candidate[G]
	for _, c := range pop {
		if _, ok := r.progress.Known[c.ID]; !ok {
			fresh = append(fresh, c)
		}
	}
	var scores []Score
	if len(fresh) > 0 {
		var err error
		if scores, err = r.objective(ctx, fresh); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("generation %d: %w", r.progress.Generation+1, err)
		}
		if len(scores) != len(fresh) {
			return nil, fmt.Errorf("generation %d: %d scores for %d candidates", r.progress.Generation+1, len(scores), len(fresh))
		}
	}
	// Candidates which failed because the run was interrupted are no failures.
	for _, s := range scores {
		if ctx.Err() != nil && (errors.Is(s.Err, context.Canceled) || errors.Is(s.Err, context.DeadlineExceeded)) {
			return nil, ctx.Err()
		}
	}
	scored := make([]Scored[G], len(pop))
	for i, c := range pop {
		s, ok := r.progress.Known[c.ID]
		if !ok {
			s, scores = scores[0], scores[1:]
		}
		scored[i] = Scored[G]{Candidate: c, Score: s}
	}
	return scored, nil
}

// count adds scored to the totals.
func (r *run[G]) count(scored []Scored[G]) {
	p := &r.progress
	for _, s := range scored {
		p.Evaluations++
		if s.Failed() {
			p.Failed++
		} else if p.Best == nil || Better(s, *p.Best) {
			best := s
			p.Best = &best
		}
	}
}
