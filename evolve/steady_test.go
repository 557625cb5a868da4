package evolve_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mergevo/mergevo/evolve"
)

func steadily(o *evolve.M2N2Options) { o.InFlight, o.Steady = 3, true }

// told are the candidates of a run, in the order in which they were told.
func told(t *testing.T, m *evolve.M2N2[uint64], f evolve.Objective[uint64], n int, from evolve.Progress[uint64]) (out []string) {
	t.Helper()
	for e, err := range evolve.Run(t.Context(), m, f, evolve.Budget{Evaluations: n}, from) {
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range e.Scored {
			out = append(out, fmt.Sprint(c.ID, c.Parents, c.Genome))
		}
	}
	return out
}

func spellAll(_ context.Context, pop []evolve.Candidate[uint64]) ([]evolve.Score, error) {
	return []evolve.Score{spell(pop[0].Genome)}, nil
}

// What is bred depends on what was told, in the order of IDs, and not on who is scored
// first.
func TestSteadyOrder(t *testing.T) {
	want := told(t, newM2N2(t, steadily), spellAll, 60, evolve.Progress[uint64]{})
	var running, most atomic.Int64
	slow := func(ctx context.Context, pop []evolve.Candidate[uint64]) ([]evolve.Score, error) {
		n := running.Add(1)
		defer running.Add(-1)
		for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
		}
		time.Sleep(time.Duration(7*pop[0].ID%5) * time.Millisecond) // each other than the one before
		return spellAll(ctx, pop)
	}
	if got := told(t, newM2N2(t, steadily), slow, 60, evolve.Progress[uint64]{}); !slices.Equal(got, want) {
		t.Errorf("the order of scoring mattered:\n%v\n%v", got, want)
	}
	if most.Load() < 2 || most.Load() > 4 { // the seeds are four
		t.Errorf("%d were scored side by side, 3 are in flight", most.Load())
	}
	if len(want) != 60 {
		t.Errorf("%d candidates of 60", len(want))
	}
}

// Child i follows from the results 1 to i-3.
func TestSteadyLag(t *testing.T) {
	m := newM2N2(t, steadily)
	for id := uint64(1); id < 40; id++ {
		pop, err := m.Ask(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := 3
		if id <= 4 {
			want = 5 - int(id) // the seeds that are left
		}
		if len(pop) != want || pop[0].ID != id {
			t.Fatalf("before candidate %d is told %d are out, from %d", id, len(pop), pop[0].ID)
		}
		for _, c := range pop {
			for _, p := range c.Parents {
				if id > 4 && p > 4 && p+3 > c.ID {
					t.Errorf("candidate %d has the parent %d", c.ID, p)
				}
			}
		}
		if err := m.Tell([]evolve.Scored[uint64]{{Candidate: pop[0], Score: spell(pop[0].Genome)}}); err != nil {
			t.Fatal(err)
		}
	}
	pop, err := m.Ask(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Tell([]evolve.Scored[uint64]{{Candidate: pop[1], Score: spell(pop[1].Genome)}}); err == nil {
		t.Error("the second is told before the first")
	}
}

// A run that is restored from any of its states, with the scores known since, goes on
// as it would have, and scores nothing twice.
func TestSteadyResumes(t *testing.T) {
	want := told(t, newM2N2(t, steadily), spellAll, 50, evolve.Progress[uint64]{})
	var mu sync.Mutex
	known := map[uint64]evolve.Score{}
	record := func(ctx context.Context, pop []evolve.Candidate[uint64]) ([]evolve.Score, error) {
		s, err := spellAll(ctx, pop)
		mu.Lock()
		defer mu.Unlock()
		known[pop[0].ID] = s[0]
		return s, err
	}
	m := newM2N2(t, steadily)
	states := map[int][]byte{}
	for e, err := range evolve.Run(t.Context(), m, record, evolve.Budget{Evaluations: 30}, evolve.Progress[uint64]{}) {
		if err != nil {
			t.Fatal(err)
		}
		if states[e.Evaluations], err = m.MarshalBinary(); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []int{1, 3, 4, 5, 6, 17, 30} {
		m := newM2N2(t, steadily)
		if err := m.UnmarshalBinary(states[at]); err != nil {
			t.Fatal(err)
		}
		again := func(ctx context.Context, pop []evolve.Candidate[uint64]) ([]evolve.Score, error) {
			if _, ok := known[pop[0].ID]; ok {
				t.Errorf("from %d on: candidate %d is scored again", at, pop[0].ID)
			}
			return spellAll(ctx, pop)
		}
		got := told(t, m, again, 50, evolve.Progress[uint64]{Generation: at, Evaluations: at, Known: known})
		if !slices.Equal(got, want[at:]) {
			t.Errorf("from %d on:\n%v\n%v", at, got, want[at:])
		}
	}
	if err := newM2N2(t, nil).UnmarshalBinary(states[17]); err == nil {
		t.Error("a search in generations takes a steady one's state")
	}
}
