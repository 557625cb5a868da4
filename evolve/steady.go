package evolve

import (
	"context"
	"fmt"
	"sync"
)

// steadyRun is the candidates of a steady run that are being scored, each by itself.
type steadyRun[G any] struct {
	run    *run[G]
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	out    map[uint64]chan landed
}

// landed is what became of a candidate.
type landed struct {
	score Score
	err   error
}

// steady is Run of an optimizer that need not wait for generations: up to InFlight
// candidates are scored side by side, and told one by one in the order of their IDs,
// whichever is scored first. Each is a generation of its own.
func (r *run[G]) steady(ctx context.Context, yield func(Event[G], error) bool) {
	f := &steadyRun[G]{run: r, out: map[uint64]chan landed{}}
	f.ctx, f.cancel = context.WithCancel(ctx)
	defer func() {
		f.cancel()
		f.work.Wait()
	}()
	for {
		if reason := r.stop(); reason != "" {
			e := r.event(Stopped)
			e.Reason = reason
			yield(e, nil)
			return
		}
		e, err := f.next(ctx)
		if err != nil {
			yield(Event[G]{}, err)
			return
		}
		if !yield(e, nil) {
			return
		}
	}
}

// next starts what may be started, and tells the first of what is out.
func (f *steadyRun[G]) next(ctx context.Context) (Event[G], error) {
	r := f.run
	fail := func(what string, err error) (Event[G], error) {
		if ctx.Err() != nil {
			return Event[G]{}, ctx.Err()
		}
		return Event[G]{}, fmt.Errorf("candidate %d: %s%w", r.progress.Evaluations+1, what, err)
	}
	if err := ctx.Err(); err != nil {
		return Event[G]{}, err
	}
	pop, err := r.optimizer.Ask(ctx)
	if err != nil {
		return fail("ask: ", err)
	}
	if len(pop) == 0 {
		return fail("", fmt.Errorf("the optimizer asked for nothing"))
	}
	first := pop[0]
	if left := r.budget.Evaluations - r.progress.Evaluations; r.budget.Evaluations > 0 && left < len(pop) {
		pop = pop[:left]
	}
	for _, c := range pop {
		if f.out[c.ID] == nil {
			f.start(c)
		}
	}
	var l landed
	select {
	case l = <-f.out[first.ID]:
	case <-ctx.Done():
		return Event[G]{}, ctx.Err()
	}
	delete(f.out, first.ID)
	if l.err != nil {
		return fail("", l.err)
	}
	if ctx.Err() != nil && l.score.Err != nil { // a failure of the interruption, perhaps
		return Event[G]{}, ctx.Err()
	}
	scored := []Scored[G]{{Candidate: first, Score: l.score}}
	if err := r.optimizer.Tell(scored); err != nil {
		return fail("tell: ", err)
	}
	r.progress.Generation++
	r.count(scored)
	e := r.event(Generation)
	e.Scored, e.Told = scored, true
	return e, nil
}

// start scores a candidate, unless its score is known.
func (f *steadyRun[G]) start(c Candidate[G]) {
	to := make(chan landed, 1)
	f.out[c.ID] = to
	if s, ok := f.run.progress.Known[c.ID]; ok {
		to <- landed{score: s}
		return
	}
	f.work.Go(func() {
		scores, err := f.run.objective(f.ctx, []Candidate[G]{c})
		if err == nil && len(scores) != 1 {
			err = fmt.Errorf("%d scores for one candidate", len(scores))
		}
		l := landed{err: err}
		if err == nil {
			l.score = scores[0]
		}
		to <- l
	})
}
