package evolve_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/evolve/evolvetest"
)

type (
	event    = evolve.Event[[]float64]
	progress = evolve.Progress[[]float64]
	scored   = evolve.Scored[[]float64]
)

// store is what a consumer keeps of a run in order to resume it.
type store struct {
	events   []event
	state    []byte
	progress progress
	scores   map[uint64]evolve.Score // of all candidates
	calls    map[uint64]int          // of the objective
}

func newStore() *store {
	return &store{scores: map[uint64]evolve.Score{}, calls: map[uint64]int{}}
}

// counted is f, counting.
func (s *store) counted(f evolve.Objective[[]float64]) evolve.Objective[[]float64] {
	return func(ctx context.Context, pop []evolve.Candidate[[]float64]) ([]evolve.Score, error) {
		for _, c := range pop {
			s.calls[c.ID]++
		}
		return f(ctx, pop)
	}
}

func (s *store) run(t *testing.T, ctx context.Context, o evolve.Optimizer[[]float64], f evolve.Objective[[]float64], b evolve.Budget) error {
	t.Helper()
	from := s.progress
	if s.state != nil {
		if err := o.UnmarshalBinary(s.state); err != nil {
			t.Fatal(err)
		}
	}
	from.Known = maps.Clone(s.scores)
	for e, err := range evolve.Run(ctx, o, s.counted(f), b, from) {
		if err != nil {
			return err
		}
		s.events = append(s.events, e)
		for _, c := range e.Scored {
			s.scores[c.ID] = c.Score
		}
		if e.Told {
			var err error
			if s.state, err = e.Optimizer.MarshalBinary(); err != nil {
				t.Fatal(err)
			}
			s.progress = progress{Generation: e.Generations, Evaluations: e.Evaluations, Failed: e.Failed, Best: e.Best}
		}
	}
	return nil
}

var (
	bowlBox = wide(3, 1, 8)
	bowl    = evolvetest.Score(bowlBox, evolvetest.Rastrigin)
)

// moody fails every seventh candidate.
func moody(ctx context.Context, pop []evolve.Candidate[[]float64]) ([]evolve.Score, error) {
	scores, err := bowl(ctx, pop)
	for i, c := range pop {
		if c.ID%7 == 0 {
			scores[i] = evolve.Score{Err: errors.New("unlucky")}
		}
	}
	return scores, err
}

func newOptimizer(t *testing.T, a evolve.Algorithm) evolve.Optimizer[[]float64] {
	t.Helper()
	o, err := a.New(bowlBox, evolve.Settings{Seed: 5, Population: 7, Proposer: evolvetest.Propose})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestRunEvents(t *testing.T) {
	for _, a := range evolve.Optimizers() {
		if a.Name != evolve.DefaultOptimizer && a.Name != "random" {
			continue // the later generations of others may have other sizes
		}
		s := newStore()
		if err := s.run(t, t.Context(), newOptimizer(t, a), moody, evolve.Budget{Evaluations: 17}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range s.events {
			got = append(got, fmt.Sprintf("%v: %d generations, %d evaluations, %d failed, %d scored, told %v %s",
				e.Kind, e.Generations, e.Evaluations, e.Failed, len(e.Scored), e.Told, e.Reason))
		}
		want := []string{
			"started: 0 generations, 0 evaluations, 0 failed, 0 scored, told false ",
			"generation: 1 generations, 7 evaluations, 1 failed, 7 scored, told true ",
			"generation: 2 generations, 14 evaluations, 2 failed, 7 scored, told true ",
			"generation: 2 generations, 17 evaluations, 2 failed, 3 scored, told false ",
			"stopped: 2 generations, 17 evaluations, 2 failed, 0 scored, told false evaluations",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: events (-want +got):\n%s", a.Name, d)
		}
		last := s.events[len(s.events)-1]
		for id, score := range s.scores {
			if evolve.Better(scored{Candidate: evolve.Candidate[[]float64]{ID: id}, Score: score}, *last.Best) {
				t.Errorf("%s: %d is better than the best", a.Name, id)
			}
		}
	}
}

// Stopped by any budget and resumed with a larger one, the run is the same as if
// it had had that from the start, and no candidate is evaluated twice.
func TestRunResume(t *testing.T) {
	const all = 60
	for _, a := range evolve.Optimizers() {
		whole := newStore()
		if err := whole.run(t, t.Context(), newOptimizer(t, a), moody, evolve.Budget{Evaluations: all}); err != nil {
			t.Fatal(err)
		}
		for cut := 1; cut < all; cut++ {
			parts := newStore()
			for _, n := range []int{cut, cut, all} { // twice the same is once
				if err := parts.run(t, t.Context(), newOptimizer(t, a), moody, evolve.Budget{Evaluations: n}); err != nil {
					t.Fatal(err)
				}
				if n == cut && len(parts.calls) != cut {
					t.Fatalf("%s: %d evaluations with a budget of %d", a.Name, len(parts.calls), cut)
				}
			}
			for id, n := range parts.calls {
				if n != 1 {
					t.Fatalf("%s, cut at %d: candidate %d evaluated %d times", a.Name, cut, id, n)
				}
			}
			last := func(s *store) event { return s.events[len(s.events)-1] }
			ignore := cmpopts.IgnoreFields(event{}, "Elapsed", "Optimizer")
			if d := cmp.Diff(last(whole), last(parts), ignore); d != "" {
				t.Errorf("%s, cut at %d: the end differs (-whole +parts):\n%s", a.Name, cut, d)
			}
			if d := cmp.Diff(whole.scores, parts.scores, cmp.Comparer(func(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) })); d != "" {
				t.Errorf("%s, cut at %d: scores differ (-whole +parts):\n%s", a.Name, cut, d)
			}
			if d := cmp.Diff(whole.state, parts.state); d != "" {
				t.Errorf("%s, cut at %d: the states differ", a.Name, cut)
			}
		}
	}
}

func TestRunCanceled(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(cancel func()) evolve.Objective[[]float64]
		told int
	}{
		{"objective finishes", func(cancel func()) evolve.Objective[[]float64] {
			return func(ctx context.Context, pop []evolve.Candidate[[]float64]) ([]evolve.Score, error) {
				cancel()
				return bowl(ctx, pop)
			}
		}, 1},
		{"objective gives up", func(cancel func()) evolve.Objective[[]float64] {
			return func(ctx context.Context, pop []evolve.Candidate[[]float64]) ([]evolve.Score, error) {
				cancel()
				return nil, errors.New("interrupted")
			}
		}, 0},
		{"one candidate is interrupted", func(cancel func()) evolve.Objective[[]float64] {
			return func(ctx context.Context, pop []evolve.Candidate[[]float64]) ([]evolve.Score, error) {
				cancel()
				scores, _ := bowl(ctx, pop)
				scores[2] = evolve.Score{Err: fmt.Errorf("device: %w", ctx.Err())}
				return scores, nil
			}
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s := newStore()
			err := s.run(t, ctx, newOptimizer(t, evolve.Optimizers()[0]), c.f(cancel), evolve.Budget{})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got the error %v", err)
			}
			if s.progress.Generation != c.told {
				t.Errorf("%d generations told, want %d", s.progress.Generation, c.told)
			}
		})
	}
}

func TestRunErrors(t *testing.T) {
	down := errors.New("the server is down")
	for _, c := range []struct {
		name string
		f    evolve.Objective[[]float64]
		want string
	}{
		{"objective", func(context.Context, []evolve.Candidate[[]float64]) ([]evolve.Score, error) { return nil, down }, "generation 1: the server is down"},
		{"too few", func(context.Context, []evolve.Candidate[[]float64]) ([]evolve.Score, error) { return nil, nil }, "0 scores for 7 candidates"},
	} {
		s := newStore()
		err := s.run(t, t.Context(), newOptimizer(t, evolve.Optimizers()[0]), c.f, evolve.Budget{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
		if len(s.events) != 1 {
			t.Errorf("%s: %d events before the error", c.name, len(s.events))
		}
	}
}

func TestRunPanics(t *testing.T) {
	defer func() {
		if recover() != "bug" {
			t.Error("the objective's panic was lost")
		}
	}()
	boom := func(context.Context, []evolve.Candidate[[]float64]) ([]evolve.Score, error) { panic("bug") }
	_ = newStore().run(t, t.Context(), newOptimizer(t, evolve.Optimizers()[0]), boom, evolve.Budget{})
}

// A spent time budget and an optimizer which has had enough both end a run.
func TestRunStops(t *testing.T) {
	for _, c := range []struct {
		want   string
		f      evolve.Objective[[]float64]
		budget evolve.Budget
	}{
		{"time", bowl, evolve.Budget{Time: time.Nanosecond}},
		{"tolflatfitness", evolvetest.Score(bowlBox, func([]float64) float64 { return 1 }), evolve.Budget{}},
	} {
		s := newStore()
		if err := s.run(t, t.Context(), newOptimizer(t, evolve.Optimizers()[0]), c.f, c.budget); err != nil {
			t.Fatal(err)
		}
		if e := s.events[len(s.events)-1]; e.Kind != evolve.Stopped || e.Reason != c.want {
			t.Errorf("ended with %v %q, want %q", e.Kind, e.Reason, c.want)
		}
	}
}

// Breaking off leaves a state from which to resume.
func TestRunBreak(t *testing.T) {
	o := newOptimizer(t, evolve.Optimizers()[0])
	for e := range evolve.Run(t.Context(), o, bowl, evolve.Budget{}, progress{}) {
		if e.Kind == evolve.Generation {
			break
		}
	}
	pop, err := o.Ask(t.Context())
	if err != nil || pop[0].ID != 8 {
		t.Errorf("next is %v, %v; want candidate 8", pop, err)
	}
}

func TestKindJSON(t *testing.T) {
	got, err := json.Marshal([]evolve.Kind{evolve.Started, evolve.Generation, evolve.Stopped, 0})
	if want := `["started","generation","stopped","Kind(0)"]`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}
